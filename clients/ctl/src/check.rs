//! The verb `check`: one line and the exit codes of monitoring plugins.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use clockbound_client::diagnostics::explain::meaning;
use clockbound_client::{Error, Reason, Status};
use serde::Serialize;

use crate::Global;
use crate::exit::{Exit, Outcome};
use crate::output::units::{duration_ns, ns_of};
use crate::output::{print_json, print_text};
use crate::reading::{self, Reading};
use crate::values;

/// The longest line, in characters: node-problem-detector cuts longer ones.
const LINE: usize = 80;

/// The arguments of `check`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Critical above this bound, with a unit
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    max_bound: Option<Duration>,
    /// Warning above this bound, with a unit
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    warn: Option<Duration>,
    /// Adds the bound after "|" as performance data of Nagios, which can make the line longer than
    /// 80 characters
    #[arg(long)]
    perfdata: bool,
}

/// What is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Checked {
    status: Status,
    reason: Reason,
    bound_ns: i64,
    is_drill: bool,
    is_simulated: bool,
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Verdict {
    exit: Exit,
    message: String,
}

/// The result as JSON.
#[derive(Debug, Serialize)]
struct CheckJson<'a> {
    state: &'static str,
    exit_code: u8,
    message: &'a str,
    status: Option<&'static str>,
    reason: Option<&'static str>,
    bound_ns: Option<i64>,
    max_bound_ns: Option<i64>,
    warn_ns: Option<i64>,
    is_drill: Option<bool>,
    is_simulated: Option<bool>,
}

/// Runs the verb.
///
/// # Errors
/// Those of standard output: what cannot be read is a result.
pub fn run(arguments: &Arguments, global: &Global) -> Outcome {
    let (max_bound_ns, warn_ns) = (arguments.max_bound.map(ns_of), arguments.warn.map(ns_of));
    let reading = reading::read(&global.directory);
    let checked = reading.as_ref().ok().map(Checked::of);
    let verdict = match &reading {
        Ok(reading) => Checked::of(reading).verdict(max_bound_ns, warn_ns),
        Err(err) => Verdict {
            exit: Exit::Unknown,
            message: short(err, &global.directory),
        },
    };
    if global.json {
        let trusted = checked.filter(|checked| checked.status.is_trusted());
        print_json(&CheckJson {
            state: state(verdict.exit),
            exit_code: verdict.exit as u8,
            message: &verdict.message,
            status: checked.map(|checked| checked.status.as_str()),
            reason: checked.map(|checked| checked.reason.as_str()),
            bound_ns: trusted.map(|checked| checked.bound_ns),
            max_bound_ns,
            warn_ns,
            is_drill: checked.map(|checked| checked.is_drill),
            is_simulated: checked.map(|checked| checked.is_simulated),
        })?;
    } else {
        let mut text = line(&verdict);
        if let Some(checked) = checked.filter(|it| arguments.perfdata && it.status.is_trusted()) {
            text += &perfdata(checked.bound_ns, max_bound_ns, warn_ns);
        }
        print_text(&format!("{text}\n"))?;
    }
    Ok(verdict.exit)
}

impl Checked {
    fn of(reading: &Reading) -> Self {
        Self {
            status: reading.status(),
            reason: reading.reason(),
            bound_ns: reading.interval.bound_ns(),
            is_drill: reading.is_drill(),
            is_simulated: reading.is_simulated(),
        }
    }

    fn verdict(self, max_bound_ns: Option<i64>, warn_ns: Option<i64>) -> Verdict {
        let Self {
            status,
            reason,
            bound_ns,
            is_drill,
            is_simulated,
        } = self;
        let bound = duration_ns(bound_ns);
        let is_above = |limit: Option<i64>| limit.is_some_and(|limit| bound_ns > limit);
        let above = |limit: Option<i64>| {
            let limit = duration_ns(limit.unwrap_or_default());
            format!("bound {bound} above {limit}, {status} ({reason})")
        };
        let (exit, message) = if is_simulated {
            let message = format!("the record is simulated: {status} ({reason}), bound {bound}");
            (Exit::Critical, message)
        } else if !status.is_trusted() {
            let message = format!("{status} ({reason}): {}", meaning(reason));
            (Exit::Critical, message)
        } else if is_above(max_bound_ns) {
            (Exit::Critical, above(max_bound_ns))
        } else if reason == Reason::DaemonSilent {
            let message = format!("{status} ({reason}), bound {bound}: {}", meaning(reason));
            (Exit::Critical, message)
        } else if is_above(warn_ns) {
            (Exit::Warning, above(warn_ns))
        } else {
            let exit = match status {
                Status::Synchronized => Exit::Success,
                _ => Exit::Warning,
            };
            (exit, format!("{status} ({reason}), bound {bound}"))
        };
        let message = if is_drill {
            format!("drill: {message}")
        } else {
            message
        };
        Verdict { exit, message }
    }
}

