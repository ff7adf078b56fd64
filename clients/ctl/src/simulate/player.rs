//! What is published at an instant of the script. Pure.

use shm_layout::{ClockStatus, Reason};

use super::script::{Action, Ramp, Ramped, Script, Setting, Step, slope_ppb};

const PPB_PER_ONE: i128 = 1_000_000_000;

/// The default of `drift`, parts per billion: the daemon's.
pub const DEFAULT_DRIFT_PPB: u32 = 1_000;

/// The default of `holdover`, ns: the daemon's.
const DEFAULT_HOLDOVER_NS: i64 = 1_000 * 1_000_000_000;

/// The default of `bound`, ns.
const DEFAULT_BOUND_NS: i64 = 1_000_000;

/// What is published at an instant of a script. Instants are ns from the begin of the script.
///
/// True time is `CLOCK_REALTIME` plus [`offset_ns`](Self::offset_ns).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct State {
    /// The status.
    pub status: ClockStatus,
    /// Since when.
    pub status_since_ns: i64,
    /// The reason.
    pub reason: Reason,
    /// Since when.
    pub reason_since_ns: i64,
    /// Half the width of the interval without `grown_ns`, ns.
    pub bound_ns: i64,
    /// What the interval has grown by on each side while the clock is free running, ns.
    pub grown_ns: i64,
    /// How fast the interval grows on each side, parts per billion.
    pub drift_ppb: u32,
    /// By how much true time is ahead of `CLOCK_REALTIME`, ns.
    pub offset_ns: i64,
    /// How fast the offset changes, parts per billion.
    pub offset_ppb: i64,
    /// Nothing is claimed about earlier instants: the offset did not change at this rate then, or
    /// the status was not trusted.
    pub valid_since_ns: i64,
    /// By how much the midpoint of the interval is after true time, ns, unless that is more than half
    /// the width.
    pub midpoint_ns: i64,
    /// How far true time is before the interval, or, if negative, after it, ns; 0 if it is inside.
    pub lie_ns: i64,
    /// How long a record holds after `validated_ns`, ns.
    pub holdover_ns: i64,
    /// When the status was last synchronized.
    pub validated_ns: i64,
    /// How often the marker of the page has changed.
    pub page_disruptions: u64,
    /// How many of these changes the publisher has noticed.
    pub disruptions: u64,
    /// How often the files were removed.
    pub restarts: u64,
    /// Whether records are written. If not, there is a gap, or there are no files.
    pub is_writing: bool,
    /// How often the status has changed.
    pub status_changes: u64,
    /// How often the reason has become [`Reason::Contradiction`].
    pub contradictions: u64,
    /// The line of the step that began last; 0 before the first.
    pub line: usize,
    /// From when on the interval has grown by more than `grown_ns`, while it is free running.
    grows_from_ns: i64,
}

impl State {
    /// Before the first step.
    const FIRST: Self = Self {
        status: ClockStatus::Unknown,
        status_since_ns: 0,
        reason: Reason::NeverSynchronized,
        reason_since_ns: 0,
        bound_ns: DEFAULT_BOUND_NS,
        grown_ns: 0,
        drift_ppb: DEFAULT_DRIFT_PPB,
        offset_ns: 0,
        offset_ppb: 0,
        valid_since_ns: 0,
        midpoint_ns: 0,
        lie_ns: 0,
        holdover_ns: DEFAULT_HOLDOVER_NS,
        validated_ns: 0,
        page_disruptions: 0,
        disruptions: 0,
        restarts: 0,
        is_writing: true,
        status_changes: 0,
        contradictions: 0,
        line: 0,
        grows_from_ns: 0,
    };

    /// Half the width of the interval, ns.
    pub fn half_width_ns(&self) -> i64 {
        self.bound_ns.saturating_add(self.grown_ns)
    }

    /// The ends of the interval relative to `CLOCK_REALTIME`, ns.
    pub fn interval_ns(&self) -> (i64, i64) {
        let half_ns = self.half_width_ns();
        let shift_ns = match self.lie_ns.signum() {
            0 => self.midpoint_ns.clamp(-half_ns, half_ns),
            sign => sign.saturating_mul(half_ns).saturating_add(self.lie_ns),
        };
        let centre_ns = self.offset_ns.saturating_add(shift_ns);
        (
            centre_ns.saturating_sub(half_ns),
            centre_ns.saturating_add(half_ns),
        )
    }

    /// Whether the interval contains true time, or claims nothing.
    pub fn is_true(&self) -> bool {
        !self.status.is_trusted() || self.lie_ns == 0
    }

