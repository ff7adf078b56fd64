//! One measurement of one source becomes an interval of true time.
//!
//! chronyd reports of each source its last measurement m (positive when the clock is ahead of the
//! source) and the bound e of its error: half the root delay and the root dispersion as they were
//! then. With c, the correction that chronyd still has to make, and R, `CLOCK_REALTIME`, a
//! measurement of the age a puts true time into
//!
//! ```text
//!   R + c - m  -+  (e + a x (distance of UTC's rate from the one that chronyd assumes)
//!                     + the round trip x (distance of UTC's rate from the one that
//!                       chronyd measured the round trip with)
//!                     + how far R was moved within the age
//!                     + the gap between the readings of two clocks + float rounding)
//! ```
//! chronyd moves m when it slews or steps the clock, so R + c - m stays what it was. Signs were
//! checked against chronyd 4.3 with a server of known offset. Source: RFC 5905 section 11.1;
//! chrony's `sourcestats.c`, `SST_DoSourceReport`.

use std::fmt::{self, Write as _};

use super::ablation::Safeguard;
use super::error_budget::ErrorBudget;
use super::history::Point;
use crate::chrony::{Address, SourceData, SourceMode, SourceState, Tracking};
use crate::time::{
    FREQUENCY_LIMIT, Interval, NS_PER_S, Rate, RateBand, RawInstant, Readings, RealtimeInstant,
    ceil_ns, nearest_ns, scaled_ceil,
};

/// A float on the wire may be below the encoded value by 1.5 x 2^-24 of it: 25 bits, rounded, the
/// last of them cut off from 0.5 upwards. 2^-22 covers that and the arithmetic here.
const WIRE_FLOAT_ERROR: f64 = 1.0 / 4_194_304.0;

/// Rates are added here that multiply in truth: both are below 1000 ppm, so that the product is
/// below 1 ppm.
const SECOND_ORDER: Rate = Rate::from_ppm(1);

/// Identifies a source. Its index changes when others are added or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its address; a reference clock's is its reference id.
    pub address: Address,
    /// Whether it is a reference clock of this host.
    pub is_reference_clock: bool,
}

impl Key {
    /// The key of the source that this report is about.
    #[must_use]
    pub fn of(data: &SourceData) -> Self {
        Self {
            address: data.address,
            is_reference_clock: data.mode == SourceMode::Reference,
        }
    }
}

impl fmt::Display for Key {
    /// As chronyc prints it: the address, or the characters of a reference clock's id.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Address::V4(id) if self.is_reference_clock => {
                let printable = id.octets().into_iter().filter(u8::is_ascii_graphic);
                printable.map(char::from).try_for_each(|c| f.write_char(c))
            }
            Address::V4(address) => address.fmt(f),
            Address::V6(address) => address.fmt(f),
            Address::Id(_) | Address::Unspecified => f.write_str("unresolved"),
        }
    }
}

/// A new measurement of a source.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub key: Key,
    pub point: Point,
    pub budget: ErrorBudget,
    pub poll_ns: i64,
}

/// An earlier report of the same source.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LastReport {
    /// When it was requested: measurements that are not in it were made later.
    pub raw: RawInstant,
    /// What was reported; `None` when the source was known not to exist.
    pub report: Option<Reported>,
}

/// A report of a source with chronyd's last update of the clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reported {
    /// The source.
    pub data: SourceData,
    /// When chronyd last updated the clock, ns since 1970.
    pub ref_time_ns: i64,
}

/// Whether a report has a measurement. The age does not show that: `u32::MAX` means none, but also
/// for a measurement that is a second ahead of a clock that was set back (a negative age, which
/// chronyd casts).
#[must_use]
pub fn has_measurement(data: &SourceData) -> bool {
    data.offset_error_s > 0.0
}

