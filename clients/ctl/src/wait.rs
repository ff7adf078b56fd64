//! The verb `wait`: waits until the interval is trusted, and narrow enough.

use std::io::{self, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use clockbound_client::diagnostics::explain::meaning;
use clockbound_client::diagnostics::{BUDGET_TERMS, Diagnostics};
use clockbound_client::{Client, Error, Reason, Status};
use serde::Serialize;

use crate::Global;
use crate::exit::{Exit, Outcome};
use crate::output::units::{duration_ns, ns_of, span};
use crate::output::{print_json, print_text};
use crate::reading::Reading;
use crate::values;

/// The time between two attempts.
const RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// The arguments of `wait`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Waits until the bound is not above this, with a unit
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    max_bound: Option<Duration>,
    /// Gives up after this time, with a unit [default: waits without limit]
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    timeout: Option<Duration>,
    /// Prints nothing
    #[arg(long, short)]
    quiet: bool,
    /// Accepts a simulated interval, which is not that of the clock
    #[arg(long)]
    allow_simulated: bool,
}

/// Why the wait is not over.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cause {
    /// Causes with the same key are the same, although their numbers differ.
    key: String,
    /// One line.
    text: String,
}

/// The result as JSON. The status is `null` if nothing could be read.
#[derive(Debug, Serialize)]
struct WaitJson {
    is_ready: bool,
    waited_ns: i64,
    cause: Option<String>,
    status: Option<&'static str>,
    reason: Option<&'static str>,
    bound_ns: Option<i64>,
    max_bound_ns: Option<i64>,
    is_drill: Option<bool>,
    is_simulated: Option<bool>,
}

/// Runs the verb.
///
/// # Errors
/// Those of standard output. What cannot be read yet is waited for.
pub fn run(arguments: &Arguments, global: &Global) -> Outcome {
    let begun = Instant::now();
    let max_bound_ns = arguments.max_bound.map(ns_of);
    let mut client = None;
    let mut said: Option<Cause> = None;
    loop {
        let reading = read(&mut client, &global.directory);
        let cause = match &reading {
            Ok(reading) if reading.is_simulated() && !arguments.allow_simulated => {
                Some(simulated())
            }
            Ok(reading) => {
                let (status, reason) = (reading.status(), reading.reason());
                let bound_ns = reading.interval.bound_ns();
                cause(
                    status,
                    reason,
                    bound_ns,
                    max_bound_ns,
                    reading.diagnostics.as_ref(),
                )
            }
            Err(err) => Some(unreadable(err)),
        };
        let waited = begun.elapsed();
        let is_over = arguments.timeout.is_some_and(|timeout| waited >= timeout);
        if cause.is_none() || is_over {
            return end(arguments, global, waited, reading.as_ref().ok(), cause);
        }
        let is_new = said.as_ref().map(|it| &it.key) != cause.as_ref().map(|it| &it.key);
        if let Some(cause) = &cause
            && is_new
            && !arguments.quiet
        {
            // Standard error, so that standard output has only the result. A failed write is
            // ignored, because the wait goes on.
            let _ = writeln!(io::stderr(), "waiting: {}", cause.text);
        }
        said = cause;
        let left = arguments.timeout.map(|timeout| timeout - waited);
        thread::sleep(left.map_or(RETRY_INTERVAL, |left| RETRY_INTERVAL.min(left)));
    }
}

fn read(client: &mut Option<Client>, directory: &Path) -> Result<Reading, Error> {
    let opened = match client.take() {
        Some(opened) => opened,
        None => Client::open_at(directory)?,
    };
    let reading = Reading::of(&opened, directory);
    *client = Some(opened);
    reading
}

fn end(
    arguments: &Arguments,
    global: &Global,
    waited: Duration,
    reading: Option<&Reading>,
    cause: Option<Cause>,
) -> Outcome {
    let exit = match cause {
        None => Exit::Success,
        Some(_) => Exit::Warning,
    };
    if arguments.quiet {
        return Ok(exit);
    }
    let trusted = reading.filter(|reading| reading.status().is_trusted());
    if global.json {
        print_json(&WaitJson {
            is_ready: exit == Exit::Success,
            waited_ns: ns_of(waited),
            cause: cause.map(|cause| cause.text),
            status: reading.map(|reading| reading.status().as_str()),
            reason: reading.map(|reading| reading.reason().as_str()),
            bound_ns: trusted.map(|reading| reading.interval.bound_ns()),
            max_bound_ns: arguments.max_bound.map(ns_of),
            is_drill: reading.map(Reading::is_drill),
            is_simulated: reading.map(Reading::is_simulated),
        })?;
    } else if let Some(cause) = cause {
        let text = format!("not ready after {}: {}\n", span(waited), cause.text);
        let _ = io::stderr().write_all(text.as_bytes());
    } else if let Some(reading) = reading {
        print_text(&format!(
            "ready after {}: {} ({}), bound {}{}\n",
            span(waited),
            reading.status(),
            reading.reason(),
            duration_ns(reading.interval.bound_ns()),
            reading.marks()
        ))?;
    }
    Ok(exit)
}

