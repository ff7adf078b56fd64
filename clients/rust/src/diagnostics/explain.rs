//! The diagnostics in sentences: why the interval is so wide or not trusted, since when, and what
//! would make it narrower.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use shm_layout::Reason;

use super::present::half_width_ns as half_ns;
use super::text::{
    duration_ns, poll_interval, poll_interval_ns, reference_id, source_address, span_ns,
};
use super::{BUDGET_TERMS, Diagnostics, DiagnosticsRecord, Source, SourceAddress, SourceState};

/// A term of the error budget is mentioned if it is at least this part of the bound, percent.
const MENTIONED_PERCENT: i64 = 2;
/// Advice is given on a term that is, or becomes, at least this part of the bound, percent.
const ADVISED_PERCENT: i64 = 25;
/// The polling interval that is advised for servers of others, as a base 2 logarithm of seconds.
const FREQUENT_POLL: i8 = 4;
/// The polling interval that is advised for servers of the same network.
const MOST_FREQUENT_POLL: i8 = 0;
/// A server with a smaller root delay is taken for one of the same network, ns.
const NEAR_NS: i64 = 2_000_000;
/// A reference clock with a smaller root delay has no option `delay`, ns. Without it chronyd assumes
/// 1 ns.
const DECLARED_DELAY_NS: i64 = 100;
/// A plain crystal's `--max-drift-rate` that can be lowered if the frequency was recorded, ppb.
const LEAST_CRYSTAL_PPB: u32 = 5_000;

/// What a [`Statement`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StatementKind {
    /// The record is of a drill or of a simulation.
    Mark,
    /// The status and its reason.
    Status,
    /// The last reports are unusable, while the status has not changed yet.
    Failure,
    /// The width of the interval.
    Bound,
    /// A term of the error budget.
    Component,
    /// A source.
    Source,
    /// The declared errors of a source may be too small, so that the interval may miss true time.
    Premise,
    /// What would make the interval narrower.
    Narrower,
}

impl StatementKind {
    /// Returns the name used by tools.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mark => "mark",
            Self::Status => "status",
            Self::Failure => "failure",
            Self::Bound => "bound",
            Self::Component => "component",
            Self::Source => "source",
            Self::Premise => "premise",
            Self::Narrower => "narrower",
        }
    }
}

impl fmt::Display for StatementKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that the diagnostics say.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statement {
    /// What it is about.
    pub kind: StatementKind,
    /// One or more sentences.
    pub text: String,
    /// What can be done about it, as one or more sentences.
    pub advice: Option<String>,
    /// Lines for chrony.conf that do it. What depends on the host is in capital letters.
    pub chrony_conf: Vec<String>,
}

impl Statement {
    fn new(kind: StatementKind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
            advice: None,
            chrony_conf: Vec::new(),
        }
    }

    fn advising(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    fn with_lines(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.chrony_conf.extend(lines);
        self
    }
}

impl fmt::Display for Statement {
    /// The text, the advice, and the lines for chrony.conf, each line indented by four spaces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        if let Some(advice) = &self.advice {
            write!(f, " {advice}")?;
        }
        for line in &self.chrony_conf {
            write!(f, "\n    {line}")?;
        }
        Ok(())
    }
}

/// Explains the diagnostics: marks, status, the bound by its components and sources, and what would
/// make the interval narrower, in this order. There is always a statement on the status.
#[must_use]
pub fn explain(diagnostics: &Diagnostics) -> Vec<Statement> {
    let record = &diagnostics.record;
    let mut statements = marks(record);
    statements.push(status(diagnostics));
    statements.extend(failure(diagnostics));
    if record.status.is_trusted() && diagnostics.status.is_trusted() {
        let bound = Bound::of(diagnostics);
        statements.push(bound_statement(diagnostics, &bound));
        statements.extend(components(&bound));
    }
    if diagnostics.is_current() {
        statements.extend(sources(diagnostics));
    }
    if record.status.is_trusted() && diagnostics.status.is_trusted() {
        statements.extend(premises(record));
    }
    // In holdover the bound grows until there is a measurement, whatever is configured.
    if diagnostics.status == super::Status::Synchronized {
        statements.extend(narrower(&Bound::of(diagnostics)));
    }
    statements
}

