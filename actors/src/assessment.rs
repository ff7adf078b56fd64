//! What the facts so far say about the clock: pure, no clock read, no IO, no logging.
//!
//! [`ClockState`](crate::clock_state::ClockState) feeds it; every instant is an argument.

use crate::bound::{NS_PER_S, root_distance_ns, signed_ns};
use crate::chrony::{Leap, Tracking};
use crate::estimate::Estimate;
use crate::status::{Event, Reason, next};

/// How long a validated report may be the last one before the status is no longer `Synchronized`, ns.
pub const GRACE_NS: i64 = 2 * NS_PER_S;

/// What does not change while the daemon runs.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The fastest that the oscillator may drift, parts per billion.
    pub max_drift_ppb: u32,
    /// chrony's reference id of the PHC, if there is one.
    pub phc_reference_id: Option<u32>,
}

/// Why a poll of chronyd gave no report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollFailure {
    /// No answer.
    Silent,
    /// An answer that cannot be relied on.
    Refused,
}

/// The PHC's error bound, as last read.
#[derive(Clone, Copy, Debug)]
struct PhcBound {
    bound_ns: i64,
    as_of_ns: i64,
}

/// The running assessment: the current estimate and what the next one is made from.
#[derive(Debug)]
pub struct Assessment {
    settings: Settings,
    estimate: Estimate,
    phc: Option<PhcBound>,
    /// Why there is no newer report; what the status will be blamed on when the grace is over.
    trouble: Reason,
}

impl Assessment {
    /// Begins with `estimate`: a resumed one, or one that claims nothing.
    #[must_use]
    pub fn new(settings: Settings, estimate: Estimate) -> Self {
        Self {
            settings,
            estimate,
            phc: None,
            trouble: Reason::ChronySilent,
        }
    }

    /// The estimate as it stands.
    #[must_use]
    pub fn estimate(&self) -> &Estimate {
        &self.estimate
    }

    /// The PHC's error bound was read at `as_of_ns`.
    pub fn phc_read(&mut self, bound_ns: i64, as_of_ns: i64) {
        self.phc = Some(PhcBound { bound_ns, as_of_ns });
    }

    /// A poll of chronyd that began at `as_of_ns` ended at `now_ns` (`CLOCK_MONOTONIC_COARSE`).
    pub fn polled(&mut self, outcome: Result<&Tracking, PollFailure>, as_of_ns: i64, now_ns: i64) {
        match outcome {
            Err(PollFailure::Silent) => self.trouble = Reason::ChronySilent,
            Err(PollFailure::Refused) => self.trouble = Reason::ReportRefused,
            Ok(tracking) if tracking.leap == Leap::Unsynchronized => {
                self.trouble = Reason::LeapUnsynchronized;
                self.advance(Event::Unsynchronized, now_ns);
            }
            Ok(tracking) => match self.phc_bound_ns(tracking.ref_id, as_of_ns) {
                None => self.trouble = Reason::PhcUnreadable,
                // A report that waited through a crash, older than what was published since.
                Some(_)
                    if self.estimate.status.is_trusted() && as_of_ns < self.estimate.as_of_ns => {}
                Some(phc_ns) => {
                    self.estimate = Estimate {
                        status: next(self.estimate.status, Event::Report),
                        reason: Reason::Tracking,
                        as_of_ns,
                        correction_ns: signed_ns(tracking.current_correction_s),
                        root_distance_ns: root_distance_ns(
                            tracking.root_delay_s,
                            tracking.root_dispersion_s,
                            tracking.current_correction_s,
                            phc_ns,
                        ),
                        max_drift_ppb: self.settings.max_drift_ppb,
                        reference_id: tracking.ref_id,
                    };
                }
            },
        }
        self.pass_time(now_ns);
    }

    /// Lets what has been held for too long lapse; called at every fact, and when none comes.
    pub fn pass_time(&mut self, now_ns: i64) {
        if self.estimate.status.is_trusted() {
            if now_ns >= self.estimate.void_after_ns() {
                self.trouble = Reason::HoldoverExpired;
                self.advance(Event::Void, now_ns);
            } else if now_ns.saturating_sub(self.estimate.as_of_ns) > GRACE_NS {
                self.advance(Event::Silence, now_ns);
            }
        } else {
            self.estimate.as_of_ns = now_ns;
        }
    }