/// Why nothing can be read, as far as possible within the line.
fn short(err: &Error, directory: &Path) -> String {
    match err {
        Error::Open { .. } => format!("clockbound publishes nothing in {}", directory.display()),
        Error::EarlierBoot { .. } => "the segment is from an earlier boot".to_owned(),
        err => err.to_string(),
    }
}

/// The name of a state, as monitoring plugins write it in lower case.
fn state(exit: Exit) -> &'static str {
    match exit {
        Exit::Success => "ok",
        Exit::Warning => "warning",
        Exit::Critical => "critical",
        _ => "unknown",
    }
}

/// The line of a verdict, at most [`LINE`] characters.
fn line(verdict: &Verdict) -> String {
    let message: String = (verdict.message.chars())
        // The separator of performance data.
        .map(|c| if c == '|' || c.is_control() { ' ' } else { c })
        .collect();
    let line = format!("{} - {message}", state(verdict.exit).to_uppercase());
    if line.chars().count() <= LINE {
        return line;
    }
    let start: String = line.chars().take(LINE - 3).collect();
    format!("{start}...")
}

/// The bound as performance data, with the limits.
fn perfdata(bound_ns: i64, max_bound_ns: Option<i64>, warn_ns: Option<i64>) -> String {
    let seconds = |ns: i64| format!("{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000);
    let limit = |ns: Option<i64>| ns.map(seconds).unwrap_or_default();
    format!(
        " | bound={}s;{};{};0",
        seconds(bound_ns),
        limit(warn_ns),
        limit(max_bound_ns)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: i64 = 1_000;

    fn checked(status: Status, reason: Reason, bound_ns: i64) -> Checked {
        Checked {
            status,
            reason,
            bound_ns,
            is_drill: false,
            is_simulated: false,
        }
    }

    #[test]
    fn the_state_follows_status_reason_and_limits() {
        use Reason::{ChronySilent, DaemonSilent, Disrupted, HoldoverExpired, Tracking};
        let (sync, free) = (Status::Synchronized, Status::FreeRunning);
        for (status, reason, bound_us, max_us, warn_us, exit) in [
            (sync, Tracking, 400, None, None, Exit::Success),
            (sync, Tracking, 400, Some(400), Some(400), Exit::Success),
            (sync, Tracking, 401, Some(1_000), Some(400), Exit::Warning),
            (
                sync,
                Tracking,
                1_001,
                Some(1_000),
                Some(400),
                Exit::Critical,
            ),
            (sync, Tracking, 1_001, Some(1_000), None, Exit::Critical),
            (free, ChronySilent, 400, Some(1_000), None, Exit::Warning),
            (free, ChronySilent, 1_001, Some(1_000), None, Exit::Critical),
            (free, DaemonSilent, 400, None, None, Exit::Critical),
            (
                Status::Unknown,
                HoldoverExpired,
                1,
                Some(9),
                None,
                Exit::Critical,
            ),
            (
                Status::Disrupted,
                Disrupted,
                1,
                Some(9),
                None,
                Exit::Critical,
            ),
        ] {
            let limit = |us: Option<i64>| us.map(|us| us * US);
            let verdict =
                checked(status, reason, bound_us * US).verdict(limit(max_us), limit(warn_us));
            assert_eq!(verdict.exit, exit, "{verdict:?}");
        }
        let simulated = Checked {
            is_simulated: true,
            ..checked(sync, Tracking, 1)
        };
        assert_eq!(simulated.verdict(None, None).exit, Exit::Critical);
        let drill = Checked {
            is_drill: true,
            ..checked(free, ChronySilent, 400 * US)
        };
        let drill = line(&drill.verdict(None, None));
        assert_eq!(
            drill,
            "WARNING - drill: free_running (chrony_silent), bound 400 us"
        );
    }

    #[test]
    fn the_line_is_short_and_has_no_separator_of_its_own() {
        let all = Reason::ALL.into_iter().flat_map(|reason| {
            let status = [Status::Unknown, Status::FreeRunning, Status::Synchronized];
            status.map(|status| checked(status, reason, 999_999_999_999))
        });
        for checked in all {
            let verdict = checked.verdict(Some(999_999_999_998), None);
            let line = line(&verdict);
            assert!(line.chars().count() <= LINE, "{line}");
            assert!(line.contains(checked.reason.as_str()), "{line}");
        }
        let message = "a|b\nc".to_owned();
        let verdict = Verdict {
            exit: Exit::Unknown,
            message,
        };
        assert_eq!(line(&verdict), "UNKNOWN - a b c");
    }

    #[test]
    fn performance_data_are_in_seconds_with_both_limits() {
        assert_eq!(
            perfdata(400_001, Some(1_000_000), None),
            " | bound=0.000400001s;;0.001000000;0"
        );
    }
}
