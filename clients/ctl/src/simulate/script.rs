//! The script: its grammar, and its statements in the order of time.
//!
//! ```text
//! line      = [ "at" TIME ] action | "repeat" COUNT | "end" | ""
//! action    = setting...
//!           | "ramp" TIME ramped...
//!           | "wait" ( TIME | "forever" )
//!           | "gap" TIME
//!           | "restart" [ TIME ]
//!           | "disrupt" [ "unnoticed" TIME ]
//! setting   = "status" STATUS | "reason" REASON | "bound" TIME | "drift" RATE
//!           | "offset" [SIGN]TIME | "midpoint" [SIGN]TIME | "lie" [SIGN]TIME | "holdover" TIME
//! ramped    = ( "bound" | "offset" ) [FROM] ".." TO
//! ```
//! A `#` begins a comment. [`Script::parse`] is total: it returns a script or an error for every
//! text, and does no IO.

use shm_layout::{ClockStatus, Reason};
use thiserror::Error;

use super::units;

/// The greatest number of steps, with every round of `repeat` counted.
const MAX_STEPS: usize = 10_000;

/// The greatest depth of blocks.
const MAX_DEPTH: usize = 8;

const PPB_PER_ONE: i128 = 1_000_000_000;

/// A script that can be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// The steps in the order of time. No two of them overlap.
    pub steps: Vec<Step>,
    /// The length; `None` if the script has no end.
    pub length_ns: Option<i64>,
    /// The greatest rate at which an end of the interval moves against `CLOCK_REALTIME`, parts per
    /// billion of the script's time: that of a drift and of a ramp of the offset, in sum.
    pub greatest_rate_ppb: i64,
    /// The shortest holdover; `None` if the script sets none.
    pub least_holdover_ns: Option<i64>,
}

/// What a line of the script does, with the instants from the begin of the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When it begins, ns.
    pub start_ns: i64,
    /// When it ends, ns; not before `start_ns`.
    pub end_ns: i64,
    /// The number of the line; the first is 1.
    pub line: usize,
    /// What it does.
    pub action: Action,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Changes settings at once.
    Set(Vec<Setting>),
    /// Changes quantities steadily, until the step ends.
    Ramp(Vec<Ramp>),
    /// Changes nothing.
    Wait,
    /// Nothing is written until the step ends.
    Gap,
    /// The files are removed, and created again when the step ends.
    Restart,
    /// The disruption marker of the page changes. The publisher notices that when the step ends.
    Disrupt,
}

/// A setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// The status, with its usual reason.
    Status(ClockStatus),
    /// The reason.
    Reason(Reason),
    /// Half the width of the interval, ns.
    Bound(i64),
    /// How fast the interval grows, parts per billion.
    Drift(u32),
    /// By how much true time is ahead of `CLOCK_REALTIME`, ns.
    Offset(i64),
    /// By how much the midpoint of the interval is after true time, ns; at most the bound is used.
    Midpoint(i64),
    /// How far true time is outside the interval, ns: it is before the interval if positive, after
    /// it if negative, and inside if 0.
    Lie(i64),
    /// How long a record holds after the last report, ns.
    Holdover(i64),
}

/// A quantity that changes steadily.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ramp {
    /// Which quantity.
    pub of: Ramped,
    /// Where it begins, ns; `None` for where it is.
    pub from_ns: Option<i64>,
    /// Where it ends, ns.
    pub to_ns: i64,
}

/// A quantity that can change steadily.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ramped {
    /// As [`Setting::Bound`].
    Bound,
    /// As [`Setting::Offset`].
    Offset,
}

/// Why a text is not a script.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("line {line}: {problem}")]
pub struct ScriptError {
    /// The number of the line; the first is 1.
    pub line: usize,
    /// What was found there, and what was expected.
    pub problem: String,
}

/// A line, before its instants are known.
#[derive(Clone, Debug)]
enum Item {
    Statement(Statement),
    Repeat { rounds: u32, body: Vec<Item> },
}

#[derive(Clone, Debug)]
struct Statement {
    line: usize,
    at_ns: Option<i64>,
    lasts_ns: i64,
    is_endless: bool,
    action: Action,
}

