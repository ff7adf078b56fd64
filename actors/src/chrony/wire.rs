//! The pieces that packets are made of.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::error::ParseError;
use crate::time::NS_PER_S;

/// An address as chronyd has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// None: a reference clock's in a tracking report.
    Unspecified,
    /// IPv4; for a reference clock in a source report, its reference id.
    V4(Ipv4Addr),
    /// IPv6.
    V6(Ipv6Addr),
    /// The number of a source whose name is not resolved yet.
    Id(u32),
}

impl Address {
    /// The reference id that chronyd has for a source of this address: an IPv4 address as it is,
    /// which a reference clock's is made to look like. Those of other addresses cannot be told from
    /// the address.
    #[must_use]
    pub fn as_reference_id(self) -> Option<u32> {
        match self {
            Self::V4(address) => Some(address.to_bits()),
            Self::Unspecified | Self::V6(_) | Self::Id(_) => None,
        }
    }
}

/// No packet that is written here is longer.
const MAX_PACKET_BYTES: usize = 128;

/// The bits of a float's coefficient, sign included; the seven above them are its exponent.
const COEFFICIENT_BITS: i32 = 25;
const COEFFICIENT_MIN: f64 = -((1 << (COEFFICIENT_BITS - 1)) as f64);
const COEFFICIENT_MAX: f64 = ((1 << (COEFFICIENT_BITS - 1)) - 1) as f64;
const EXPONENT_MIN: i32 = -64;
const EXPONENT_MAX: i32 = 63;
/// Seconds above 2^32 in a time from a chronyd that does not know them.
const NO_HIGH_SECONDS: u32 = 0x7fff_ffff;

/// Reads a packet from its beginning; what is not there is an error.
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
    /// chronyd's encoder rounds and then, for values of 0.5 and more, cuts one bit off: the value
    /// may be up to 1.5 x 2^-24 of itself too small, and below 0.5 up to 2^-24 of itself off.
    pub(super) fn float(&mut self) -> Result<f64, ParseError> {
        let word = self.i32()?;
        let exponent = word >> COEFFICIENT_BITS;
        // Shifted up and down again to extend the sign.
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
                    "no time of this era",
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

/// 2^`exponent`, which is from -1022 to 1023, without the rounding and the loop of `powi`.
fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

/// Writes a packet.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    /// An empty packet, with room for the longest one.
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

    /// The nearest float, off by at most 2^-24 of the value; what is too large becomes the largest,
    /// NaN zero.
    pub(super) fn float(self, value: f64) -> Self {
        if value == 0.0 || value.is_nan() {
            return self.u32(0);
        }
        // IEEE 754: |value| = m x 2^(biased - 1022) with m in [0.5, 1); m x 2^24 is a coefficient.
        let biased = (value.to_bits() >> 52 & 0x7ff) as i32;
        let mut exponent = (biased - 1022 + 1).clamp(EXPONENT_MIN, EXPONENT_MAX);
        let scaled = |exponent: i32| (value * 2f64.powi(COEFFICIENT_BITS - exponent)).round();
        if scaled(exponent) > COEFFICIENT_MAX && exponent < EXPONENT_MAX {
            // Rounded up to the next power of two.
            exponent += 1;
        }
        let coefficient = scaled(exponent).clamp(COEFFICIENT_MIN, COEFFICIENT_MAX) as i32;
        let mask = (1u32 << COEFFICIENT_BITS) - 1;
        self.u32(
            (exponent << COEFFICIENT_BITS).cast_unsigned() | coefficient.cast_unsigned() & mask,
        )
    }

    /// A time in ns since 1970; none before.
    pub(super) fn time_ns(self, ns: i64) -> Self {
        let (seconds, nanoseconds) = ((ns / NS_PER_S).max(0) as u64, (ns % NS_PER_S).max(0) as u32);
        self.u32((seconds >> 32) as u32)
            .u32(seconds as u32)
            .u32(nanoseconds)
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

    /// The packet, filled up with zeros to `length` bytes.
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
    fn floats_are_what_chrony_means_by_them() {
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
    fn what_no_float_can_say_becomes_the_nearest() {
        assert_eq!(decode(encode(f64::INFINITY)), decode(0x7eff_ffff));
        assert_eq!(decode(encode(f64::NEG_INFINITY)), decode(0x7f00_0000));
        assert_eq!(encode(f64::NAN), 0);
        assert_eq!(encode(1e-300), 0x8000_0000);
        assert_eq!(decode(0x8000_0000), 0.0);
    }

    proptest! {
        #[test]
        fn every_float_comes_back(word: u32) {
            prop_assert_eq!(decode(encode(decode(word))), decode(word));
        }

        #[test]
        fn a_float_is_off_by_less_than_one_part_in_2_to_the_24(value in -1e18..1e18f64) {
            prop_assume!(value.abs() > 1e-18);
            prop_assert!((decode(encode(value)) - value).abs() <= value.abs() / f64::from(1 << 24));
        }
    }
}
