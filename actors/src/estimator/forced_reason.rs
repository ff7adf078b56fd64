//! The estimate of a drill: as it is published while this reason is true. Pure.

use super::estimate::Estimate;
use super::status::{ClockStatus, Reason};
use crate::time::Readings;

/// What is published while a reason is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    /// The status stays synchronized.
    Named,
    /// The interval is held over: the status is free running.
    HeldOver,
    /// Nothing is claimed: the status is unknown.
    Void,
}

/// `None` for a reason that no status of a drill has: the daemon does not publish it, or it is not
/// a failure, or, with [`Reason::Disrupted`], the disruption drill is for it.
fn effect(reason: Reason) -> Option<Effect> {
    match reason {
        Reason::Resumed | Reason::Contradiction | Reason::SourcesDisagree => Some(Effect::Named),
        Reason::ChronySilent
        | Reason::ReportRefused
        | Reason::LeapUnsynchronized
        | Reason::SourceUnreachable
        | Reason::LocalReference
        | Reason::PhcUnreadable
        | Reason::TooFewSources
        | Reason::PermissionDenied => Some(Effect::HeldOver),
        Reason::NeverSynchronized
        | Reason::ClockStepped
        | Reason::HoldoverExpired
        | Reason::BoundOverCap => Some(Effect::Void),
        Reason::Tracking
        | Reason::SlewInFlight
        | Reason::Disrupted
        | Reason::DaemonSilent
        | Reason::Retired
        | Reason::Untold => None,
    }
}

/// Whether a drill can force this reason.
#[must_use]
pub fn can_be_forced(reason: Reason) -> bool {
    effect(reason).is_some()
}

impl Estimate {
    /// The estimate while `reason` is true, at the instant of `at`. A trusted interval stays as it
    /// is, or nothing is claimed any more. An estimate that claims less than that is not changed.
    #[must_use]
    pub fn with_reason(self, reason: Reason, at: &Readings) -> Self {
        let status = self.status;
        match effect(reason) {
            Some(Effect::Named) if status == ClockStatus::Synchronized => Self { reason, ..self },
            Some(Effect::HeldOver) if status.is_trusted() => Self {
                status: ClockStatus::FreeRunning,
                reason,
                ..self
            },
            Some(Effect::HeldOver) if status == ClockStatus::Unknown => Self { reason, ..self },
            Some(Effect::Void) if status != ClockStatus::Disrupted => Self {
                disruption: self.disruption,
                notice: self.notice,
                is_simulated: self.is_simulated,
                ..Self::unknown(ClockStatus::Unknown, reason, at)
            },
            _ => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::simulation::bench::{Bench, settings};
    use super::*;

    /// A published estimate of this status, and the clocks at its instant.
    fn published(status: ClockStatus) -> (Estimate, Readings) {
        let mut bench = Bench::new(settings(), None);
        bench.measure_for(5, 0);
        let at = bench.readings();
        bench.publish(&at);
        assert_eq!(bench.published.status, ClockStatus::Synchronized);
        let estimate = match status {
            ClockStatus::Unknown | ClockStatus::Disrupted => {
                Estimate::unknown(status, Reason::NeverSynchronized, &at)
            }
            status => Estimate {
                status,
                ..bench.published
            },
        };
        (estimate, at)
    }

    #[test]
    fn no_reason_makes_an_estimate_claim_more() {
        for status in [
            ClockStatus::Unknown,
            ClockStatus::Synchronized,
            ClockStatus::FreeRunning,
            ClockStatus::Disrupted,
        ] {
            let (estimate, at) = published(status);
            for reason in Reason::ALL {
                let forced = estimate.with_reason(reason, &at);
                let is_less = match forced.status {
                    ClockStatus::Synchronized => status == ClockStatus::Synchronized,
                    ClockStatus::FreeRunning => status.is_trusted(),
                    ClockStatus::Unknown => status != ClockStatus::Disrupted,
                    ClockStatus::Disrupted => status == ClockStatus::Disrupted,
                };
                assert!(is_less, "{status} with {reason}: {forced:?}");
                if forced.status.is_trusted() {
                    let as_it_was = Estimate {
                        status,
                        reason: estimate.reason,
                        ..forced
                    };
                    assert_eq!(as_it_was, estimate, "{reason}");
                } else {
                    assert!(forced.interval.width_ns() > crate::time::NS_PER_S);
                }
            }
        }
    }

    #[test]
    fn a_forced_reason_has_the_status_that_it_has_in_earnest() {
        let (estimate, at) = published(ClockStatus::Synchronized);
        for (reason, status) in [
            (Reason::SourcesDisagree, ClockStatus::Synchronized),
            (Reason::ChronySilent, ClockStatus::FreeRunning),
            (Reason::PermissionDenied, ClockStatus::FreeRunning),
            (Reason::HoldoverExpired, ClockStatus::Unknown),
            (Reason::ClockStepped, ClockStatus::Unknown),
        ] {
            let forced = estimate.with_reason(reason, &at);
            assert_eq!((forced.status, forced.reason), (status, reason));
            assert!(can_be_forced(reason));
        }
        for reason in [Reason::Tracking, Reason::DaemonSilent, Reason::Untold] {
            assert_eq!(estimate.with_reason(reason, &at), estimate);
            assert!(!can_be_forced(reason));
        }
    }
}
