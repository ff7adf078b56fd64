//! The encoding of the values in packets.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::error::ParseError;
use crate::time::NS_PER_S;

/// An address as in chronyd's packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// No address: a reference clock in a tracking report.
    Unspecified,
    /// IPv4; in a source report also the reference id of a reference clock.
    V4(Ipv4Addr),
    /// IPv6.
    V6(Ipv6Addr),
    /// The number of a source whose name has not been resolved yet.
    Id(u32),
}

impl Address {
    /// The reference id that chronyd uses for a source with this address: the IPv4 address itself,
    /// also for a reference clock. `None` for other addresses, which do not determine the reference
    /// id.
    #[must_use]
    pub fn as_reference_id(self) -> Option<u32> {
        match self {
            Self::V4(address) => Some(address.to_bits()),
            Self::Unspecified | Self::V6(_) | Self::Id(_) => None,
        }
    }
}

/// The size of the longest packet that is written, in bytes.
const MAX_PACKET_BYTES: usize = 128;

/// The number of bits of a float's coefficient, including the sign. The seven higher bits are the
/// exponent.
const COEFFICIENT_BITS: i32 = 25;
const COEFFICIENT_MIN: f64 = -((1 << (COEFFICIENT_BITS - 1)) as f64);
const COEFFICIENT_MAX: f64 = ((1 << (COEFFICIENT_BITS - 1)) - 1) as f64;
const EXPONENT_MIN: i32 = -64;
const EXPONENT_MAX: i32 = 63;
/// The high 32 bits of the seconds in a time from a chronyd without 64-bit times.
const NO_HIGH_SECONDS: u32 = 0x7fff_ffff;

