//! The verb `drill`: has a running daemon publish a disruption, or another reason, until it is told
//! to stop.
//!
//! The daemon is told by SIGUSR1, whose value is the reason, and SIGUSR2. The diagnostics show
//! whether it has done so.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser as _;
use clockbound_actors::os::queued_signal;
use clockbound_client::diagnostics::{self, Diagnostics};
use clockbound_client::{Reason, Status};
use nix::sys::signal::Signal;
use nix::time::{ClockId, clock_gettime};
use serde::Serialize;
use shm_layout::diagnostics::DRILL_REASON;

use crate::Global;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::units::{ns_of, span};
use crate::output::{print_json, print_text};
use crate::signals::Signals;
use crate::values::duration;

/// The name of the daemon's program.
const DAEMON: &str = "clockbound";
/// How long the diagnostics may take to show what was told.
const DEADLINE: Duration = Duration::from_secs(5);
/// The time between two looks at them.
const LOOK: Duration = Duration::from_millis(20);
/// How much later than the diagnostics say a process may have started, ns: the errors of the
/// clocks, and the time from the start of a process until it reads a clock.
const START_TOLERANCE_NS: i64 = 5_000_000_000;

/// The reasons that a drill can have, with the status that results while the clock is synchronized.
const REASONS: [(Reason, Status); 16] = [
    (Reason::Disrupted, Status::Disrupted),
    (Reason::NeverSynchronized, Status::Unknown),
    (Reason::ClockStepped, Status::Unknown),
    (Reason::HoldoverExpired, Status::Unknown),
    (Reason::BoundOverCap, Status::Unknown),
    (Reason::ChronySilent, Status::FreeRunning),
    (Reason::ReportRefused, Status::FreeRunning),
    (Reason::LeapUnsynchronized, Status::FreeRunning),
    (Reason::SourceUnreachable, Status::FreeRunning),
    (Reason::LocalReference, Status::FreeRunning),
    (Reason::PhcUnreadable, Status::FreeRunning),
    (Reason::TooFewSources, Status::FreeRunning),
    (Reason::PermissionDenied, Status::FreeRunning),
    (Reason::Resumed, Status::Synchronized),
    (Reason::Contradiction, Status::Synchronized),
    (Reason::SourcesDisagree, Status::Synchronized),
];

/// The arguments of `drill`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The reason to publish
    #[arg(long, value_name = "REASON", default_value = "disrupted", value_parser = reasons(),
        conflicts_with = "off")]
    reason: Reason,
    /// End the drill that is in progress
    #[arg(long)]
    off: bool,
    /// End the drill after this time, or when this program is interrupted; with a unit, such as 30s
    #[arg(long = "for", value_name = "TIME", value_parser = duration, conflicts_with = "off")]
    length: Option<Duration>,
    /// The daemon's process id [default: the one in the diagnostics]
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pid: Option<i32>,
    /// Begin the drill: programs that read the interval behave as in the real case
    #[arg(long)]
    yes: bool,
}

fn reasons() -> impl clap::builder::TypedValueParser<Value = Reason> {
    PossibleValuesParser::new(REASONS.map(|(reason, _)| reason.as_str())).map(|name| {
        let known = REASONS.iter().find(|(reason, _)| reason.as_str() == name);
        known.map_or(Reason::Disrupted, |(reason, _)| *reason)
    })
}