/// Returns a clause without a subject before it that says what a reason means.
#[must_use]
pub fn meaning(reason: Reason) -> &'static str {
    match reason {
        Reason::Tracking => "measurements arrive and agree",
        Reason::NeverSynchronized => {
            "there has been no usable measurement, and there was no interval to resume"
        }
        Reason::Resumed => {
            "the interval was published before the daemon was restarted, and there is no \
             measurement since"
        }
        Reason::SlewInFlight => {
            "CLOCK_REALTIME is being slewed, or chronyd does not discipline it (written by daemons \
             before 0.2)"
        }
        Reason::ChronySilent => "chronyd does not respond",
        Reason::ReportRefused => "chronyd refuses the requests, or sends implausible reports",
        Reason::LeapUnsynchronized => "chronyd reports that its clock is not synchronised",
        Reason::SourceUnreachable => "no usable source has answered chronyd's last eight polls",
        Reason::LocalReference => "chronyd is in its local mode and has no reference",
        Reason::ClockStepped => "the machine was suspended, and there is no measurement since",
        Reason::PhcUnreadable => {
            "the error bound of the PTP hardware clock is missing, too old or implausible"
        }
        Reason::HoldoverExpired => "there has been no usable source for longer than --holdover",
        Reason::BoundOverCap => "the bound is above --max-bound",
        Reason::Disrupted => "the clock was disrupted, and there is no measurement since",
        Reason::DaemonSilent => "the daemon does not renew the record",
        Reason::Contradiction => {
            "a measurement is disjoint from the held interval; the hull of both is published until \
             further measurements have decided between them"
        }
        Reason::SourcesDisagree => {
            "more than half of the reachable sources are disjoint from the published interval, or \
             more sources are wrong than --falsetickers allows; the hull is published"
        }
        Reason::TooFewSources => "fewer sources are reachable than --falsetickers requires",
        Reason::PermissionDenied => "the daemon is not permitted to query chronyd",
        Reason::Retired => "the daemon does not publish this file any more",
        Reason::Untold => "the reason is one that this version does not define",
    }
}

/// The record is not of this host's clock.
fn marks(record: &DiagnosticsRecord) -> Vec<Statement> {
    let mut marks = Vec::new();
    if record.is_simulated {
        let text = "A program wrote this record for a test: the interval is not that of the clock.";
        marks.push(Statement::new(StatementKind::Mark, text));
    }
    if record.is_drill {
        let text = "A drill is in progress: the status and the reason are not those of the clock.";
        let advice = "clockboundctl drill --off --yes ends it.";
        marks.push(Statement::new(StatementKind::Mark, text).advising(advice));
    }
    marks
}

fn status(diagnostics: &Diagnostics) -> Statement {
    let record = &diagnostics.record;
    let since_ns = if diagnostics.is_as_published() {
        record.reason_since_ns
    } else {
        record.as_of_ns
    };
    let mut text = format!(
        "The status is {} for {}, {}: {}.",
        diagnostics.status,
        span_ns(diagnostics.now_ns.saturating_sub(since_ns)),
        diagnostics.reason,
        meaning(diagnostics.reason)
    );
    if !diagnostics.is_as_published() {
        text += &format!(
            " The last record is {} old and says {} ({}).",
            span_ns(age_ns(diagnostics)),
            record.status,
            record.reason
        );
    }
    if !diagnostics.status.is_trusted() {
        text += " Nothing is claimed: do not use the interval.";
    } else if is_held_over(diagnostics) {
        text += &format!(
            " The last interval is held over: it contains true time, and its bound grows by {} a \
             second. In {} nothing is claimed any more.",
            duration_ns(growth_ns(record, 1_000_000_000)),
            span_ns(record.void_after_ns.saturating_sub(diagnostics.now_ns))
        );
    }
    let statement = Statement::new(StatementKind::Status, text);
    if record.is_drill {
        return statement;
    }
    // Whatever the last record says, first the daemon has to run.
    let reason = match diagnostics.reason {
        Reason::Retired => Reason::Retired,
        _ if !diagnostics.is_current() => Reason::DaemonSilent,
        reason => reason,
    };
    match remedy(reason, record) {
        Some((advice, lines)) => statement.advising(advice).with_lines(lines),
        None => statement,
    }
}

