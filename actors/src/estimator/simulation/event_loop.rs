//! The events of a simulated run, in the order of their instants.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::breach::Breach;
use super::configuration::{BEGIN_NS, BEGIN_UTC_NS, Configuration, Drawn, WanderRate};
use super::host::Host;
use super::oscillator::Oscillator;
use super::random::Rng;
use super::report::{Lost, Report};
use crate::chrony::{ChronyPoll, Leap};
use crate::estimator::status::ClockStatus;
use crate::estimator::*;
use crate::time::{NS_PER_S, RawInstant, Readings, RealtimeInstant};

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    Oscillate,
    Begin(usize),
    Serve(usize),
    End(usize),
    Poll,
    Replies,
    KeepAlive,
    SlewEnds,
    Set(i64),
    Noticed,
    Disturb,
    RestartDaemon,
    RestartChronyd,
    Suspend,
    Pause,
    ResetSources(u64),
    ComesOrGoes,
    LeapSecond,
    Retained(usize),
}

/// A run in progress.
pub struct Simulation {
    pub config: Configuration,
    pub settings: Settings,
    pub host: Host,
    pub oscillator: Oscillator,
    pub estimator: Estimator,
    /// What was published last, and the readings that it was made with.
    pub published: Estimate,
    pub published_at: Readings,
    /// Published before, and checked once more later.
    pub retained: Vec<Option<Estimate>>,
    /// Instants of earlier rounds with true time then, and the numbers that choose among them.
    pub past: Vec<(i64, RealtimeInstant)>,
    pub past_rng: Rng,
    /// What chronyd replied, and the clocks before the query, when the replies were not read yet.
    pub queued: Option<(Readings, Result<ChronyPoll, PollFailure>)>,
    queue: BinaryHeap<Reverse<(i64, u64, Event)>>,
    sequence: u64,
    pub now_ns: i64,
    /// Since when an interval has been published.
    pub synced_ns: Option<i64>,
    /// The host's disruption marker.
    pub marker: u64,
    /// What came of the wander premise, in a run that breaks it.
    pub breach: Option<Breach>,
    /// UTC of the leap second ahead; 0 for none.
    pub leaps_at_ns: i64,
    pub noise: Rng,
    pub exchanges: u32,
    /// The last events, when they are to be shown.
    pub log: Option<VecDeque<String>>,
    pub report: Report,
}

/// As many lines of the log are kept.
const LOG_LINES: usize = 60;

impl Simulation {
    pub fn new(config: Configuration, wander_rate: WanderRate) -> Self {
        let Drawn {
            settings,
            mut host,
            oscillator,
        } = config.draw(wander_rate);
        let published_at = host.readings(BEGIN_NS);
        let estimator = Estimator::new(settings, None, 0, &published_at);
        let published = estimator.estimate(&published_at);
        let mut new = Self {
            config,
            settings,
            host,
            oscillator,
            estimator,
            published,
            published_at,
            retained: Vec::new(),
            past: Vec::new(),
            past_rng: Rng::new(config.seed, 5),
            queued: None,
            queue: BinaryHeap::new(),
            sequence: 0,
            now_ns: BEGIN_NS,
            synced_ns: None,
            marker: 0,
            breach: (wander_rate == WanderRate::Tenfold).then(Breach::default),
            leaps_at_ns: 0,
            noise: Rng::new(config.seed, 4),
            exchanges: 0,
            log: None,
            report: Report::default(),
        };
        new.after(0, Event::Oscillate);
        new.after(NS_PER_S, Event::KeepAlive);
        for n in 0..new.host.servers.len() {
            new.schedule_exchange(n);
        }
        for (feature, event) in [
            ("foreign-rate", Event::Disturb),
            ("restarts", Event::RestartDaemon),
            ("chronyd-restarts", Event::RestartChronyd),
            ("suspends", Event::Suspend),
            ("pauses", Event::Pause),
            ("comes-and-goes", Event::ComesOrGoes),
        ] {
            if config.has(feature) {
                new.seldom(event);
            }
        }
        if config.has("leap") {
            new.announce_leap();
        }
        new
    }

    /// The same, with a log of the last events.
    pub fn traced(self) -> Self {
        Self {
            log: Some(VecDeque::new()),
            ..self
        }
    }

