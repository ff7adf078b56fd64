//! The configuration of a run: everything is drawn from a seed.

use super::host::Host;
use super::oscillator::Oscillator;
use super::random::Rng;
use super::server::Server;
use crate::estimator::Settings;
use crate::time::NS_PER_S;

/// What can happen in a run.
pub const FEATURES: [&str; 19] = [
    "sets",
    "steers",
    "foreign-rate",
    "wrong-frequency",
    "reselects",
    "comes-and-goes",
    "failed-polls",
    "restarts",
    "chronyd-restarts",
    "suspends",
    "leap",
    "stalls",
    "lies",
    "falsetickers",
    "wander",
    "sub-second",
    "partial",
    "queued-replies",
    "pauses",
];

/// A host: everything else is drawn from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Configuration {
    pub seed: u64,
    /// Bits, in the order of [`FEATURES`].
    pub features: u32,
    /// How many exchanges with servers.
    pub exchanges: u32,
}

/// How fast the oscillator's rate changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WanderRate {
    /// As `--max-wander` says.
    AsAllowed,
    /// Ten times as fast.
    Tenfold,
}

/// What was drawn: the daemon's settings, the host and its oscillator.
#[derive(Debug)]
pub struct Drawn {
    pub settings: Settings,
    pub host: Host,
    pub oscillator: Oscillator,
}

/// `CLOCK_MONOTONIC_RAW` at the beginning, ns.
pub const BEGIN_NS: i64 = 1_000 * NS_PER_S;

/// UTC at the beginning, unless a leap second is ahead, ns since 1970.
pub const BEGIN_UTC_NS: i64 = 1_800_000_000 * NS_PER_S;

impl Configuration {
    /// Only one thing can happen in this run, or nothing.
    pub fn only(seed: u64, feature: Option<&str>) -> Self {
        let features = feature.map_or(0, |feature| 1 << bit_of(feature));
        Self {
            seed,
            features,
            exchanges: 600,
        }
    }

    pub fn has(self, feature: &str) -> bool {
        self.features & 1 << bit_of(feature) != 0
    }

    /// The names of what can happen.
    pub fn names(self) -> Vec<&'static str> {
        FEATURES.into_iter().filter(|name| self.has(name)).collect()
    }

    /// Draws settings and host.
    pub fn draw(self, wander_rate: WanderRate) -> Drawn {
        let mut rng = Rng::new(self.seed, 1);
        let max_drift_ppb = rng.scale(100.0, 500_000.0) as u32;
        let wander_ppb = rng.scale(1.0, 200.0) as u32;
        let mut holdover_s = rng.scale(10.0, 86_400.0);
        let lowest = if self.has("sub-second") { -4.0 } else { 0.0 };
        let poll = rng.within(lowest, 10.99).floor() as i32;
        let falsetickers = if self.has("falsetickers") {
            1 + rng.below(2)
        } else {
            0
        };
        let number = 2 * falsetickers + 1 + rng.below(3);
        let mut servers: Vec<Server> = (0..number)
            .map(|n| {
                let poll = (poll + rng.below(3) as i32 - 1).clamp(lowest as i32, 10);
                let own = Rng::new(self.seed, 100 + n as u64);
                Server::new(0x0a00_0001 + n as u32, poll, n >= falsetickers, own)
            })
            .collect();
        let longest_s = servers
            .iter()
            .map(|server| 2f64.powi(server.poll))
            .fold(1.0, f64::max);
        holdover_s = holdover_s.max(longest_s / 100.0);
        let at = rng.below(servers.len());
        servers.rotate_left(at);
        let host = Host::new(
            BEGIN_NS,
            BEGIN_UTC_NS,
            self.has("steers"),
            servers,
            Rng::new(self.seed, 2),
        );
        let settings = Settings {
            max_drift_ppb,
            max_wander_ppb_per_s: self.has("wander").then_some(wander_ppb),
            falsetickers,
            phc_reference_id: None,
            grace_ns: ((holdover_s / 2.0).clamp(5.0, 120.0) * 1e9) as i64,
            holdover_ns: (holdover_s * 1e9) as i64,
            max_bound_ns: None,
            allow_local_reference: false,
        };
        // Rates are used for the span in which they are measured, while no source answers, and in
        // the holdover.
        let span_s = holdover_s.max(4.0 * longest_s) + 12.0 * longest_s + holdover_s;
        let factor = match wander_rate {
            WanderRate::AsAllowed => 1.0,
            WanderRate::Tenfold => 10.0,
        };
        let wander = self
            .has("wander")
            .then_some(f64::from(wander_ppb) * 1e-18 * factor);
        let mut own = Rng::new(self.seed, 3);
        let oscillator = Oscillator::new(
            f64::from(max_drift_ppb) * 1e-9,
            span_s * 1e9,
            wander,
            &mut own,
        );
        Drawn {
            settings,
            host,
            oscillator,
        }
    }
}

fn bit_of(feature: &str) -> usize {
    let bit = FEATURES.iter().position(|name| *name == feature);
    bit.expect("a feature")
}