/// Why the last reports are unusable, if that is not the reason of the status.
fn failure(diagnostics: &Diagnostics) -> Option<Statement> {
    let record = &diagnostics.record;
    let is_said = [Reason::Tracking, diagnostics.reason].contains(&record.failure);
    if is_said || !diagnostics.is_current() {
        return None;
    }
    let since_ns = diagnostics.now_ns.saturating_sub(record.failure_since_ns);
    let mut text = format!(
        "The reports of the last {} are unusable, {}: {}.",
        span_ns(since_ns),
        record.failure,
        meaning(record.failure)
    );
    if diagnostics.status == super::Status::Synchronized {
        text += &format!(
            " After --chrony-grace, {}, the status becomes free_running.",
            span_ns(record.settings.grace_ns)
        );
    }
    let statement = Statement::new(StatementKind::Failure, text);
    Some(match remedy(record.failure, record) {
        Some((advice, lines)) => statement.advising(advice).with_lines(lines),
        None => statement,
    })
}

/// What can be done about a reason, with lines for chrony.conf.
fn remedy(reason: Reason, record: &DiagnosticsRecord) -> Option<(String, Vec<String>)> {
    let (advice, lines): (&str, Vec<String>) = match reason {
        Reason::NeverSynchronized => (
            "chronyd selects a source after its first measurements. iburst in the line of each \
             source makes it measure within seconds after a start.",
            iburst_lines(record),
        ),
        Reason::ChronySilent => (
            "Start chronyd, or find why it hangs. --chrony-socket has to be its command socket.",
            Vec::new(),
        ),
        Reason::ReportRefused => ("The daemon's log has the reply of chronyd.", Vec::new()),
        Reason::LeapUnsynchronized => (
            "chronyd has not selected a source: `chronyc sources` and `chronyc selectdata` show \
             why.",
            Vec::new(),
        ),
        Reason::SourceUnreachable | Reason::HoldoverExpired => (
            "Check the network, and that no firewall blocks the sources (UDP port 123), or add \
             other sources.",
            vec!["server OTHER-SERVER iburst minpoll 4 maxpoll 4".to_owned()],
        ),
        Reason::LocalReference => (
            "chronyd serves its own clock because of the directive `local`. Add a source, or run \
             the daemon with --allow-local-reference if this clock is the reference.",
            vec!["server OTHER-SERVER iburst minpoll 4 maxpoll 4".to_owned()],
        ),
        Reason::PhcUnreadable => (
            "Check the interface of --phc-interface and its driver. The daemon's log has the file \
             and the error.",
            Vec::new(),
        ),
        Reason::BoundOverCap => return Some((bound_over_cap(record), Vec::new())),
        Reason::DaemonSilent => (
            "`systemctl status clockbound` shows whether the daemon is running.",
            Vec::new(),
        ),
        Reason::Contradiction | Reason::SourcesDisagree => return Some(disagreement(record)),
        Reason::TooFewSources => return Some(too_few_sources(record)),
        Reason::PermissionDenied => (
            "Run the daemon as chronyd's user, which is the only one with access to chronyd's \
             socket.",
            Vec::new(),
        ),
        Reason::Resumed | Reason::ClockStepped | Reason::Disrupted => {
            ("The next measurement of chronyd ends this.", Vec::new())
        }
        Reason::Tracking | Reason::SlewInFlight | Reason::Retired | Reason::Untold => return None,
    };
    Some((advice.to_owned(), lines))
}

fn bound_over_cap(record: &DiagnosticsRecord) -> String {
    format!(
        "--max-bound is {}. The bound falls below it with narrower sources or shorter polls. \
         Without --max-bound the interval is published however wide it is.",
        duration_ns(record.settings.max_bound_ns)
    )
}

fn disagreement(record: &DiagnosticsRecord) -> (String, Vec<String>) {
    let suspects = suspects(record);
    let named = if suspects.is_empty() {
        String::new()
    } else {
        let names = names(&suspects);
        format!(" The fewest others agree with {names}.")
    };
    let advice = format!(
        "Find the wrong source and remove its line from chrony.conf.{named} A source that smears \
         leap seconds beside one that does not, and a source behind a path with unequal delays \
         that it does not declare, are usual causes."
    );
    (advice, Vec::new())
}