impl Script {
    /// The script of a text.
    ///
    /// # Errors
    /// [`ScriptError`], with the first line that is wrong.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        let items = blocks(text)?;
        let mut timeline = Timeline::default();
        timeline.place(&items, 0)?;
        if timeline.steps.is_empty() {
            let problem = "the script has no statement".to_owned();
            return Err(ScriptError { line: 1, problem });
        }
        Ok(Self {
            steps: timeline.steps,
            length_ns: (!timeline.is_endless).then_some(timeline.now_ns),
            greatest_rate_ppb: timeline.drift_ppb.saturating_add(timeline.slope_ppb),
            least_holdover_ns: timeline.holdover_ns,
        })
    }

    /// The first instant after `t_ns` at which a step begins or ends.
    pub fn next_change_after(&self, t_ns: i64) -> Option<i64> {
        let index = self.steps.partition_point(|step| step.end_ns <= t_ns);
        let step = self.steps.get(index)?;
        Some(if step.start_ns > t_ns {
            step.start_ns
        } else {
            step.end_ns
        })
    }
}

/// Places statements in time.
#[derive(Default)]
struct Timeline {
    steps: Vec<Step>,
    now_ns: i64,
    is_endless: bool,
    /// The offset so far.
    offset_ns: i64,
    /// The greatest drift and the greatest slope of the offset so far.
    drift_ppb: i64,
    slope_ppb: i64,
    holdover_ns: Option<i64>,
}