    /// Takes a step of the state machine that leaves the held bound as it is, or drops it.
    fn advance(&mut self, event: Event, now_ns: i64) {
        let status = next(self.estimate.status, event);
        if status.is_trusted() {
            self.estimate = Estimate {
                status,
                reason: self.trouble,
                ..self.estimate
            };
        } else {
            let nothing = Estimate::unknown(self.trouble, now_ns, self.settings.max_drift_ppb);
            self.estimate = Estimate { status, ..nothing };
        }
    }

    /// What the PHC adds to the bound when chrony follows `reference_id`: nothing for any other
    /// source, `None` when it is the PHC and its bound is not known or too old.
    fn phc_bound_ns(&self, reference_id: u32, as_of_ns: i64) -> Option<i64> {
        if self.settings.phc_reference_id != Some(reference_id) {
            return Some(0);
        }
        let phc = self.phc?;
        (as_of_ns.saturating_sub(phc.as_of_ns) <= GRACE_NS).then_some(phc.bound_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chrony::Address;
    use crate::estimate::HOLDOVER_NS;
    use crate::status::ClockStatus::{self, FreeRunning, Synchronized, Unknown};

    const PHC: u32 = u32::from_be_bytes(*b"PHC0");
    const SERVER: u32 = 0x7f00_0001;
    const SETTINGS: Settings = Settings {
        max_drift_ppb: 50_000,
        phc_reference_id: Some(PHC),
    };
    const START: i64 = 1_000 * NS_PER_S;

    fn tracking(ref_id: u32, leap: Leap) -> Tracking {
        Tracking {
            ref_id,
            address: Address::Unspecified,
            stratum: 2,
            leap,
            ref_time_ns: 1_700_000_000 * NS_PER_S,
            current_correction_s: -0.001,
            last_offset_s: 0.0,
            rms_offset_s: 0.0,
            freq_ppm: 1.0,
            resid_freq_ppm: 0.0,
            skew_ppm: 0.1,
            root_delay_s: 0.000_2,
            root_dispersion_s: 0.000_3,
            last_update_interval_s: 1.0,
        }
    }

    fn fresh() -> Assessment {
        Assessment::new(
            SETTINGS,
            Estimate::unknown(Reason::NeverSynchronized, START, 50_000),
        )
    }

    fn synchronized() -> Assessment {
        let mut clock = fresh();
        clock.polled(Ok(&tracking(SERVER, Leap::Normal)), START, START + 1);
        clock
    }

    fn state(clock: &Assessment) -> (ClockStatus, Reason) {
        (clock.estimate().status, clock.estimate().reason)
    }

    #[test]
    fn the_first_validated_report_synchronizes() {
        let clock = synchronized();
        assert_eq!(state(&clock), (Synchronized, Reason::Tracking));
        let bound_ns = clock.estimate().to_v1().bound_ns;
        assert!((1_401_000..1_402_000).contains(&bound_ns), "{bound_ns}");
        assert_eq!(clock.estimate().as_of_ns, START);
    }

    #[test]
    fn without_a_report_nothing_is_ever_claimed() {
        let mut clock = fresh();
        for n in 0..10_000 {
            let now = START + n * NS_PER_S / 2;
            match n % 4 {
                0 => clock.polled(Err(PollFailure::Silent), now, now),
                1 => clock.polled(Err(PollFailure::Refused), now, now),
                2 => clock.polled(Ok(&tracking(0, Leap::Unsynchronized)), now, now),
                _ => clock.pass_time(now),
            }
            assert_eq!(clock.estimate().status, Unknown);
        }
    }

    #[test]
    fn silence_holds_the_last_bound_over_until_it_is_void() {
        let mut clock = synchronized();
        let held = clock.estimate().to_v1();
        for (elapsed, expected) in [
            (GRACE_NS, (Synchronized, Reason::Tracking)),
            (GRACE_NS + 1, (FreeRunning, Reason::ChronySilent)),
            (HOLDOVER_NS - 1, (FreeRunning, Reason::ChronySilent)),
        ] {
            clock.polled(Err(PollFailure::Silent), START + elapsed, START + elapsed);
            assert_eq!(state(&clock), expected, "after {elapsed} ns");
            let now = clock.estimate().to_v1();
            assert_eq!(
                (now.as_of_ns, now.bound_ns, now.void_after_ns),
                (held.as_of_ns, held.bound_ns, held.void_after_ns)
            );
        }
        clock.pass_time(START + HOLDOVER_NS);
        assert_eq!(state(&clock), (Unknown, Reason::HoldoverExpired));
    }

    #[test]
    fn an_unsynchronised_chronyd_ends_synchronized_at_once_and_says_why() {
        let mut clock = synchronized();
        let held = clock.estimate().to_v1().bound_ns;
        clock.polled(Ok(&tracking(0, Leap::Unsynchronized)), START + 5, START + 5);
        assert_eq!(state(&clock), (FreeRunning, Reason::LeapUnsynchronized));
        assert_eq!(clock.estimate().to_v1().bound_ns, held);
    }

    #[test]
    fn refused_reports_are_no_reports() {
        let mut clock = synchronized();
        let late = START + GRACE_NS + 1;
        clock.polled(Err(PollFailure::Refused), late, late);
        assert_eq!(state(&clock), (FreeRunning, Reason::ReportRefused));
    }

    #[test]
    fn the_phc_bound_joins_only_when_chrony_follows_the_phc() {
        let (mut with, mut without) = (fresh(), fresh());
        for clock in [&mut with, &mut without] {
            clock.phc_read(20_000, START);
        }
        with.polled(Ok(&tracking(PHC, Leap::Normal)), START, START);
        without.polled(Ok(&tracking(SERVER, Leap::Normal)), START, START);
        assert_eq!(
            with.estimate().root_distance_ns,
            without.estimate().root_distance_ns + 20_000
        );
    }

    #[test]
    fn a_phc_without_a_bound_is_a_missing_update() {
        let mut clock = fresh();
        clock.polled(Ok(&tracking(PHC, Leap::Normal)), START, START);
        assert_eq!(clock.estimate().status, Unknown);
        clock.phc_read(20_000, START);
        clock.polled(Ok(&tracking(PHC, Leap::Normal)), START, START);
        assert_eq!(state(&clock), (Synchronized, Reason::Tracking));
        // The file is gone: chrony's reports go on and must not renew the grace.
        for n in 1..40 {
            let now = START + n * NS_PER_S / 4;
            clock.polled(Ok(&tracking(PHC, Leap::Normal)), now, now);
        }
        assert_eq!(state(&clock), (FreeRunning, Reason::PhcUnreadable));
        assert!(clock.estimate().as_of_ns <= START + GRACE_NS);
        clock.pass_time(START + GRACE_NS + HOLDOVER_NS);
        assert_eq!(clock.estimate().status, Unknown);
    }

    #[test]
    fn a_report_older_than_the_published_one_changes_nothing() {
        let mut clock = synchronized();
        clock.polled(
            Ok(&tracking(SERVER, Leap::Normal)),
            START - NS_PER_S,
            START + 1,
        );
        assert_eq!(clock.estimate().as_of_ns, START);
    }

    #[test]
    fn a_resumed_bound_is_held_over_and_not_renewed() {
        let record = synchronized().estimate().to_v1();
        let mut clock = Assessment::new(SETTINGS, Estimate::resumed(&record, 50_000));
        clock.pass_time(START + NS_PER_S);
        assert_eq!(clock.estimate().status, Synchronized);
        clock.pass_time(START + 3 * NS_PER_S);
        assert_eq!(state(&clock), (FreeRunning, Reason::ChronySilent));
        assert_eq!(clock.estimate().to_v1().bound_ns, record.bound_ns);
    }
}