    /// What is published when the script has ended at `t_ns`: nothing is claimed any more.
    pub fn ended(mut self, t_ns: i64) -> Self {
        self.set_status(ClockStatus::Unknown, t_ns);
        self.set_reason(Reason::Retired, t_ns);
        self
    }

    /// Sets a status, with its usual reason.
    fn set_status(&mut self, status: ClockStatus, t_ns: i64) {
        if status != self.status {
            self.status_changes += 1;
            self.status_since_ns = t_ns;
            self.grown_ns = 0;
            self.grows_from_ns = t_ns;
            if status.is_trusted() && !self.status.is_trusted() {
                self.validated_ns = t_ns;
                self.valid_since_ns = t_ns;
            }
            self.status = status;
        }
        self.set_reason(usual_reason(status), t_ns);
    }

    fn set_reason(&mut self, reason: Reason, t_ns: i64) {
        if reason != self.reason {
            self.contradictions += u64::from(reason == Reason::Contradiction);
            self.reason_since_ns = t_ns;
            self.reason = reason;
        }
    }

    fn set_bound(&mut self, bound_ns: i64, t_ns: i64) {
        self.bound_ns = bound_ns;
        self.grown_ns = 0;
        self.grows_from_ns = t_ns;
    }

    fn set_offset(&mut self, offset_ns: i64, offset_ppb: i64, t_ns: i64) {
        self.offset_ns = offset_ns;
        self.offset_ppb = offset_ppb;
        self.valid_since_ns = t_ns;
    }

    fn set(&mut self, setting: Setting, t_ns: i64) {
        match setting {
            Setting::Status(status) => self.set_status(status, t_ns),
            Setting::Reason(reason) => self.set_reason(reason, t_ns),
            Setting::Bound(ns) => self.set_bound(ns, t_ns),
            Setting::Drift(ppb) => self.drift_ppb = ppb,
            Setting::Offset(ns) => self.set_offset(ns, 0, t_ns),
            Setting::Midpoint(ns) => self.midpoint_ns = ns,
            Setting::Lie(ns) => self.lie_ns = ns,
            Setting::Holdover(ns) => self.holdover_ns = ns,
        }
    }

    /// Lets time pass until `t_ns`, during which no setting changes.
    fn pass_until(&mut self, t_ns: i64) {
        if self.status == ClockStatus::Synchronized {
            self.validated_ns = t_ns;
        }
        if self.status != ClockStatus::FreeRunning {
            return;
        }
        let expires_ns = self.validated_ns.saturating_add(self.holdover_ns);
        let until_ns = t_ns.min(expires_ns);
        self.grown_ns += grown_ns(until_ns - self.grows_from_ns, self.drift_ppb);
        self.grows_from_ns = self.grows_from_ns.max(until_ns);
        if t_ns >= expires_ns {
            self.set_status(ClockStatus::Unknown, expires_ns.max(self.status_since_ns));
            self.set_reason(Reason::HoldoverExpired, self.status_since_ns);
        }
    }

    /// What `step` does until `t_ns`, which is not before its begin.
    fn take(&mut self, step: &Step, t_ns: i64) {
        self.line = step.line;
        let is_over = t_ns >= step.end_ns;
        match &step.action {
            Action::Set(settings) => {
                for setting in settings {
                    self.set(*setting, step.start_ns);
                }
            }
            Action::Ramp(ramps) => {
                for ramp in ramps {
                    self.ramp(ramp, step, t_ns.min(step.end_ns));
                }
            }
            Action::Wait => {}
            // What was set at the same instant is written before.
            Action::Gap => self.is_writing = is_over || t_ns == step.start_ns,
            Action::Restart => {
                self.restarts += 1;
                self.is_writing = is_over;
            }
            Action::Disrupt => {
                self.page_disruptions += 1;
                if is_over {
                    self.disruptions += 1;
                    self.set_status(ClockStatus::Disrupted, step.end_ns);
                }
            }
        }
    }

    fn ramp(&mut self, ramp: &Ramp, step: &Step, t_ns: i64) {
        let (elapsed_ns, lasts_ns) = (t_ns - step.start_ns, step.end_ns - step.start_ns);
        match ramp.of {
            Ramped::Bound => {
                let from_ns = ramp.from_ns.unwrap_or(self.half_width_ns());
                self.set_bound(between(from_ns, ramp.to_ns, elapsed_ns, lasts_ns), t_ns);
            }
            Ramped::Offset => {
                let from_ns = ramp.from_ns.unwrap_or(self.offset_ns);
                if elapsed_ns < lasts_ns {
                    let offset_ns = between(from_ns, ramp.to_ns, elapsed_ns, lasts_ns);
                    let slope_ppb = slope_ppb(from_ns, ramp.to_ns, lasts_ns);
                    self.set_offset(offset_ns, slope_ppb, step.start_ns);
                } else {
                    self.set_offset(ramp.to_ns, 0, step.end_ns);
                }
            }
        }
    }
}