/// Runs the verb. The exit code is 1 if the daemon was told, and its diagnostics do not show it.
///
/// # Errors
/// [`Failure`]: the diagnostics cannot be read, the process is not the daemon, or this user may not
/// send it signals.
pub fn run(arguments: &Arguments, global: &Global) -> Outcome {
    let daemon = Daemon::find(&global.directory, arguments.pid)?;
    let plan = Plan {
        pid: daemon.pid,
        reason: (!arguments.off).then_some(arguments.reason),
        length: arguments.length,
    };
    if !arguments.yes && !arguments.off {
        print_text(&plan.text())?;
        let message = "nothing was done; repeat it with --yes".to_owned();
        return Err(Failure::Other(Exit::Usage, message));
    }
    if !global.json {
        print_text(&plan.text())?;
    }
    let before = daemon.read()?;
    if plan.reason.is_none() && !before.record.is_drill {
        report(daemon.pid, &before, global, "no drill is in progress")?;
        return Ok(Exit::Success);
    }
    let Some(reason) = plan.reason else {
        return end(&daemon, &plan, global);
    };
    // Before the drill begins, so that an interruption ends it.
    let interrupts = match plan.length {
        Some(_) => Some(Signals::block(&[
            Signal::SIGINT,
            Signal::SIGTERM,
            Signal::SIGHUP,
        ])?),
        None => None,
    };
    daemon.send(Signal::SIGUSR1, value_of(reason))?;
    let drill = plan.length.map(|_| LimitedDrill {
        daemon: &daemon,
        is_left: false,
    });
    let Some(shown) = daemon.begun(reason, before.record.is_drill)? else {
        return Err(Failure::Other(Exit::Warning, plan.refusal()));
    };
    if plan.length.is_none() || !global.json {
        report(daemon.pid, &shown, global, begun_text(shown.reason, reason))?;
    }
    let (Some(length), Some(interrupts), Some(drill)) = (plan.length, interrupts, drill) else {
        return Ok(Exit::Success);
    };
    wait(length, &interrupts)?;
    drill.leave_to_caller();
    end(&daemon, &plan, global)
}

/// Ends the drill, and reports what the diagnostics show then.
fn end(daemon: &Daemon<'_>, plan: &Plan, global: &Global) -> Outcome {
    if !daemon.is_running() {
        let result = "the daemon's process has ended, and the drill with it";
        report(daemon.pid, &daemon.read()?, global, result)?;
        return Ok(Exit::Success);
    }
    daemon.send(Signal::SIGUSR2, 0)?;
    let Some(shown) = daemon.wait_for(|shown| !shown.record.is_drill)? else {
        let plan = Plan {
            reason: None,
            ..*plan
        };
        return Err(Failure::Other(Exit::Warning, plan.refusal()));
    };
    report(daemon.pid, &shown, global, "the drill has ended")?;
    Ok(Exit::Success)
}

/// A drill of limited length, which ends on every way out.
struct LimitedDrill<'a> {
    daemon: &'a Daemon<'a>,
    /// The caller sends the signal itself.
    is_left: bool,
}

impl LimitedDrill<'_> {
    fn leave_to_caller(mut self) {
        self.is_left = true;
    }
}

impl Drop for LimitedDrill<'_> {
    fn drop(&mut self) {
        if self.is_left {
            return;
        }
        match self.daemon.send(Signal::SIGUSR2, 0) {
            Ok(()) => eprintln!("clockboundctl: the drill was told to end"),
            Err(err) => eprintln!("clockboundctl: {err}"),
        }
    }
}

/// The result while the diagnostics show a drill with the reason `shown`.
fn begun_text(shown: Reason, wanted: Reason) -> &'static str {
    if shown == wanted {
        "the drill has begun"
    } else {
        "the drill has begun, and the status claims less already"
    }
}

/// What will happen.
#[derive(Clone, Copy, Debug)]
struct Plan {
    pid: i32,
    /// The reason to publish; `None` to end the drill.
    reason: Option<Reason>,
    length: Option<Duration>,
}

