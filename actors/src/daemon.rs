//! The wiring: one function that reads as the diagram in the crate's documentation, from its bottom
//! to its top, so that every message finds its receiver.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use actix::{Arbiter, ArbiterHandle, System};
use crossbeam_channel::{Receiver, bounded, unbounded};
use slog::{Logger, o, warn};

use crate::actors::chrony_poller::{self, ChronyPoller};
use crate::actors::clock_state::{self, ClockState};
use crate::actors::clock_watch::{self, ClockWatch};
use crate::actors::phc_reader::{self, PhcReader};
use crate::actors::shm_publisher::ShmPublisher;
use crate::estimator::Settings;
use crate::os::adjtimex;
use crate::publication::rounds::Rounds;
use crate::publication::segments::Segments;
use crate::supervision::{self, ActorName, Ending, Overseer, mailbox, supervise};

/// How long the runtime may take to end before the process goes without it: an actor that hangs
/// must not keep SIGTERM from being obeyed.
const FAREWELL: Duration = Duration::from_millis(500);

/// How many poll intervals ClockState waits for a fact before it looks at the clock without one.
const PATIENCE_POLLS: u32 = 2;

/// What the daemon was asked to do.
#[derive(Clone, Debug)]
pub struct Config {
    /// chronyd's command socket.
    pub chrony_socket: PathBuf,
    /// The time between two polls, of chronyd and of the PHC.
    pub poll_interval: Duration,
    /// What the estimator goes by.
    pub settings: Settings,
    /// The network interface whose hardware clock chrony follows, if there is one.
    pub phc_interface: Option<String>,
    /// Crashes of one actor forgiven in ten seconds.
    pub crash_budget: usize,
}

/// Runs the actors until a signal, or a crash loop, ends them. Called on the main thread, which
/// becomes the supervisor's and tells `overseer` how it goes. The last record stays in the segments
/// for readers to age.
///
/// # Errors
/// When the runtime's threads cannot be started.
pub fn run(
    config: Config,
    segments: Arc<Segments>,
    signals: &Receiver<&'static str>,
    overseer: &mut dyn Overseer,
    log: &Logger,
) -> io::Result<Ending> {
    if let Err(err) = adjtimex::frequency() {
        warn!(log, "kernel's clock frequency cannot be read"; "err" => %err,
            "advice" => "allow adjtimex: while the clock is slewed, v1 and v2 are too narrow");
    }
    let runtime = Runtime::start(config.phc_interface.is_some())?;
    let (ends_tx, ends) = unbounded();
    let rounds = Arc::new(Rounds::default());
    let child_log = |name: ActorName| log.new(o!("actor" => name.as_str()));

    let (publisher, publisher_mailbox) = mailbox::<ShmPublisher>();
    let (clock_state, clock_state_mailbox) = mailbox::<ClockState>();
    let (poller, poller_mailbox) = mailbox::<ChronyPoller>();
    let (phc_reader, phc_reader_mailbox) = mailbox::<PhcReader>();
    let (clock_watch, clock_watch_mailbox) = mailbox::<ClockWatch>();

    supervise(
        &runtime.shared,
        ActorName::ShmPublisher,
        publisher_mailbox,
        ShmPublisher::new(
            segments.clone(),
            rounds.clone(),
            child_log(ActorName::ShmPublisher),
        ),
        ends_tx.clone(),
    );
    supervise(
        &runtime.shared,
        ActorName::ClockState,
        clock_state_mailbox,
        ClockState::new(clock_state::Parts {
            settings: config.settings,
            patience: config.poll_interval * PATIENCE_POLLS,
            segments,
            publisher: publisher.clone(),
            log: child_log(ActorName::ClockState),
        }),
        ends_tx.clone(),
    );
    if let (Some(interface), Some(arbiter)) = (config.phc_interface, &runtime.may_block) {
        supervise(
            arbiter,
            ActorName::PhcReader,
            phc_reader_mailbox,
            PhcReader::new(phc_reader::Parts {
                interface,
                poll_interval: config.poll_interval,
                clock_state: clock_state.clone(),
                log: child_log(ActorName::PhcReader),
            }),
            ends_tx.clone(),
        );
    }
    supervise(
        &runtime.shared,
        ActorName::ClockWatch,
        clock_watch_mailbox,
        ClockWatch::new(clock_watch::Parts {
            clock_state: clock_state.clone(),
            log: child_log(ActorName::ClockWatch),
        }),
        ends_tx.clone(),
    );
    supervise(
        &runtime.shared,
        ActorName::ChronyPoller,
        poller_mailbox,
        ChronyPoller::new(chrony_poller::Parts {
            socket_path: config.chrony_socket,
            poll_interval: config.poll_interval,
            clock_state: clock_state.clone(),
            log: child_log(ActorName::ChronyPoller),
        }),
        ends_tx,
    );

    let ending = supervision::run(&ends, signals, config.crash_budget, &rounds, overseer, log);
    // Held until here: an actor whose every address is gone is not given another life.
    drop((publisher, clock_state, poller, phc_reader, clock_watch));
    if !runtime.stop() {
        warn!(log, "an actor hangs, leaving without it");
    }
    Ok(ending)
}

/// The actix system, on a thread of its own.
struct Runtime {
    system: System,
    /// For actors that block for a millisecond or two at most.
    shared: ArbiterHandle,
    /// For what may block in the kernel; made only when needed.
    may_block: Option<ArbiterHandle>,
    ended: Receiver<()>,
}

impl Runtime {
    fn start(needs_blocking_arbiter: bool) -> io::Result<Self> {
        let (ready_tx, ready) = bounded(1);
        let (ended_tx, ended) = bounded(1);
        thread::Builder::new()
            .name("actors".to_owned())
            .spawn(move || {
                let runner = System::new();
                let may_block = needs_blocking_arbiter.then(|| Arbiter::new().handle());
                let _ = ready_tx.send((System::current(), may_block));
                // Returns when the system is stopped, and drops every actor on its arbiter then.
                let _ = runner.run();
                let _ = ended_tx.send(());
            })?;
        let (system, may_block) = ready
            .recv()
            .map_err(|_| io::Error::other("the actor runtime did not start"))?;
        Ok(Self {
            shared: system.arbiter().clone(),
            system,
            may_block,
            ended,
        })
    }

    /// Stops every actor; false when one hangs and is left behind.
    fn stop(self) -> bool {
        self.system.stop();
        self.ended.recv_timeout(FAREWELL).is_ok()
    }
}
