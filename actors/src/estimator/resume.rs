//! Makes the state for the next life, and resumes from it.

use super::core::{Estimator, Wander};
use super::held::Held;
use super::history::{History, MAX_POINTS};
use super::leap_second::LeapSecond;
use super::saved_state::{Resumed, State};
use super::status::Reason;
use crate::time::{NS_PER_S, Rate, RawInstant, Readings};

/// The time between two states that differ only by measurements that agree with the held interval,
/// ns.
const SAVE_INTERVAL_NS: i64 = NS_PER_S;

impl Estimator {
    /// What is known, for the next life, if that has changed since it was last taken. Measurements
    /// that agree with the held interval change it once a second at most: the state that was saved
    /// before them is still valid.
    pub fn take_changed_state(&mut self, now: &Readings) -> Option<State> {
        let since_ns = now.raw - self.saved_at;
        let is_due = self.changed_much || self.changed && since_ns >= SAVE_INTERVAL_NS;
        if !is_due {
            return None;
        }
        (self.changed, self.changed_much) = (false, false);
        self.saved_at = now.raw;
        Some(self.state(now))
    }

    /// What is known, for the next life. While measurements contradict each other, their hull
    /// without any rates.
    #[must_use]
    pub fn state(&self, now: &Readings) -> State {
        let suspended_ns = now.suspended_ns;
        let leap_second = self.leap_second.announced();
        let void_until = |wander: &Wander| wander.void_until.max(RawInstant::default());
        let wander_void_until = self.wander.as_ref().map(void_until).unwrap_or_default();
        if self.contradiction.is_some() || self.dissent.is_some() {
            let Some((interval, ..)) = self.in_one_count(now.raw, 0) else {
                return State::default();
            };
            return State {
                leap_second,
                wander_void_until,
                ..State::of_interval(now.raw, interval, None, suspended_ns)
            };
        }
        let wander = self.wander.as_ref().and_then(|wander| {
            let limits = wander.held.growth().limits();
            wander.held.point().map(|point| (point, limits))
        });
        State {
            suspended_ns,
            drift: self.settings.drift(),
            wander_per_s: self.settings.wander_per_s(),
            wander_void_until,
            held: self.held.point(),
            leap_second,
            wander,
            epochs: self.held.growth().epochs().to_vec(),
            points: self.held.history().points().to_vec(),
        }
    }

    /// Resumes the state of an earlier life.
    pub(super) fn resume(&mut self, resumed: Resumed, now: &Readings) {
        let state = resumed.state;
        let silent_ns = now.raw - resumed.validated;
        let Some(held) = state
            .held
            .filter(|held| held.raw <= now.raw && silent_ns < self.settings.holdover_ns)
        else {
            return;
        };
        let mut growth = self.held.growth().clone();
        // What was proved with a smaller drift rate is worth less now.
        let more = (self.settings.drift() - state.drift).max(Rate::default());
        growth.resume(&state.epochs, more);
        self.held = Held::resumed(growth, held, History::from_points(state.points));
        if let Some(wander) = &mut self.wander {
            wander.void_until = state.wander_void_until;
        }
        let as_steady = self.settings.wander_per_s() <= state.wander_per_s;
        let left = state.wander.filter(|_| as_steady);
        if let (Some(Wander { held, .. }), Some((point, limits))) = (&mut self.wander, left) {
            let mut growth = held.growth().clone();
            growth.resume(limits);
            let mut history = History::default();
            history.add(point, i64::MAX, MAX_POINTS);
            *held = Held::resumed(growth, point, history);
        }
        self.leap_second = LeapSecond::resumed(state.leap_second);
        self.status = resumed.status;
        self.reason = Reason::Resumed;
        self.validated = resumed.validated;
        self.valid_since = resumed.valid_since;
        self.leap = resumed.leap;
        self.reference_id = resumed.reference_id;
    }
}