/// The reachable sources whose own intervals have a common instant with the fewest others; none if
/// that is the same number for all. The published interval does not show them, because it is the
/// hull.
fn suspects(record: &DiagnosticsRecord) -> Vec<&Source> {
    let own: Vec<(&Source, (i64, i64))> = (record.sources.iter())
        .filter(|source| source.reachability != 0)
        .filter_map(|source| Some((source, source.own_ns?)))
        .collect();
    let agreeing = |(_, (earliest_ns, latest_ns)): &(&Source, (i64, i64))| {
        let others = own.iter().map(|(_, other)| other);
        others
            .filter(|other| *earliest_ns <= other.1 && other.0 <= *latest_ns)
            .count()
    };
    let counts: Vec<usize> = own.iter().map(agreeing).collect();
    let fewest = counts.iter().copied().min();
    if fewest == counts.iter().copied().max() {
        return Vec::new();
    }
    (own.iter().zip(&counts))
        .filter(|(_, count)| Some(**count) == fewest)
        .map(|((source, _), _)| *source)
        .collect()
}

fn too_few_sources(record: &DiagnosticsRecord) -> (String, Vec<String>) {
    let falsetickers = record.settings.falsetickers;
    let required = 2 * u32::from(falsetickers) + 1;
    let reachable = (record.sources.iter())
        .filter(|source| source.reachability != 0)
        .count();
    let missing = (required as usize).saturating_sub(reachable).max(1);
    let advice = format!(
        "--falsetickers {falsetickers} requires {required} reachable sources, and {reachable} are \
         reachable. Add {missing} or more, or lower --falsetickers."
    );
    let lines = (1..=missing)
        .map(|number| format!("server OTHER-SERVER-{number} iburst minpoll 4 maxpoll 4"))
        .collect();
    (advice, lines)
}

/// Half the width of the interval, its terms, and what they depend on.
struct Bound<'a> {
    record: &'a DiagnosticsRecord,
    /// Half the width at the record's instant, ns, rounded up.
    ns: i64,
    /// What the growth is at most before the next measurement is due, ns.
    peak_growth_ns: i64,
    /// The sources whose measurements the interval is from.
    followed: Vec<&'a Source>,
}

impl<'a> Bound<'a> {
    fn of(diagnostics: &'a Diagnostics) -> Self {
        let record = &diagnostics.record;
        let followed: Vec<&Source> = (record.sources.iter())
            .filter(|source| source.is_followed)
            .collect();
        let poll = followed.iter().map(|source| source.poll).max();
        Self {
            record,
            ns: half_ns(record.earliest_ns, record.latest_ns),
            peak_growth_ns: poll.map_or(0, |poll| growth_ns(record, poll_interval_ns(poll))),
            followed,
        }
    }

    fn term_ns(&self, name: &str) -> i64 {
        let terms = BUDGET_TERMS.iter().zip(self.record.budget_ns);
        terms
            .filter(|(term, _)| **term == name)
            .map(|(_, ns)| ns)
            .sum()
    }

    fn percent(&self, ns: i64) -> i64 {
        let percent = i128::from(ns) * 100 / i128::from(self.ns.max(1));
        i64::try_from(percent).unwrap_or(i64::MAX)
    }

    /// Whether a term is large enough for advice when it has this value.
    fn is_advised(&self, ns: i64) -> bool {
        self.percent(ns) >= ADVISED_PERCENT
    }

    fn names(&self) -> String {
        names(&self.followed)
    }
}

fn bound_statement(diagnostics: &Diagnostics, bound: &Bound<'_>) -> Statement {
    let record = bound.record;
    let mut text = format!(
        "The bound, half the width of the interval, is {}",
        duration_ns(bound.ns)
    );
    if age_ns(diagnostics) >= 2_000_000_000 {
        text += &format!(" as of {} ago", span_ns(age_ns(diagnostics)));
    }
    text += &format!(
        ", and CLOCK_REALTIME is wrong by at most {}.",
        duration_ns(record.realtime_error_ns)
    );
    let measured_ns = bound.followed.iter().map(|source| source.measured_ns).max();
    if let Some(measured_ns) = measured_ns {
        let ago_ns = diagnostics.now_ns.saturating_sub(measured_ns);
        let polls = bound.followed.iter().map(|source| source.poll).max();
        text += &format!(
            " It is from the measurements of {}, the last one {} ago, polled every {}.",
            bound.names(),
            span_ns(ago_ns),
            poll_interval(polls.unwrap_or_default())
        );
    }
    Statement::new(StatementKind::Bound, text)
}

