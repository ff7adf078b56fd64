//! Supervision: an actor that crashes is restarted, and readers of the segments are not affected.
//!
//! A life is one run of an actor, from its start to its end. The supervisor is a synchronous loop
//! on its own thread. It does not run inside the runtime that it supervises, so it can end the
//! process whatever happens in the runtime.

mod actor_name;
mod crash_budget;
mod life;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, never, select, tick};
use slog::{Logger, error, info, o, warn};

pub use actor_name::ActorName;
pub use crash_budget::{CrashBudget, DEFAULT_LIMIT as DEFAULT_CRASH_BUDGET, Verdict};
pub use life::{LifeEnd, Mailbox, mailbox, supervise};

use crate::publication::diagnostics::EventCounters;
use crate::publication::rounds::{Round, Rounds};

/// Why the supervisor's loop ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// A signal requested it.
    Signal(&'static str),
    /// An actor exceeded its crash budget.
    CrashLoop {
        /// The actor.
        actor: ActorName,
        /// The message of its last panic.
        panic: String,
    },
    /// An actor, or the runtime, exited unexpectedly.
    Exited {
        /// The actor; `None` for the runtime.
        actor: Option<ActorName>,
    },
}

/// Receives the published rounds: the connection to the service manager.
pub trait RoundObserver {
    /// The time between two reports of an unchanged state; `None` if no report is wanted.
    fn check_interval(&self) -> Option<Duration>;
    /// Reports the last round.
    fn observe(&mut self, round: &Round, now: Instant);
    /// Reports that the shutdown has begun.
    fn stopping(&mut self);
}

/// Wants no report.
impl RoundObserver for () {
    fn check_interval(&self) -> Option<Duration> {
        None
    }
    fn observe(&mut self, _round: &Round, _now: Instant) {}
    fn stopping(&mut self) {}
}

/// Decides at each end of a life whether the actor is restarted, until a signal, a crash loop or an
/// unexpected exit.
///
/// `signals` receives the names of the signals that request an orderly shutdown. `observer`
/// receives the rounds of `rounds`. `counters` counts the restarts.
pub fn run(
    ends: &Receiver<LifeEnd>,
    signals: &Receiver<&'static str>,
    crash_budget: usize,
    rounds: &Rounds,
    counters: &EventCounters,
    observer: &mut dyn RoundObserver,
    log: &Logger,
) -> Ending {
    let (ticks, changes) = match observer.check_interval() {
        Some(interval) => (tick(interval), rounds.changes().clone()),
        None => (never(), never()),
    };
    let mut budgets: HashMap<ActorName, CrashBudget> = HashMap::new();
    loop {
        select! {
            recv(ticks) -> _ => report_last_round(rounds, observer),
            recv(changes) -> _ => report_last_round(rounds, observer),
            recv(signals) -> signal => {
                let signal = signal.unwrap_or("end of the signal thread");
                observer.stopping();
                info!(log, "stopping"; "signal" => signal);
                return Ending::Signal(signal);
            }
            recv(ends) -> end => {
                let Ok(LifeEnd { actor, panic, answer }) = end else {
                    return Ending::Exited { actor: None };
                };
                let Some(panic) = panic else {
                    return Ending::Exited { actor: Some(actor) };
                };
                let log = log.new(o!("actor" => actor.as_str(), "err" => panic.clone()));
                let budget = budgets.entry(actor).or_insert_with(|| CrashBudget::new(crash_budget));
                let verdict = budget.record_crash(Instant::now());
                match verdict {
                    Verdict::Restart { pause } => {
                        // Pauses are at most a second.
                        counters.restarts[actor as usize].increment();
                        let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
                        warn!(log, "actor crashed, restarting it"; "pause_ms" => pause_ms);
                    }
                    Verdict::GiveUp => {
                        error!(log, "actor exceeded its crash budget");
                        return Ending::CrashLoop { actor, panic };
                    }
                }
                // Fails if the runtime has ended. The next receive then returns an error.
                let _ = answer.send(verdict);
            }
        }
    }
}

fn report_last_round(rounds: &Rounds, observer: &mut dyn RoundObserver) {
    if let Some(round) = rounds.last() {
        observer.observe(&round, Instant::now());
    }
}
