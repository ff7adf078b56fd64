//! Programs under the virtual clock step and discipline it; the machine's clock is not affected.

use std::env;
use std::io::{IoSliceMut, Read};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::Command;
use std::time::Duration;

use integration::fakes::ntp_server::{NtpServer, ServerBehaviour};
use integration::host::process::{Log, Process};
use integration::host::sandbox::Sandbox;
use integration::host::user::UserAccount;
use integration::host::virtual_clock::{Rate, VirtualClock};
use integration::host::wait;
use integration::programs::chronyd::Chronyd;
use integration::time::clock::clock_ns;
use integration::time::truth::{Course, LeapKind, LeapSecond, Truth};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::sockopt::ReceiveTimestampns;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{
    ClockId as TimerClock, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags,
};
use nix::time::ClockId;

const S: i64 = 1_000_000_000;
const MS: i64 = 1_000_000;
/// The end of the year 2026, UTC.
const MIDNIGHT: i64 = 1_798_761_600 * S;
/// Requests a leap second: adjtimex(2).
const STA_INS: i32 = 0x10;
const ROLE: &str = "CLOCKBOUND_TEST_ROLE";

/// The machine's clock, relative to CLOCK_MONOTONIC_RAW.
struct Machine {
    ahead_of_raw_ns: i64,
}

impl Machine {
    /// From the reading with the least time between both readings of the raw clock.
    fn ahead_of_raw_ns() -> i64 {
        let read = |_| {
            let before_ns = clock_ns(ClockId::CLOCK_MONOTONIC_RAW);
            let realtime_ns = clock_ns(ClockId::CLOCK_REALTIME);
            let after_ns = clock_ns(ClockId::CLOCK_MONOTONIC_RAW);
            (after_ns - before_ns, realtime_ns - before_ns)
        };
        let least = (0..1_000).map(read).min();
        least.expect("a reading").1
    }

    fn now() -> Machine {
        Machine {
            ahead_of_raw_ns: Machine::ahead_of_raw_ns(),
        }
    }

    /// The discipline of this machine may continue: it changes the clock by far less than the tests
    /// do.
    #[track_caller]
    fn assert_unaffected(&self) {
        let moved_ns = Machine::ahead_of_raw_ns() - self.ahead_of_raw_ns;
        assert!(moved_ns.abs() < 5 * MS, "moved by {moved_ns} ns");
    }
}

fn under(clock: &VirtualClock, program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    clock.environment().apply_to(&mut command);
    command
}

/// The output of `date`, in ns since 1970.
fn time_of_date(clock: &VirtualClock) -> i64 {
    let output = under(clock, "date", &["+%s%N"]).output().expect("date");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().expect("a number")
}

#[test]
fn a_program_reads_steps_and_rate_changes_of_the_clock() {
    let sandbox = Sandbox::new();
    let (clock, machine) = (VirtualClock::new(&sandbox), Machine::now());
    clock.step(-1_000_000 * S);
    let before_ns = clock.now_ns();
    let shown_ns = time_of_date(&clock);
    assert!((before_ns..=clock.now_ns()).contains(&shown_ns));
    assert!(shown_ns < clock_ns(ClockId::CLOCK_REALTIME) - 900_000 * S);
    let fast = Rate::default().faster_by(100_000_000);
    clock.set_rate(fast);
    let began = (clock.now_ns(), clock_ns(ClockId::CLOCK_MONOTONIC_RAW));
    wait::until(wait::PATIENCE, "the program's clock gains 10 ms", || {
        let gained_ns = time_of_date(&clock) - began.0;
        gained_ns > clock_ns(ClockId::CLOCK_MONOTONIC_RAW) - began.1 + 10 * MS
    });
    assert_eq!(clock.rate(), fast);
    machine.assert_unaffected();
}

