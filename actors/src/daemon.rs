//! The wiring: one function that follows the diagram in the crate's documentation from its bottom
//! to its top, so that each receiver exists before its senders.

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
use crate::actors::drill::Drill;
use crate::actors::generation_watch::{self, GenerationWatch};
use crate::actors::phc_reader::{self, PhcReader};
use crate::actors::shm_publisher::ShmPublisher;
use crate::actors::source_reset::{self, SourceReset};
use crate::actors::vmclock_watch::{self, VmClockWatch};
use crate::estimator::Settings;
use crate::os::{adjtimex, clocks};
use crate::publication::diagnostics::{self, EventCounters, Process};
use crate::publication::rounds::Rounds;
use crate::publication::segments::Segments;
use crate::supervision::{self, ActorName, Ending, RoundObserver, mailbox, supervise};
use crate::vmclock::VmClock;

/// The time after which the process exits without waiting longer for the runtime: an actor that
/// hangs must not prevent SIGTERM from ending the process.
const STOP_TIMEOUT: Duration = Duration::from_millis(500);

/// The configuration of the daemon.
#[derive(Clone, Debug)]
pub struct Config {
    /// chronyd's command socket.
    pub chrony_socket: PathBuf,
    /// The time between two polls of chronyd, and between two polls of the PHC.
    pub poll_interval: Duration,
    /// The settings of the estimator.
    pub settings: Settings,
    /// The network interface whose hardware clock is a source of chronyd; `None` without one.
    pub phc_interface: Option<String>,
    /// The VMClock page of a virtual machine; `None` without one.
    pub vmclock: Option<VmClock>,
    /// Whether disruptions are detected at all.
    pub detects_disruptions: bool,
    /// The switch of the drill.
    pub drill: Drill,
    /// The number of crashes within ten seconds after which an actor is still restarted.
    pub crash_budget: usize,
}

/// Runs the actors until a signal, a crash loop or an unexpected exit. Call this on the main
/// thread, which becomes the supervisor's thread and reports the rounds to `observer`. The last
/// record remains in the segments, and readers age it.
///
/// # Errors
/// The kernel refused a thread.
pub fn run(
    config: Config,
    segments: Arc<Segments>,
    signals: &Receiver<&'static str>,
    observer: &mut dyn RoundObserver,
    log: &Logger,
) -> io::Result<Ending> {
    if let Err(err) = adjtimex::frequency() {
        warn!(log, "failed to read the kernel's clock frequency"; "err" => %err,
            "advice" => "allow adjtimex: while the clock is slewed, v1 and v2 are too narrow");
    }
    let runtime = Runtime::start(config.phc_interface.is_some())?;
    let (ends_tx, ends) = unbounded();
    let rounds = Arc::new(Rounds::default());
    let counters = Arc::new(EventCounters::default());
    let process = Process {
        started: clocks::monotonic_raw(),
        pid: std::process::id(),
        version: version(),
        settings: diagnostics::settings_of(&config.settings, config.poll_interval),
        stale_ns: segments.stale_ns(),
    };
    let child_log = |name: ActorName| log.new(o!("actor" => name.as_str()));

    let (publisher, publisher_mailbox) = mailbox::<ShmPublisher>();
    let (clock_state, clock_state_mailbox) = mailbox::<ClockState>();
    let (poller, poller_mailbox) = mailbox::<ChronyPoller>();
    let (phc_reader, phc_reader_mailbox) = mailbox::<PhcReader>();
    let (clock_watch, clock_watch_mailbox) = mailbox::<ClockWatch>();
    let (vmclock_watch, vmclock_watch_mailbox) = mailbox::<VmClockWatch>();
    let (generation_watch, generation_watch_mailbox) = mailbox::<GenerationWatch>();
    let (source_reset, source_reset_mailbox) = mailbox::<SourceReset>();
    config.drill.connect(clock_state.clone());

    supervise(
        &runtime.shared,
        ActorName::ShmPublisher,
        publisher_mailbox,
        ShmPublisher::new(
            segments.clone(),
            rounds.clone(),
            counters.clone(),
            child_log(ActorName::ShmPublisher),
        ),
        ends_tx.clone(),
    );
    supervise(
        &runtime.shared,
        ActorName::SourceReset,
        source_reset_mailbox,
        SourceReset::new(source_reset::Parts {
            socket_path: config.chrony_socket.clone(),
            clock_state: clock_state.clone(),
            log: child_log(ActorName::SourceReset),
        }),
        ends_tx.clone(),
    );
    supervise(
        &runtime.shared,
        ActorName::ClockState,
        clock_state_mailbox,
        ClockState::new(clock_state::Parts {
            settings: config.settings,
            segments,
            publisher: publisher.clone(),
            source_reset: source_reset.clone(),
            vmclock: config.vmclock.clone(),
            drill: config.detects_disruptions.then_some(config.drill),
            process,
            counters: counters.clone(),
            log: child_log(ActorName::ClockState),
        }),
        ends_tx.clone(),
    );
    if let Some(vmclock) = config.vmclock {
        supervise(
            &runtime.shared,
            ActorName::VmClockWatch,
            vmclock_watch_mailbox,
            VmClockWatch::new(vmclock_watch::Parts {
                vmclock,
                poll_interval: config.poll_interval,
                clock_state: clock_state.clone(),
                log: child_log(ActorName::VmClockWatch),
            }),
            ends_tx.clone(),
        );
    }
    if config.detects_disruptions {
        supervise(
            &runtime.shared,
            ActorName::GenerationWatch,
            generation_watch_mailbox,
            GenerationWatch::new(generation_watch::Parts {
                clock_state: clock_state.clone(),
                log: child_log(ActorName::GenerationWatch),
            }),
            ends_tx.clone(),
        );
    }
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

    let budget = config.crash_budget;
    let ending = supervision::run(&ends, signals, budget, &rounds, &counters, observer, log);
    // Kept until here, because actix does not restart an actor without an address.
    drop((publisher, clock_state, poller, phc_reader, clock_watch));
    drop((vmclock_watch, generation_watch, source_reset));
    if !runtime.stop() {
        warn!(log, "exiting without waiting for an actor that hangs");
    }
    Ok(ending)
}

/// The version of the daemon.
fn version() -> [u16; 3] {
    [
        env!("CARGO_PKG_VERSION_MAJOR"),
        env!("CARGO_PKG_VERSION_MINOR"),
        env!("CARGO_PKG_VERSION_PATCH"),
    ]
    .map(|number| number.parse().unwrap_or_default())
}

/// The actix system, on a thread of its own.
struct Runtime {
    system: System,
    /// For actors that block the thread for at most two milliseconds.
    shared: ArbiterHandle,
    /// For actors that can block in the kernel; created only if needed.
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
                // Returns when the system is stopped, and then drops every actor on its arbiter.
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

    /// Stops every actor. Returns false if an actor hangs.
    fn stop(self) -> bool {
        self.system.stop();
        self.ended.recv_timeout(STOP_TIMEOUT).is_ok()
    }
}
