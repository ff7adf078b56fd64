//! The daemon: its process, the age of what it publishes, its status, and its options.

use clockbound_client::diagnostics::Diagnostics;
use clockbound_client::{Reason, Status};

use super::{RESTART, ppm_text};
use crate::doctor::facts::process::option;
use crate::doctor::facts::{Fact, Facts, OptionsFile, Published};
use crate::doctor::finding::{Change, Finding, Severity};
use crate::output::units::{span, span_ns};

/// The option for the drift rate.
const DRIFT_OPTION: (&str, Option<char>) = ("--max-drift-rate", Some('m'));
/// The drift rate without the option, ppb.
const DEFAULT_DRIFT_PPB: u32 = 1000;
/// What to propose for an oscillator that is not known.
const PLAIN_CRYSTAL: &str = "50";

/// `others`: the greatest severity of the other findings. One that is an error is likely to be why
/// the daemon has no measurements.
pub(super) fn check(facts: &Facts, others: Severity) -> Vec<Finding> {
    let mut findings = vec![diagnostics(facts)];
    if let Some(diagnosed) = facts.diagnosed() {
        if diagnosed.is_current() {
            findings.push(status(diagnosed, others));
            findings.extend(drill(diagnosed));
        }
        findings.extend(broken_premises(facts, diagnosed));
        findings.extend(restarts(diagnosed));
    }
    findings.extend(drift_rate(facts));
    findings.extend(wander(facts));
    findings
}

fn diagnostics(facts: &Facts) -> Finding {
    const CHECK: &str = "daemon";
    const WHY: &str = "without it nothing renews the interval, which becomes unknown";
    let at = facts.directory.display();
    let start = || Change::command("systemctl enable --now clockbound");
    match (&facts.published, &facts.processes, facts.daemon()) {
        (Published::Read(diagnosed), processes, daemon) => {
            published(diagnosed, processes.get().is_some(), daemon.is_some())
        }
        (Published::Missing, Fact::Unknown(why), _) => Finding::unknown(
            CHECK,
            format!("clockbound publishes no diagnostics in {at}; whether it runs"),
            why,
        ),
        (Published::Missing, Fact::Known(_), Some(daemon)) => Finding::warning(
            CHECK,
            format!(
                "clockbound, process {}, publishes no diagnostics in {at}",
                daemon.pid
            ),
            "without them status, explain, the exporter and most of these checks have nothing to \
             read. Its version is before 0.3, it publishes in another directory, or it was started \
             with --diagnostics-path off",
        )
        .change(Change::command(
            "give its directory to clockboundctl with --directory, or remove --diagnostics-path \
             from its options",
        )),
        (Published::Missing, Fact::Known(_), None) => {
            Finding::error(CHECK, "clockbound does not run", WHY).change(start())
        }
        (Published::EarlierBoot, ..) => Finding::error(
            CHECK,
            format!(
                "clockbound has not run since the boot: the files in {at} are from an earlier one"
            ),
            WHY,
        )
        .change(start()),
        (Published::NotPermitted(why), ..) => Finding::unknown(
            CHECK,
            format!("the diagnostics in {at}"),
            format!("{why}; run clockboundctl doctor as root"),
        ),
        (Published::Unreadable(why), ..) => Finding::error(
            CHECK,
            format!("the diagnostics in {at} cannot be read: {why}"),
            "they are damaged, or written by an incompatible version",
        )
        .change(Change::command(RESTART)),
    }
}

fn published(diagnosed: &Diagnostics, has_processes: bool, is_alive: bool) -> Finding {
    const CHECK: &str = "daemon";
    let record = &diagnosed.record;
    let age = span(diagnosed.age);
    let [major, minor, patch] = record.version;
    let pid = record.pid;
    if record.is_simulated {
        return Finding::warning(
            CHECK,
            format!("a simulation wrote the record, process {pid}"),
            "the interval is not that of the clock",
        )
        .change(Change::command(
            "stop clockboundctl simulate, and start clockbound",
        ));
    }
    match (diagnosed.is_current(), is_alive) {
        (true, true) => Finding::ok(
            CHECK,
            format!("clockbound {major}.{minor}.{patch}, process {pid}, published {age} ago"),
        ),
        (true, false) => Finding::unknown(
            CHECK,
            format!("clockbound published {age} ago, but process {pid} is not visible here"),
            "it runs in another process namespace; run clockboundctl doctor where it runs to \
             examine its process",
        ),
        (false, true) => Finding::error(
            CHECK,
            format!("clockbound, process {pid}, has not published for {age}"),
            "it hangs or is stopped. Readers treat the interval as free running, and then as \
             unknown",
        )
        .change(Change::command(RESTART)),
        (false, false) => {
            let finding = if has_processes {
                Finding::error(
                    CHECK,
                    format!("clockbound does not run; it published {age} ago"),
                    "readers treat the interval as free running, and then as unknown",
                )
            } else {
                Finding::error(
                    CHECK,
                    format!("clockbound has not published for {age}"),
                    "readers treat the interval as free running, and then as unknown",
                )
            };
            finding.change(Change::command("systemctl start clockbound"))
        }
    }
}