impl Plan {
    fn text(&self) -> String {
        let pid = self.pid;
        let Some(reason) = self.reason else {
            return format!(
                "SIGUSR2 to clockbound, process {pid}: the drill ends. After a drill of a \
                 disruption the status is trusted again with the next measurements.\n"
            );
        };
        let (signal, effect) = match reason {
            Reason::Disrupted => (
                "SIGUSR1".to_owned(),
                "readers of native, v2 and v3 see status disrupted, those of v1 unknown. The \
                 daemon drops what it has measured, and tells chronyd to reset its sources."
                    .to_owned(),
            ),
            _ => (
                format!("SIGUSR1 with value {:#x}", value_of(reason)),
                format!(
                    "readers see status {} with reason {reason}, unless the status claims less \
                     already. The interval is not changed while it is trusted.",
                    status_of(reason)
                ),
            ),
        };
        let mut text = format!("{signal} to clockbound, process {pid}: {effect}\n");
        if reason != Reason::Disrupted && status_of(reason) == Status::Unknown {
            text.push_str(
                "A restart of clockbound during this drill loses the interval: it is unknown until \
                 the next measurement.\n",
            );
        }
        // Writing to a string does not fail.
        let _ = match self.length {
            Some(length) => writeln!(text, "It ends after {}.", span(length)),
            None => writeln!(
                text,
                "It ends with: clockboundctl drill --off, or when clockbound is restarted."
            ),
        };
        text
    }

    /// Why the diagnostics do not show it, as far as this program can tell.
    fn refusal(&self) -> String {
        let pid = self.pid;
        match self.reason {
            Some(reason) => format!(
                "process {pid} was told, and its diagnostics do not show a drill of {reason} \
                 within {}: it may run with --disable-clock-disruption-support, or be of a version \
                 before 0.3; see journalctl -u clockbound",
                span(DEADLINE)
            ),
            None => format!(
                "process {pid} was told, and its diagnostics still show the drill after {}; see \
                 journalctl -u clockbound",
                span(DEADLINE)
            ),
        }
    }
}

/// The status that readers see.
fn status_of(reason: Reason) -> Status {
    let known = REASONS.iter().find(|(known, _)| *known == reason);
    known.map_or(Status::Unknown, |(_, status)| *status)
}

/// The value of SIGUSR1.
fn value_of(reason: Reason) -> i32 {
    match reason {
        Reason::Disrupted => 0,
        _ => DRILL_REASON + i32::from(reason as u8),
    }
}

/// The result as JSON.
#[derive(Debug, Serialize)]
struct Report<'a> {
    pid: i32,
    result: &'a str,
    is_drill: bool,
    status: &'a str,
    reason: &'a str,
}

fn report(pid: i32, shown: &Diagnostics, global: &Global, result: &str) -> io::Result<()> {
    let is_drill = shown.record.is_drill;
    let (status, reason) = (shown.status.as_str(), shown.reason.as_str());
    if global.json {
        return print_json(&Report {
            pid,
            result,
            is_drill,
            status,
            reason,
        });
    }
    print_text(&format!("{result}: status {status}, reason {reason}\n"))
}

/// A running daemon.
struct Daemon<'a> {
    pid: i32,
    /// When the process started, in the kernel's ticks since the boot: with the id, which process.
    started_ticks: i64,
    directory: &'a Path,
}