/// Whether the report has another measurement than the one before.
///
/// The reachability register proves nothing here: it also changes when a poll fails, and when
/// chronyd rejects the answer. A reference clock may measure the same offset twice, to the last
/// bit; then chronyd's update of the clock from it shows the new one, unless the clock was set,
/// which moves ages. chronyd moves the time of its last update a little whenever it changes the
/// clock's rate, too; the whole reported age of a reference clock's measurement is charged, so that
/// an old one does no harm. A server's is charged less, and two of its measurements do not have the
/// same offset.
#[must_use]
pub fn is_new(before: &Reported, now: &Reported, clock_was_set: bool) -> bool {
    let (old, new) = (&before.data, &now.data);
    if !has_measurement(new) {
        return false;
    }
    let may_repeat = |data: &SourceData| {
        data.mode == SourceMode::Reference && data.state == SourceState::Selected
    };
    let repeated = may_repeat(old)
        && may_repeat(new)
        && before.ref_time_ns != now.ref_time_ns
        && new.since_sample_s <= old.since_sample_s
        && !clock_was_set;
    !has_measurement(old) || old.original_offset_s != new.original_offset_s || repeated
}

/// How old a measurement can be that the report `since_report_ns` ago did not have, ns. chronyd
/// made its reply at most `waited_ns` ago.
///
/// A measurement is usually seen when it is made. With `filter`, in interleaved mode and from
/// reference clocks chronyd makes it from older ones; the reported age then shows that, in whole
/// seconds of corrected time, which was `requested` before the request.
#[must_use]
pub fn greatest_age_ns(
    data: &SourceData,
    since_report_ns: Option<i64>,
    waited_ns: i64,
    requested: RealtimeInstant,
) -> i64 {
    let reported_ns = (i64::from(data.since_sample_s).saturating_add(1))
        .saturating_mul(NS_PER_S)
        .saturating_add(waited_ns);
    let Some(since_report_ns) = since_report_ns else {
        return reported_ns;
    };
    if data.mode == SourceMode::Reference {
        let poll_ns = poll_ns(data).saturating_add(waited_ns);
        return since_report_ns.max(reported_ns).max(poll_ns);
    }
    let second = |instant: RealtimeInstant| instant.as_ns().div_euclid(NS_PER_S);
    let between_requests_ns = since_report_ns.saturating_sub(waited_ns);
    let plausible_s = second(requested) - second(requested - between_requests_ns);
    if i64::from(data.since_sample_s) > plausible_s {
        since_report_ns.max(reported_ns)
    } else {
        since_report_ns
    }
}

/// The source's polling interval, ns.
#[must_use]
pub fn poll_ns(data: &SourceData) -> i64 {
    let seconds = 2f64.powi(i32::from(data.poll).clamp(-20, 30));
    ceil_ns(seconds)
}

/// What is charged to a measurement besides its own error.
#[derive(Clone, Copy, Debug)]
pub struct Charges {
    /// Its greatest age, ns.
    pub age_ns: i64,
    /// How long after the clocks were read chronyd can have made its reply, ns.
    pub waited_ns: i64,
    /// How long the exchange with the server can have taken, ns.
    pub exchange_ns: i64,
    /// What `CLOCK_REALTIME` can have been moved by within the age, ns.
    pub moved_ns: i64,
    /// The error bound of the PTP hardware clock, if it is one, ns.
    pub phc_ns: i64,
}

impl Charges {
    /// Without the charge that a test removes.
    #[must_use]
    pub fn without(self, safeguard: Option<Safeguard>) -> Self {
        match safeguard {
            Some(Safeguard::SampleAge) => Self {
                age_ns: 0,
                waited_ns: 0,
                exchange_ns: 0,
                ..self
            },
            Some(Safeguard::ClockMoved) => Self {
                moved_ns: 0,
                ..self
            },
            _ => self,
        }
    }
}

