//! Leap seconds: UTC is ambiguous around one, and an interval that is to contain it has to be wider.

use shm_layout::native;

use crate::chrony::Leap;

/// Around a leap second truth is not told from its neighbour, ns before and after.
const WIDENING_NS: i64 = 1_000_000_000;

/// How close to the end of a day a leap second that was announced is near, ns: it takes effect there, and servers
/// and kernel may be a little apart about when.
const NEIGHBOURHOOD_NS: i64 = 3_000_000_000;

const NS_PER_DAY: i64 = 86_400_000_000_000;

/// What is added to the half width while a leap second is near.
#[must_use]
pub fn widening_ns(leap: Leap, utc_ns: i64) -> i64 {
    let into_day_ns = utc_ns.rem_euclid(NS_PER_DAY);
    let far = NEIGHBOURHOOD_NS..=NS_PER_DAY - NEIGHBOURHOOD_NS;
    match leap {
        Leap::InsertSecond | Leap::DeleteSecond if !far.contains(&into_day_ns) => WIDENING_NS,
        _ => 0,
    }
}

/// How long it is until an announced leap second is near; `None` when none is announced, or it is near already.
#[must_use]
pub fn until_near_ns(leap: Leap, utc_ns: i64) -> Option<i64> {
    let announced = matches!(leap, Leap::InsertSecond | Leap::DeleteSecond);
    let far = announced && widening_ns(leap, utc_ns) == 0;
    far.then(|| NS_PER_DAY - NEIGHBOURHOOD_NS - utc_ns.rem_euclid(NS_PER_DAY))
}

/// The announcement as it is published.
#[must_use]
pub fn published(leap: Leap) -> native::Leap {
    match leap {
        Leap::Normal => native::Leap::None,
        Leap::InsertSecond => native::Leap::Insert,
        Leap::DeleteSecond => native::Leap::Delete,
        Leap::Unsynchronized => native::Leap::Unsynchronized,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;

    #[test]
    fn the_neighbourhood_is_three_seconds_each_way_of_an_announced_midnight() {
        for (into_day_ns, widened, until_ns) in [
            (0, true, None),
            (3 * S - 1, true, None),
            (3 * S, false, Some(NS_PER_DAY - 6 * S)),
            (NS_PER_DAY - 4 * S, false, Some(S)),
            (NS_PER_DAY - 3 * S + 1, true, None),
            (NS_PER_DAY - 1, true, None),
        ] {
            let utc_ns = 20_000 * NS_PER_DAY + into_day_ns;
            for leap in [Leap::InsertSecond, Leap::DeleteSecond] {
                assert_eq!(widening_ns(leap, utc_ns) > 0, widened, "{into_day_ns}");
                assert_eq!(until_near_ns(leap, utc_ns), until_ns, "{into_day_ns}");
            }
            for leap in [Leap::Normal, Leap::Unsynchronized] {
                assert_eq!(
                    (widening_ns(leap, utc_ns), until_near_ns(leap, utc_ns)),
                    (0, None)
                );
            }
        }
    }
}
