//! Counters of the process, which every actor and the supervisor can increment.

use std::sync::atomic::{AtomicU64, Ordering};

use shm_layout::diagnostics::{ACTORS, Counters, SEGMENTS};

/// A number that only grows, from the start of the process.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one, and returns the sum.
    pub fn increment(&self) -> u64 {
        self.add(1)
    }

    /// Adds `number`, and returns the sum.
    pub fn add(&self, number: u64) -> u64 {
        let before = self.0.fetch_add(number, Ordering::Relaxed);
        before.wrapping_add(number)
    }

    /// The sum.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters of [`Counters`], which has their meanings, and of restarts and publications. They
/// are shared by all actors and outlive each of them.
#[derive(Debug, Default)]
#[expect(missing_docs, reason = "`Counters` has the meanings")]
pub struct EventCounters {
    pub reports: Counter,
    pub reports_refused: Counter,
    pub polls_unanswered: Counter,
    pub polls_not_permitted: Counter,
    pub measurements: Counter,
    pub contradictions: Counter,
    pub disagreements: Counter,
    pub drift_exceeded: Counter,
    pub wander_exceeded: Counter,
    pub clock_steps: Counter,
    pub clock_slews: Counter,
    pub disruptions: Counter,
    pub suspends: Counter,
    pub source_resets: Counter,
    pub chronyd_restarts: Counter,
    pub status_changes: Counter,
    pub files_recreated: Counter,
    /// In the order of [`ACTORS`].
    pub restarts: [Counter; ACTORS.len()],
    /// In the order of [`SEGMENTS`].
    pub publications: [Counter; SEGMENTS.len()],
}

impl EventCounters {
    /// The sums of all but restarts and publications.
    #[must_use]
    pub fn events(&self) -> Counters {
        Counters {
            reports: self.reports.get(),
            reports_refused: self.reports_refused.get(),
            polls_unanswered: self.polls_unanswered.get(),
            polls_not_permitted: self.polls_not_permitted.get(),
            measurements: self.measurements.get(),
            contradictions: self.contradictions.get(),
            disagreements: self.disagreements.get(),
            drift_exceeded: self.drift_exceeded.get(),
            wander_exceeded: self.wander_exceeded.get(),
            clock_steps: self.clock_steps.get(),
            clock_slews: self.clock_slews.get(),
            disruptions: self.disruptions.get(),
            suspends: self.suspends.get(),
            source_resets: self.source_resets.get(),
            chronyd_restarts: self.chronyd_restarts.get(),
            status_changes: self.status_changes.get(),
            files_recreated: self.files_recreated.get(),
        }
    }

    /// How often each of [`ACTORS`] was restarted.
    #[must_use]
    pub fn restarts(&self) -> [u32; ACTORS.len()] {
        let number = |counter: &Counter| u32::try_from(counter.get()).unwrap_or(u32::MAX);
        self.restarts.each_ref().map(number)
    }

    /// How often each of [`SEGMENTS`] was written.
    #[must_use]
    pub fn publications(&self) -> [u64; SEGMENTS.len()] {
        self.publications.each_ref().map(Counter::get)
    }
}
