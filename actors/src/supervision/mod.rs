//! Supervision: actors that crash get a new life, readers of the segments notice nothing.
//!
//! The supervisor is a synchronous loop on a thread of its own. It does not live in the runtime
//! that it supervises: whatever happens there, it can still decide, and end the process.

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

use crate::publication::rounds::{Round, Rounds};

/// Why the supervisor's loop ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// A signal asked for it.
    Signal(&'static str),
    /// An actor crashed more often than its budget allows.
    CrashLoop {
        /// The actor.
        actor: ActorName,
        /// The message of its last panic.
        panic: String,
    },
    /// An actor, or the runtime under it, ended without being asked to.
    Ended {
        /// The actor; `None` for the runtime.
        actor: Option<ActorName>,
    },
}

/// Who wants to know how the work goes: the service manager.
pub trait Overseer {
    /// How often to look when there is no news; `None` for nobody who wants to know.
    fn interval(&self) -> Option<Duration>;
    /// Tells of the last round.
    fn look(&mut self, round: &Round, now: Instant);
    /// Tells that the end has begun.
    fn stopping(&mut self);
}

/// Nobody wants to know.
impl Overseer for () {
    fn interval(&self) -> Option<Duration> {
        None
    }
    fn look(&mut self, _round: &Round, _now: Instant) {}
    fn stopping(&mut self) {}
}

/// Answers the ends of lives until a signal or a crash loop ends it all.
///
/// `signals` carries the names of the signals that ask for an orderly end. `overseer` is told of
/// `rounds`.
pub fn run(
    ends: &Receiver<LifeEnd>,
    signals: &Receiver<&'static str>,
    crash_budget: usize,
    rounds: &Rounds,
    overseer: &mut dyn Overseer,
    log: &Logger,
) -> Ending {
    let (ticks, news) = match overseer.interval() {
        Some(interval) => (tick(interval), rounds.news().clone()),
        None => (never(), never()),
    };
    let mut budgets: HashMap<ActorName, CrashBudget> = HashMap::new();
    loop {
        select! {
            recv(ticks) -> _ => look(rounds, overseer),
            recv(news) -> _ => look(rounds, overseer),
            recv(signals) -> signal => {
                let signal = signal.unwrap_or("end of the signal thread");
                overseer.stopping();
                info!(log, "stopping"; "signal" => signal);
                return Ending::Signal(signal);
            }
            recv(ends) -> end => {
                let Ok(LifeEnd { actor, panic, answer }) = end else { return Ending::Ended { actor: None } };
                let Some(panic) = panic else { return Ending::Ended { actor: Some(actor) } };
                let log = log.new(o!("actor" => actor.as_str(), "err" => panic.clone()));
                let budget = budgets.entry(actor).or_insert_with(|| CrashBudget::new(crash_budget));
                let verdict = budget.record_crash(Instant::now());
                match verdict {
                    Verdict::Restart { pause } => warn!(log, "actor crashed, restarting it"; "pause_ms" => pause.as_millis() as u64),
                    Verdict::GiveUp => {
                        error!(log, "actor exceeded its crash budget");
                        return Ending::CrashLoop { actor, panic };
                    }
                }
                // Nobody waits for the answer when the runtime has ended: the next receive says so.
                let _ = answer.send(verdict);
            }
        }
    }
}

fn look(rounds: &Rounds, overseer: &mut dyn Overseer) {
    if let Some(round) = rounds.last() {
        overseer.look(&round, Instant::now());
    }
}