impl<'a> Daemon<'a> {
    /// Finds the daemon that publishes in `directory`, and checks that the process is this daemon
    /// and not another program that has got its id.
    fn find(directory: &'a Path, given: Option<i32>) -> Result<Self, Failure> {
        let diagnostics = diagnostics::read(directory)?;
        let record = &diagnostics.record;
        let own = i32::try_from(record.pid).unwrap_or(0);
        let pid = given.unwrap_or(own);
        let refuse = |why: String| Failure::Other(Exit::Unavailable, why);
        if record.is_simulated {
            return Err(refuse(
                "a simulation writes this segment, and no daemon".to_owned(),
            ));
        }
        let text = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}"));
        let (Ok(comm), Ok(stat), Ok(status)) = (text("comm"), text("stat"), text("status")) else {
            return Err(refuse(format!(
                "the daemon's process {pid} is not visible here: if it runs in a container, give \
                 its process id on this host with --pid"
            )));
        };
        let age_ns = diagnostics.now_ns.saturating_sub(record.started_ns);
        match identity(&comm, &stat, &status, record.pid, boot_clock_ns(), age_ns) {
            Ok(started_ticks) => Ok(Self {
                pid,
                started_ticks,
                directory,
            }),
            Err(why) => Err(refuse(format!("process {pid} is not the daemon: {why}"))),
        }
    }

    fn read(&self) -> Result<Diagnostics, Failure> {
        Ok(diagnostics::read(self.directory)?)
    }

    /// Waits until the diagnostics show that the drill has begun; `None` if they do not. The reason
    /// is another one while the status claims less already.
    fn begun(&self, reason: Reason, was_drill: bool) -> Result<Option<Diagnostics>, Failure> {
        let is_shown = |shown: &Diagnostics| shown.record.is_drill;
        let begun =
            self.wait_for(|shown| is_shown(shown) && (shown.reason == reason || !was_drill))?;
        match begun {
            Some(shown) => Ok(Some(shown)),
            None => Ok(Some(self.read()?).filter(is_shown)),
        }
    }

    /// Whether the process still runs, and its id is not that of another one.
    fn is_running(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid));
        stat.is_ok_and(|stat| started_ticks(&stat) == Some(self.started_ticks))
    }

    fn send(&self, signal: Signal, value: i32) -> Result<(), Failure> {
        if !self.is_running() {
            let message = format!("process {} has ended, and a drill with it", self.pid);
            return Err(Failure::Other(Exit::Unavailable, message));
        }
        queued_signal::send(self.pid, signal as i32, value).map_err(|err| {
            let exit = match err.kind() {
                io::ErrorKind::PermissionDenied => Exit::NotPermitted,
                _ => Exit::Unavailable,
            };
            let message = format!(
                "failed to send {signal} to process {}: {err}; only root and the daemon's user may",
                self.pid
            );
            Failure::Other(exit, message)
        })
    }

    fn wait_for(
        &self,
        is_so: impl Fn(&Diagnostics) -> bool,
    ) -> Result<Option<Diagnostics>, Failure> {
        let end = Instant::now() + DEADLINE;
        loop {
            let shown = self.read()?;
            if is_so(&shown) {
                return Ok(Some(shown));
            }
            if Instant::now() >= end {
                return Ok(None);
            }
            thread::sleep(LOOK);
        }
    }
}

/// Checks that a process is the daemon with this process id in its own namespace, which started
/// `age_ns` ago, and returns its start in ticks. The texts are those of /proc/PID/comm, stat and status. `boot_clock_ns` is
/// `CLOCK_BOOTTIME`, which is not slower than the clock of the age.
fn identity(
    comm: &str,
    stat: &str,
    status: &str,
    own_pid: u32,
    boot_clock_ns: i64,
    age_ns: i64,
) -> Result<i64, String> {
    let name = comm.trim_end();
    if name != DAEMON {
        return Err(format!("its name is {name}"));
    }
    let pids = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    let innermost = pids.and_then(|pids| pids.split_whitespace().next_back()?.parse().ok());
    if innermost.is_some_and(|innermost: u32| innermost != own_pid) {
        return Err(format!("the daemon's process id is {own_pid}"));
    }
    let Some(ticks) = started_ticks(stat) else {
        return Err("its start time cannot be read".to_owned());
    };
    // A tick is 10 ms.
    let started_ns = ticks.saturating_mul(10_000_000);
    let process_age_ns = boot_clock_ns.saturating_sub(started_ns);
    // The two clocks may differ by 500 ppm.
    let tolerance_ns = START_TOLERANCE_NS.saturating_add(age_ns / 1000);
    if process_age_ns.saturating_add(tolerance_ns) < age_ns {
        return Err("it started after the daemon".to_owned());
    }
    Ok(ticks)
}

/// The start of a process, ticks since the boot, in the text of /proc/PID/stat.
fn started_ticks(stat: &str) -> Option<i64> {
    // The name, in parentheses, can contain spaces. starttime is field 22.
    let fields = stat.rsplit(')').next()?;
    fields.split_whitespace().nth(19)?.parse().ok()
}

fn boot_clock_ns() -> i64 {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(i64::MAX, |now| ns_of(Duration::from(now)))
}