#[test]
fn a_step_by_a_program_is_visible_to_all() {
    let sandbox = Sandbox::new();
    let (clock, machine) = (VirtualClock::new(&sandbox), Machine::now());
    let status = under(&clock, "date", &["--set", "@1000000000"]).output();
    assert!(status.expect("date").status.success());
    let after = 1_000_000_000 * S..1_000_000_100 * S;
    assert!(after.contains(&clock.now_ns()));
    assert!(after.contains(&time_of_date(&clock)));
    assert_eq!(clock.steps(), 1);
    machine.assert_unaffected();
}

#[test]
fn the_library_without_a_clock_has_no_effect() {
    let sandbox = Sandbox::new();
    let clock = VirtualClock::new(&sandbox);
    clock.step(-1_000_000 * S);
    let mut command = under(&clock, "date", &["+%s%N"]);
    command.env_remove("CLOCKBOUND_VIRTUAL_CLOCK");
    let before_ns = clock_ns(ClockId::CLOCK_REALTIME);
    let output = command.output().expect("date");
    let text = String::from_utf8_lossy(&output.stdout);
    let shown_ns: i64 = text.trim().parse().expect("a number");
    assert!((before_ns..=clock_ns(ClockId::CLOCK_REALTIME)).contains(&shown_ns));
}

/// Starts this program again under the virtual clock, with a role.
fn start_role(clock: &VirtualClock, role: &str) -> Process {
    let program = env::current_exe().expect("a path");
    let mut command = UserAccount::current().command(program.to_str().expect("an UTF-8 path"));
    command
        .args(["--exact", "run_role_if_requested", "--nocapture"])
        .env(ROLE, role);
    clock.environment().apply_to(&mut command);
    Process::start(role, command, Log::Kept)
}

#[test]
fn a_timer_is_cancelled_when_another_process_sets_the_clock() {
    let sandbox = Sandbox::new();
    let clock = VirtualClock::new(&sandbox);
    let process = start_role(&clock, "cancelled");
    process.wait_for_log("armed");
    clock.set_rate(Rate::default().faster_by(1_000_000));
    clock.step(0);
    process.wait_for_log("cancelled at once");
    // It is cancelled again after it is armed again.
    process.wait_for_log("armed again");
    let set = under(&clock, "date", &["--set", "@1000000000"]).output();
    assert!(set.expect("date").status.success());
    process.wait_for_log("cancelled again");
}

#[test]
fn a_timer_is_cancelled_by_a_leap_second() {
    let sandbox = Sandbox::new();
    let clock = VirtualClock::new(&sandbox);
    clock.set(MIDNIGHT - 10 * S);
    clock.set_status(STA_INS);
    let process = start_role(&clock, "cancelled");
    process.wait_for_log("armed");
    clock.step(8 * S);
    process.wait_for_log("armed again");
    process.wait_for_log("cancelled again");
    assert!((MIDNIGHT - S..MIDNIGHT + 60 * S).contains(&clock.now_ns()));
    assert_eq!(clock.steps(), 3, "two steps and the leap second");
}

#[test]
fn a_timer_expires_when_the_clock_is_set_past_its_instant() {
    let sandbox = Sandbox::new();
    let clock = VirtualClock::new(&sandbox);
    let process = start_role(&clock, "expires");
    process.wait_for_log("armed");
    clock.step(3_000 * S);
    process.wait_for_log("still waiting");
    clock.step(3_000 * S);
    process.wait_for_log("expired");
}

/// Not a test: the entry point of the processes that [`start_role`] starts.
#[test]
fn run_role_if_requested() {
    match env::var(ROLE).as_deref() {
        Ok("packets") => packets(),
        Ok("cancelled") => cancelled(),
        Ok("expires") => expires(),
        _ => {}
    }
}

fn timer() -> TimerFd {
    let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
    TimerFd::new(TimerClock::CLOCK_REALTIME, flags).expect("a timer")
}

