//! The verb `explain`: the diagnostics in sentences. The sentences are those of the client library.

use std::fmt::Write;

use clap::Args;
use clockbound_client::diagnostics::{self, Diagnostics, Statement, StatementKind, explain};
use serde::Serialize;

use crate::Global;
use crate::exit::{Exit, Outcome};
use crate::output::diagnostics_json::bound_ns;
use crate::output::{Paint, print_json, print_text};

/// The width of a line, in characters.
const LINE: usize = 80;

/// The arguments of `explain`.
#[derive(Debug, Args)]
pub struct Arguments {}

/// The explanation as JSON.
#[derive(Debug, Serialize)]
struct ExplainJson {
    status: &'static str,
    reason: &'static str,
    bound_ns: Option<i64>,
    statements: Vec<StatementJson>,
}

#[derive(Debug, Serialize)]
struct StatementJson {
    kind: &'static str,
    text: String,
    advice: Option<String>,
    chrony_conf: Vec<String>,
}

/// Runs the verb.
///
/// # Errors
/// [`Failure`](crate::exit::Failure).
pub fn run(_arguments: &Arguments, global: &Global) -> Outcome {
    let diagnostics = diagnostics::read(&global.directory)?;
    if global.json {
        print_json(&json(&diagnostics))?;
    } else {
        print_text(&text(&explain(&diagnostics), global.color.paint()))?;
    }
    Ok(Exit::Success)
}

fn json(diagnostics: &Diagnostics) -> ExplainJson {
    let record = &diagnostics.record;
    let is_trusted = diagnostics.status.is_trusted() && record.status.is_trusted();
    ExplainJson {
        status: diagnostics.status.as_str(),
        reason: diagnostics.reason.as_str(),
        bound_ns: is_trusted.then(|| bound_ns(record.earliest_ns, record.latest_ns)),
        statements: (explain(diagnostics).into_iter())
            .map(|statement| StatementJson {
                kind: statement.kind.as_str(),
                text: statement.text,
                advice: statement.advice,
                chrony_conf: statement.chrony_conf,
            })
            .collect(),
    }
}

/// The statements as paragraphs under a heading for each kind, with lines of at most [`LINE`]
/// characters except those for chrony.conf.
fn text(statements: &[Statement], paint: Paint) -> String {
    let mut text = String::new();
    let mut current = None;
    for statement in statements {
        let heading = heading(statement.kind);
        if current != Some(heading) {
            let gap = if current.is_some() { "\n" } else { "" };
            // Writing to a string does not fail.
            let _ = writeln!(text, "{gap}{}", paint.heading(heading));
            current = Some(heading);
        }
        text += &wrapped(&statement.text, "- ");
        if let Some(advice) = &statement.advice {
            text += &wrapped(advice, "  ");
        }
        if !statement.chrony_conf.is_empty() {
            text += "  In chrony.conf:\n";
        }
        for line in &statement.chrony_conf {
            let _ = writeln!(text, "      {line}");
        }
    }
    text
}

fn heading(kind: StatementKind) -> &'static str {
    match kind {
        StatementKind::Mark => "Not the clock",
        StatementKind::Status | StatementKind::Failure => "Status",
        StatementKind::Bound | StatementKind::Component => "Bound",
        StatementKind::Source => "Sources",
        StatementKind::Premise => "Premises at risk",
        StatementKind::Narrower => "What would make it narrower",
        _ => "Others",
    }
}

/// A paragraph in lines of at most [`LINE`] characters, the first one after `bullet`.
fn wrapped(paragraph: &str, bullet: &str) -> String {
    let mut lines = String::new();
    let mut line = bullet.to_owned();
    let mut is_empty = true;
    for word in paragraph.split_whitespace() {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > LINE {
            lines += &line;
            lines.push('\n');
            line = " ".repeat(bullet.len());
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line += word;
        is_empty = false;
    }
    lines += &line;
    lines.push('\n');
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn lines_are_at_most_as_wide_as_a_terminal() {
        for diagnostics in [fixture::synchronized(), fixture::no_claim()] {
            let text = text(&explain(&diagnostics), Paint::PLAIN);
            for line in text.lines() {
                assert!(line.len() <= LINE, "{line}");
            }
        }
        let long = "x".repeat(100);
        assert_eq!(wrapped(&long, "- "), format!("- {long}\n"));
        assert_eq!(
            wrapped(&format!("a {long} b"), "- "),
            format!("- a\n  {long}\n  b\n")
        );
    }

    #[test]
    fn each_heading_is_there_once() {
        let text = text(&explain(&fixture::synchronized()), Paint::PLAIN);
        for heading in ["Status\n", "Bound\n", "What would make it narrower\n"] {
            assert_eq!(text.matches(heading).count(), 1, "{heading}: {text}");
        }
    }
}