/// The terms of the budget, the largest first.
fn components(bound: &Bound<'_>) -> Vec<Statement> {
    let mut terms: Vec<(&str, i64)> = (BUDGET_TERMS.into_iter())
        .zip(bound.record.budget_ns)
        .filter(|(_, ns)| *ns != 0)
        .collect();
    terms.sort_by_key(|(_, ns)| std::cmp::Reverse(ns.unsigned_abs()));
    let (mentioned, rest): (Vec<_>, Vec<_>) = terms
        .into_iter()
        .partition(|(_, ns)| bound.percent(*ns).abs() >= MENTIONED_PERCENT);
    let mut statements: Vec<Statement> = (mentioned.into_iter())
        .map(|(name, ns)| {
            let text = format!(
                "{name} is {} ({} %): {}.",
                duration_ns(ns),
                bound.percent(ns),
                component_meaning(name, bound)
            );
            Statement::new(StatementKind::Component, text)
        })
        .collect();
    let rest_ns = (rest.iter()).fold(0, |sum: i64, (_, ns)| sum.saturating_add(*ns));
    if !rest.is_empty() {
        let names: Vec<&str> = rest.iter().map(|(name, _)| *name).collect();
        let text = format!(
            "The rest is {}: {}.",
            duration_ns(rest_ns),
            names.join(", ")
        );
        statements.push(Statement::new(StatementKind::Component, text));
    }
    statements
}

fn component_meaning(name: &str, bound: &Bound<'_>) -> String {
    let record = bound.record;
    match name {
        "root_distance" => format!(
            "half the root delay plus the root dispersion that chronyd keeps for the last \
             measurement of {}; the share of the servers and the path",
            bound.names()
        ),
        "wire_rounding" => "the rounding error of the numbers in chronyd's reports".to_owned(),
        "sample_age" => "the error that can have grown between the measurement and chronyd's \
                         report, and during the round trip"
            .to_owned(),
        "clock_moved" => "the movement of CLOCK_REALTIME against CLOCK_MONOTONIC_RAW while the \
                          measurement was in flight; chronyd's slews cause it"
            .to_owned(),
        "clock_reading_gap" => {
            "half the time in which the clocks were read; a busy processor makes it long".to_owned()
        }
        "phc" => "the error bound that the driver of the PTP hardware clock publishes".to_owned(),
        "growth" => format!(
            "what the oscillator can have drifted since the measurement, {} a second, {} from one \
             measurement to the next",
            duration_ns(growth_ns(record, 1_000_000_000)),
            duration_ns(bound.peak_growth_ns)
        ),
        "excluded" => {
            "what earlier measurements, other sources and --max-wander exclude; the last \
                       measurement is less precise than what they allow"
                .to_owned()
        }
        "resumed" => "half the width of the interval from before the restart of the daemon, until \
                      the next measurement"
            .to_owned(),
        "contradiction" => "the addition while measurements or sources contradict each other, \
                            until further measurements have decided"
            .to_owned(),
        "leap_second" => {
            "the addition around a leap second, which ends some seconds after it".to_owned()
        }
        _ => "a term that this version does not define".to_owned(),
    }
}

/// What is remarkable about sources.
fn sources(diagnostics: &Diagnostics) -> Vec<Statement> {
    let record = &diagnostics.record;
    let mut statements = Vec::new();
    if record.source_count == 0 && record.protocol != 0 {
        let text = "chronyd has no sources.";
        let line = "server SERVER iburst minpoll 4 maxpoll 4".to_owned();
        statements.push(
            Statement::new(StatementKind::Source, text)
                .advising("Add at least one to chrony.conf.")
                .with_lines([line]),
        );
    }
    for source in &record.sources {
        statements.extend(source_statement(source));
    }
    statements
}

fn source_statement(source: &Source) -> Option<Statement> {
    let name = source_address(source.address);
    let answered = source.reachability.count_ones();
    let text = if source.is_disjoint {
        format!(
            "The interval of {name} is disjoint from the published one: at least one of its \
             declared errors is too small, or it is wrong."
        )
    } else if source.address == SourceAddress::Unresolved {
        "The name of a source is not resolved.".to_owned()
    } else if answered == 0 {
        format!("{name} does not answer chronyd's polls.")
    } else if source.state == SourceState::Falseticker {
        format!("chronyd takes {name} for a falseticker.")
    } else if source.state == SourceState::Jittery {
        format!("chronyd does not select {name}, because its measurements vary too much.")
    } else if source.measurements > 8 && answered < 8 {
        format!("{name} has answered {answered} of chronyd's last eight polls.")
    } else {
        return None;
    };
    Some(Statement::new(StatementKind::Source, text))
}