fn drill(diagnosed: &Diagnostics) -> Option<Finding> {
    diagnosed.record.is_drill.then(|| {
        Finding::warning(
            "drill",
            format!("a drill is in progress, with reason {}", diagnosed.reason),
            "the status is not that of the clock, and programs that read it behave as in the real \
             case",
        )
        .change(Change::command("clockboundctl drill --off"))
    })
}

fn status(diagnosed: &Diagnostics, others: Severity) -> Finding {
    const CHECK: &str = "status";
    let (status, reason) = (diagnosed.status, diagnosed.reason);
    let record = &diagnosed.record;
    let since = span_ns(diagnosed.now_ns.saturating_sub(record.status_since_ns));
    let what = format!("the status is {status} with reason {reason} for {since}");
    let is_usual = matches!(reason, Reason::Tracking | Reason::Resumed);
    if is_usual && status == Status::Synchronized {
        return Finding::ok(CHECK, what);
    }
    // A drill is another finding.
    if record.is_drill {
        return Finding::info(CHECK, what, "see the other findings");
    }
    let (why, command) = meaning(reason);
    let has_interval = matches!(status, Status::Synchronized | Status::FreeRunning);
    let finding = match (has_interval, others) {
        (true, Severity::Warning | Severity::Error) => {
            Finding::info(CHECK, what, format!("{why}; see the other findings, too"))
        }
        (true, _) => Finding::warning(CHECK, what, why),
        // Whatever else is found, there is no interval.
        (false, _) => Finding::error(CHECK, what, why),
    };
    if others == Severity::Error {
        return finding;
    }
    finding.change(Change::command(command))
}

/// What a reason means, and what to look at.
fn meaning(reason: Reason) -> (&'static str, &'static str) {
    match reason {
        Reason::NeverSynchronized => (
            "no usable measurement has arrived since the boot",
            "chronyc sources; see whether a source answers",
        ),
        Reason::ChronySilent => ("chronyd does not answer", "systemctl status chronyd"),
        Reason::ReportRefused => (
            "chronyd's reports are malformed or implausible",
            "journalctl -u clockbound -p warning",
        ),
        Reason::LeapUnsynchronized => (
            "chronyd reports that its clock is not synchronised",
            "chronyc tracking; chronyc sources",
        ),
        Reason::SourceUnreachable => (
            "no source has answered chronyd's last polls",
            "chronyc sources; see whether the network and a firewall let UDP port 123 through",
        ),
        Reason::LocalReference => (
            "chronyd follows its own clock, because it has no source",
            "chronyc sources; see whether a source answers",
        ),
        Reason::PhcUnreadable => (
            "the error bound of the PTP hardware clock is missing, unreadable or implausible",
            "journalctl -u clockbound -p warning; compare --phc-interface with the interface of \
             the clock",
        ),
        Reason::HoldoverExpired => (
            "no measurement has arrived for --holdover",
            "chronyc sources; see whether a source answers",
        ),
        Reason::BoundOverCap => (
            "the bound is above --max-bound",
            "clockboundctl explain; use shorter polls, nearer servers, or another --max-bound",
        ),
        Reason::Disrupted | Reason::ClockStepped => (
            "the machine was suspended, restored or moved, and chronyd has not measured since",
            "chronyc sources; see whether a source answers",
        ),
        Reason::Contradiction => (
            "two measurements cannot both be right",
            "journalctl -u clockbound -p err; it names the source and both intervals",
        ),
        Reason::SourcesDisagree => (
            "more than half of the sources disagree with the selected one",
            "clockboundctl sources; remove the source that is wrong",
        ),
        Reason::TooFewSources => (
            "fewer sources are reachable than --falsetickers requires",
            "clockboundctl sources; add sources, or lower --falsetickers",
        ),
        Reason::PermissionDenied => (
            "clockbound may not query chronyd",
            "run clockbound as chronyd's user",
        ),
        _ => (
            "the interval is not renewed by measurements",
            "journalctl -u clockbound -p warning",
        ),
    }
}