fn is_readable(timer: &TimerFd, limit: Duration) -> bool {
    let limit = PollTimeout::try_from(limit).expect("fits");
    let mut fds = [PollFd::new(timer.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, limit).expect("polled") > 0
}

fn cancelled() {
    let never = TimeSpec::from_duration(Duration::from_nanos(i64::MAX.unsigned_abs()));
    let flags = TimerSetTimeFlags::TFD_TIMER_ABSTIME | TimerSetTimeFlags::TFD_TIMER_CANCEL_ON_SET;
    for (armed, noticed) in [
        ("armed", "cancelled at once"),
        ("armed again", "cancelled again"),
    ] {
        let timer = timer();
        timer.set(Expiration::OneShot(never), flags).expect("armed");
        eprintln!("{armed}");
        assert!(is_readable(&timer, wait::PATIENCE));
        let mut file = std::fs::File::from(OwnedFd::from(timer));
        let err = file.read(&mut [0; 8]).expect_err("no expiration");
        assert_eq!(err.raw_os_error(), Some(Errno::ECANCELED as i32));
        let err = file.read(&mut [0; 8]).expect_err("read already");
        assert_eq!(err.kind(), std::io::ErrorKind::WouldBlock);
        eprintln!("{noticed}");
    }
}

fn expires() {
    let timer = timer();
    let until = clock_ns(ClockId::CLOCK_REALTIME) + 5_000 * S;
    let until = TimeSpec::from_duration(Duration::from_nanos(until.unsigned_abs()));
    let absolute = TimerSetTimeFlags::TFD_TIMER_ABSTIME;
    timer
        .set(Expiration::OneShot(until), absolute)
        .expect("armed");
    let began_ns = clock_ns(ClockId::CLOCK_REALTIME);
    eprintln!("armed");
    wait::until(wait::PATIENCE, "the clock is set", || {
        clock_ns(ClockId::CLOCK_REALTIME) > began_ns + 2_000 * S
    });
    assert!(!is_readable(&timer, Duration::from_millis(300)));
    eprintln!("still waiting");
    assert!(is_readable(&timer, wait::PATIENCE));
    let mut expirations = [0; 8];
    let mut file = std::fs::File::from(OwnedFd::from(timer));
    assert_eq!(file.read(&mut expirations).expect("expired"), 8);
    assert_eq!(u64::from_ne_bytes(expirations), 1);
    eprintln!("expired");
}

#[test]
fn the_kernels_timestamps_of_packets_are_on_the_clock() {
    let sandbox = Sandbox::new();
    let clock = VirtualClock::new(&sandbox);
    clock.step(-1_000_000 * S);
    clock.set_rate(Rate::of_ppm(500));
    start_role(&clock, "packets").wait_for_log("stamped in time");
}

fn received_timestamp_ns(receiver: &UdpSocket) -> i64 {
    let mut byte = [0];
    let mut parts = [IoSliceMut::new(&mut byte)];
    let mut control = nix::cmsg_space!(TimeSpec);
    let fd = receiver.as_raw_fd();
    let message = recvmsg::<()>(fd, &mut parts, Some(&mut control), MsgFlags::empty());
    let message = message.expect("received");
    let stamp = message.cmsgs().expect("complete").next();
    let Some(ControlMessageOwned::ScmTimestampns(stamp)) = stamp else {
        panic!("{stamp:?}");
    };
    stamp.tv_sec() * S + stamp.tv_nsec()
}

fn packets() {
    let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    setsockopt(&receiver, ReceiveTimestampns, &true).expect("timestamps");
    let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = receiver.local_addr().expect("bound");
    // The kernel timestamps packets on arrival from some time after the first socket option on.
    // Until then it timestamps them when they are received.
    let is_in_time = || {
        let before_ns = clock_ns(ClockId::CLOCK_REALTIME);
        sender.send_to(b"x", address).expect("sent");
        let after_ns = clock_ns(ClockId::CLOCK_REALTIME);
        std::thread::sleep(Duration::from_millis(20));
        let stamp_ns = received_timestamp_ns(&receiver);
        (before_ns - MS..=after_ns + MS).contains(&stamp_ns)
    };
    wait::until(wait::PATIENCE, "three packets are stamped in time", || {
        (0..3).all(|_| is_in_time())
    });
    eprintln!("stamped in time");
}

/// A chronyd without `-x` and its server, whose time is 20 ms ahead of the clock.
fn disciplined(sandbox: &Sandbox, clock: &VirtualClock) -> (NtpServer, Chronyd, Truth) {
    let truth = Truth::on_raw(Course::offset_by_ns(20 * MS));
    let server = NtpServer::start(&truth);
    let mut chronyd = Chronyd::following(sandbox, "chrony", server.address()).disciplining(clock);
    chronyd.start_synchronised();
    (server, chronyd, truth)
}

#[test]
fn chronyd_slews_the_clock_to_true_time() {
    let sandbox = Sandbox::new();
    let (clock, machine) = (VirtualClock::new(&sandbox), Machine::now());
    let (_server, mut chronyd, truth) = disciplined(&sandbox, &clock);
    wait::until(wait::PATIENCE, "the clock comes to true time", || {
        (truth.now_ns() - clock.now_ns()).abs() < MS
    });
    assert!(
        clock.steps() <= 1,
        "no step except the one by 0 at chronyd's start"
    );
    wait::until(wait::PATIENCE, "chronyd has no correction left", || {
        let tracking = chronyd.tracking();
        tracking.is_some_and(|tracking| tracking.correction.abs() < 0.001)
    });
    machine.assert_unaffected();
    chronyd.stop();
    machine.assert_unaffected();
}

#[test]
fn chronyd_steps_the_clock_to_true_time() {
    let sandbox = Sandbox::new();
    let (clock, machine) = (VirtualClock::new(&sandbox), Machine::now());
    let (_server, chronyd, truth) = disciplined(&sandbox, &clock);
    // Too much to slew within seconds.
    clock.step(-2 * S);
    wait::until(wait::PATIENCE, "chronyd notices", || {
        let correction = chronyd.tracking().expect("answers").correction;
        correction.abs() > 1.0
    });
    let steps = clock.steps();
    chronyd.chronyc("makestep");
    wait::until(wait::PATIENCE, "the clock comes to true time", || {
        (truth.now_ns() - clock.now_ns()).abs() < MS
    });
    assert!(clock.steps() > steps);
    machine.assert_unaffected();
}

#[test]
fn chronyd_inserts_a_leap_second() {
    let sandbox = Sandbox::new();
    let (clock, machine) = (VirtualClock::new(&sandbox), Machine::now());
    let began_ns = MIDNIGHT - 15 * S;
    let offset_ns = began_ns - clock_ns(ClockId::CLOCK_REALTIME);
    clock.set(began_ns);
    let leap_second = LeapSecond {
        kind: LeapKind::Inserted,
        midnight_ns: MIDNIGHT,
    };
    let truth = Truth::on_raw_with_leap(Course::offset_by_ns(offset_ns), Some(leap_second));
    let behaviour = ServerBehaviour {
        leap: 1,
        ..ServerBehaviour::default()
    };
    let server = NtpServer::start_with(&truth, Ipv4Addr::LOCALHOST, behaviour);
    let mut chronyd = Chronyd::following(&sandbox, "chrony", server.address()).disciplining(&clock);
    chronyd.start_synchronised();
    wait::until(wait::PATIENCE, "chronyd requests the leap second", || {
        clock.state().status & STA_INS != 0
    });
    let steps = clock.steps();
    wait::until(wait::PATIENCE, "the leap second is inserted", || {
        clock.steps() > steps
    });
    assert!(clock.now_ns() >= MIDNIGHT - S, "not before midnight");
    server.set(|behaviour| behaviour.leap = 0);
    wait::until(wait::PATIENCE, "chronyd withdraws its request", || {
        clock.state().status & STA_INS == 0
    });
    assert_eq!(clock.steps(), steps + 1, "inserted once");
    wait::until(wait::PATIENCE, "the clock is at true time", || {
        (truth.now_ns() - clock.now_ns()).abs() < S / 2
    });
    machine.assert_unaffected();
}
