//! Measures what the daemon costs beside a healthy chronyd.
#![forbid(unsafe_code)]

use std::env;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use integration::fakes::ntp_server::NtpServer;
use integration::host::sandbox::Sandbox;
use integration::observe::usage::Usage;
use integration::programs::chronyd::{Chronyd, server_line};
use integration::setup::testbed::Testbed;
use integration::time::truth::Truth;

const USAGE: u8 = 64;
const RSS_GOAL_KIB: u64 = 4096;
const CPU_GOAL_PERCENT: f64 = 0.15;
/// chronyd tells servers apart by their addresses, which are 127.0.0.1 and up.
const MAX_SOURCES: u8 = 200;
const SYSCALL_SPAN: Duration = Duration::from_secs(5);

struct Options {
    daemon: PathBuf,
    seconds: u64,
    sources: u8,
}

fn main() -> ExitCode {
    let Some(options) = options() else {
        eprintln!("usage: bench [--seconds N] [--sources N]");
        return ExitCode::from(USAGE);
    };
    let (testbed, _others) = testbed(options.sources);
    let launch = testbed
        .launch(&options.daemon)
        .args(["--poll-interval", "100ms"]);
    let mut daemon = testbed.start_with(&launch);
    let pid = daemon.pid();
    println!(
        "polling every 100 ms for {} s, sources of chronyd: {}",
        options.seconds, options.sources
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

/// A chronyd that follows this many servers, and those that the testbed has no place for.
fn testbed(sources: u8) -> (Testbed, Vec<NtpServer>) {
    let truth = Truth::default();
    let start = |n| NtpServer::start_at(&truth, Ipv4Addr::new(127, 0, 0, n));
    let mut servers: Vec<_> = (1..=sources).map(start).collect();
    let lines: Vec<_> = servers
        .iter()
        .map(|server| server_line(server.address()))
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

fn options() -> Option<Options> {
    let mut options = Options {
        daemon: PathBuf::from("target/release/clockbound"),
        seconds: 60,
        sources: 1,
    };
    let mut words = env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seconds" => {
                options.seconds = words.next()?.parse().ok().filter(|&seconds| seconds > 0)?
            }
            "--sources" => {
                let count = words.next()?.parse().ok();
                options.sources = count.filter(|count| (1..=MAX_SOURCES).contains(count))?;
            }
            "--daemon" => options.daemon = words.next()?.into(),
            _ => return None,
        }
    }
    Some(options)
}

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
            "of its own (RssAnon), KiB",
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
    println!("{:<34}{:>14}{:>12}", "", "measured", "to reach");
    for (what, measured, goal) in rows {
        println!("{what:<34}{measured:>14}{goal:>12}");
    }
    let good = after.rss_kib <= RSS_GOAL_KIB && cpu <= CPU_GOAL_PERCENT;
    println!("{}", if good { "reached" } else { "not reached" });
}

/// Counted apart from the rest, since counting costs; `None` where there is no `perf` that may count.
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
