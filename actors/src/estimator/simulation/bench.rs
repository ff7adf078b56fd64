//! A bench: an estimator beside a chronyd with one server, step by step.

use super::host::Host;
use super::random::Rng;
use super::server::Server;
use crate::chrony::{Address, Leap, SourceMode};
use crate::estimator::ablation::Safeguard;
use crate::estimator::ingestion::LOCAL_REFERENCE_ID;
use crate::estimator::status::ClockStatus;
use crate::estimator::*;
use crate::time::{NS_PER_S, RawInstant, Readings, RealtimeInstant};

pub const UTC_NS: i64 = 1_800_000_000 * NS_PER_S;
pub const MS: i64 = 1_000_000;
pub const PPM: f64 = 1e-6;

pub fn settings() -> Settings {
    Settings {
        max_drift_ppb: 50_000,
        max_wander_ppb_per_s: None,
        falsetickers: 0,
        phc_reference_id: None,
        grace_ns: 100 * NS_PER_S,
        holdover_ns: 1_000 * NS_PER_S,
        max_bound_ns: None,
        allow_local_reference: false,
    }
}

/// An estimator beside a chronyd with one server 0.2 ms away that declares 1 us.
pub struct Bench {
    pub host: Host,
    pub estimator: Estimator,
    pub settings: Settings,
    safeguard: Option<Safeguard>,
    pub now_ns: i64,
    pub published: Estimate,
    pub gap_ns: i64,
    pub is_reference_clock: bool,
    pub tracks_locally: bool,
    /// Whether every trusted interval contained true time.
    pub contained_truth: bool,
}

impl Bench {
    pub fn new(settings: Settings, safeguard: Option<Safeguard>) -> Self {
        let mut server = Server::new(7, 0, true, Rng::new(1, 1));
        server.declared_ns = 1_000;
        let mut host = Host::new(0, UTC_NS, false, vec![server], Rng::new(1, 2));
        let at = host.readings(0);
        let estimator = Estimator::new(settings, None, 0, &at).without(safeguard);
        let published = estimator.estimate(&at);
        Self {
            host,
            estimator,
            settings,
            safeguard,
            now_ns: 0,
            published,
            gap_ns: 0,
            is_reference_clock: false,
            tracks_locally: false,
            contained_truth: true,
        }
    }

    pub fn rate(&mut self, rate: f64) {
        self.host.utc.turn(self.now_ns, rate, 0.0);
    }

    /// More servers like the first one; there are `number` then.
    pub fn with_servers(mut self, number: u32) -> Self {
        let first = &self.host.servers[0];
        let servers = (0..number).map(|n| {
            let mut server = first.clone();
            server.address += n;
            server
        });
        self.host.servers = servers.collect();
        self
    }

    /// A measurement of the first server, which chronyd selects, 0.2 ms there and back; it is wrong
    /// by `lie_ns`.
    pub fn measure(&mut self, lie_ns: i64) {
        self.measure_server(0, lie_ns);
        self.host.selected = Some(0);
    }

    /// A measurement of any server.
    pub fn measure_server(&mut self, n: usize, lie_ns: i64) {
        self.host.begin_exchange(n, self.now_ns);
        self.pass(100_000);
        self.host.servers[n].lie_ns = lie_ns;
        self.host.serve(n, self.now_ns, false);
        self.pass(100_000);
        self.host.end_exchange(n, self.now_ns, Some(true));
    }

    /// Time goes by, with what was published last.
    pub fn pass(&mut self, ns: i64) {
        self.check(self.now_ns + ns - 1);
        self.now_ns += ns;
    }

    pub fn check(&mut self, raw_ns: i64) {
        let estimate = &self.published;
        if estimate.status.is_trusted() && raw_ns < estimate.void_after.as_ns() {
            self.contained_truth &= estimate
                .at(RawInstant::from_ns(raw_ns))
                .contains(self.host.true_time(raw_ns));
        }
    }

    pub fn readings(&mut self) -> Readings {
        let mut at = self.host.readings(self.now_ns);
        at.realtime = RealtimeInstant::from_ns(self.host.realtime.at(self.now_ns)) + self.gap_ns;
        at.gap_ns = self.gap_ns;
        at
    }

    pub fn poll(&mut self) -> Vec<Finding> {
        let at = self.readings();
        let mut poll = self.host.report(self.now_ns, true);
        if self.is_reference_clock {
            poll.sources
                .iter_mut()
                .for_each(|data| data.mode = SourceMode::Reference);
        }
        if self.tracks_locally {
            poll.sources.clear();
            poll.tracking.ref_id = LOCAL_REFERENCE_ID;
            poll.tracking.leap = Leap::Normal;
            poll.tracking.address = Address::Unspecified;
        }
        let findings = self.estimator.polled(Ok(&poll), &at, &at);
        self.publish(&at);
        findings
    }

    pub fn publish(&mut self, at: &Readings) {
        self.published = self.estimator.estimate(at);
        self.check(self.now_ns);
    }

    /// A measurement each second, with a poll 50 ms before and after.
    pub fn measure_for(&mut self, seconds: i64, lie_ns: i64) {
        for n in 0..seconds {
            self.pass(NS_PER_S - 100 * MS);
            self.poll();
            self.pass(50 * MS);
            // No two measurements are alike.
            self.measure(lie_ns + n % 10 * 100);
            self.pass(50 * MS);
            self.poll();
        }
    }

    pub fn set(&mut self, by_ns: i64) {
        self.host.set(by_ns);
    }

    /// All clocks of the machine stand still for `for_ns`, and the host says so.
    pub fn disrupt(&mut self, for_ns: i64) {
        self.published.status = ClockStatus::Unknown;
        self.host.pause(for_ns);
        let (at, marker) = (self.readings(), self.estimator.disruption.marker + 1);
        self.estimator.disrupted(marker, &at);
        self.publish(&at);
    }

    /// chronyd resets its sources, and acknowledges that.
    pub fn reset_sources(&mut self) {
        self.host.reset_sources();
        let raw = RawInstant::from_ns(self.now_ns);
        self.estimator.sources_were_reset(raw);
    }

    /// The daemon ends; the next life begins `after_ns` later, when this has happened.
    pub fn restart(&mut self, meanwhile: impl FnOnce(&mut Self)) {
        let at = self.readings();
        let state = State::from_bytes(&self.estimator.state(&at).to_bytes()).expect("a state");
        let last = self.published;
        meanwhile(self);
        self.published = last;
        self.resume(state);
    }

    /// The next life begins with this state.
    pub fn resume(&mut self, state: State) {
        let now = self.readings();
        let last = self.published;
        let resumed = Resumed {
            status: last.status,
            validated: last.validated,
            valid_since: last.valid_since,
            leap: last.leap,
            reference_id: last.reference_id,
            state,
        };
        // Whatever the clock was set by, it was set back.
        self.estimator = Estimator::new(self.settings, Some(resumed), 0, &now);
        self.estimator.without = self.safeguard;
    }

    /// UTC has so many ns left until midnight, and a second is inserted then.
    pub fn announce_insertion(&mut self, left_ns: i64) {
        let day_ns = 86_400 * NS_PER_S;
        let by_ns = day_ns - UTC_NS % day_ns - left_ns;
        self.host.utc.value_ns += by_ns;
        self.set(by_ns);
        self.host.leap = Leap::InsertSecond;
    }
}
