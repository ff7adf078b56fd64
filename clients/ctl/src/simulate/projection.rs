//! The state of a script as the daemon's estimate. Pure.

use clockbound_actors::estimator::{ErrorBudget, Estimate, RealtimeRates};
use clockbound_actors::time::{FREQUENCY_LIMIT, Interval, Rate, RateBand, RawInstant, Readings};
use shm_layout::{Disruption, Leap, Reason};

use super::player::State;
use super::speed::Speed;

/// The reference id of the simulated source.
pub const REFERENCE_ID: u32 = u32::from_be_bytes(*b"SIMU");

/// The clocks at the instant `t_ns` of the script.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// The instant of the script, ns.
    pub t_ns: i64,
    /// The clocks then.
    pub at: Readings,
    /// How fast the script is played.
    pub speed: Speed,
    /// How `CLOCK_REALTIME` has run, if that is known.
    pub realtime: Option<RealtimeRates>,
}

impl Now {
    /// `CLOCK_MONOTONIC_RAW` at an instant of the script.
    pub fn raw_at(&self, t_ns: i64) -> RawInstant {
        let from_now_ns = self.speed.real_ns(t_ns.saturating_sub(self.t_ns));
        self.at.raw + from_now_ns
    }

    /// A rate per second of the script as a rate of `CLOCK_MONOTONIC_RAW`.
    fn rate(&self, ppb: i64) -> Rate {
        Rate::from_ppb(self.speed.script_ns(ppb))
    }

    /// How fast true time and the ends of the interval advance.
    fn band(&self, state: &State) -> RateBand {
        let slope = self.rate(state.offset_ppb);
        // Both rates are rounded down.
        let drift = self.rate(state.drift_ppb.into()) + Rate::from_ppb(2);
        let realtime = match self.at.kernel {
            Some(kernel) => RateBand::new(kernel, kernel),
            None => RateBand::within(FREQUENCY_LIMIT),
        };
        RateBand::new(realtime.slowest + slope, realtime.fastest + slope).widen(drift)
    }
}

/// The estimate of `state`, under this disruption marker.
pub fn estimate(state: &State, disruption: Disruption, now: &Now) -> Estimate {
    let at = &now.at;
    let nothing = Estimate {
        disruption,
        is_simulated: true,
        ..Estimate::unknown(state.status, state.reason, at)
    };
    if !state.status.is_trusted() {
        return nothing;
    }
    let (earliest_ns, latest_ns) = state.interval_ns();
    let interval = Interval::new(at.realtime + earliest_ns, at.realtime + latest_ns);
    Estimate {
        interval: interval.widen(at.gap_ns),
        band: now.band(state),
        validated: now.raw_at(state.validated_ns),
        void_after: now.raw_at(state.validated_ns.saturating_add(state.holdover_ns)),
        valid_since: now.raw_at(state.valid_since_ns),
        realtime: now.realtime,
        leap: Leap::Normal,
        reference_id: REFERENCE_ID,
        budget: budget(state, at.gap_ns),
        ..nothing
    }
}

/// The terms of half the width.
fn budget(state: &State, gap_ns: i64) -> ErrorBudget {
    let (root_distance_ns, contradiction_ns) = match state.reason {
        Reason::Contradiction => (0, state.bound_ns),
        _ => (state.bound_ns, 0),
    };
    ErrorBudget {
        root_distance_ns,
        contradiction_ns,
        growth_ns: state.grown_ns,
        clock_reading_gap_ns: gap_ns,
        ..ErrorBudget::default()
    }
}
