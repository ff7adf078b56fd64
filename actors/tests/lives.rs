//! Tests of the supervision: what an actor keeps and loses in a crash.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use actix::prelude::*;
use clockbound_actors::publication::diagnostics::EventCounters;
use clockbound_actors::publication::rounds::Rounds;
use clockbound_actors::supervision::{self, ActorName, Ending, mailbox, supervise};
use crossbeam_channel::{Sender, bounded, unbounded};
use slog::{Discard, Logger, o};

/// An actor that panics on request and reports to the test which messages each life handled.
struct Fragile {
    life: u32,
    panics_when_started: Arc<Mutex<u32>>,
    panics_when_restarting: Arc<Mutex<u32>>,
    handled: Sender<(u32, Instruction)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
enum Instruction {
    Number(u32),
    Panic,
}

fn take_one(from: &Mutex<u32>) -> bool {
    let mut left = from
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let any = *left > 0;
    *left = left.saturating_sub(1);
    any
}

impl Actor for Fragile {
    type Context = Context<Self>;
    fn started(&mut self, _ctx: &mut Self::Context) {
        if take_one(&self.panics_when_started) {
            panic!("in started");
        }
    }
}

impl Supervised for Fragile {
    fn restarting(&mut self, _ctx: &mut Self::Context) {
        if take_one(&self.panics_when_restarting) {
            panic!("in restarting");
        }
        self.life += 1;
    }
}

impl Handler<Instruction> for Fragile {
    type Result = ();
    fn handle(&mut self, instruction: Instruction, _ctx: &mut Self::Context) {
        if instruction == Instruction::Panic {
            panic!("as requested");
        }
        self.handled
            .send((self.life, instruction))
            .expect("the test listens");
    }
}

struct Bench {
    addr: Addr<Fragile>,
    handled: crossbeam_channel::Receiver<(u32, Instruction)>,
    panics_when_started: Arc<Mutex<u32>>,
    panics_when_restarting: Arc<Mutex<u32>>,
    stop: Sender<&'static str>,
    ending: crossbeam_channel::Receiver<Ending>,
    system: System,
}

impl Bench {
    /// A real runtime on its own thread, and a supervisor on another.
    fn start(crash_budget: usize) -> Self {
        let (ready_tx, ready) = bounded(1);
        thread::spawn(move || {
            let runner = System::new();
            ready_tx.send(System::current()).expect("the test waits");
            runner.run().expect("the system runs");
        });
        let system = ready.recv().expect("the system starts");
        let (handled_tx, handled) = unbounded();
        let (ends_tx, ends) = unbounded();
        let (stop, signals) = bounded(1);
        let (ending_tx, ending) = bounded(1);
        let (addr, mail) = mailbox::<Fragile>();
        let (panics_when_started, panics_when_restarting) = (Arc::default(), Arc::default());
        let actor = Fragile {
            life: 0,
            panics_when_started: Arc::clone(&panics_when_started),
            panics_when_restarting: Arc::clone(&panics_when_restarting),
            handled: handled_tx,
        };
        supervise(
            system.arbiter(),
            ActorName::ClockState,
            mail,
            actor,
            ends_tx,
        );
        thread::spawn(move || {
            let log = Logger::root(Discard, o!());
            let _ = ending_tx.send(supervision::run(
                &ends,
                &signals,
                crash_budget,
                &Rounds::default(),
                &EventCounters::default(),
                &mut (),
                &log,
            ));
        });
        Self {
            addr,
            handled,
            panics_when_started,
            panics_when_restarting,
            stop,
            ending,
            system,
        }
    }

    fn next(&self) -> (u32, Instruction) {
        self.handled
            .recv_timeout(Duration::from_secs(20))
            .expect("the actor handles a message")
    }

    fn ending(&self) -> Ending {
        self.ending
            .recv_timeout(Duration::from_secs(20))
            .expect("the supervisor returns")
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.system.stop();
    }
}

#[test]
fn queued_messages_are_handled_by_the_next_life() {
    let bench = Bench::start(5);
    for instruction in [
        Instruction::Number(1),
        Instruction::Panic,
        Instruction::Number(2),
        Instruction::Number(3),
    ] {
        bench.addr.do_send(instruction);
    }
    assert_eq!(bench.next(), (0, Instruction::Number(1)));
    assert_eq!(bench.next(), (1, Instruction::Number(2)));
    assert_eq!(bench.next(), (1, Instruction::Number(3)));
}

#[test]
fn an_address_remains_valid_after_a_thousand_crashes() {
    let bench = Bench::start(100_000);
    for n in 0..1000 {
        bench.addr.do_send(Instruction::Panic);
        bench.addr.do_send(Instruction::Number(n));
        assert_eq!(bench.next(), (n + 1, Instruction::Number(n)));
    }
}

#[test]
fn panics_in_started_and_restarting_count_as_crashes() {
    let bench = Bench::start(100);
    bench.addr.do_send(Instruction::Number(0));
    assert_eq!(bench.next(), (0, Instruction::Number(0)));
    *bench.panics_when_started.lock().unwrap() = 2;
    *bench.panics_when_restarting.lock().unwrap() = 2;
    bench.addr.do_send(Instruction::Panic);
    bench.addr.do_send(Instruction::Number(1));
    // Each `restarting` without a panic begins a life. Two lives panicked in `started`, and the third
    // handled the message.
    assert_eq!(bench.next(), (3, Instruction::Number(1)));
}

#[test]
fn a_crash_loop_ends_the_supervisor_and_names_the_actor() {
    let bench = Bench::start(2);
    for _ in 0..3 {
        bench.addr.do_send(Instruction::Panic);
    }
    let expected = Ending::CrashLoop {
        actor: ActorName::ClockState,
        panic: "as requested".to_owned(),
    };
    assert_eq!(bench.ending(), expected);
}

#[test]
fn a_signal_ends_the_supervisor() {
    let bench = Bench::start(5);
    bench.stop.send("SIGTERM").expect("the supervisor listens");
    assert_eq!(bench.ending(), Ending::Signal("SIGTERM"));
}

#[test]
fn the_end_of_the_runtime_ends_the_supervisor() {
    let bench = Bench::start(5);
    bench.system.stop();
    assert!(matches!(bench.ending(), Ending::Exited { .. }));
}