/// Where the declared error of the followed source is likely to be too small.
fn premises(record: &DiagnosticsRecord) -> Vec<Statement> {
    let followed = record.sources.iter().filter(|source| source.is_followed);
    followed
        .filter_map(|source| match source.address {
            SourceAddress::ReferenceClock(id)
                if id != record.settings.phc_reference_id
                    && record.root_delay_ns < DECLARED_DELAY_NS =>
            {
                let name = reference_id(id);
                let text = format!(
                    "chronyd assumes that the reference clock {name} has no delay. Its declared \
                     error, {}, contains neither the delay of the receiver nor that of its cable \
                     or driver, so the interval may miss true time.",
                    duration_ns(source.offset_error_ns)
                );
                let advice = "Give twice the largest error that this can cause as `delay`, s, in \
                              the line of the reference clock. The interval becomes wider by half \
                              of it, and true.";
                let line = format!("refclock DRIVER PARAMETER refid {name} delay SECONDS");
                Some(
                    Statement::new(StatementKind::Premise, text)
                        .advising(advice)
                        .with_lines([line]),
                )
            }
            _ => None,
        })
        .collect()
}

/// What would make the interval narrower, for each large term.
fn narrower(bound: &Bound<'_>) -> Vec<Statement> {
    let mut statements = Vec::new();
    if !bound.followed.is_empty() {
        let growth_ns = bound.peak_growth_ns.max(bound.term_ns("growth"));
        if bound.is_advised(growth_ns) {
            statements.extend(shorter_polls(bound));
        }
        if bound.is_advised(growth_ns.saturating_add(bound.term_ns("sample_age"))) {
            statements.extend(lower_drift_rate(bound));
        }
        if bound.is_advised(bound.term_ns("root_distance")) {
            statements.extend(nearer_source(bound));
        }
    }
    if bound.is_advised(bound.term_ns("phc")) {
        let text = "The error bound of the PTP hardware clock is most of the width.";
        let advice = "It is that of the driver. No setting of this host makes it smaller.";
        statements.push(Statement::new(StatementKind::Narrower, text).advising(advice));
    }
    if bound.is_advised(bound.term_ns("clock_moved")) {
        let text = "CLOCK_REALTIME is slewed fast while measurements are made.";
        let advice = "Let chronyd step a large offset at its start instead of slewing it, and slew \
                      more slowly.";
        let lines = ["makestep 0.1 3", "maxslewrate 500"].map(str::to_owned);
        let statement = Statement::new(StatementKind::Narrower, text).advising(advice);
        statements.push(statement.with_lines(lines));
    }
    statements
}

/// Polls that are so much shorter that they make a difference.
fn shorter_polls(bound: &Bound<'_>) -> Option<Statement> {
    let record = bound.record;
    let slow = |limit: i8| {
        let slow = bound.followed.iter().copied();
        slow.filter(move |source| source.poll > limit)
            .collect::<Vec<&Source>>()
    };
    let is_near = record.root_delay_ns < NEAR_NS;
    let others = slow(FREQUENT_POLL);
    let (poll, slow, condition) = if !others.is_empty() {
        (FREQUENT_POLL, others, "")
    } else if is_near && !slow(MOST_FREQUENT_POLL).is_empty() {
        let condition = " if it is yours or you are permitted to";
        (MOST_FREQUENT_POLL, slow(MOST_FREQUENT_POLL), condition)
    } else {
        return None;
    };
    let text = format!(
        "{} is polled every {}, and the bound grows by {} from one measurement to the next.",
        names(&slow),
        poll_interval(slow.iter().map(|source| source.poll).max().unwrap_or(poll)),
        duration_ns(bound.peak_growth_ns)
    );
    let advice = format!(
        "Poll it every {}{condition}: the growth is then at most {}.",
        poll_interval(poll),
        duration_ns(growth_ns(record, poll_interval_ns(poll)))
    );
    let lines = slow.iter().map(|source| poll_line(source, poll));
    Some(
        Statement::new(StatementKind::Narrower, text)
            .advising(advice)
            .with_lines(lines),
    )
}

