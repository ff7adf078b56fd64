//! What is printed while a script is played.

use std::io::{self, Write as _};

use serde::Serialize;

use super::files::Files;
use super::player::State;
use super::publisher::End;
use super::script::Script;
use crate::output::print_json;

/// One line of JSON.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event<'a> {
    /// All segments have the first state.
    Ready {
        directory: String,
        segments: Vec<&'static str>,
        pid: u32,
        /// `None` if the script has no end.
        length_ns: Option<i64>,
    },
    /// A step has begun, and is published.
    Step {
        line: usize,
        text: &'a str,
        at_ns: i64,
        status: &'static str,
        reason: &'static str,
        /// Half the width of the interval.
        bound_ns: i64,
        /// True time is `CLOCK_REALTIME` plus this.
        true_offset_ns: i64,
        /// Whether the interval contains true time, or claims nothing.
        is_true: bool,
    },
    /// The playing has ended.
    End { cause: &'static str },
}

/// Prints events.
#[derive(Debug)]
pub struct Events {
    /// The lines of the script.
    pub lines: Vec<String>,
    /// As JSON; otherwise the first event alone is printed, as the word `ready`.
    pub is_json: bool,
}

impl Events {
    /// All segments have the first state.
    ///
    /// # Errors
    /// Those of standard output.
    pub fn ready(&self, script: &Script, files: &Files) -> io::Result<()> {
        if self.is_json {
            return print_json(&Event::Ready {
                directory: files.directory().display().to_string(),
                segments: files.published().collect(),
                pid: std::process::id(),
                length_ns: script.length_ns,
            });
        }
        let mut out = io::stdout().lock();
        out.write_all(b"ready\n")?;
        out.flush()
    }

    /// `state` is published, at `t_ns`. All steps but the first `begun` are new; returns how many
    /// have begun now.
    ///
    /// # Errors
    /// Those of standard output.
    pub fn begun(
        &self,
        script: &Script,
        begun: usize,
        t_ns: i64,
        state: &State,
    ) -> io::Result<usize> {
        let steps = script.steps.iter().skip(begun);
        let mut count = begun;
        for step in steps.take_while(|step| step.start_ns <= t_ns) {
            count += 1;
            if !self.is_json {
                continue;
            }
            let text = self.lines.get(step.line.saturating_sub(1));
            print_json(&Event::Step {
                line: step.line,
                text: text.map_or("", |text| text.trim()),
                at_ns: step.start_ns,
                status: state.status.as_str(),
                reason: state.reason.as_str(),
                bound_ns: state.half_width_ns(),
                true_offset_ns: state.offset_ns,
                is_true: state.is_true(),
            })?;
        }
        Ok(count)
    }

    /// The playing has ended.
    ///
    /// # Errors
    /// Those of standard output.
    pub fn ended(&self, end: End) -> io::Result<()> {
        if !self.is_json {
            return Ok(());
        }
        let cause = match end {
            End::Script => "script",
            End::Signal => "signal",
        };
        print_json(&Event::End { cause })
    }
}