/// Waits for this long, or until one of the signals arrives.
fn wait(length: Duration, interrupts: &Signals) -> io::Result<()> {
    let end = Instant::now() + length;
    while Instant::now() < end {
        let left = end.saturating_duration_since(Instant::now());
        if interrupts.within(left)?.is_some() {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tclockbound\nNSpid:\t4711\t12\n";

    /// A process that started at 100 s.
    fn stat(started_ticks: u64) -> String {
        let zeros = "0 ".repeat(18);
        format!("4711 (clock) bound) S {zeros}{started_ticks} 0 0")
    }

    #[test]
    fn a_process_is_the_daemon_by_its_name_its_id_and_its_start() {
        const S: i64 = 1_000_000_000;
        for (comm, status, pid, age_s, expected) in [
            ("clockbound\n", STATUS, 12, 900, Ok(10_000)),
            ("clockbound\n", STATUS, 12, 850, Ok(10_000)),
            ("clockbound\n", "", 12, 900, Ok(10_000)),
            (
                "clockbound\n",
                STATUS,
                13,
                900,
                Err("the daemon's process id is 13"),
            ),
            (
                "clockbound\n",
                STATUS,
                12,
                2_000,
                Err("it started after the daemon"),
            ),
            (
                "clockbound-expo\n",
                STATUS,
                12,
                900,
                Err("its name is clockbound-expo"),
            ),
        ] {
            let found = identity(comm, &stat(10_000), status, pid, 1_000 * S, age_s * S);
            assert_eq!(
                found,
                expected.map_err(str::to_owned),
                "{comm} {pid} {age_s}"
            );
        }
        let unreadable = identity("clockbound", "1 (c) S", STATUS, 12, 0, 0);
        assert!(unreadable.is_err());
    }

    #[test]
    fn the_plan_says_what_readers_see_and_how_the_drill_ends() {
        let plan = |reason, length| {
            Plan {
                pid: 7,
                reason,
                length,
            }
            .text()
        };
        let text = plan(Some(Reason::ChronySilent), None);
        assert!(
            text.starts_with("SIGUSR1 with value 0x104 to clockbound, process 7"),
            "{text}"
        );
        assert!(
            text.contains("free_running with reason chrony_silent"),
            "{text}"
        );
        assert!(text.contains("--off"), "{text}");
        let text = plan(Some(Reason::Disrupted), Some(Duration::from_secs(60)));
        assert!(text.contains("disrupted, those of v1 unknown"), "{text}");
        assert!(text.contains("It ends after 1 min."), "{text}");
        assert!(plan(None, None).starts_with("SIGUSR2"));
    }

    #[test]
    fn the_plan_of_a_drill_that_voids_says_what_a_restart_loses() {
        for (reason, _) in REASONS {
            let plan = Plan {
                pid: 7,
                reason: Some(reason),
                length: None,
            };
            let is_voided = status_of(reason) == Status::Unknown;
            assert_eq!(plan.text().contains("A restart"), is_voided, "{reason}");
        }
    }

    #[test]
    fn a_process_with_the_same_id_and_another_start_is_not_the_daemon() {
        let own = fs::read_to_string("/proc/self/stat").expect("this process");
        let started_ticks = started_ticks(&own).expect("a start");
        let daemon = |started_ticks| Daemon {
            pid: i32::try_from(std::process::id()).expect("a process id"),
            started_ticks,
            directory: Path::new("/"),
        };
        assert!(daemon(started_ticks).is_running());
        let other = daemon(started_ticks - 1);
        assert!(!other.is_running());
        // It would end this test.
        assert!(other.send(Signal::SIGUSR2, 0).is_err());
    }

    #[test]
    fn every_reason_has_its_own_value_and_a_disruption_none() {
        let mut values: Vec<i32> = REASONS.map(|(reason, _)| value_of(reason)).to_vec();
        values.sort_unstable();
        values.dedup();
        assert_eq!(values.len(), REASONS.len());
        assert_eq!(values[0], 0);
        assert!(
            values[1..]
                .iter()
                .all(|value| (DRILL_REASON..DRILL_REASON + 256).contains(value))
        );
    }
}