/// The rate band, which is the other factor of the growth.
fn lower_drift_rate(bound: &Bound<'_>) -> Option<Statement> {
    let settings = bound.record.settings;
    let band_ppb = half_band_ppt(bound.record) / 1_000;
    let drift_ppb = i64::from(settings.max_drift_ppb);
    if band_ppb > drift_ppb.saturating_mul(2) {
        let text = format!(
            "The oscillator's rate is known only to within {}, because it was measured for a short \
             time or with wide intervals. --max-drift-rate is {}.",
            ppm(band_ppb),
            ppm(drift_ppb)
        );
        let advice = "The rate becomes better known with every measurement after a start.";
        return Some(Statement::new(StatementKind::Narrower, text).advising(advice));
    }
    if settings.max_drift_ppb <= LEAST_CRYSTAL_PPB || settings.max_wander_ppb_per_s > 0 {
        return None;
    }
    let text = format!(
        "The growth is mostly that of --max-drift-rate, {}. maxclockerror in chrony.conf does not \
         affect it.",
        ppm(drift_ppb)
    );
    let advice = "If the frequency was recorded over weeks with starts and changes of load (log \
                  tracking), give twice the largest change and no less than 5 ppm. On a machine \
                  that is not moved to another host, --max-wander 0.02 narrows the interval at \
                  long polls.";
    let line = "log tracking".to_owned();
    Some(
        Statement::new(StatementKind::Narrower, text)
            .advising(advice)
            .with_lines([line]),
    )
}

/// A nearer or better source, or time stamps of the network interface.
fn nearer_source(bound: &Bound<'_>) -> Option<Statement> {
    let record = bound.record;
    let root_distance_ns = bound.term_ns("root_distance");
    if let Some((source, own_ns)) = narrower_source(bound) {
        let text = format!(
            "The interval of {} alone has a bound of {}, that of {} has {}.",
            bound.names(),
            duration_ns(followed_own_ns(bound).unwrap_or(bound.ns)),
            source_address(source.address),
            duration_ns(own_ns)
        );
        let advice = "chronyd follows the narrower one with the option `prefer` in its line.";
        let line = source_line(source, "iburst prefer");
        return Some(
            Statement::new(StatementKind::Narrower, text)
                .advising(advice)
                .with_lines([line]),
        );
    }
    let is_reference_clock = (bound.followed.iter())
        .all(|source| matches!(source.address, SourceAddress::ReferenceClock(_)));
    if is_reference_clock {
        let text = format!(
            "The declared error of {} is {}, half of it from a delay of {}.",
            bound.names(),
            duration_ns(root_distance_ns),
            duration_ns(record.root_delay_ns)
        );
        let advice = "Only a smaller `delay`, `precision` or dispersion makes it narrower, and only \
                      if it still covers the error of the clock.";
        return Some(Statement::new(StatementKind::Narrower, text).advising(advice));
    }
    let half_delay_ns = record.root_delay_ns / 2;
    if half_delay_ns.saturating_mul(2) < root_distance_ns {
        let text = format!(
            "{} declares a root dispersion that is most of its root distance of {}: it has not \
             measured its own source recently, or its clock is imprecise.",
            bound.names(),
            duration_ns(root_distance_ns)
        );
        let advice = "Use a server with a better reference. On a server of yours, poll its sources \
                      more often; its maxclockerror has to cover the drift of its oscillator and \
                      must not be lowered for this.";
        let line = "server BETTER-SERVER iburst minpoll 4 maxpoll 4".to_owned();
        return Some(
            Statement::new(StatementKind::Narrower, text)
                .advising(advice)
                .with_lines([line]),
        );
    }
    if record.root_delay_ns >= NEAR_NS {
        let text = format!(
            "The round trip to the reference is {}: half of it, {}, is in the bound, because the \
             two directions may take unequal time.",
            duration_ns(record.root_delay_ns),
            duration_ns(half_delay_ns)
        );
        let advice = "Use a nearer server, in the same network or region, or a reference clock of \
                      this host.";
        let line = "server NEARER-SERVER iburst minpoll 4 maxpoll 4".to_owned();
        return Some(
            Statement::new(StatementKind::Narrower, text)
                .advising(advice)
                .with_lines([line]),
        );
    }
    if bound
        .followed
        .iter()
        .all(|source| is_loopback(source.address))
    {
        return None;
    }
    let text = format!(
        "The server is near: the round trip to the reference is {}. Part of it is the time in the \
         kernels and in interrupt handling.",
        duration_ns(record.root_delay_ns)
    );
    let advice = "Time stamps of the network interface leave that out, where interface and driver \
                  support them (`ethtool -T INTERFACE`). On the server, too. A PTP hardware clock \
                  has no round trip.";
    let line = "hwtimestamp *".to_owned();
    Some(
        Statement::new(StatementKind::Narrower, text)
            .advising(advice)
            .with_lines([line]),
    )
}

