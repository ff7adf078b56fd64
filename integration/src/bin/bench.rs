//! Measures what the daemon costs beside a healthy chronyd.
#![forbid(unsafe_code)]

use std::env;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use integration::World;
use integration::usage::Usage;

const USAGE: u8 = 64;
const RSS_GOAL_KIB: u64 = 4096;
const CPU_GOAL_PERCENT: f64 = 0.19;
const SYSCALL_SPAN: Duration = Duration::from_secs(5);

struct Options {
    daemon: PathBuf,
    seconds: u64,
}

fn main() -> ExitCode {
    let Some(options) = options() else {
        eprintln!("usage: bench [--seconds N]");
        return ExitCode::from(USAGE);
    };
    let world = World::new();
    let launch = world
        .launch(&options.daemon)
        .args(["--poll-interval", "100ms"]);
    let mut daemon = world.start_with(&launch);
    let pid = daemon.pid();
    println!("polling every 100 ms for {} s", options.seconds);
    let begin = Instant::now();
    let before = Usage::of(pid).expect("the daemon runs");
    thread::sleep(Duration::from_secs(options.seconds));
    let after = Usage::of(pid).expect("the daemon runs");
    let elapsed = begin.elapsed().as_secs_f64();
    print(&before, &after, elapsed, syscalls_per_second(pid));
    daemon.terminate();
    ExitCode::SUCCESS
}

fn options() -> Option<Options> {
    let mut options = Options {
        daemon: PathBuf::from("target/release/clockbound"),
        seconds: 60,
    };
    let mut words = env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seconds" => {
                options.seconds = words.next()?.parse().ok().filter(|&seconds| seconds > 0)?
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
