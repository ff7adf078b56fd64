//! Instants of the clocks, each a type of its own: two clocks cannot be mixed up.
//!
//! The difference of two instants of one clock, and what is added to an instant, is an `i64` in ns.
//! All arithmetic saturates.

use std::ops::{Add, Sub};

macro_rules! instant {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(i64);

        impl $name {
            /// The earliest instant.
            pub const MIN: Self = Self(i64::MIN);

            /// The latest instant.
            pub const MAX: Self = Self(i64::MAX);

            /// The instant at which the clock shows `ns`.
            #[must_use]
            pub const fn from_ns(ns: i64) -> Self {
                Self(ns)
            }

            /// What the clock shows, ns.
            #[must_use]
            pub const fn as_ns(self) -> i64 {
                self.0
            }

            /// The instant half-way to `other`.
            #[must_use]
            pub const fn midpoint(self, other: Self) -> Self {
                Self(self.0.midpoint(other.0))
            }
        }

        impl Sub for $name {
            type Output = i64;

            fn sub(self, earlier: Self) -> i64 {
                self.0.saturating_sub(earlier.0)
            }
        }

        impl Add<i64> for $name {
            type Output = Self;

            fn add(self, ns: i64) -> Self {
                Self(self.0.saturating_add(ns))
            }
        }

        impl Sub<i64> for $name {
            type Output = Self;

            fn sub(self, ns: i64) -> Self {
                Self(self.0.saturating_sub(ns))
            }
        }
    };
}

instant! {
    /// An instant of `CLOCK_MONOTONIC_RAW`, which no program steers.
    RawInstant
}

instant! {
    /// An instant of `CLOCK_MONOTONIC_COARSE`, the clock of the v1 and v2 layouts.
    CoarseInstant
}

instant! {
    /// An instant of `CLOCK_REALTIME` or of UTC, since 1970.
    RealtimeInstant
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instant_arithmetic_saturates() {
        let (first, last) = (RawInstant::MIN, RawInstant::MAX);
        assert_eq!(last - first, i64::MAX);
        assert_eq!(first - last, i64::MIN);
        assert_eq!(last + 1, last);
        assert_eq!(first - 1, first);
        assert_eq!(RawInstant::from_ns(7) - RawInstant::from_ns(9), -2);
        assert_eq!((RawInstant::from_ns(7) + 5).as_ns(), 12);
        let middle = RawInstant::from_ns(4).midpoint(RawInstant::from_ns(8));
        assert_eq!(middle, RawInstant::from_ns(6));
    }
}