fn broken_premises(facts: &Facts, diagnosed: &Diagnostics) -> Vec<Finding> {
    let counters = &diagnosed.record.counters;
    let settings = &diagnosed.record.settings;
    let mut findings = Vec::new();
    if counters.drift_exceeded > 0 {
        let doubled = settings.max_drift_ppb.saturating_mul(2);
        findings.push(
            Finding::error(
                "drift_exceeded",
                format!(
                    "measured rates contradicted --max-drift-rate {} {} times",
                    ppm_text(settings.max_drift_ppb),
                    counters.drift_exceeded
                ),
                "the oscillator moves further than the option says, or a source is wrong: the \
                 interval can have missed true time",
            )
            .change(change_of_drift_rate(
                facts,
                ppm_text(doubled).trim_end_matches(" ppm"),
            )),
        );
    }
    if counters.wander_exceeded > 0 {
        findings.push(
            Finding::warning(
                "wander_exceeded",
                format!(
                    "measured rates contradicted --max-wander {} times",
                    counters.wander_exceeded
                ),
                "the rate of the oscillator changes faster than the option says: the interval can \
                 have missed true time",
            )
            .change(Change::command(format!(
                "remove --max-wander from the options of clockbound, and {RESTART}"
            ))),
        );
    }
    if counters.contradictions > 0 && diagnosed.reason != Reason::Contradiction {
        findings.push(
            Finding::info(
                "contradictions",
                format!(
                    "{} measurements contradicted the interval since the daemon started",
                    counters.contradictions
                ),
                "a source was wrong, the oscillator drifted too far, or the clock was disrupted",
            )
            .change(Change::command("journalctl -u clockbound -p err")),
        );
    }
    if counters.files_recreated > 0 {
        findings.push(Finding::info(
            "files_recreated",
            format!(
                "{} files of segments were deleted by another program",
                counters.files_recreated
            ),
            "clockbound creates them again within about a second; a program that opens one \
             meanwhile fails",
        ));
    }
    findings
}

fn restarts(diagnosed: &Diagnostics) -> Option<Finding> {
    let count: u32 = diagnosed.record.restarts.iter().sum();
    (count > 0).then(|| {
        Finding::info(
            "actor_restarts",
            format!("parts of the daemon were restarted {count} times after a crash"),
            "publication continued; this is a fault of clockbound to report",
        )
        .change(Change::command("journalctl -u clockbound -p err"))
    })
}

fn drift_rate(facts: &Facts) -> Option<Finding> {
    const CHECK: &str = "drift_rate";
    let (long, short) = DRIFT_OPTION;
    let given = match (facts.daemon(), facts.options_files.last()) {
        (Some(daemon), _) => daemon.option(long, short).map(str::to_owned),
        (None, Some(file)) => option(&file.options, long, short).map(str::to_owned),
        (None, None) => {
            let ppb = facts.max_drift_ppb()?;
            (ppb != DEFAULT_DRIFT_PPB).then(|| ppm_text(ppb))
        }
    };
    if let Some(given) = given {
        return Some(Finding::ok(CHECK, format!("--max-drift-rate is {given}")));
    }
    Some(
        Finding::warning(
            CHECK,
            "--max-drift-rate is not given, so 1 ppm is assumed",
            "the rate of a plain crystal changes by about 1 ppm per degree. With a value that is \
             too low the interval can miss true time",
        )
        .change(change_of_drift_rate(facts, PLAIN_CRYSTAL)),
    )
}

/// The line that sets the drift rate.
fn change_of_drift_rate(facts: &Facts, ppm: &str) -> Change {
    let file = facts.options_files.last();
    match file {
        Some(OptionsFile {
            path,
            line: Some((number, line)),
            options,
        }) => {
            let wanted = format!("CLOCKBOUND_OPTIONS=\"{}\"", with_drift_rate(options, ppm));
            Change::replace(path, *number, line, Some(wanted)).then(RESTART)
        }
        Some(OptionsFile { path, .. }) => Change::add(
            path,
            format!("CLOCKBOUND_OPTIONS=\"--max-drift-rate {ppm}\""),
        )
        .then(RESTART),
        None => Change::command(format!("start clockbound with --max-drift-rate {ppm}")),
    }
}

fn with_drift_rate(options: &[String], ppm: &str) -> String {
    let mut words = vec!["--max-drift-rate".to_owned(), ppm.to_owned()];
    let mut others = options.iter();
    while let Some(word) = others.next() {
        if word == "--max-drift-rate" || word == "-m" {
            others.next();
        } else if !word.starts_with("--max-drift-rate=") && !word.starts_with("-m") {
            words.push(word.clone());
        }
    }
    words.join(" ")
}

fn wander(facts: &Facts) -> Option<Finding> {
    let settings = &facts.diagnosed()?.record.settings;
    let machine = facts.hypervisor.get()?.as_ref()?;
    (settings.max_wander_ppb_per_s > 0).then(|| {
        Finding::warning(
            "wander_in_virtual_machine",
            format!("--max-wander is given in a virtual machine ({machine})"),
            "a machine that is moved to another host gets another rate in one step, which breaks \
             the premise. A small breach raises no alarm",
        )
        .change(Change::command(format!(
            "remove --max-wander from the options of clockbound, unless the machine is never \
             moved, and {RESTART}"
        )))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drift_rate_replaces_the_one_that_is_given() {
        for given in [
            "",
            "-m 50",
            "-m50",
            "-m=50",
            "--max-drift-rate 50",
            "--max-drift-rate=50",
        ] {
            let options: Vec<String> = format!("-a {given} --max-bound 1ms")
                .split_whitespace()
                .map(str::to_owned)
                .collect();
            assert_eq!(
                with_drift_rate(&options, "100"),
                "--max-drift-rate 100 -a --max-bound 1ms",
                "{given}"
            );
        }
    }
}
