//! What chronyd reports: typed, and refused by the field's name when a value cannot be.

pub use shm_layout::Leap;

use super::error::ParseError;
use super::wire::{Address, Reader, Writer};

/// Offsets beyond this are absurd, seconds: 31 years. No bound made from one would be of use.
const MAX_OFFSET_S: f64 = 1e9;
/// More than NTP's 16.16 bit format can say of a root delay or dispersion, seconds (RFC 5905,
/// section 6).
const MAX_ROOT_S: f64 = 65_536.0;
/// A clock off by this much stands still, ppm.
const MAX_FREQUENCY_PPM: f64 = 1e6;
/// chronyd begins at 10^6 ppm and comes down from there; a large `maxupdateskew` lets it climb a
/// little.
const MAX_SKEW_PPM: f64 = 1e7;
/// Longer than any interval between updates, seconds.
const MAX_INTERVAL_S: f64 = 1e10;
/// The stratum of what is not synchronised (RFC 5905, section 7.3).
const MAX_STRATUM: u16 = 16;

/// The leap status of a report.
fn leap_from_wire(number: u16) -> Result<Leap, ParseError> {
    let leap = u8::try_from(number).ok().map(Leap::try_from);
    leap.and_then(Result::ok)
        .ok_or_else(|| ParseError::field("leap status", number.to_string(), "none of 0 to 3"))
}

/// What the system clock is known to be: chronyc's `tracking`.
///
/// Source: chronyc(1), `tracking`; times in seconds, `CLOCK_REALTIME`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tracking {
    /// The reference id of the selected source: an IPv4 address, or up to four characters; 0 for
    /// none.
    pub ref_id: u32,
    /// The selected source's address; unspecified for a reference clock.
    pub address: Address,
    /// Hops to a reference clock, ours included; at most 16.
    pub stratum: u16,
    /// Leap second ahead, or not synchronised.
    pub leap: Leap,
    /// When the last measurement was processed, ns since 1970. Fuzzed by up to a second.
    pub ref_time_ns: i64,
    /// What the system clock is still to be corrected by, s: > 0 when it is slow of true time.
    pub current_correction_s: f64,
    /// The last measured offset, s, same sign.
    pub last_offset_s: f64,
    /// Long-term average of the offset, s.
    pub rms_offset_s: f64,
    /// How much the system clock would gain without correction, ppm; < 0 when it would lose.
    pub freq_ppm: f64,
    /// What the last measurements suggest that frequency is off by, ppm.
    pub resid_freq_ppm: f64,
    /// The error bound of the frequency, ppm.
    pub skew_ppm: f64,
    /// Total of the network delays to the reference, s.
    pub root_delay_s: f64,
    /// Total of the dispersions, aged to the report, s.
    pub root_dispersion_s: f64,
    /// The time between the last two updates, s.
    pub last_update_interval_s: f64,
}

impl Tracking {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        Ok(Self {
            ref_id: reader.u32()?,
            address: reader.address()?,
            stratum: stratum(reader.u16()?)?,
            leap: leap_from_wire(reader.u16()?)?,
            ref_time_ns: reader.time_ns("ref_time")?,
            current_correction_s: signed("current_correction", reader.float()?, MAX_OFFSET_S)?,
            last_offset_s: signed("last_offset", reader.float()?, MAX_OFFSET_S)?,
            rms_offset_s: unsigned("rms_offset", reader.float()?, MAX_OFFSET_S)?,
            freq_ppm: signed("freq_ppm", reader.float()?, MAX_FREQUENCY_PPM)?,
            resid_freq_ppm: signed("resid_freq_ppm", reader.float()?, MAX_FREQUENCY_PPM)?,
            skew_ppm: unsigned("skew_ppm", reader.float()?, MAX_SKEW_PPM)?,
            root_delay_s: unsigned("root_delay", reader.float()?, MAX_ROOT_S)?,
            root_dispersion_s: unsigned("root_dispersion", reader.float()?, MAX_ROOT_S)?,
            last_update_interval_s: unsigned(
                "last_update_interval",
                reader.float()?,
                MAX_INTERVAL_S,
            )?,
        })
    }

    pub(super) fn write(&self, writer: Writer) -> Writer {
        let writer = writer
            .u32(self.ref_id)
            .address(self.address)
            .u16(self.stratum)
            .u16(self.leap as u16);
        let writer = writer.time_ns(self.ref_time_ns);
        [
            self.current_correction_s,
            self.last_offset_s,
            self.rms_offset_s,
            self.freq_ppm,
            self.resid_freq_ppm,
            self.skew_ppm,
            self.root_delay_s,
            self.root_dispersion_s,
            self.last_update_interval_s,
        ]
        .into_iter()
        .fold(writer, Writer::float)
    }
}

