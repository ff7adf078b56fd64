//! What a process costs, from /proc.

use std::fs;
use std::time::Duration;

/// Costs of a process since its start, and its memory now.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Time on a CPU, all threads together.
    pub cpu: Duration,
    /// Times a thread gave up its CPU.
    pub voluntary_switches: u64,
    /// Times a thread lost its CPU.
    pub involuntary_switches: u64,
    /// Number of threads.
    pub threads: u64,
    /// Resident memory in KiB.
    pub rss_kib: u64,
    /// Resident memory that is the process's own, in KiB.
    pub rss_anon_kib: u64,
}

impl Usage {
    /// Reads the costs of the process `pid`; `None` if it is gone.
    pub fn of(pid: i32) -> Option<Usage> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let mut usage = Usage {
            rss_kib: field(&status, "VmRSS:")?,
            rss_anon_kib: field(&status, "RssAnon:")?,
            ..Usage::default()
        };
        for task in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
            // A thread may end while we look.
            let Ok(status) = fs::read_to_string(task.path().join("status")) else {
                continue;
            };
            let Ok(schedstat) = fs::read_to_string(task.path().join("schedstat")) else {
                continue;
            };
            usage.threads += 1;
            usage.cpu += Duration::from_nanos(schedstat.split_whitespace().next()?.parse().ok()?);
            usage.voluntary_switches += field(&status, "voluntary_ctxt_switches:")?;
            usage.involuntary_switches += field(&status, "nonvoluntary_ctxt_switches:")?;
        }
        Some(usage)
    }
}

fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find(|line| line.starts_with(name))?;
    line[name.len()..].split_whitespace().next()?.parse().ok()
}
