//! The record at the present: whether the daemon renews it, and what its interval has become.

use std::time::Duration;

use shm_layout::{ClockStatus as Status, Reason, STALE_AFTER_NS};

use super::{BUDGET_TERMS, Diagnostics, DiagnosticsRecord};

/// The interval of the diagnostics at the instant at which they were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PresentInterval {
    /// The earliest possible true time, ns since 1970.
    pub earliest_ns: i64,
    /// The latest one.
    pub latest_ns: i64,
    /// What each of [`BUDGET_TERMS`] adds to half the width, ns. What the interval has grown since
    /// the record is part of `growth`.
    pub budget_ns: [i64; BUDGET_TERMS.len()],
}

impl PresentInterval {
    /// Returns half the width, ns, rounded up.
    #[must_use]
    pub fn bound_ns(&self) -> i64 {
        half_width_ns(self.earliest_ns, self.latest_ns)
    }

    /// Returns the largest error of a reading of `CLOCK_REALTIME` at the same instant, ns.
    #[must_use]
    pub fn realtime_error_ns(&self, realtime_ns: i64) -> i64 {
        let before_ns = realtime_ns.saturating_sub(self.earliest_ns);
        before_ns.max(self.latest_ns.saturating_sub(realtime_ns))
    }
}

/// Returns half the width of an interval, ns, rounded up.
#[doc(hidden)]
#[must_use]
pub fn half_width_ns(earliest_ns: i64, latest_ns: i64) -> i64 {
    let width = i128::from(latest_ns) - i128::from(earliest_ns);
    i64::try_from((width + 1).div_euclid(2)).unwrap_or(i64::MAX)
}

impl Diagnostics {
    /// The diagnostics of `record`, whose instants are those of this process's clocks, when
    /// `CLOCK_MONOTONIC_RAW` is `now_ns` and `CLOCK_REALTIME` is `realtime_now_ns`.
    #[must_use]
    pub fn at(record: DiagnosticsRecord, now_ns: i64, realtime_now_ns: i64) -> Self {
        let age_ns = now_ns.saturating_sub(record.as_of_ns);
        let (status, reason) = record.status_at(now_ns);
        let mut diagnostics = Self {
            age: Duration::from_nanos(age_ns.try_into().unwrap_or_default()),
            status,
            reason,
            record,
            now_ns,
            realtime_now_ns,
        };
        let says_more = [Reason::HoldoverExpired, Reason::Retired, Reason::Disrupted];
        if !diagnostics.is_current() && !says_more.contains(&reason) {
            diagnostics.reason = Reason::DaemonSilent;
        }
        diagnostics
    }

    /// Returns whether the daemon renews the record, by its age. A daemon that works does so at
    /// least once a second; the record is current for 5 s, or for `--chrony-grace` if that is
    /// longer.
    #[must_use]
    pub fn is_current(&self) -> bool {
        let record = &self.record;
        // A record that is not synchronized may have no such instant.
        let lasts_ns = (record.free_running_after_ns)
            .saturating_sub(record.as_of_ns)
            .max(STALE_AFTER_NS);
        i64::try_from(self.age.as_nanos()).is_ok_and(|age_ns| age_ns < lasts_ns)
    }

    /// Returns whether chronyd replies to the daemon. Otherwise the record has the last values that
    /// chronyd sent of itself and of its sources.
    #[must_use]
    pub fn is_chronyd_replying(&self) -> bool {
        let silent = [Reason::ChronySilent, Reason::PermissionDenied];
        !silent.contains(&self.record.failure)
    }

    /// Returns whether status and reason at the present are those of the record, which the daemon
    /// renews.
    #[doc(hidden)]
    #[must_use]
    pub fn is_as_published(&self) -> bool {
        let record = &self.record;
        self.is_current() && (self.status, self.reason) == (record.status, record.reason)
    }

    /// Returns the interval of the record as it is at [`now_ns`](Self::now_ns), grown by the rate
    /// band since the record's instant; `None` while the status is not trusted.
    #[must_use]
    pub fn interval(&self) -> Option<PresentInterval> {
        const TRILLION: i128 = 1_000_000_000_000;
        let record = &self.record;
        if !self.status.is_trusted() || !record.status.is_trusted() {
            return None;
        }
        let elapsed_ns = i128::from(self.now_ns.saturating_sub(record.as_of_ns).max(0));
        let slowest_ns = (elapsed_ns * i128::from(record.slowest_ppt)).div_euclid(TRILLION);
        let fastest_ns = -(elapsed_ns * -i128::from(record.fastest_ppt)).div_euclid(TRILLION);
        let later = |instant_ns: i64, drift_ns: i128| {
            i64::try_from(i128::from(instant_ns) + elapsed_ns + drift_ns).ok()
        };
        let mut interval = PresentInterval {
            earliest_ns: later(record.earliest_ns, slowest_ns)?,
            latest_ns: later(record.latest_ns, fastest_ns)?,
            budget_ns: record.budget_ns,
        };
        let grown_ns = (interval.bound_ns())
            .saturating_sub(half_width_ns(record.earliest_ns, record.latest_ns));
        let growth = BUDGET_TERMS.iter().position(|term| *term == "growth");
        if let Some(term) = growth.and_then(|at| interval.budget_ns.get_mut(at)) {
            *term = term.saturating_add(grown_ns);
        }
        Some(interval)
    }