/// Reads a packet from its beginning. A read past the end is an error.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    length: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(packet: &'a [u8]) -> Self {
        Self {
            rest: packet,
            length: packet.len(),
        }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], ParseError> {
        let Some((taken, rest)) = self.rest.split_first_chunk::<N>() else {
            let wanted = self.length - self.rest.len() + N;
            return Err(ParseError::TooShort {
                wanted,
                found: self.length,
            });
        };
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, ParseError> {
        self.take().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, ParseError> {
        self.take().map(u16::from_be_bytes)
    }

    pub(super) fn i16(&mut self) -> Result<i16, ParseError> {
        self.take().map(i16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, ParseError> {
        self.take().map(u32::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32, ParseError> {
        self.take().map(i32::from_be_bytes)
    }

    /// A float: coefficient x 2^(exponent - 25), always finite.
    ///
    /// chronyd's encoder rounds, and then drops one bit of values from 0.5 on. The relative error
    /// is from -1.5 x 2^-24 to 2^-24 from 0.5 on, and at most 2^-24 below 0.5.
    pub(super) fn float(&mut self) -> Result<f64, ParseError> {
        let word = self.i32()?;
        let exponent = word >> COEFFICIENT_BITS;
        // The two shifts extend the sign.
        let coefficient = (word << (32 - COEFFICIENT_BITS)) >> (32 - COEFFICIENT_BITS);
        Ok(f64::from(coefficient) * power_of_two(exponent - COEFFICIENT_BITS))
    }

    /// A time in ns since 1970.
    pub(super) fn time_ns(&mut self, field: &'static str) -> Result<i64, ParseError> {
        let (high, low, nanoseconds) = (self.u32()?, self.u32()?, self.u32()?);
        let high = if high == NO_HIGH_SECONDS { 0 } else { high };
        let seconds = (u64::from(high) << 32) | u64::from(low);
        let time = i64::try_from(seconds)
            .ok()
            .and_then(|seconds| seconds.checked_mul(NS_PER_S));
        time.filter(|_| i64::from(nanoseconds) < NS_PER_S)
            .and_then(|time| time.checked_add(i64::from(nanoseconds)))
            .ok_or_else(|| {
                ParseError::field(
                    field,
                    format!("{seconds} s {nanoseconds} ns"),
                    "out of range",
                )
            })
    }

    pub(super) fn address(&mut self) -> Result<Address, ParseError> {
        let bytes: [u8; 16] = self.take()?;
        let (family, _padding) = (self.u16()?, self.u16()?);
        let [a, b, c, d, ..] = bytes;
        match family {
            0 => Ok(Address::Unspecified),
            1 => Ok(Address::V4(Ipv4Addr::new(a, b, c, d))),
            2 => Ok(Address::V6(Ipv6Addr::from(bytes))),
            3 => Ok(Address::Id(u32::from_be_bytes([a, b, c, d]))),
            other => Err(ParseError::field(
                "address family",
                other.to_string(),
                "none of 0 to 3",
            )),
        }
    }
}

/// 2^`exponent`, for exponents from -1022 to 1023, without the rounding and the loop of `powi`.
fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(u64::from((exponent + 1023).cast_unsigned()) << 52)
}

/// Writes a packet.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    /// An empty packet with the capacity for the longest one.
    pub(super) fn new() -> Self {
        Self(Vec::with_capacity(MAX_PACKET_BYTES))
    }

    pub(super) fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    pub(super) fn u16(mut self, value: u16) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(super) fn i16(self, value: i16) -> Self {
        self.u16(value.cast_unsigned())
    }

    pub(super) fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    /// The nearest float, with a relative error of at most 2^-24. Values out of range become the
    /// nearest limit, and NaN becomes zero.
    pub(super) fn float(self, value: f64) -> Self {
        if value == 0.0 || value.is_nan() {
            return self.u32(0);
        }
        // IEEE 754: |value| = m x 2^(biased - 1022) with m in [0.5, 1); m x 2^24 is a coefficient.
        let biased = (value.to_bits() >> 52) & 0x7ff;
        let mut exponent = (i32::try_from(biased).unwrap_or_default() - 1022 + 1)
            .clamp(EXPONENT_MIN, EXPONENT_MAX);
        let scaled = |exponent: i32| (value * 2f64.powi(COEFFICIENT_BITS - exponent)).round();
        if scaled(exponent) > COEFFICIENT_MAX && exponent < EXPONENT_MAX {
            // Rounding has reached the next power of two.
            exponent += 1;
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a whole number that was clamped to the range of the coefficient"
        )]
        let coefficient = scaled(exponent).clamp(COEFFICIENT_MIN, COEFFICIENT_MAX) as i32;
        let mask = (1u32 << COEFFICIENT_BITS) - 1;
        self.u32(
            (exponent << COEFFICIENT_BITS).cast_unsigned() | coefficient.cast_unsigned() & mask,
        )
    }

    /// A time in ns since 1970. Times before 1970 become 1970.
    pub(super) fn time_ns(self, ns: i64) -> Self {
        // Seconds of a time in ns are below 2^34.
        let ns = ns.max(0);
        let (seconds, nanoseconds) = (ns / NS_PER_S, ns % NS_PER_S);
        [seconds >> 32, seconds & i64::from(u32::MAX), nanoseconds]
            .into_iter()
            .fold(self, |writer, word| {
                writer.u32(u32::try_from(word).unwrap_or_default())
            })
    }

    pub(super) fn address(mut self, address: Address) -> Self {
        let mut bytes = [0; 16];
        let family = match address {
            Address::Unspecified => 0,
            Address::V4(v4) => {
                bytes[..4].copy_from_slice(&v4.octets());
                1
            }
            Address::V6(v6) => {
                bytes = v6.octets();
                2
            }
            Address::Id(id) => {
                bytes[..4].copy_from_slice(&id.to_be_bytes());
                3
            }
        };
        self.0.extend(bytes);
        self.u16(family).u16(0)
    }

    /// The packet, padded with zeros to `length` bytes.
    pub(super) fn finish(mut self, length: usize) -> Vec<u8> {
        if self.0.len() < length {
            self.0.resize(length, 0);
        }
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(word: u32) -> f64 {
        Reader::new(&word.to_be_bytes())
            .float()
            .expect("four bytes")
    }

    fn encode(value: f64) -> u32 {
        let bytes = Writer::new().float(value).finish(0);
        u32::from_be_bytes(bytes.try_into().expect("four bytes"))
    }

    #[test]
    fn floats_are_encoded_as_by_chrony() {
        for (word, value) in [
            (0, 0.0),
            (0x0480_0000, 1.0),
            (0x0580_0000, -1.0),
            (0x0280_0000, 0.5),
            (0x7eff_ffff, 4_611_685_743_549_480_960.0),
            (0x7f00_0000, -4_611_686_018_427_387_904.0),
            (0x8000_0001, 2f64.powi(-89)),
        ] {
            assert_eq!(decode(word), value, "{word:08x}");
            assert_eq!(decode(encode(value)), value, "{value}");
        }
    }

    #[test]
    fn values_out_of_range_become_the_nearest_float() {
        assert_eq!(decode(encode(f64::INFINITY)), decode(0x7eff_ffff));
        assert_eq!(decode(encode(f64::NEG_INFINITY)), decode(0x7f00_0000));
        assert_eq!(encode(f64::NAN), 0);
        assert_eq!(encode(1e-300), 0x8000_0000);
        assert_eq!(decode(0x8000_0000), 0.0);
    }

    proptest! {
        #[test]
        fn every_float_survives_a_round_trip(word: u32) {
            prop_assert_eq!(decode(encode(decode(word))), decode(word));
        }

        #[test]
        fn the_relative_error_of_a_float_is_below_2_to_the_minus_24(value in -1e18..1e18f64) {
            prop_assume!(value.abs() > 1e-18);
            prop_assert!((decode(encode(value)) - value).abs() <= value.abs() / f64::from(1 << 24));
        }
    }
}
