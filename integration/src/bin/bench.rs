//! Measures the resource usage of the daemon beside a synchronised chronyd.
#![forbid(unsafe_code)]

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use integration::fakes::ntp_server::NtpServer;
use integration::host::sandbox::Sandbox;
use integration::observe::usage::Usage;
use integration::programs::chronyd::{Chronyd, polled_server_line};
use integration::setup::testbed::Testbed;
use integration::time::truth::Truth;

const RSS_GOAL_KIB: u64 = 4096;
const CPU_GOAL_PERCENT: f64 = 0.15;
/// chronyd identifies servers by their addresses, which are 127.0.0.1 and up.
const MAX_SOURCES: i64 = 200;
const SYSCALL_SPAN: Duration = Duration::from_secs(5);

/// Measures the resource usage of the daemon beside a synchronised chronyd.
#[derive(Parser)]
struct Options {
    /// The daemon's program.
    #[arg(long, default_value = "target/release/clockbound")]
    daemon: PathBuf,
    /// How long to measure.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Number of servers that chronyd uses.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=MAX_SOURCES))]
    sources: u8,
    /// chronyd polls its servers every 2^N s: their minpoll and maxpoll.
    #[arg(long, value_name = "N", default_value_t = -4, allow_negative_numbers = true,
          value_parser = clap::value_parser!(i8).range(-6..=24))]
    poll_exponent: i8,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let (testbed, _others) = testbed(options.sources, options.poll_exponent);
    let launch = testbed
        .launch(&options.daemon)
        .args(["--poll-interval", "100ms"]);
    let mut daemon = testbed.start_with(&launch);
    let pid = daemon.pid();
    println!(
        "the daemon polls chronyd every 100 ms for {} s; chronyd polls {} servers every 2^{} s",
        options.seconds, options.sources, options.poll_exponent
    );
    let begin = Instant::now();
    let before = Usage::of(pid).expect("the daemon runs");
    thread::sleep(Duration::from_secs(options.seconds));
    let after = Usage::of(pid).expect("the daemon runs");
    let elapsed = begin.elapsed().as_secs_f64();
    print(&before, &after, elapsed, syscalls_per_second(pid));
    daemon.terminate();
    ExitCode::SUCCESS
}

/// A chronyd that follows this many servers, and the servers that a testbed has no field for.
fn testbed(sources: u8, poll_exponent: i8) -> (Testbed, Vec<NtpServer>) {
    let truth = Truth::default();
    let start = |n| NtpServer::start_at(&truth, Ipv4Addr::new(127, 0, 0, n));
    let mut servers: Vec<_> = (1..=sources).map(start).collect();
    let lines: Vec<_> = servers
        .iter()
        .map(|server| polled_server_line(server.address(), poll_exponent))
        .collect();
    let lines: Vec<_> = lines.iter().map(String::as_str).chain(["port 0"]).collect();
    let sandbox = Sandbox::new();
    let mut chronyd = Chronyd::new(&sandbox, "chrony", &lines);
    chronyd.start_synchronised();
    let server = servers.remove(0);
    let testbed = Testbed {
        chronyd,
        server,
        truth,
        sandbox,
    };
    (testbed, servers)
}

#[expect(clippy::cast_precision_loss, reason = "the table has one digit")]
fn print(before: &Usage, after: &Usage, elapsed: f64, syscalls: Option<f64>) {
    let cpu = (after.cpu - before.cpu).as_secs_f64() / elapsed * 100.0;
    let rate =
        |before: u64, after: u64| format!("{:.1}", after.saturating_sub(before) as f64 / elapsed);
    let rows = [
        (
            "RSS (VmRSS), KiB",
            after.rss_kib.to_string(),
            format!("<= {RSS_GOAL_KIB}"),
        ),
        (
            "anonymous (RssAnon), KiB",
            after.rss_anon_kib.to_string(),
            String::new(),
        ),
        (
            "CPU, % of one core",
            format!("{cpu:.3}"),
            format!("<= {CPU_GOAL_PERCENT}"),
        ),
        (
            "context switches/s, voluntary",
            rate(before.voluntary_switches, after.voluntary_switches),
            String::new(),
        ),
        (
            "context switches/s, involuntary",
            rate(before.involuntary_switches, after.involuntary_switches),
            String::new(),
        ),
        (
            "system calls/s",
            syscalls.map_or_else(|| "not measured".to_owned(), |rate| format!("{rate:.1}")),
            String::new(),
        ),
        ("threads", after.threads.to_string(), String::new()),
    ];
    println!("{:<34}{:>14}{:>12}", "", "measured", "goal");
    for (what, measured, goal) in rows {
        println!("{what:<34}{measured:>14}{goal:>12}");
    }
    let good = after.rss_kib <= RSS_GOAL_KIB && cpu <= CPU_GOAL_PERCENT;
    println!("{}", if good { "reached" } else { "not reached" });
}

/// Counted after the other measurements, since counting takes CPU time; `None` without a permitted
/// `perf`.
fn syscalls_per_second(pid: i32) -> Option<f64> {
    let output = Command::new("perf")
        .args([
            "stat",
            "-x,",
            "-e",
            "raw_syscalls:sys_enter",
            "-p",
            &pid.to_string(),
        ])
        .args(["--", "sleep", &SYSCALL_SPAN.as_secs().to_string()])
        .output()
        .ok()?;
    let report = String::from_utf8_lossy(&output.stderr);
    let line = report.lines().find(|line| line.contains("raw_syscalls"))?;
    Some(line.split(',').next()?.parse::<f64>().ok()? / SYSCALL_SPAN.as_secs_f64())
}