/// What chronyd makes of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceState {
    /// The one that the clock follows.
    Selected = 0,
    /// Not good enough, unreachable for one.
    Nonselectable = 1,
    /// It disagrees with the majority.
    Falseticker = 2,
    /// Its measurements vary too much.
    Jittery = 3,
    /// Good enough, but another is better.
    Unselected = 4,
    /// Combined with the selected one.
    Selectable = 5,
}

/// What kind of source it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceMode {
    /// A server.
    Client = 0,
    /// A peer.
    Peer = 1,
    /// A reference clock of this host.
    Reference = 2,
}

/// What is known of one source: a line of chronyc's `sources`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SourceData {
    /// Its address; a reference clock's is its reference id as IPv4.
    pub address: Address,
    /// The base 2 logarithm of the polling interval in seconds.
    pub poll: i16,
    /// Hops to a reference clock.
    pub stratum: u16,
    /// What chronyd makes of it.
    pub state: SourceState,
    /// What kind it is.
    pub mode: SourceMode,
    /// Options of the source, as in `candm.h`.
    pub flags: u16,
    /// The last eight polls, the latest in the lowest bit: 1 for a valid answer.
    pub reachability: u16,
    /// The age of the last good measurement, s; `u32::MAX` when there has been none.
    pub since_sample_s: u32,
    /// The last measured offset as it was measured, s.
    pub original_offset_s: f64,
    /// The same, with the clock's corrections since then, s.
    pub offset_s: f64,
    /// The error bound of that measurement, s.
    pub offset_error_s: f64,
}

impl SourceData {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        Ok(Self {
            address: reader.address()?,
            poll: reader.i16()?,
            stratum: stratum(reader.u16()?)?,
            state: match reader.u16()? {
                0 => SourceState::Selected,
                1 => SourceState::Nonselectable,
                2 => SourceState::Falseticker,
                3 => SourceState::Jittery,
                4 => SourceState::Unselected,
                5 => SourceState::Selectable,
                other => {
                    return Err(ParseError::field(
                        "state",
                        other.to_string(),
                        "none of 0 to 5",
                    ));
                }
            },
            mode: match reader.u16()? {
                0 => SourceMode::Client,
                1 => SourceMode::Peer,
                2 => SourceMode::Reference,
                other => {
                    return Err(ParseError::field(
                        "mode",
                        other.to_string(),
                        "none of 0 to 2",
                    ));
                }
            },
            flags: reader.u16()?,
            reachability: reader.u16()?,
            since_sample_s: reader.u32()?,
            original_offset_s: signed("original offset", reader.float()?, MAX_OFFSET_S)?,
            offset_s: signed("offset", reader.float()?, MAX_OFFSET_S)?,
            offset_error_s: unsigned("offset error", reader.float()?, MAX_OFFSET_S)?,
        })
    }

    pub(super) fn write(&self, writer: Writer) -> Writer {
        let writer = writer
            .address(self.address)
            .i16(self.poll)
            .u16(self.stratum);
        let writer = writer
            .u16(self.state as u16)
            .u16(self.mode as u16)
            .u16(self.flags);
        let writer = writer.u16(self.reachability).u32(self.since_sample_s);
        writer
            .float(self.original_offset_s)
            .float(self.offset_s)
            .float(self.offset_error_s)
    }
}

fn stratum(stratum: u16) -> Result<u16, ParseError> {
    if stratum > MAX_STRATUM {
        return Err(ParseError::field(
            "stratum",
            stratum.to_string(),
            "above 16",
        ));
    }
    Ok(stratum)
}

/// A value of either sign whose size is at most `limit`. The wire has no NaN and no infinities, but
/// a comparison that they fail costs nothing.
fn signed(field: &'static str, value: f64, limit: f64) -> Result<f64, ParseError> {
    if value.abs() <= limit {
        return Ok(value);
    }
    Err(ParseError::field(field, value.to_string(), "absurd"))
}

fn unsigned(field: &'static str, value: f64, limit: f64) -> Result<f64, ParseError> {
    if value < 0.0 {
        return Err(ParseError::field(field, value.to_string(), "negative"));
    }
    signed(field, value, limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_cannot_be_are_refused_by_name() {
        for (value, why) in [
            (f64::NAN, "absurd"),
            (f64::INFINITY, "absurd"),
            (-1e-9, "negative"),
            (1e10, "absurd"),
        ] {
            let err = unsigned("root_delay", value, 1e9)
                .expect_err("refused")
                .to_string();
            assert!(err.contains("root_delay") && err.contains(why), "{err}");
        }
        for value in [f64::NAN, f64::NEG_INFINITY, -1e10, 1e10] {
            let err = signed("current_correction", value, 1e9)
                .expect_err("refused")
                .to_string();
            assert!(err.contains("current_correction"), "{err}");
        }
        assert_eq!(signed("x", -1e9, 1e9), Ok(-1e9));
        assert_eq!(unsigned("x", 0.0, 1e9), Ok(0.0));
    }
}