/// The interval of true time when the clocks were read `at`, and its error budget. UTC's rate is in
/// `band`.
#[must_use]
pub fn interval(
    data: &SourceData,
    tracking: &Tracking,
    at: &Readings,
    band: RateBand,
    charges: Charges,
) -> (Interval, ErrorBudget) {
    let (correction_s, offset_s) = (tracking.current_correction_s, data.offset_s);
    let centre = at.realtime + nearest_ns(correction_s) - nearest_ns(offset_s);
    // chronyd carries the measurement on with its own idea of the frequency.
    let carried = -Rate::nearest_ppm(tracking.freq_ppm);
    let off = band.farthest_from(carried) + SECOND_ORDER;
    // chronyd's correction is that of its reply. Without a discipline (`chronyd -x`) it changes by
    // chronyd's frequency, while `CLOCK_REALTIME` does not show it.
    let uncorrected = carried.abs();
    // The round trip was measured with a frequency that chronyd may have changed since.
    let exchange = band.farthest_from(Rate::default()) + FREQUENCY_LIMIT + SECOND_ORDER;
    let budget = ErrorBudget {
        root_distance_ns: ceil_ns(data.offset_error_s),
        wire_rounding_ns: rounding_ns(correction_s)
            .saturating_add(rounding_ns(offset_s))
            .saturating_add(rounding_ns(data.offset_error_s)),
        sample_age_ns: scaled_ceil(charges.age_ns, off)
            .saturating_add(scaled_ceil(charges.waited_ns, uncorrected))
            .saturating_add(scaled_ceil(charges.exchange_ns, exchange)),
        clock_moved_ns: charges.moved_ns,
        clock_reading_gap_ns: at.gap_ns,
        phc_ns: charges.phc_ns,
        ..ErrorBudget::default()
    };
    (Interval::around(centre, budget.total_ns()), budget)
}

/// Where true time was by chronyd's tracking report alone: for its local mode, which has no source.
#[must_use]
pub fn interval_of_tracking(
    tracking: &Tracking,
    at: &Readings,
    moved_ns: i64,
) -> (Interval, ErrorBudget) {
    let correction_s = tracking.current_correction_s;
    let distance_s = tracking.root_delay_s / 2.0 + tracking.root_dispersion_s;
    let budget = ErrorBudget {
        root_distance_ns: ceil_ns(distance_s),
        wire_rounding_ns: rounding_ns(correction_s).saturating_add(rounding_ns(distance_s)),
        clock_moved_ns: moved_ns,
        clock_reading_gap_ns: at.gap_ns,
        ..ErrorBudget::default()
    };
    let centre = at.realtime + nearest_ns(correction_s);
    (Interval::around(centre, budget.total_ns()), budget)
}

/// The correction that chronyd has still to make, and its largest error, ns.
#[must_use]
pub fn correction_ns(tracking: &Tracking) -> (i64, i64) {
    let correction_s = tracking.current_correction_s;
    (nearest_ns(correction_s), rounding_ns(correction_s))
}

/// What a value from the wire can be off by, ns.
fn rounding_ns(seconds: f64) -> i64 {
    ceil_ns(seconds.abs() * WIRE_FLOAT_ERROR).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const MS: i64 = 1_000_000;

    /// The report of a source that chronyd follows, whose last measurement was 10 us and is this
    /// old, with the time of chronyd's last update.
    fn report(mode: SourceMode, since_sample_s: u32, ref_time_ns: i64) -> Reported {
        Reported {
            data: SourceData {
                address: Address::V4(Ipv4Addr::LOCALHOST),
                poll: 0,
                stratum: 1,
                state: SourceState::Selected,
                mode,
                flags: 0,
                reachability: 0o377,
                since_sample_s,
                original_offset_s: 1e-5,
                offset_s: 1e-5,
                offset_error_s: 1e-4,
            },
            ref_time_ns,
        }
    }

    #[test]
    fn only_a_reference_clock_measures_the_same_offset_twice() {
        // A slew that ends moves the time of chronyd's last update by a little.
        for mode in [SourceMode::Client, SourceMode::Peer, SourceMode::Reference] {
            let (before, now) = (report(mode, 8, 0), report(mode, 8, 3));
            let repeats = mode == SourceMode::Reference;
            assert_eq!(is_new(&before, &now, false), repeats, "{mode:?}");
            assert!(!is_new(&before, &now, true), "{mode:?}");
            assert!(!is_new(&before, &report(mode, 8, 0), false), "{mode:?}");
            assert!(!is_new(&before, &report(mode, 9, 3), false), "{mode:?}");
        }
    }

    #[test]
    fn a_repeated_measurement_of_a_reference_clock_is_charged_its_whole_age() {
        let old = report(SourceMode::Reference, 8, 3);
        let age_ns = greatest_age_ns(&old.data, Some(100 * MS), MS, RealtimeInstant::default());
        assert_eq!(age_ns, 9 * NS_PER_S + MS);
    }
}
