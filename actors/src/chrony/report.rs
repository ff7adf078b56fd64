//! chronyd's reports as typed values. The error for an invalid value names the field.

pub use shm_layout::Leap;

use super::error::ParseError;
use super::wire::{Address, Reader, Writer};

/// The maximum absolute offset, seconds: 31 years. A bound from a larger one would be useless.
const MAX_OFFSET_S: f64 = 1e9;
/// The maximum root delay and root dispersion, seconds: the limit of NTP's 16.16 bit format (RFC
/// 5905, section 6).
const MAX_ROOT_S: f64 = 65_536.0;
/// The maximum absolute frequency, ppm. A clock that is slow by this much does not advance.
const MAX_FREQUENCY_PPM: f64 = 1e6;
/// The maximum skew, ppm. chronyd starts with 10^6 ppm. With a large `maxupdateskew` it can exceed
/// this value a little.
const MAX_SKEW_PPM: f64 = 1e7;
/// The maximum interval between updates, seconds.
const MAX_INTERVAL_S: f64 = 1e10;
/// The stratum of an unsynchronised clock (RFC 5905, section 7.3).
const MAX_STRATUM: u16 = 16;

/// The leap status of a report.
fn leap_from_wire(number: u16) -> Result<Leap, ParseError> {
    let leap = u8::try_from(number).ok().map(Leap::try_from);
    leap.and_then(Result::ok)
        .ok_or_else(|| ParseError::field("leap status", number.to_string(), "none of 0 to 3"))
}

/// The tracking report: the state of the system clock, as in chronyc's `tracking`.
///
/// Source: chronyc(1), `tracking`; times in seconds, `CLOCK_REALTIME`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tracking {
    /// The reference id of the selected source: an IPv4 address, or up to four characters; 0
    /// without a reference.
    pub ref_id: u32,
    /// The selected source's address; unspecified for a reference clock.
    pub address: Address,
    /// The number of hops to a reference clock, including this host; at most 16.
    pub stratum: u16,
    /// The announced leap second, or that the clock is not synchronised.
    pub leap: Leap,
    /// When the last measurement was processed, ns since 1970. chronyd randomises it by up to a
    /// second.
    pub ref_time_ns: i64,
    /// The remaining correction of the system clock, s; positive if the clock is slow.
    pub current_correction_s: f64,
    /// The last measured offset, s, with the same sign.
    pub last_offset_s: f64,
    /// The long-term average of the offset, s.
    pub rms_offset_s: f64,
    /// The frequency offset of the system clock without correction, ppm; negative if it is slow.
    pub freq_ppm: f64,
    /// The residual frequency: the difference between the frequency that the last measurements
    /// indicate and the one in use, ppm.
    pub resid_freq_ppm: f64,
    /// The error bound of the frequency, ppm.
    pub skew_ppm: f64,
    /// The sum of the network delays to the reference, s.
    pub root_delay_s: f64,
    /// The sum of the dispersions to the reference, aged to the instant of the report, s.
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

/// The state of a source in chronyd's source selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceState {
    /// The selected source.
    Selected = 0,
    /// Not selectable, for example because it is unreachable.
    Nonselectable = 1,
    /// A falseticker: it disagrees with the majority.
    Falseticker = 2,
    /// Its measurements vary too much.
    Jittery = 3,
    /// Selectable, but not selected and not combined.
    Unselected = 4,
    /// Combined with the selected source.
    Selectable = 5,
}

/// The type of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceMode {
    /// An NTP server.
    Client = 0,
    /// An NTP peer.
    Peer = 1,
    /// A reference clock of this host.
    Reference = 2,
}

/// The report on one source: a line of chronyc's `sources`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SourceData {
    /// The address. The address of a reference clock is its reference id as an IPv4 address.
    pub address: Address,
    /// The base 2 logarithm of the polling interval in seconds.
    pub poll: i16,
    /// The number of hops to a reference clock.
    pub stratum: u16,
    /// The state in the source selection.
    pub state: SourceState,
    /// The type.
    pub mode: SourceMode,
    /// The flags of the source, as in `candm.h`.
    pub flags: u16,
    /// The reachability register: the last eight polls, the latest in the lowest bit. A bit is 1 if
    /// the source sent a valid response.
    pub reachability: u16,
    /// The age of the last valid measurement, s; `u32::MAX` without one.
    pub since_sample_s: u32,
    /// The last measured offset, without later corrections of the clock, s.
    pub original_offset_s: f64,
    /// The last measured offset, adjusted for later corrections of the clock, s.
    pub offset_s: f64,
    /// The error bound of this measurement, s.
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

/// Accepts a value if its absolute value is at most `limit`. The wire format has no NaN and no
/// infinities; the comparison rejects them, too.
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
    fn errors_for_invalid_values_name_the_field() {
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