impl Script {
    /// What is published at `t_ns` from the begin of the script.
    pub fn state_at(&self, t_ns: i64) -> State {
        let mut state = State::FIRST;
        for step in self.steps.iter().take_while(|step| step.start_ns <= t_ns) {
            state.pass_until(step.start_ns);
            let until_ns = step.end_ns.min(t_ns);
            // A disruption that is not noticed yet, and a gap, change no setting.
            if step.end_ns > step.start_ns && !matches!(step.action, Action::Ramp(_)) {
                state.pass_until(until_ns);
            }
            state.take(step, t_ns);
        }
        state.pass_until(t_ns);
        state
    }
}

fn usual_reason(status: ClockStatus) -> Reason {
    match status {
        ClockStatus::Synchronized => Reason::Tracking,
        ClockStatus::FreeRunning => Reason::ChronySilent,
        ClockStatus::Unknown => Reason::NeverSynchronized,
        ClockStatus::Disrupted => Reason::Disrupted,
    }
}

/// How much an interval grows in `elapsed_ns`, ns, rounded up.
fn grown_ns(elapsed_ns: i64, drift_ppb: u32) -> i64 {
    let scaled = i128::from(elapsed_ns.max(0)) * i128::from(drift_ppb);
    let grown = (scaled + PPB_PER_ONE - 1) / PPB_PER_ONE;
    i64::try_from(grown).unwrap_or(i64::MAX)
}

