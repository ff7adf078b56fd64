//! A deterministic simulation: weeks of a world in which the premises hold, in seconds, with the estimator in it.
//!
//! Only rounds that matter are simulated: the last look at chronyd before a measurement is made, the first one after
//! it, and what keeps the status. That published intervals contain true time is checked before and after every event,
//! and of some of them at random instants until they are void.
//!
//! `CLOCKBOUND_SIMULATED_DAYS` says how much; `CLOCKBOUND_SIMULATION="seed features exchanges"` repeats one world.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::simulated_world::{Oscillator, Rng, Server, World};
use super::*;

const FEATURES: [&str; 17] = [
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
];

/// A world: everything else is drawn from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    pub seed: u64,
    /// Bits, in the order of [`FEATURES`].
    pub features: u32,
    /// How many exchanges with servers.
    pub exchanges: u32,
}

impl Config {
    fn has(self, feature: &str) -> bool {
        let bit = FEATURES.iter().position(|name| *name == feature);
        self.features & 1 << bit.expect("a feature") != 0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Oscillate,
    Begin(usize),
    Serve(usize),
    End(usize),
    Look,
    KeepAlive,
    SlewEnds,
    Set(i64),
    Noticed,
    Disturb,
    RestartDaemon,
    RestartChronyd,
    Suspend,
    ComesOrGoes,
    LeapSecond,
    Retained(usize),
}

/// What a run has seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    pub days: f64,
    pub measurements: u64,
    pub checks: u64,
    pub looks: u64,
    /// Share of the time since the first trusted interval.
    pub synchronized: f64,
    pub width_ns: f64,
    pub ideal_ns: f64,
    pub wander_exceeded: u64,
}

/// True time outside of what was published.
#[derive(Clone, Debug)]
pub struct Lost {
    pub text: String,
    pub log: VecDeque<String>,
}

struct Simulation {
    config: Config,
    settings: Settings,
    world: World,
    oscillator: Oscillator,
    estimator: Estimator,
    remedy: Option<Remedy>,
    published: Estimate,
    published_at: Readings,
    retained: Vec<Option<Estimate>>,
    queue: BinaryHeap<Reverse<(i64, u64, Event)>>,
    sequence: u64,
    now_ns: i64,
    begun_ns: i64,
    synced_ns: Option<i64>,
    breaks_wander: bool,
    leaps_at_ns: i64,
    noise: Rng,
    exchanges: u32,
    log: Option<VecDeque<String>>,
    report: Report,
}

const BEGIN_NS: i64 = 1_000 * NS_PER_S;

