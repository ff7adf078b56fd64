//! Resource usage of a process, from /proc.

use std::fs;
use std::time::Duration;

/// CPU time and context switches of a process since its start, and its memory now.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// CPU time of all threads.
    pub cpu: Duration,
    /// Voluntary context switches of all threads.
    pub voluntary_switches: u64,
    /// Involuntary context switches of all threads.
    pub involuntary_switches: u64,
    /// Number of threads.
    pub threads: u64,
    /// Resident memory in KiB.
    pub rss_kib: u64,
    /// Anonymous resident memory in KiB.
    pub rss_anon_kib: u64,
}

impl Usage {
    /// Reads the usage of the process `pid`; `None` if it has exited.
    pub fn of(pid: i32) -> Option<Usage> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let mut usage = Usage {
            rss_kib: field(&status, "VmRSS:")?,
            rss_anon_kib: field(&status, "RssAnon:")?,
            ..Usage::default()
        };
        for task in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
            // A thread may exit between the reads.
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