    /// Compares the disruption marker of the record, if it has one, with that of the VMClock page;
    /// `None` if there is no page.
    pub(super) fn with_marker(mut self, marker: impl FnOnce() -> Option<u64>) -> Self {
        let disruption = self.record.disruption;
        if !disruption.supported {
            return self;
        }
        let is_disrupted = match marker() {
            Some(marker) => marker != disruption.marker,
            None => !self.is_current() && self.status.is_trusted(),
        };
        if is_disrupted {
            (self.status, self.reason) = (Status::Disrupted, Reason::Disrupted);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use shm_layout::Disruption;

    use super::*;

    const S: i64 = 1_000_000_000;
    const NOW_NS: i64 = 1_000 * S;

    fn record(status: Status, reason: Reason) -> DiagnosticsRecord {
        DiagnosticsRecord {
            status,
            reason,
            earliest_ns: 1_000_000 * S - 100_000,
            latest_ns: 1_000_000 * S + 300_001,
            free_running_after_ns: NOW_NS - S,
            void_after_ns: NOW_NS + 1_000 * S,
            slowest_ppt: -50_000_000,
            fastest_ppt: 50_000_000,
            budget_ns: [200_001, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            ..DiagnosticsRecord::no_claim(NOW_NS)
        }
    }

    fn after(record: DiagnosticsRecord, age_ns: i64) -> Diagnostics {
        Diagnostics::at(record, NOW_NS + age_ns, 1_000_000 * S + age_ns)
    }

    #[test]
    fn a_daemon_that_does_not_renew_its_record_is_silent_whatever_the_status() {
        for (status, reason) in [
            (Status::FreeRunning, Reason::ChronySilent),
            (Status::Unknown, Reason::NeverSynchronized),
        ] {
            let recent = after(record(status, reason), 4 * S);
            assert!(recent.is_current());
            assert_eq!((recent.status, recent.reason), (status, reason));
            let old = after(record(status, reason), 5 * S);
            assert!(!old.is_current());
            assert_eq!((old.status, old.reason), (status, Reason::DaemonSilent));
        }
        let retired = after(DiagnosticsRecord::retired(NOW_NS), 60 * S);
        assert_eq!(retired.reason, Reason::Retired);
        assert!(!retired.is_current());
    }

    #[test]
    fn a_record_is_current_for_as_long_as_it_reads_as_synchronized() {
        let mut record = record(Status::Synchronized, Reason::Tracking);
        record.free_running_after_ns = NOW_NS + 60 * S;
        let recent = after(record.clone(), 59 * S);
        assert!(recent.is_current() && recent.reason == Reason::Tracking);
        let old = after(record, 60 * S);
        assert!(!old.is_current() && old.reason == Reason::DaemonSilent);
    }

    #[test]
    fn the_interval_grows_outward_by_the_rate_band_and_so_does_the_term_of_growth() {
        let free_running = record(Status::FreeRunning, Reason::ChronySilent);
        let interval = after(free_running.clone(), 0).interval().expect("trusted");
        assert_eq!(interval.bound_ns(), 200_001);
        assert_eq!(interval.budget_ns, free_running.budget_ns);
        let interval = after(free_running.clone(), 600 * S)
            .interval()
            .expect("trusted");
        assert_eq!(interval.earliest_ns, 1_000_600 * S - 100_000 - 30_000_000);
        assert_eq!(interval.latest_ns, 1_000_600 * S + 300_001 + 30_000_000);
        assert_eq!(interval.bound_ns(), 30_200_001);
        assert_eq!(interval.budget_ns.iter().sum::<i64>(), 30_200_001);
        assert_eq!(interval.realtime_error_ns(1_000_600 * S), 30_300_001);
        assert_eq!(after(free_running, 1_000 * S).interval(), None);
    }

    #[test]
    fn another_marker_or_an_old_record_without_the_page_is_disrupted() {
        let mut record = record(Status::FreeRunning, Reason::ChronySilent);
        let disrupted = (Status::Disrupted, Reason::Disrupted);
        let seen = |record: &DiagnosticsRecord, age_ns, marker| {
            let read = after(record.clone(), age_ns).with_marker(|| marker);
            (read.status, read.reason)
        };
        // Without support the page says nothing.
        let chrony_silent = (Status::FreeRunning, Reason::ChronySilent);
        assert_eq!(seen(&record, 0, Some(8)), chrony_silent);
        record.disruption = Disruption {
            marker: 7,
            supported: true,
        };
        assert_eq!(seen(&record, 0, Some(7)), chrony_silent);
        assert_eq!(seen(&record, 0, Some(8)), disrupted);
        assert_eq!(seen(&record, 0, None), chrony_silent);
        let daemon_silent = (Status::FreeRunning, Reason::DaemonSilent);
        assert_eq!(seen(&record, 60 * S, Some(7)), daemon_silent);
        assert_eq!(seen(&record, 60 * S, None), disrupted);
    }
}