    /// Moves the clocks to within a day of a leap second.
    fn announce_leap(&mut self) {
        self.host.leap = if self.noise.chance(0.5) {
            Leap::InsertSecond
        } else {
            Leap::DeleteSecond
        };
        let day_ns = 86_400 * NS_PER_S;
        let ahead =
            self.mean_poll_ns() * f64::from(self.config.exchanges) / self.host.servers.len() as f64;
        let ahead_ns = (ahead * self.noise.within(0.2, 0.8)).min(8e13) as i64;
        let midnight_ns = (BEGIN_UTC_NS / day_ns + 1) * day_ns;
        self.host.utc.value_ns = midnight_ns - ahead_ns;
        self.host.set(midnight_ns - ahead_ns - BEGIN_UTC_NS);
        let skipped_ns = if self.host.leap == Leap::DeleteSecond {
            NS_PER_S
        } else {
            0
        };
        self.leaps_at_ns = midnight_ns - skipped_ns;
        self.after(0, Event::LeapSecond);
    }

    /// The time between two measurements of a source on average, ns.
    fn mean_poll_ns(&self) -> f64 {
        let polls = self
            .host
            .servers
            .iter()
            .map(|server| 2f64.powi(-server.poll));
        1e9 * self.host.servers.len() as f64 / polls.sum::<f64>()
    }

    /// In so many ns this will happen.
    pub fn after(&mut self, ns: i64, event: Event) {
        self.sequence += 1;
        self.queue
            .push(Reverse((self.now_ns + ns.max(0), self.sequence, event)));
    }

    /// Once in some hundred polls this will happen.
    pub fn seldom(&mut self, event: Event) {
        let ns = self.mean_poll_ns() * self.noise.scale(1.0, 400.0);
        let more_ns = self.noise.ns(0, 3 * NS_PER_S);
        self.after(ns as i64 + more_ns, event);
    }

    /// The next exchange with a server, and the polls before and after its end.
    pub fn schedule_exchange(&mut self, n: usize) {
        let poll = 2f64.powi(self.host.servers[n].poll) * 1e9;
        let begin_ns = (poll * self.noise.within(0.95, 1.05)) as i64;
        let (there_ns, back_ns) = self.host.servers[n].delays_ns();
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
            self.after(before_ns, Event::Poll);
        }
        let stall_ns = if stalls && self.noise.chance(0.05) {
            self.noise.ns(0, 4 * NS_PER_S)
        } else {
            0
        };
        self.after(before_ns + NS_PER_S / 10 + stall_ns, Event::Poll);
        if self.config.has("pauses") && self.noise.chance(0.03) {
            // While the request or the answer is on its way.
            let at_ns = self.noise.ns(begin_ns, end_ns);
            self.after(at_ns, Event::Pause);
        }
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

    /// The instant of the next event.
    pub fn next_ns(&self) -> Option<i64> {
        self.queue.peek().map(|Reverse((at_ns, ..))| *at_ns)
    }

    /// Runs it to its end.
    pub fn run(mut self) -> Result<Report, Lost> {
        while self.exchanges < self.config.exchanges {
            let Some(Reverse((at_ns, _, event))) = self.queue.pop() else {
                break;
            };
            let before_ns = (at_ns - 1).max(self.now_ns);
            self.check(&self.published.clone(), before_ns, "before", event)?;
            let elapsed = (at_ns - self.now_ns) as f64;
            if self.synced_ns.is_some() {
                let synchronized = self.published.status == ClockStatus::Synchronized
                    && at_ns < self.published.void_after.as_ns();
                self.report.synchronized += elapsed * f64::from(u8::from(synchronized));
            }
            self.now_ns = at_ns;
            self.trace(event);
            self.happen(event)?;
        }
        let since_ns = self.now_ns - self.synced_ns.unwrap_or(self.now_ns);
        self.report.synchronized /= (since_ns as f64).max(1.0);
        self.report.days = (self.now_ns - BEGIN_NS) as f64 / 8.64e13;
        self.report.breach = self.breach.take().unwrap_or_default();
        Ok(self.report)
    }

    fn trace(&mut self, event: Event) {
        let Some(log) = &mut self.log else {
            return;
        };
        let (raw_ns, utc_ns) = (self.now_ns, self.host.utc.at(self.now_ns));
        let held = self.estimator.held.at(RawInstant::from_ns(raw_ns));
        let off = held.map(|held| held.shift(-utc_ns));
        log.push_back(format!("{raw_ns:>22} {event:?} {off:?}"));
        if log.len() > LOG_LINES {
            log.pop_front();
        }
    }
}