/// Where a quantity is that goes steadily from one value to another.
fn between(from_ns: i64, to_ns: i64, elapsed_ns: i64, lasts_ns: i64) -> i64 {
    let (from, to) = (i128::from(from_ns), i128::from(to_ns));
    let gone = (to - from) * i128::from(elapsed_ns) / i128::from(lasts_ns.max(1));
    i64::try_from(from + gone).unwrap_or(to_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;
    const MS: i64 = 1_000_000;

    fn at(text: &str, t_ns: i64) -> State {
        Script::parse(text).expect("a script").state_at(t_ns)
    }

    #[test]
    fn a_status_has_its_usual_reason_unless_another_is_given() {
        for (text, status, reason) in [
            ("wait 1s", ClockStatus::Unknown, Reason::NeverSynchronized),
            (
                "status synchronized",
                ClockStatus::Synchronized,
                Reason::Tracking,
            ),
            (
                "reason contradiction status synchronized",
                ClockStatus::Synchronized,
                Reason::Contradiction,
            ),
            (
                "status unknown reason bound_over_cap\nstatus unknown",
                ClockStatus::Unknown,
                Reason::NeverSynchronized,
            ),
            (
                "status free_running",
                ClockStatus::FreeRunning,
                Reason::ChronySilent,
            ),
            ("disrupt", ClockStatus::Disrupted, Reason::Disrupted),
        ] {
            let state = at(text, 0);
            assert_eq!((state.status, state.reason), (status, reason), "{text}");
        }
    }

    #[test]
    fn a_step_counts_from_its_own_instant_on() {
        let script =
            Script::parse("status synchronized bound 1ms\nat 2s bound 3ms").expect("valid");
        for (t_ns, bound_ns) in [(0, MS), (2 * S - 1, MS), (2 * S, 3 * MS), (9 * S, 3 * MS)] {
            assert_eq!(script.state_at(t_ns).half_width_ns(), bound_ns, "{t_ns}");
        }
    }

    #[test]
    fn a_free_running_interval_grows_by_the_drift_until_the_holdover_ends() {
        let text = "status synchronized bound 1ms drift 50ppm holdover 30s\nwait 5s\n\
                    status free_running reason source_unreachable\nwait 10s\nwait 1h";
        let state = at(text, 15 * S);
        assert_eq!(state.half_width_ns(), MS + 500_000);
        assert_eq!((state.validated_ns, state.status_since_ns), (5 * S, 5 * S));
        let last = at(text, 35 * S - 1);
        assert_eq!(last.status, ClockStatus::FreeRunning);
        assert!(last.half_width_ns().abs_diff(MS + 1_500_000) <= 2);
        for t_ns in [35 * S, 3_600 * S] {
            let expired = at(text, t_ns);
            let found = (expired.status, expired.reason, expired.status_since_ns);
            assert_eq!(
                found,
                (ClockStatus::Unknown, Reason::HoldoverExpired, 35 * S)
            );
        }
        // A bound that is set counts from then on, and synchronization ends the growth.
        let set = format!("{text}\n").replace("wait 1h", "bound 2ms\nwait 2s\nstatus synchronized");
        assert_eq!(at(&set, 16 * S).half_width_ns(), 2 * MS + 50_000);
        assert_eq!(at(&set, 17 * S).half_width_ns(), 2 * MS);
    }

    #[test]
    fn a_ramp_goes_from_one_value_to_the_other() {
        let text = "status synchronized bound 1ms\nat 1s ramp 10s bound ..3ms offset 0..-5ms";
        for (t_ns, bound_ns, offset_ns, offset_ppb) in [
            (S, MS, 0, -500_000),
            (6 * S, 2 * MS, -5 * MS / 2, -500_000),
            (11 * S, 3 * MS, -5 * MS, 0),
            (12 * S, 3 * MS, -5 * MS, 0),
        ] {
            let state = at(text, t_ns);
            let found = (state.half_width_ns(), state.offset_ns, state.offset_ppb);
            assert_eq!(found, (bound_ns, offset_ns, offset_ppb), "{t_ns}");
        }
        assert_eq!(at(text, 6 * S).valid_since_ns, S);
        assert_eq!(at(text, 12 * S).valid_since_ns, 11 * S);
    }

    #[test]
    fn a_midpoint_is_off_by_the_bound_at_most() {
        let text = |by: &str| format!("status synchronized bound 1ms offset 7ms midpoint {by}");
        let interval_of = |by: &str| at(&text(by), 0).interval_ns();
        assert_eq!(interval_of("600us"), (6_600_000, 8_600_000));
        assert_eq!(interval_of("-1h"), (5 * MS, 7 * MS));
        assert!(at(&text("-1h"), 0).is_true());
    }

    #[test]
    fn a_lie_is_outside_whatever_the_bound_is() {
        let text = "status synchronized bound 1ms offset 7ms lie 5ms\nbound 20ms lie -5ms";
        let lying = at("status synchronized bound 1ms offset 7ms lie 5ms", 0);
        assert_eq!(lying.interval_ns(), (12 * MS, 14 * MS));
        let other = at(text, 0);
        assert_eq!(other.interval_ns(), (-38 * MS, 2 * MS));
        assert!(!lying.is_true() && !other.is_true());
        assert!(at("offset 7ms lie 5ms", 0).is_true(), "it claims nothing");
    }

    #[test]
    fn nothing_is_written_in_a_gap_and_during_a_restart() {
        let text = "status synchronized\nwait 1s\ngap 2s\nrestart 1s\nwait 1s\nrestart";
        for (t_ns, is_writing, restarts) in [
            (0, true, 0),
            (S, true, 0),
            (S + 1, false, 0),
            (3 * S - 1, false, 0),
            (3 * S, false, 1),
            (4 * S, true, 1),
            (5 * S, true, 2),
        ] {
            let state = at(text, t_ns);
            assert_eq!(
                (state.is_writing, state.restarts),
                (is_writing, restarts),
                "{t_ns}"
            );
        }
    }

    #[test]
    fn a_disruption_changes_the_page_first() {
        let text =
            "status synchronized\nwait 1s\ndisrupt unnoticed 2s\nwait 1s\nstatus synchronized";
        for (t_ns, status, page, noticed) in [
            (S - 1, ClockStatus::Synchronized, 0, 0),
            (S, ClockStatus::Synchronized, 1, 0),
            (3 * S, ClockStatus::Disrupted, 1, 1),
            (4 * S, ClockStatus::Synchronized, 1, 1),
        ] {
            let state = at(text, t_ns);
            let found = (state.status, state.page_disruptions, state.disruptions);
            assert_eq!(found, (status, page, noticed), "{t_ns}");
        }
        assert_eq!(at(text, 5 * S).valid_since_ns, 4 * S);
    }

    #[test]
    fn changes_and_contradictions_are_counted() {
        let text = "repeat 3\nstatus synchronized\nwait 1s\nreason contradiction\nwait 1s\n\
                    status unknown\nwait 1s\nend";
        let state = at(text, 9 * S);
        assert_eq!((state.status_changes, state.contradictions), (6, 3));
        let ended = state.ended(9 * S);
        assert_eq!(
            (ended.status, ended.reason),
            (ClockStatus::Unknown, Reason::Retired)
        );
    }
}
