//! Plays a script: publishes its states at their instants.

use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use clockbound_actors::estimator::RealtimeLog;
use clockbound_actors::os::clocks;
use clockbound_actors::os::clocksource::SYS_ROOT;
use clockbound_actors::os::clocksource_watch::ClocksourceWatch;
use clockbound_actors::publication::counter_clock::{CounterClock, CounterReading};
use clockbound_actors::publication::segments::Segments;
use clockbound_actors::time::Readings;
use shm_layout::Disruption;

use super::diagnostics::{Process, diagnostics};
use super::events::Events;
use super::files::Files;
use super::page::Page;
use super::player::State;
use super::projection::{Now, estimate};
use super::script::Script;
use super::speed::Speed;
use crate::exit::{Exit, Failure};

/// The time between two publications.
const TICK: Duration = Duration::from_millis(20);

/// How long the period of the processor's counter is measured at most before the script begins.
const CALIBRATION: Duration = Duration::from_secs(2);

/// The time between two readings of the counter meanwhile.
const BETWEEN_READINGS: Duration = Duration::from_millis(10);

/// Why the playing ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The script ended.
    Script,
    /// A signal arrived.
    Signal,
}

/// What is played, and how.
#[derive(Debug)]
pub struct Plan {
    /// The script.
    pub script: Script,
    /// How fast.
    pub speed: Speed,
    /// Whether it begins again when it has ended.
    pub is_repeated: bool,
    /// Whether the last records stay as they are.
    pub is_held: bool,
}

/// A publisher that plays one script.
pub struct Publisher {
    plan: Plan,
    files: Files,
    page: Option<Page>,
    /// `None` between the removal of the files and their creation.
    segments: Option<Segments>,
    counter: CounterClock,
    clocksource: ClocksourceWatch,
    realtime: RealtimeLog,
    /// The marker of the records.
    marker: u64,
    /// How many disruptions and restarts were done.
    done: Done,
    /// The last state and its instant in the script.
    last: Option<(State, i64)>,
    process: Process,
}

/// What was done so far, in all rounds of the script.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Changes of the page's marker.
    pub page_disruptions: u64,
    /// Those that were noticed.
    pub disruptions: u64,
    /// Removals of the files.
    pub restarts: u64,
    /// Changes of the status.
    pub status_changes: u64,
    /// Contradictions.
    pub contradictions: u64,
}

impl Done {
    /// With what `state` counts in its round, `self` being what the rounds before it count.
    fn with(self, state: &State) -> Self {
        Self {
            page_disruptions: self.page_disruptions + state.page_disruptions,
            disruptions: self.disruptions + state.disruptions,
            restarts: self.restarts + state.restarts,
            status_changes: self.status_changes + state.status_changes,
            contradictions: self.contradictions + state.contradictions,
        }
    }
}

impl Publisher {
    /// Opens the segments, and measures the processor's counter. The records claim nothing yet.
    ///
    /// # Errors
    /// The segments cannot be opened.
    pub fn open(plan: Plan, files: Files, page: Option<Page>) -> Result<Self, Failure> {
        let process = Process {
            started: clocks::monotonic_raw(),
            publications: 0,
            has_v3: files.has_v3(),
        };
        let mut publisher = Self {
            plan,
            files,
            marker: page.as_ref().map_or(0, Page::marker),
            page,
            segments: None,
            counter: CounterClock::default(),
            clocksource: ClocksourceWatch::new(Path::new(SYS_ROOT)),
            realtime: RealtimeLog::default(),
            done: Done::default(),
            last: None,
            process,
        };
        publisher.open_segments()?;
        publisher.calibrate();
        Ok(publisher)
    }

    /// Plays the script until its end, or until `signals` receives one. The records claim nothing
    /// afterwards, also after an error, unless the last ones are held.
    ///
    /// # Errors
    /// Those of the files, and those of standard output.
    pub fn play(&mut self, signals: &Receiver<()>, events: &Events) -> Result<End, Failure> {
        let end = self.rounds(signals, events);
        if !self.plan.is_held
            && let Some((last, t_ns)) = self.last.take()
        {
            let now = self.now(t_ns, clocks::read());
            self.write(&last.ended(t_ns), &now);
        }
        end
    }

    /// Plays the script, again and again if it is repeated.
    fn rounds(&mut self, signals: &Receiver<()>, events: &Events) -> Result<End, Failure> {
        let mut is_ready = false;
        loop {
            let end = self.round(signals, events, &mut is_ready)?;
            if end == End::Signal || !self.plan.is_repeated {
                return Ok(end);
            }
        }
    }