impl Simulation {
    fn new(config: Config, remedy: Option<Remedy>, breaks_wander: bool, traced: bool) -> Self {
        let mut rng = Rng::new(config.seed, 1);
        let max_drift_ppb = rng.scale(100.0, 500_000.0) as u32;
        let wander_ppb = rng.scale(1.0, 200.0) as u32;
        let mut holdover_s = rng.scale(10.0, 86_400.0);
        let lowest = if config.has("sub-second") { -4.0 } else { 0.0 };
        let poll = rng.within(lowest, 10.99).floor() as i32;
        let falsetickers = if config.has("falsetickers") {
            1 + rng.below(2)
        } else {
            0
        };
        let number = 2 * falsetickers + 1 + rng.below(3);
        let mut servers: Vec<Server> = (0..number)
            .map(|n| {
                let poll = (poll + rng.below(3) as i32 - 1).clamp(lowest as i32, 10);
                let own = Rng::new(config.seed, 100 + n as u64);
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
        let utc_ns = 1_800_000_000 * NS_PER_S;
        let world = World::new(
            BEGIN_NS,
            utc_ns,
            config.has("steers"),
            servers,
            Rng::new(config.seed, 2),
        );
        let settings = Settings {
            max_drift_ppb,
            max_wander_ppb_per_s: config.has("wander").then_some(wander_ppb),
            falsetickers,
            phc_reference_id: None,
            grace_ns: ((holdover_s / 2.0).clamp(5.0, 120.0) * 1e9) as i64,
            holdover_ns: (holdover_s * 1e9) as i64,
            max_bound_ns: None,
            allow_local_reference: false,
        };
        // Rates are used for the span in which they are measured, while no source answers, and in the holdover.
        let span_s = holdover_s.max(4.0 * longest_s) + 12.0 * longest_s + holdover_s;
        let factor = if breaks_wander { 10.0 } else { 1.0 };
        let wander = config
            .has("wander")
            .then_some(f64::from(wander_ppb) * 1e-18 * factor);
        let mut own = Rng::new(config.seed, 3);
        let oscillator = Oscillator::new(
            f64::from(max_drift_ppb) * 1e-9,
            span_s * 1e9,
            wander,
            &mut own,
        );
        let mut world = world;
        let published_at = world.readings(BEGIN_NS);
        let estimator = Estimator::new(settings, None, 0, &published_at);
        let estimator = if remedy.is_some() {
            estimator.without(remedy)
        } else {
            estimator
        };
        let published = estimator.estimate(&published_at);
        let mut new = Self {
            config,
            settings,
            world,
            oscillator,
            estimator,
            remedy,
            published,
            published_at,
            retained: Vec::new(),
            queue: BinaryHeap::new(),
            sequence: 0,
            now_ns: BEGIN_NS,
            begun_ns: BEGIN_NS,
            synced_ns: None,
            breaks_wander,
            leaps_at_ns: 0,
            noise: Rng::new(config.seed, 4),
            exchanges: 0,
            log: traced.then(VecDeque::new),
            report: Report::default(),
        };
        new.after(0, Event::Oscillate);
        new.after(NS_PER_S, Event::KeepAlive);
        for n in 0..new.world.servers.len() {
            new.schedule_exchange(n);
        }
        for (feature, event) in [
            ("foreign-rate", Event::Disturb),
            ("restarts", Event::RestartDaemon),
            ("chronyd-restarts", Event::RestartChronyd),
            ("suspends", Event::Suspend),
            ("comes-and-goes", Event::ComesOrGoes),
        ] {
            if config.has(feature) {
                new.seldom(event);
            }
        }
        if config.has("leap") {
            new.world.leap = if new.noise.chance(0.5) {
                Leap::InsertSecond
            } else {
                Leap::DeleteSecond
            };
            let day_ns = 86_400 * NS_PER_S;
            let ahead =
                new.mean_poll_ns() * f64::from(config.exchanges) / new.world.servers.len() as f64;
            let ahead_ns = (ahead * new.noise.within(0.2, 0.8)).min(8e13) as i64;
            let midnight_ns = (utc_ns / day_ns + 1) * day_ns;
            new.world.utc.value_ns = midnight_ns - ahead_ns;
            new.world.set(midnight_ns - ahead_ns - utc_ns);
            let skipped_ns = if new.world.leap == Leap::DeleteSecond {
                NS_PER_S
            } else {
                0
            };
            new.leaps_at_ns = midnight_ns - skipped_ns;
            new.after(0, Event::LeapSecond);
        }
        new
    }

    fn mean_poll_ns(&self) -> f64 {
        let polls = self
            .world
            .servers
            .iter()
            .map(|server| 2f64.powi(-server.poll));
        1e9 * self.world.servers.len() as f64 / polls.sum::<f64>()
    }

    fn after(&mut self, ns: i64, event: Event) {
        self.sequence += 1;
        self.queue
            .push(Reverse((self.now_ns + ns.max(0), self.sequence, event)));
    }

    fn seldom(&mut self, event: Event) {
        let ns = self.mean_poll_ns() * self.noise.scale(1.0, 400.0);
        let more_ns = self.noise.ns(0, 3 * NS_PER_S);
        self.after(ns as i64 + more_ns, event);
    }

    /// The next exchange with a server, and the looks before and after its end.
    fn schedule_exchange(&mut self, n: usize) {
        let poll = 2f64.powi(self.world.servers[n].poll) * 1e9;
        let begin_ns = (poll * self.noise.within(0.95, 1.05)) as i64;
        let (there_ns, back_ns) = self.world.servers[n].delays_ns();
        let (there_ns, back_ns) = if poll < 1e9 {
            (
                there_ns.min((poll / 4.0) as i64),
                back_ns.min((poll / 4.0) as i64),
            )
        } else {
            (there_ns, back_ns)
        };
        let end_ns = begin_ns + there_ns + back_ns;
        self.after(begin_ns, Event::Begin(n));
        self.after(begin_ns + there_ns, Event::Serve(n));
        self.after(end_ns, Event::End(n));
        let stalls = self.config.has("stalls");
        let before_ns = end_ns - self.noise.ns(0, NS_PER_S / 10);
        if before_ns > 0 && !(stalls && self.noise.chance(0.05)) {
            self.after(before_ns, Event::Look);
        }
        let stall_ns = if stalls && self.noise.chance(0.05) {
            self.noise.ns(0, 4 * NS_PER_S)
        } else {
            0
        };
        self.after(before_ns + NS_PER_S / 10 + stall_ns, Event::Look);
        if self.config.has("sets") && self.noise.chance(0.03) {
            let by_ns = self.noise.sign() * self.noise.scale(1e6, 2e10);
            let at_ns = self
                .noise
                .ns(begin_ns - NS_PER_S / 5, end_ns + NS_PER_S / 5);
            // The round before it reads the clocks, too.
            let round_ns = self.noise.ns(0, NS_PER_S / 10);
            self.after(at_ns - round_ns, Event::Noticed);
            self.after(at_ns, Event::Set(by_ns as i64));
            if self.noise.chance(0.3) {
                let later_ns = self.noise.ns(1_000_000, NS_PER_S / 5);
                self.after(at_ns + later_ns, Event::Set(-by_ns as i64));
            }
        }
    }

    fn run(mut self) -> Result<Report, Lost> {
        while self.exchanges < self.config.exchanges {
            let Some(Reverse((at_ns, _, event))) = self.queue.pop() else {
                break;
            };
            let before_ns = (at_ns - 1).max(self.now_ns);
            self.check(&self.published.clone(), before_ns, "before", event)?;
            let elapsed = (at_ns - self.now_ns) as f64;
            if self.synced_ns.is_some() {
                let synchronized = self.published.status == ClockStatus::Synchronized
                    && at_ns < self.published.void_after_raw_ns;
                self.report.synchronized += elapsed * f64::from(u8::from(synchronized));
            }
            self.now_ns = at_ns;
            if let Some(log) = &mut self.log {
                let text = format!(
                    "{:>22} {event:?} {:?}",
                    at_ns,
                    self.estimator
                        .held
                        .at(at_ns)
                        .map(|held| held.shift(-self.world.utc.at(at_ns)))
                );
                log.push_back(text);
                if log.len() > 60 {
                    log.pop_front();
                }
            }
            self.happen(event)?;
        }
        let since_ns = self.now_ns - self.synced_ns.unwrap_or(self.now_ns);
        self.report.synchronized /= (since_ns as f64).max(1.0);
        self.report.days = (self.now_ns - self.begun_ns) as f64 / 8.64e13;
        Ok(self.report)
    }

    fn happen(&mut self, event: Event) -> Result<(), Lost> {
        let now_ns = self.now_ns;
        match event {
            Event::Oscillate => {
                let length_ns = self
                    .oscillator
                    .turn(&mut self.world.utc, now_ns, &mut self.noise);
                self.after(length_ns, Event::Oscillate);
            }
            Event::Begin(n) => self.world.begin_exchange(n, now_ns),
            Event::Serve(n) => {
                let lies = self.config.has("lies");
                self.world.serve(n, now_ns, lies);
            }
            Event::End(n) => self.end_exchange(n),
            Event::Look => self.look(event)?,
            Event::KeepAlive => {
                self.look(event)?;
                let ns = (self.settings.holdover_ns / 3).min(self.settings.grace_ns * 4 / 5);
                self.after(ns, Event::KeepAlive);
            }
            Event::SlewEnds => self.world.end_slew(now_ns),
            Event::Set(by_ns) => {
                self.world.set(by_ns);
                self.after(500_000, Event::Noticed);
            }
            Event::Noticed => {
                let at = self.world.readings(now_ns);
                self.estimator.clocks_read(&at);
                self.publish(&at, event)?;
            }
            Event::Disturb => {
                let rate = self.noise.sign() * self.noise.scale(1e-8, 0.09);
                let rate = if self.noise.chance(0.5) { 0.0 } else { rate };
                self.world.steer(now_ns, rate);
                self.seldom(event);
            }
            Event::RestartDaemon => {
                self.restart_daemon(event)?;
                self.seldom(event);
            }
            Event::RestartChronyd => {
                let down_ns = self.noise.ns(1_000_000, 5 * NS_PER_S);
                self.world.restart_chronyd(now_ns, down_ns);
                self.seldom(event);
            }
            Event::Suspend => {
                let for_ns = self.noise.scale(1e7, 1e13) as i64;
                if (0..=for_ns + 10 * NS_PER_S)
                    .contains(&(self.leaps_at_ns - self.world.utc.at(now_ns)))
                {
                    return Ok(());
                }
                let error_ns = (self.noise.sign() * self.noise.scale(1.0, 1e9)) as i64;
                self.world.suspend(for_ns, error_ns);
                self.retained
                    .iter_mut()
                    .for_each(|retained| *retained = None);
                let at = self.world.readings(now_ns);
                self.estimator.clocks_read(&at);
                self.publish(&at, event)?;
                self.after(0, Event::LeapSecond);
                self.seldom(event);
            }
            Event::ComesOrGoes => {
                let n = self.noise.below(self.world.servers.len());
                let server = &mut self.world.servers[n];
                server.listed = !server.listed;
                server.last = None;
                if self.noise.chance(0.3) {
                    server.address += 0x100;
                }
                self.seldom(event);
            }
            Event::LeapSecond => {
                let left_ns = self.leaps_at_ns - self.world.utc.at(now_ns);
                if self.leaps_at_ns == 0 {
                    return Ok(());
                }
                if left_ns > 0 {
                    self.after(left_ns - left_ns / 1_000, event);
                    return Ok(());
                }
                let by_ns = if self.world.leap == Leap::InsertSecond {
                    -NS_PER_S
                } else {
                    NS_PER_S
                };
                if self.noise.chance(0.8) {
                    self.world.utc.value_ns += by_ns;
                }
                if self.noise.chance(0.7) {
                    self.world.set(by_ns);
                }
                self.world.leap = Leap::Normal;
                self.leaps_at_ns = 0;
            }
            Event::Retained(index) => {
                if let Some(estimate) = self.retained[index].take() {
                    self.check(&estimate, now_ns, "retained", event)?;
                }
            }
        }
        Ok(())
    }

    fn end_exchange(&mut self, n: usize) {
        let now_ns = self.now_ns;
        let leap_is_close = {
            let midnight_ns = 86_400 * NS_PER_S;
            let utc_ns = self.world.utc.at(now_ns);
            self.config.has("leap")
                && (utc_ns + midnight_ns / 2)
                    .rem_euclid(midnight_ns)
                    .abs_diff(midnight_ns / 2)
                    < 5_000_000_000
        };
        let fails = self.config.has("failed-polls");
        let taken = match () {
            () if leap_is_close
                || now_ns < self.world.down_until_ns
                || !self.world.servers[n].listed =>
            {
                None
            }
            () if fails && self.noise.chance(0.1) => self.noise.chance(0.5).then_some(false),
            () => Some(true),
        };
        self.world.end_exchange(n, now_ns, taken);
        if taken == Some(true) {
            self.report.measurements += 1;
            let (reselects, wrong) = (
                self.config.has("reselects"),
                self.config.has("wrong-frequency"),
            );
            let any = self.settings.falsetickers > 0;
            let before_ns = self.world.realtime.at(now_ns);
            let ends = self.world.update(n, now_ns, reselects, wrong, |server| {
                any || server.is_honest
            });
            if let Some(ends_ns) = ends {
                self.after(ends_ns - now_ns, Event::SlewEnds);
            }
            if self.world.realtime.at(now_ns) != before_ns {
                // chronyd has stepped the clock.
                self.after(500_000, Event::Noticed);
            }
        }
        self.exchanges += 1;
        self.schedule_exchange(n);
    }

    fn look(&mut self, event: Event) -> Result<(), Lost> {
        let next_ns = self
            .queue
            .peek()
            .map_or(i64::MAX, |Reverse((at_ns, ..))| *at_ns);
        let latency_ns = self.noise.ns(50_000, 400_000).min(next_ns - self.now_ns);
        let at = self.world.readings(self.now_ns);
        let answer_ns = self.now_ns + latency_ns / 2;
        let all = !(self.config.has("partial") && self.noise.chance(0.5));
        let report = self.world.report(answer_ns, all);
        let answered = self.world.readings(self.now_ns + latency_ns);
        let outcome = if self.now_ns < self.world.down_until_ns {
            Err(PollFailure::Silent)
        } else {
            Ok(&report)
        };
        let findings = self.estimator.polled(outcome, &at, &answered);
        self.report.looks += 1;
        self.check_sources(event)?;
        self.check_rates(event)?;
        for finding in findings {
            if let Some(log) = &mut self.log {
                log.push_back(format!("    {finding:?}"));
            }
            match finding {
                Finding::WanderExceeded if self.breaks_wander => self.report.wander_exceeded += 1,
                Finding::LeapSecondDecided { .. } => {}
                // The premises hold: whatever is alarmed about is a mistake of the estimator.
                _ => {
                    let log = self.log.clone().unwrap_or_default();
                    let text = format!("{finding:?} at raw {}\n{:?}", self.now_ns, self.settings);
                    return Err(Lost { text, log });
                }
            }
        }
        if self.log.is_some() {
            let sampled = self.estimator.sampled.map(|(point, budget)| {
                format!(
                    "{:?} {budget}",
                    point.interval.shift(-self.world.utc.at(point.raw_ns))
                )
            });
            let band = self.estimator.held.growth().band();
            let rate = self.world.utc.rate_at(self.now_ns) * 1e12;
            let text = format!(
                "    sampled {} band {band:?} true {rate:.0}",
                sampled.unwrap_or_default()
            );
            self.log
                .iter_mut()
                .for_each(|log| log.push_back(text.clone()));
        }
        self.publish(&answered, event)
    }

    /// What the estimator makes of honest sources contains true time, whether it is used or not.
    fn check_sources(&mut self, event: Event) -> Result<(), Lost> {
        for server in self
            .world
            .servers
            .iter()
            .filter(|server| server.is_honest && !self.config.has("leap"))
        {
            let key = Key {
                address: server.key(),
                is_reference_clock: false,
            };
            let own = self
                .estimator
                .sources
                .get(key)
                .and_then(|source| source.own);
            let outside = own.filter(|own| {
                own.raw_ns == self.now_ns && !own.interval.contains(self.world.utc.at(own.raw_ns))
            });
            if let Some(own) = outside {
                let off = own.interval.shift(-self.world.utc.at(own.raw_ns));
                let log = self.log.clone().unwrap_or_default();
                return Err(Lost {
                    text: format!("{key:?} is not true at {event:?}: {off:?}"),
                    log,
                });
            }
        }
        Ok(())
    }

    /// The true rate is within the proved ones.
    fn check_rates(&mut self, event: Event) -> Result<(), Lost> {
        let rate_ppt = (self.world.utc.rate_at(self.now_ns) * 1e12).round() as i64;
        let drift = self.estimator.held.growth().band();
        let wander = self
            .estimator
            .wander
            .as_ref()
            .filter(|_| !self.breaks_wander);
        let wander = wander.and_then(|wander| wander.held.growth().limits());
        let wander = wander
            .filter(|(reference_ns, _)| *reference_ns == self.now_ns)
            .map(|(_, band)| band);
        for band in [Some(drift), wander].into_iter().flatten() {
            if rate_ppt < band.slowest_ppt.saturating_sub(1)
                || rate_ppt > band.fastest_ppt.saturating_add(1)
            {
                let log = self.log.clone().unwrap_or_default();
                let text = format!(
                    "{rate_ppt} is not in {band:?} at {event:?} of raw {}",
                    self.now_ns
                );
                return Err(Lost { text, log });
            }
        }
        Ok(())
    }

    fn publish(&mut self, at: &Readings, event: Event) -> Result<(), Lost> {
        self.published = self.estimator.estimate(at);
        self.published_at = *at;
        let estimate = self.published;
        assert_eq!(
            estimate.budget.total_ns(),
            if estimate.status.is_trusted() {
                estimate.interval.half_width_ns()
            } else {
                0
            }
        );
        self.check(&estimate, at.raw_ns, "at once", event)?;
        if !estimate.status.is_trusted() {
            return Ok(());
        }
        self.synced_ns.get_or_insert(at.raw_ns);
        self.measure_width(&estimate);
        if self.noise.chance(0.02) && !self.breaks_wander {
            let void_ns = estimate.void_after_raw_ns - 1;
            let ns = if self.noise.chance(0.5) {
                void_ns
            } else {
                self.noise.ns(at.raw_ns, void_ns)
            };
            self.retained.push(Some(estimate));
            self.after(ns - self.now_ns, Event::Retained(self.retained.len() - 1));
        }
        Ok(())
    }

    /// The ideal is the error of the last measurement, with the growth since then by the drift rate and the error of a rate
    /// between two such measurements.
    fn measure_width(&mut self, estimate: &Estimate) {
        let best = self.world.selected.and_then(|n| self.world.servers[n].last);
        if let Some(last) = best {
            let drift = f64::from(self.settings.max_drift_ppb) * 1e-9;
            let watched_ns =
                (estimate.raw_ns - self.begun_ns).min(self.settings.holdover_ns) as f64;
            let rate = (drift + 2.0 * last.error_ns as f64 / watched_ns).min(500e-6);
            self.report.ideal_ns +=
                last.error_ns as f64 + rate * (estimate.raw_ns - last.raw_ns) as f64;
            self.report.width_ns += estimate.interval.half_width_ns() as f64;
        }
    }

    fn restart_daemon(&mut self, event: Event) -> Result<(), Lost> {
        let bytes = self.estimator.state(&self.published_at).to_bytes();
        let published = self.published;
        if self.config.has("sets") && self.noise.chance(0.3) {
            let by_ns = self.noise.sign() * self.noise.scale(1e3, 2e10);
            self.world.set(by_ns as i64);
        }
        let now = self.world.readings(self.now_ns);
        let state = State::from_bytes(&bytes).filter(|state| state.is_of(now.suspended_ns));
        let resumed = state
            .filter(|_| published.status.is_trusted())
            .map(|state| Resumed {
                status: published.status,
                validated_raw_ns: published.validated_raw_ns,
                leap: published.leap,
                reference_id: published.reference_id,
                state,
            });
        if resumed.is_none() {
            // What a cold start believes of samples from before it is no matter of the premises.
            self.world.restart_chronyd(self.now_ns, 0);
        }
        let unwatched_ns = now.gained_since(&self.published_at).abs();
        self.estimator =
            Estimator::new(self.settings, resumed, unwatched_ns, &now).without_if(self.remedy);
        self.estimator.clocks_read(&now);
        self.publish(&now, event)
    }

    fn check(
        &mut self,
        estimate: &Estimate,
        raw_ns: i64,
        what: &str,
        event: Event,
    ) -> Result<(), Lost> {
        if !estimate.status.is_trusted() || raw_ns >= estimate.void_after_raw_ns {
            return Ok(());
        }
        if self.breaks_wander
            && self
                .estimator
                .wander
                .as_ref()
                .is_none_or(|wander| wander.void_until_ns <= raw_ns)
        {
            return Ok(());
        }
        self.report.checks += 1;
        let (truth_ns, interval) = (self.world.utc.at(raw_ns), estimate.at(raw_ns));
        if interval.contains(truth_ns) {
            return Ok(());
        }
        let off_ns = (interval.earliest_ns - truth_ns).max(truth_ns - interval.latest_ns);
        let log = self.log.clone().unwrap_or_default();
        let text = format!(
            "true time is {off_ns} ns outside at raw {raw_ns} ({what} {event:?}), published {} ns ago: {estimate:?}\n{:?}\n{:?}",
            raw_ns - estimate.raw_ns,
            self.settings,
            self.oscillator
        );
        Err(Lost { text, log })
    }
}

impl Estimator {
    fn without_if(self, remedy: Option<Remedy>) -> Self {
        if remedy.is_some() {
            Self {
                without: remedy,
                ..self
            }
        } else {
            self
        }
    }
}

pub fn run(config: Config, remedy: Option<Remedy>) -> Result<Report, Lost> {
    Simulation::new(config, remedy, false, false).run()
}

/// The smallest world that still loses truth.
fn shrunk(mut config: Config) -> Config {
    let fails = |config: Config| run(config, None).is_err();
    loop {
        let half = Config {
            exchanges: config.exchanges / 2,
            ..config
        };
        let fewer = (0..FEATURES.len()).filter(|bit| config.features & 1 << bit != 0);
        let fewer = fewer.map(|bit| Config {
            features: config.features & !(1 << bit),
            ..config
        });
        let smaller = std::iter::once(half)
            .chain(fewer)
            .find(|smaller| fails(*smaller));
        match smaller {
            Some(smaller) => config = smaller,
            None => return config,
        }
    }
}

fn fail(config: Config) -> ! {
    let config = shrunk(config);
    let lost = Simulation::new(config, None, false, true)
        .run()
        .expect_err("fails");
    for line in &lost.log {
        eprintln!("{line}");
    }
    let features: Vec<&str> = FEATURES
        .into_iter()
        .filter(|name| config.has(name))
        .collect();
    let Config {
        seed,
        features: bits,
        exchanges,
    } = config;
    panic!(
        "{}\n{features:?}\nCLOCKBOUND_SIMULATION=\"{seed} {bits} {exchanges}\" cargo test -p clockbound-actors --lib estimator::simulation -- --nocapture",
        lost.text
    );
}

#[test]
fn true_time_is_always_inside() {
    if let Ok(repeat) = std::env::var("CLOCKBOUND_SIMULATION") {
        let numbers: Vec<u64> = repeat
            .split(' ')
            .map(|number| number.parse().expect("a number"))
            .collect();
        let config = Config {
            seed: numbers[0],
            features: numbers[1] as u32,
            exchanges: numbers[2] as u32,
        };
        if run(config, None).is_err() {
            fail(config);
        }
        return;
    }
    let days = std::env::var("CLOCKBOUND_SIMULATED_DAYS")
        .ok()
        .and_then(|days| days.parse().ok())
        .unwrap_or(20.0);
    let first: u64 = std::env::var("CLOCKBOUND_SIMULATED_FROM")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(1);
    let begun = std::time::Instant::now();
    let mut all = Report::default();
    let mut worlds = 0;
    for seed in first.. {
        let mut rng = Rng::new(seed, 0);
        let features = (rng.next() & rng.next()) as u32 & ((1 << FEATURES.len()) - 1);
        let exchanges = if days < 100.0 { 300 } else { 3_000 };
        let config = Config {
            seed,
            features,
            exchanges,
        };
        match run(config, None) {
            Ok(report) => {
                all.days += report.days;
                all.measurements += report.measurements;
                all.checks += report.checks;
                all.looks += report.looks;
                worlds += 1;
            }
            Err(_) => fail(config),
        }
        if all.days >= days {
            break;
        }
    }
    println!(
        "report: {worlds} worlds, {:.0} days, {} measurements, {} looks, {} checks in {:.1} s",
        all.days,
        all.measurements,
        all.looks,
        all.checks,
        begun.elapsed().as_secs_f64()
    );
}

/// A world without incidents, in which chronyd does not steer the clock.
fn healthy(seed: u64) -> Report {
    let config = Config {
        seed,
        features: 0,
        exchanges: 600,
    };
    run(config, None).unwrap_or_else(|_| fail(config))
}

/// Half of the published width on average, in that of the last measurement with the growth by the drift rate alone.
const WIDEST: f64 = 4.0;

#[test]
fn a_healthy_world_is_synchronized_and_no_wider_than_it_has_to_be() {
    let mut worst = 0.0f64;
    for seed in 1..=20 {
        let report = healthy(seed);
        assert!(report.synchronized >= 0.99, "seed {seed}: {report:?}");
        let ratio = report.width_ns / report.ideal_ns;
        worst = worst.max(ratio);
        assert!(ratio <= WIDEST, "seed {seed}: {ratio} {report:?}");
    }
    println!("report: at most {worst:.2} times as wide as the last measurement with its growth");
}

#[test]
fn an_oscillator_that_wanders_ten_times_as_fast_ends_in_the_fallback() {
    let mut found = 0;
    for seed in 1..=20 {
        let features = 1
            << FEATURES
                .iter()
                .position(|name| *name == "wander")
                .expect("a feature");
        let config = Config {
            seed,
            features,
            exchanges: 600,
        };
        // Once it is found, the intervals are true by the drift rate.
        let report = Simulation::new(config, None, true, false)
            .run()
            .unwrap_or_else(|lost| panic!("seed {seed}: {}", lost.text));
        found += u64::from(report.wander_exceeded > 0);
    }
    println!("report: found in {found} of 20 worlds");
    assert!(found >= 5, "{found}");
}
