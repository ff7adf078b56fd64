//! The verb `record`.

mod file;
#[cfg(test)]
pub mod test_rows;

pub mod event;
pub mod row;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use clockbound_client::diagnostics;
use nix::sys::signal::Signal;
use nix::time::{ClockId, clock_gettime};
use serde::Serialize;

use self::file::{FileError, Limits, Recording};
use self::row::Row;
use crate::Global;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::print_json;
use crate::output::units::ns_of;
use crate::signals::Signals;

/// The arguments of `record`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// CSV file to append to; a file of another version is renamed first
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Time between rows, at least 10ms
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = interval)]
    interval: Duration,
    /// Size at which the file is renamed to FILE.1, in bytes or with the suffix K, M or G
    #[arg(long, value_name = "BYTES", default_value = "64M", value_parser = size)]
    max_size: u64,
    /// Number of renamed files to keep
    #[arg(long, value_name = "N", default_value_t = 20)]
    keep: u32,
}

/// What was recorded, for `--json`.
#[derive(Debug, Serialize)]
struct Recorded<'a> {
    file: &'a Path,
    rows: u64,
    unreadable: u64,
    rotations: u64,
}

/// Runs the verb until SIGINT, SIGTERM or SIGHUP.
///
/// # Errors
/// [`Failure`].
pub fn run(arguments: &Arguments, global: &Global) -> Outcome {
    let stop = Signals::block(&[Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP])?;
    let limits = Limits {
        max_bytes: arguments.max_size,
        keep: arguments.keep,
    };
    let mut recording = Recording::open(&arguments.to, limits)?;
    let interval_ns = ns_of(arguments.interval);
    let mut recorded = Recorded {
        file: &arguments.to,
        rows: 0,
        unreadable: 0,
        rotations: 0,
    };
    let mut is_readable = true;
    let mut next = Instant::now();
    loop {
        let row = match diagnostics::read(&global.directory) {
            Ok(diagnostics) => {
                is_readable = true;
                Row::of(&diagnostics, interval_ns)
            }
            Err(err) => {
                if is_readable {
                    say(&format!("{err}; recording gaps"));
                }
                is_readable = false;
                recorded.unreadable += 1;
                let (unix_ns, monotonic_ns) = clocks()?;
                Row::unreadable(unix_ns, monotonic_ns, interval_ns)
            }
        };
        recording.append(&row.to_line())?;
        recorded.rows += 1;
        next = following(next, arguments.interval, Instant::now());
        if stop
            .within(next.saturating_duration_since(Instant::now()))?
            .is_some()
        {
            break;
        }
    }
    recorded.rotations = recording.rotations();
    if global.json {
        print_json(&recorded)?;
    }
    Ok(Exit::Success)
}

/// `CLOCK_REALTIME` and `CLOCK_MONOTONIC_RAW`, ns.
///
/// # Errors
/// Those of clock_gettime(2).
pub fn clocks() -> io::Result<(i64, i64)> {
    let read = |clock| io::Result::Ok(ns_of(Duration::from(clock_gettime(clock)?)));
    Ok((
        read(ClockId::CLOCK_REALTIME)?,
        read(ClockId::CLOCK_MONOTONIC_RAW)?,
    ))
}

/// The next instant in steps of `interval` that is not past.
pub fn following(mut instant: Instant, interval: Duration, now: Instant) -> Instant {
    instant += interval;
    if instant <= now {
        let missed = now.duration_since(instant).as_nanos() / interval.as_nanos() + 1;
        instant += interval.saturating_mul(u32::try_from(missed).unwrap_or(u32::MAX));
    }
    instant
}

impl From<FileError> for Failure {
    fn from(err: FileError) -> Self {
        let denied = |source: &io::Error| source.kind() == io::ErrorKind::PermissionDenied;
        let exit = match &err {
            FileError::Io { source, .. } if denied(source) => Exit::NotPermitted,
            FileError::Io { action: "open", .. } => Exit::CannotCreate,
            FileError::InUse(_) | FileError::Short { .. } | FileError::Io { .. } => Exit::IoError,
        };
        Failure::Other(exit, err.to_string())
    }
}

fn say(text: &str) {
    // A recorder goes on when nobody reads what it says.
    let _ = writeln!(io::stderr(), "clockboundctl: {text}");
}

/// The time between rows or samples, of the command line.
///
/// # Errors
/// A sentence with the valid values.
pub fn interval(text: &str) -> Result<Duration, String> {
    let interval = humantime::parse_duration(text).map_err(|err| err.to_string())?;
    let valid = Duration::from_millis(10)..=Duration::from_secs(86_400);
    if valid.contains(&interval) {
        Ok(interval)
    } else {
        Err("valid are 10ms to 1day".to_owned())
    }
}

fn size(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.strip_suffix(['K', 'M', 'G']) {
        None => (text, 1),
        Some(digits) if text.ends_with('K') => (digits, 1 << 10),
        Some(digits) if text.ends_with('M') => (digits, 1 << 20),
        Some(digits) => (digits, 1 << 30),
    };
    let number: Option<u64> = digits.parse().ok();
    match number.and_then(|number| number.checked_mul(unit)) {
        Some(bytes) if bytes >= SMALLEST_SIZE => Ok(bytes),
        _ => Err(format!("valid are {SMALLEST_SIZE} and more")),
    }
}

/// A file has room for its header and some rows.
const SMALLEST_SIZE: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_bytes_or_have_a_suffix() {
        for (text, bytes) in [
            ("4096", 4096),
            ("4K", 4096),
            ("64M", 64 << 20),
            ("2G", 2 << 30),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in [
            "",
            "1",
            "K",
            "4096B",
            "-4K",
            "99999999999999999999",
            "17179869184G",
        ] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn intervals_are_from_ten_milliseconds_to_a_day() {
        assert_eq!(interval("10ms"), Ok(Duration::from_millis(10)));
        assert!(interval("9ms").is_err());
        assert!(interval("2days").is_err());
        assert!(interval("1").is_err());
    }

    #[test]
    fn rows_that_are_late_do_not_shift_later_rows() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        assert_eq!(following(start, second, after(300)), after(1000));
        assert_eq!(following(start, second, after(1000)), after(2000));
        assert_eq!(following(start, second, after(3700)), after(4000));
    }
}