/// A reachable source whose own interval is clearly narrower than that of the one that is followed,
/// and half its width, ns. With --falsetickers the intervals of all sources are used anyway.
fn narrower_source<'a>(bound: &Bound<'a>) -> Option<(&'a Source, i64)> {
    if bound.record.settings.falsetickers > 0 {
        return None;
    }
    let own_ns = followed_own_ns(bound)?;
    let candidates = bound.record.sources.iter().filter(|source| {
        !source.is_followed && !source.is_disjoint && source.reachability.count_ones() >= 4
    });
    candidates
        .filter_map(|source| {
            let (earliest_ns, latest_ns) = source.own_ns?;
            Some((source, half_ns(earliest_ns, latest_ns)))
        })
        .min_by_key(|(_, ns)| *ns)
        .filter(|(_, ns)| i128::from(*ns) * 10 < i128::from(own_ns) * 8)
}

/// Half the width of the narrowest own interval of the sources that are followed, ns.
fn followed_own_ns(bound: &Bound<'_>) -> Option<i64> {
    let own = bound.followed.iter().filter_map(|source| source.own_ns);
    own.map(|(earliest_ns, latest_ns)| half_ns(earliest_ns, latest_ns))
        .min()
}

/// The lines of all servers, with iburst.
fn iburst_lines(record: &DiagnosticsRecord) -> Vec<String> {
    let is_server =
        |source: &&Source| matches!(source.address, SourceAddress::V4(_) | SourceAddress::V6(_));
    let servers = record.sources.iter().filter(is_server);
    servers
        .map(|source| source_line(source, "iburst"))
        .collect()
}

/// The line of a source with this polling interval.
fn poll_line(source: &Source, poll: i8) -> String {
    match source.address {
        SourceAddress::ReferenceClock(_) => source_line(source, &format!("poll {poll}")),
        _ => source_line(source, &format!("iburst minpoll {poll} maxpoll {poll}")),
    }
}

/// The line of a source with these options.
fn source_line(source: &Source, options: &str) -> String {
    let name = source_address(source.address);
    match source.address {
        SourceAddress::ReferenceClock(_) => {
            format!("refclock DRIVER PARAMETER refid {name} {options}")
        }
        SourceAddress::Unresolved => format!("server NAME {options}"),
        _ if source.is_peer => format!("peer {name} {options}"),
        _ => format!("server {name} {options}"),
    }
}

/// Whether the source is on this host.
fn is_loopback(address: SourceAddress) -> bool {
    match address {
        SourceAddress::V4(octets) => Ipv4Addr::from(octets).is_loopback(),
        SourceAddress::V6(octets) => Ipv6Addr::from(octets).is_loopback(),
        SourceAddress::Unresolved | SourceAddress::ReferenceClock(_) => false,
    }
}

/// The addresses of these sources.
fn names(sources: &[&Source]) -> String {
    let names: Vec<String> = (sources.iter())
        .map(|source| source_address(source.address))
        .collect();
    match names.as_slice() {
        [] => "the source".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Whether the interval is trusted and held over without a source.
fn is_held_over(diagnostics: &Diagnostics) -> bool {
    diagnostics.status == super::Status::FreeRunning
}

fn age_ns(diagnostics: &Diagnostics) -> i64 {
    i64::try_from(diagnostics.age.as_nanos()).unwrap_or(i64::MAX)
}

/// Half the width of the rate band, parts per trillion.
fn half_band_ppt(record: &DiagnosticsRecord) -> i64 {
    let width = i128::from(record.fastest_ppt) - i128::from(record.slowest_ppt);
    i64::try_from(width.max(0) / 2).unwrap_or(i64::MAX)
}

/// What the bound grows by in this time, by half the width of the rate band, ns, rounded up.
fn growth_ns(record: &DiagnosticsRecord, elapsed_ns: i64) -> i64 {
    let product = i128::from(half_band_ppt(record)) * i128::from(elapsed_ns.max(0));
    i64::try_from((product + 999_999_999_999) / 1_000_000_000_000).unwrap_or(i64::MAX)
}

/// Parts per billion as parts per million, without zeros at the end.
fn ppm(ppb: i64) -> String {
    let text = format!("{}.{:03}", ppb / 1_000, ppb % 1_000);
    format!("{} ppm", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