impl Timeline {
    /// Adds the steps of a block that begins at `begin_ns`.
    fn place(&mut self, items: &[Item], begin_ns: i64) -> Result<(), ScriptError> {
        for item in items {
            match item {
                Item::Statement(statement) => self.add(statement, begin_ns)?,
                Item::Repeat { rounds, body } => {
                    for _ in 0..*rounds {
                        self.place(body, self.now_ns)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, statement: &Statement, begin_ns: i64) -> Result<(), ScriptError> {
        let line = statement.line;
        let wrong = |problem: String| Err(ScriptError { line, problem });
        if self.is_endless {
            return wrong("nothing can follow \"wait forever\"".to_owned());
        }
        if self.steps.len() >= MAX_STEPS {
            return wrong(format!(
                "the script has more than {MAX_STEPS} steps, with every round counted"
            ));
        }
        let start_ns = statement
            .at_ns
            .map_or(self.now_ns, |at_ns| begin_ns + at_ns);
        if start_ns < self.now_ns {
            let (at, earliest) = (start_ns - begin_ns, self.now_ns - begin_ns);
            return wrong(format!(
                "found the time {}, expected {} or later, when the statement before it ends",
                units::seconds(at),
                units::seconds(earliest)
            ));
        }
        let end_ns = start_ns + statement.lasts_ns;
        if end_ns > units::MAX_TIME_NS {
            return wrong("the script is longer than 366 days".to_owned());
        }
        self.note(&statement.action, statement.lasts_ns)
            .or_else(wrong)?;
        self.now_ns = end_ns;
        self.is_endless = statement.is_endless;
        self.steps.push(Step {
            start_ns,
            end_ns,
            line,
            action: statement.action.clone(),
        });
        Ok(())
    }

    /// Notes what the limits of a script depend on.
    fn note(&mut self, action: &Action, lasts_ns: i64) -> Result<(), String> {
        match action {
            Action::Set(settings) => {
                for setting in settings {
                    match *setting {
                        Setting::Offset(ns) => self.offset_ns = ns,
                        Setting::Drift(ppb) => self.drift_ppb = self.drift_ppb.max(ppb.into()),
                        Setting::Holdover(ns) => {
                            self.holdover_ns =
                                Some(self.holdover_ns.map_or(ns, |least| least.min(ns)));
                        }
                        _ => {}
                    }
                }
            }
            Action::Ramp(ramps) => {
                for ramp in ramps.iter().filter(|ramp| ramp.of == Ramped::Offset) {
                    let from_ns = ramp.from_ns.unwrap_or(self.offset_ns);
                    let slope_ppb = slope_ppb(from_ns, ramp.to_ns, lasts_ns).abs();
                    if slope_ppb > i64::from(units::MAX_RATE_PPB) {
                        return Err(
                            "the offset changes by more than 100000 ppm, expected a longer ramp"
                                .to_owned(),
                        );
                    }
                    self.slope_ppb = self.slope_ppb.max(slope_ppb);
                    self.offset_ns = ramp.to_ns;
                }
            }
            Action::Wait | Action::Gap | Action::Restart | Action::Disrupt => {}
        }
        Ok(())
    }
}

/// How fast a quantity that goes from one value to another in `lasts_ns` changes, parts per
/// billion, rounded away from zero.
pub fn slope_ppb(from_ns: i64, to_ns: i64, lasts_ns: i64) -> i64 {
    let scaled = (i128::from(to_ns) - i128::from(from_ns)) * PPB_PER_ONE;
    let lasts = i128::from(lasts_ns.max(1));
    let magnitude = (scaled.abs() + lasts - 1) / lasts;
    i64::try_from(magnitude * scaled.signum()).unwrap_or(i64::MAX)
}

/// The lines of the script, with `repeat` and `end` resolved.
fn blocks(text: &str) -> Result<Vec<Item>, ScriptError> {
    // The open blocks: the line and the rounds of each, and the items so far.
    let mut open: Vec<(usize, u32, Vec<Item>)> = Vec::new();
    let mut items = Vec::new();
    for (index, text) in text.lines().enumerate() {
        let line = index + 1;
        let wrong = |problem: String| ScriptError { line, problem };
        let text = text.split('#').next().unwrap_or_default();
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[..] {
            [] => {}
            ["repeat", ref rest @ ..] => {
                if open.len() >= MAX_DEPTH {
                    return Err(wrong(format!("blocks are nested deeper than {MAX_DEPTH}")));
                }
                let rounds = rounds(rest).map_err(wrong)?;
                open.push((line, rounds, std::mem::take(&mut items)));
            }
            ["end", ref rest @ ..] => {
                no_more(rest).map_err(wrong)?;
                let (_, rounds, outer) = open
                    .pop()
                    .ok_or_else(|| wrong("\"end\" without a \"repeat\" before it".to_owned()))?;
                let body = std::mem::replace(&mut items, outer);
                items.push(Item::Repeat { rounds, body });
            }
            _ => items.push(Item::Statement(statement(&words, line).map_err(wrong)?)),
        }
    }
    match open.last() {
        Some(&(line, ..)) => {
            let problem = "\"repeat\" without an \"end\" after it".to_owned();
            Err(ScriptError { line, problem })
        }
        None => Ok(items),
    }
}

fn rounds(words: &[&str]) -> Result<u32, String> {
    let (&[word], expected) = (words, "expected a number of rounds from 1 to 10000") else {
        return Err(format!(
            "found {} words after \"repeat\", expected a number of rounds",
            words.len()
        ));
    };
    let rounds = word
        .parse()
        .ok()
        .filter(|rounds| (1..=10_000).contains(rounds));
    rounds.ok_or_else(|| format!("found \"{word}\", {expected}"))
}

/// The statement of the words of a line.
fn statement(words: &[&str], line: usize) -> Result<Statement, String> {
    let (at_ns, words) = match words {
        ["at", rest @ ..] => {
            let (ns, rest) = take(rest, "a time such as 10s after \"at\"", units::time)?;
            (Some(ns), rest)
        }
        words => (None, words),
    };
    let (lasts_ns, is_endless, action) = match words {
        [] => {
            return Err(format!("found the end of the line, expected {STATEMENTS}"));
        }
        ["wait", "forever", rest @ ..] => {
            no_more(rest)?;
            (0, true, Action::Wait)
        }
        ["wait", rest @ ..] => {
            let expected = "a time such as 10s, or \"forever\", after \"wait\"";
            (only(rest, expected)?, false, Action::Wait)
        }
        ["gap", rest @ ..] => {
            let lasts_ns = only(rest, "a time such as 10s after \"gap\"")?;
            (lasts_ns, false, Action::Gap)
        }
        ["restart"] => (0, false, Action::Restart),
        ["restart", rest @ ..] => {
            let lasts_ns = only(rest, "a time such as 1s after \"restart\", or nothing")?;
            (lasts_ns, false, Action::Restart)
        }
        ["disrupt"] => (0, false, Action::Disrupt),
        ["disrupt", "unnoticed", rest @ ..] => {
            let lasts_ns = only(rest, "a time such as 1s after \"unnoticed\"")?;
            (lasts_ns, false, Action::Disrupt)
        }
        ["disrupt", word, ..] => {
            return Err(format!(
                "found \"{word}\", expected \"unnoticed\" or the end of the line after \"disrupt\""
            ));
        }
        ["ramp", rest @ ..] => {
            let (lasts_ns, rest) = take(rest, "a time such as 10s after \"ramp\"", units::time)?;
            if lasts_ns == 0 {
                return Err("found the time 0, expected a longer time after \"ramp\"".to_owned());
            }
            (lasts_ns, false, Action::Ramp(ramps(rest)?))
        }
        words => (0, false, Action::Set(settings(words)?)),
    };
    Ok(Statement {
        line,
        at_ns,
        lasts_ns,
        is_endless,
        action,
    })
}

const STATEMENTS: &str = "a statement (wait, ramp, gap, restart, disrupt, repeat, end) or a setting \
                          (status, reason, bound, drift, offset, midpoint, lie, holdover)";

/// The settings of a line.
fn settings(mut words: &[&str]) -> Result<Vec<Setting>, String> {
    const BOUND: &str = "a time such as 500us after \"bound\"";
    let mut settings = Vec::new();
    let mut names = Vec::new();
    while let [name, rest @ ..] = words {
        let (setting, rest) = match *name {
            "status" => {
                let expected = format!("one of {} after \"status\"", units::status_names());
                let (status, rest) = take(rest, &expected, units::status)?;
                (Setting::Status(status), rest)
            }
            "reason" => {
                let expected = format!("one of {} after \"reason\"", units::reason_names());
                let (reason, rest) = take(rest, &expected, units::reason)?;
                (Setting::Reason(reason), rest)
            }
            "bound" => {
                let (ns, rest) = take(rest, BOUND, units::time)?;
                (Setting::Bound(ns), rest)
            }
            "drift" => {
                let expected = "a rate such as 50ppm or 200ppb, up to 100000ppm, after \"drift\"";
                let (ppb, rest) = take(rest, expected, units::rate)?;
                (Setting::Drift(ppb), rest)
            }
            "offset" => {
                let expected = "a time such as 5ms or -5ms after \"offset\"";
                let (ns, rest) = take(rest, expected, units::signed_time)?;
                (Setting::Offset(ns), rest)
            }
            "midpoint" => {
                let expected = "a time such as 5ms or -5ms after \"midpoint\"";
                let (ns, rest) = take(rest, expected, units::signed_time)?;
                (Setting::Midpoint(ns), rest)
            }
            "lie" => {
                let expected = "a time such as 5ms or -5ms, or 0, after \"lie\"";
                let (ns, rest) = take(rest, expected, units::signed_time)?;
                (Setting::Lie(ns), rest)
            }
            "holdover" => {
                let expected = "a time such as 60s after \"holdover\"";
                let (ns, rest) = take(rest, expected, units::time)?;
                (Setting::Holdover(ns), rest)
            }
            "at" => {
                return Err("found \"at\" amid the line, expected it at its begin".to_owned());
            }
            word if names.is_empty() => {
                return Err(format!("found \"{word}\", expected {STATEMENTS}"));
            }
            word => {
                return Err(format!(
                    "found \"{word}\", expected another setting (status, reason, bound, drift, \
                     offset, midpoint, lie, holdover) or the end of the line"
                ));
            }
        };
        if names.contains(name) {
            return Err(format!("found a second \"{name}\" in one line"));
        }
        names.push(*name);
        settings.push(setting);
        words = rest;
    }
    // A reason replaces that of the status, wherever it is written.
    settings.sort_by_key(|setting| !matches!(setting, Setting::Status(_)));
    Ok(settings)
}

/// The quantities of a ramp.
fn ramps(mut words: &[&str]) -> Result<Vec<Ramp>, String> {
    let mut ramps: Vec<Ramp> = Vec::new();
    while let [name, rest @ ..] = words {
        let of = match *name {
            "bound" => Ramped::Bound,
            "offset" => Ramped::Offset,
            word => {
                return Err(format!(
                    "found \"{word}\", expected \"bound\" or \"offset\" after the time of the ramp"
                ));
            }
        };
        let example = match of {
            Ramped::Bound => "a range such as 500us..20ms, or ..20ms from the present value",
            Ramped::Offset => "a range such as -5ms..5ms, or ..5ms from the present value",
        };
        let range = |word: &str| range(word, of);
        let ((from_ns, to_ns), rest) = take(rest, example, range)?;
        if ramps.iter().any(|ramp| ramp.of == of) {
            return Err(format!("found a second \"{name}\" in one line"));
        }
        ramps.push(Ramp { of, from_ns, to_ns });
        words = rest;
    }
    if ramps.is_empty() {
        return Err(
            "found the end of the line, expected \"bound\" or \"offset\" after the time of the ramp"
                .to_owned(),
        );
    }
    Ok(ramps)
}

fn range(word: &str, of: Ramped) -> Option<(Option<i64>, i64)> {
    let value = match of {
        Ramped::Bound => units::time,
        Ramped::Offset => units::signed_time,
    };
    let (from, to) = word.split_once("..")?;
    let from_ns = match from {
        "" => None,
        from => Some(value(from)?),
    };
    Some((from_ns, value(to)?))
}

/// The value of the first word, and the words after it.
fn take<'w, 't, T>(
    words: &'w [&'t str],
    expected: &str,
    value: impl Fn(&str) -> Option<T>,
) -> Result<(T, &'w [&'t str]), String> {
    let [word, rest @ ..] = words else {
        return Err(format!("found the end of the line, expected {expected}"));
    };
    match value(word) {
        Some(value) => Ok((value, rest)),
        None => Err(format!("found \"{word}\", expected {expected}")),
    }
}

/// The time of the only word.
fn only(words: &[&str], expected: &str) -> Result<i64, String> {
    let (ns, rest) = take(words, expected, units::time)?;
    no_more(rest)?;
    Ok(ns)
}

fn no_more(words: &[&str]) -> Result<(), String> {
    match words {
        [] => Ok(()),
        [word, ..] => Err(format!("found \"{word}\", expected the end of the line")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;

    #[test]
    fn a_script_is_placed_in_time() {
        let script = Script::parse(
            "# widths, then a flap\n\
             at 0s status synchronized bound 500us\n\
             ramp 10s bound 500us..20ms   # wider\n\
             \n\
             at 30s reason chrony_silent status unknown\n\
             repeat 2\n\
             at 1s gap 2s\n\
             end\n\
             disrupt unnoticed 1s\n\
             wait forever\n",
        )
        .expect("a script");
        let steps: Vec<_> = script
            .steps
            .iter()
            .map(|step| (step.line, step.start_ns / S, step.end_ns / S, &step.action))
            .collect();
        let set = |settings: &[Setting]| Action::Set(settings.to_vec());
        let first = set(&[
            Setting::Status(ClockStatus::Synchronized),
            Setting::Bound(500_000),
        ]);
        let ramp = Action::Ramp(vec![Ramp {
            of: Ramped::Bound,
            from_ns: Some(500_000),
            to_ns: 20_000_000,
        }]);
        let unknown = set(&[
            Setting::Status(ClockStatus::Unknown),
            Setting::Reason(Reason::ChronySilent),
        ]);
        assert_eq!(
            steps,
            [
                (2, 0, 0, &first),
                (3, 0, 10, &ramp),
                (5, 30, 30, &unknown),
                (7, 31, 33, &Action::Gap),
                (7, 34, 36, &Action::Gap),
                (9, 36, 37, &Action::Disrupt),
                (10, 37, 37, &Action::Wait),
            ]
        );
        assert_eq!(script.length_ns, None);
    }

    #[test]
    fn an_error_names_the_line_and_what_was_expected() {
        for (text, line, problem) in [
            ("", 1, "the script has no statement"),
            ("# nothing\n\n", 1, "the script has no statement"),
            (
                "\nstatsu unknown",
                2,
                "found \"statsu\", expected a statement (wait, ramp, ",
            ),
            (
                "status",
                1,
                "found the end of the line, expected one of unknown, synchronized",
            ),
            (
                "status good",
                1,
                "found \"good\", expected one of unknown, synchronized",
            ),
            (
                "reason daemon_silent",
                1,
                "found \"daemon_silent\", expected one of tracking",
            ),
            (
                "bound 5",
                1,
                "found \"5\", expected a time such as 500us after \"bound\"",
            ),
            (
                "bound -5us",
                1,
                "found \"-5us\", expected a time such as 500us",
            ),
            (
                "bound 1ms 2ms",
                1,
                "found \"2ms\", expected another setting",
            ),
            (
                "bound 1ms bound 2ms",
                1,
                "found a second \"bound\" in one line",
            ),
            ("bound 1ms at 5s", 1, "found \"at\" amid the line"),
            ("drift 5%", 1, "found \"5%\", expected a rate such as 50ppm"),
            (
                "at status unknown",
                1,
                "found \"status\", expected a time such as 10s after \"at\"",
            ),
            (
                "at 5s",
                1,
                "found the end of the line, expected a statement",
            ),
            (
                "wait",
                1,
                "found the end of the line, expected a time such as 10s, or \"forever\"",
            ),
            (
                "wait 5s 6s",
                1,
                "found \"6s\", expected the end of the line",
            ),
            (
                "wait forever\nwait 1s",
                2,
                "nothing can follow \"wait forever\"",
            ),
            (
                "repeat 2\nwait forever\nend",
                2,
                "nothing can follow \"wait forever\"",
            ),
            (
                "wait 5s\nat 4.5s gap 1s",
                2,
                "found the time 4.5s, expected 5s or later",
            ),
            (
                "repeat 2\nwait 1s\nat 0.5s gap 1s\nend",
                3,
                "found the time 0.5s, expected 1s",
            ),
            (
                "repeat",
                1,
                "found 0 words after \"repeat\", expected a number of rounds",
            ),
            (
                "repeat x\nend",
                1,
                "found \"x\", expected a number of rounds from 1 to 10000",
            ),
            (
                "repeat 0\nend",
                1,
                "found \"0\", expected a number of rounds from 1",
            ),
            (
                "wait 1s\nrepeat 2\nwait 1s",
                2,
                "\"repeat\" without an \"end\" after it",
            ),
            ("end", 1, "\"end\" without a \"repeat\" before it"),
            (
                "repeat 101\nrepeat 100\nwait 1s\nend\nend",
                3,
                "the script has more than 10000",
            ),
            (
                "repeat 10000\nwait 1h\nend",
                2,
                "the script is longer than 366 days",
            ),
            (
                "ramp 0s bound 1ms..2ms",
                1,
                "found the time 0, expected a longer time",
            ),
            (
                "ramp 1s",
                1,
                "found the end of the line, expected \"bound\" or \"offset\"",
            ),
            (
                "ramp 1s drift 1ppm..2ppm",
                1,
                "found \"drift\", expected \"bound\" or \"offset\"",
            ),
            (
                "ramp 1s bound 1ms",
                1,
                "found \"1ms\", expected a range such as 500us..20ms",
            ),
            (
                "ramp 1s offset 0..1s",
                1,
                "the offset changes by more than 100000 ppm",
            ),
            (
                "offset 1s\nramp 1s offset ..0",
                2,
                "the offset changes by more than 100000 ppm",
            ),
            (
                "disrupt now",
                1,
                "found \"now\", expected \"unnoticed\" or the end of the line",
            ),
        ] {
            let err = Script::parse(text).expect_err(text);
            assert_eq!(err.line, line, "{text:?}: {err}");
            assert!(err.problem.starts_with(problem), "{text:?}: {err}");
            assert!(err.to_string().starts_with(&format!("line {line}: ")));
        }
    }

    #[test]
    fn blocks_that_are_nested_too_deeply_are_refused() {
        let nested = |depth| "repeat 1\n".repeat(depth) + "wait 1s\n" + &"end\n".repeat(depth);
        assert!(Script::parse(&nested(MAX_DEPTH)).is_ok());
        assert!(Script::parse(&nested(MAX_DEPTH + 1)).is_err());
    }

    #[test]
    fn the_limits_of_a_script_are_known() {
        let script = Script::parse(
            "drift 50ppm holdover 60s offset -1ms\nramp 1s offset ..1ms\ndrift 1ppm holdover 10s",
        )
        .expect("a script");
        assert_eq!(script.greatest_rate_ppb, 50_000 + 2_000_000);
        assert_eq!(script.least_holdover_ns, Some(10 * S));
        let script = Script::parse("wait 1s").expect("a script");
        assert_eq!(
            (script.greatest_rate_ppb, script.least_holdover_ns),
            (0, None)
        );
    }
}