    /// Plays the script once. Every instant at which a step begins or ends is published, in their
    /// order, also when this process was delayed.
    fn round(
        &mut self,
        signals: &Receiver<()>,
        events: &Events,
        is_ready: &mut bool,
    ) -> Result<End, Failure> {
        let (begin, speed, before) = (clocks::monotonic_raw(), self.plan.speed, self.done);
        let mut next_ns = Some(0);
        // The number of the steps that have begun.
        let mut begun = 0;
        loop {
            let at = clocks::read();
            let elapsed_ns = speed.script_ns(at.raw - begin);
            let t_ns = next_ns.map_or(elapsed_ns, |next_ns| elapsed_ns.min(next_ns));
            let state = self.plan.script.state_at(t_ns);
            let now = self.now(t_ns, at);
            self.last = Some((state, t_ns));
            self.publish(before, &state, &now)?;
            if !*is_ready {
                events.ready(&self.plan.script, &self.files)?;
                *is_ready = true;
            }
            begun = events.begun(&self.plan.script, begun, t_ns, &state)?;
            if self
                .plan
                .script
                .length_ns
                .is_some_and(|length_ns| t_ns >= length_ns)
            {
                return Ok(End::Script);
            }
            next_ns = self.plan.script.next_change_after(t_ns);
            let change = next_ns.map(|next_ns| {
                let left_ns = begin + speed.real_ns(next_ns) - clocks::monotonic_raw();
                Duration::from_nanos(u64::try_from(left_ns).unwrap_or_default())
            });
            let pause = change.map_or(TICK, |change| change.min(TICK));
            match signals.recv_timeout(pause) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => {
                    return Ok(End::Signal);
                }
            }
        }
    }

    /// The clocks, with what the readings before prove.
    fn now(&mut self, t_ns: i64, at: Readings) -> Now {
        self.realtime.note(&at);
        Now {
            t_ns,
            at,
            speed: self.plan.speed,
            realtime: self.realtime.rates_at(&at),
        }
    }

    /// Does what `state` says.
    fn publish(&mut self, before: Done, state: &State, now: &Now) -> Result<(), Failure> {
        let done = before.with(state);
        while self.done.page_disruptions < done.page_disruptions {
            self.done.page_disruptions += 1;
            if let Some(page) = &mut self.page {
                page.disrupt().map_err(|err| self.files_failed(err))?;
            }
        }
        if self.done.disruptions < done.disruptions {
            self.marker = self.page.as_ref().map_or(0, Page::marker);
        }
        if self.done.restarts < done.restarts {
            self.segments = None;
            self.files.remove().map_err(|err| self.files_failed(err))?;
        }
        self.done = done;
        if !state.is_writing {
            return Ok(());
        }
        if self.segments.is_none() {
            self.open_segments()?;
        }
        self.write(state, now);
        Ok(())
    }

    /// Writes every segment, if there are files.
    fn write(&mut self, state: &State, now: &Now) {
        let counter = self.read_counter();
        let Some(segments) = &self.segments else {
            return;
        };
        let estimate = estimate(state, self.disruption(), now);
        segments.publish(&estimate, &now.at, &counter);
        self.process.publications += 1;
        let record = diagnostics(state, &estimate, now, &self.done, &self.process);
        segments.publish_diagnostics(&record);
    }

    fn open_segments(&mut self) -> Result<(), Failure> {
        let opened = self.files.open(self.disruption());
        let opened = opened.map_err(|err| Failure::Other(Exit::CannotCreate, err.to_string()))?;
        self.segments = Some(opened);
        Ok(())
    }

    /// Reads the counter until its period is known, so that the 3.x layout has the first state, too.
    fn calibrate(&mut self) {
        let rounds = CALIBRATION.as_millis() / BETWEEN_READINGS.as_millis();
        for _ in 0..rounds {
            if self.read_counter() != CounterReading::Calibrating || !self.files.has_v3() {
                return;
            }
            std::thread::sleep(BETWEEN_READINGS);
        }
    }

    fn read_counter(&mut self) -> CounterReading {
        if self.files.has_v3() {
            self.clocksource.has_changed(clocks::monotonic_raw());
            self.counter.read(self.clocksource.current()).0
        } else {
            CounterReading::Calibrating
        }
    }

    fn disruption(&self) -> Disruption {
        Disruption {
            marker: self.marker,
            supported: self.page.is_some(),
        }
    }

    fn files_failed(&self, source: io::Error) -> Failure {
        Failure::File {
            path: self.files.directory().to_owned(),
            source,
        }
    }
}