/// Why an interval with this status and bound is not what is waited for; `None` if it is.
fn cause(
    status: Status,
    reason: Reason,
    bound_ns: i64,
    max_bound_ns: Option<i64>,
    diagnostics: Option<&Diagnostics>,
) -> Option<Cause> {
    if !status.is_trusted() {
        // What keeps chronyd's reports from being used says more than that there was none.
        let failure = (diagnostics.map(|diagnostics| diagnostics.record.failure))
            .filter(|failure| ![Reason::Tracking, reason].contains(failure));
        let text = match failure {
            Some(failure) => format!(
                "{status} ({reason}); {}: {}",
                failure.as_str(),
                meaning(failure)
            ),
            None => format!("{status} ({reason}): {}", meaning(reason)),
        };
        let key = format!("{status} {reason} {failure:?}");
        return Some(Cause { key, text });
    }
    let max_bound_ns = max_bound_ns.filter(|max_bound_ns| bound_ns > *max_bound_ns)?;
    let mut text = format!(
        "bound {} above {}, {status} ({reason})",
        duration_ns(bound_ns),
        duration_ns(max_bound_ns)
    );
    let largest = diagnostics.and_then(largest_term);
    if let Some((name, ns)) = largest {
        text += &format!("; {name} is {}", duration_ns(ns));
    }
    let key = format!("wide {status} {reason} {:?}", largest.map(|(name, _)| name));
    Some(Cause { key, text })
}

/// The largest term of the budget, which is positive.
fn largest_term(diagnostics: &Diagnostics) -> Option<(&'static str, i64)> {
    let terms = BUDGET_TERMS.into_iter().zip(diagnostics.record.budget_ns);
    terms.max_by_key(|(_, ns)| *ns).filter(|(_, ns)| *ns > 0)
}

/// A program that waits for true time must not start on an interval of a test.
fn simulated() -> Cause {
    let text = "the record is simulated, which only --allow-simulated accepts";
    Cause {
        key: "simulated".to_owned(),
        text: text.to_owned(),
    }
}

fn unreadable(err: &Error) -> Cause {
    let text = err.to_string();
    // The number in the message changes.
    let key = match err {
        Error::Causality { .. } => "ahead".to_owned(),
        _ => text.clone(),
    };
    Cause { key, text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    const MS: i64 = 1_000_000;

    #[test]
    fn a_trusted_interval_that_is_narrow_enough_is_not_waited_for() {
        for status in [Status::Synchronized, Status::FreeRunning] {
            for max_bound_ns in [None, Some(MS)] {
                assert_eq!(
                    cause(status, Reason::Tracking, MS, max_bound_ns, None),
                    None
                );
            }
        }
    }

    #[test]
    fn the_cause_says_what_keeps_the_status_untrusted() {
        let mut record = fixture::no_claim_record();
        record.failure = Reason::PermissionDenied;
        let diagnostics = fixture::at_present(record);
        let status = Status::Unknown;
        let cause = |diagnostics| {
            cause(status, Reason::NeverSynchronized, MS, None, diagnostics).expect("a cause")
        };
        let detailed = cause(Some(&diagnostics));
        assert!(detailed.text.contains("permission_denied"), "{detailed:?}");
        assert!(
            detailed.text.contains("not permitted to query"),
            "{detailed:?}"
        );
        let without = cause(None);
        assert!(without.text.contains("never_synchronized"), "{without:?}");
        assert_ne!(detailed.key, without.key);
    }

    #[test]
    fn a_wide_bound_is_one_cause_whatever_its_size_while_the_largest_term_is_the_same() {
        let diagnostics = fixture::synchronized();
        let cause = |bound_ns| {
            let (status, reason) = (Status::Synchronized, Reason::Tracking);
            cause(status, reason, bound_ns, Some(MS), Some(&diagnostics)).expect("a cause")
        };
        let (wide, wider) = (cause(2 * MS), cause(3 * MS));
        assert_eq!(wide.key, wider.key);
        assert_eq!(
            wide.text,
            "bound 2.00 ms above 1.00 ms, synchronized (tracking); root_distance is 310 us"
        );
    }
}
