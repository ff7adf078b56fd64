//! The directives of chrony.conf that change the bound.

use super::{RESTART_CHRONYD, main_configuration, ppm_text};
use crate::doctor::facts::chrony_conf::Directive;
use crate::doctor::facts::{Facts, LEAP_LIST, ZONES};
use crate::doctor::finding::{Change, Finding};
use crate::output::units::duration_ns;

/// A growth of the bound between two measurements above which shorter polls are proposed, ns.
const WIDE_NS: i64 = 1_000_000;
/// The base 2 logarithm of the shortest polling interval that is proposed for a server, s.
const SHORTEST_POLL: i32 = 4;
/// chronyd's default of `maxclockerror`, ppb.
const DEFAULT_MAXCLOCKERROR_PPB: u32 = 1000;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![readable(facts)];
    findings.extend(maxclockerror(facts));
    findings.extend(polls(facts));
    findings.extend(reference_clocks(facts));
    findings.extend(local(facts));
    findings.extend(leap_seconds(facts));
    findings.extend(maxdelay(facts));
    findings
}

fn readable(facts: &Facts) -> Finding {
    const CHECK: &str = "chrony_conf";
    let configuration = &facts.configuration;
    match configuration.unreadable.first() {
        None => Finding::ok(
            CHECK,
            format!(
                "{} has {} directives",
                configuration.file.display(),
                configuration.directives.len()
            ),
        ),
        Some((path, why)) => Finding::unknown(
            CHECK,
            format!("the configuration of chronyd: {}", path.display()),
            format!("{why}; give its path with --chrony-conf, or run clockboundctl doctor as root"),
        ),
    }
}

fn maxclockerror(facts: &Facts) -> Option<Finding> {
    const CHECK: &str = "maxclockerror";
    let configuration = &facts.configuration;
    let max_drift_ppb = facts.max_drift_ppb()?;
    if configuration.named("allow").next().is_none() {
        return Some(Finding::ok(
            CHECK,
            "chronyd serves no clients, so maxclockerror is not needed: clockbound applies \
             --max-drift-rate itself",
        ));
    }
    let line = configuration.last("maxclockerror");
    let present_ppb = match line {
        None => DEFAULT_MAXCLOCKERROR_PPB,
        Some(line) => ppb(line.words.first()?)?,
    };
    if present_ppb >= max_drift_ppb {
        return Some(Finding::ok(
            CHECK,
            format!(
                "maxclockerror covers --max-drift-rate {}",
                ppm_text(max_drift_ppb)
            ),
        ));
    }
    let wanted = format!(
        "maxclockerror {}",
        ppm_text(max_drift_ppb).trim_end_matches(" ppm")
    );
    let finding = Finding::warning(
        CHECK,
        format!(
            "chronyd serves clients and declares an error that grows by {}, while this oscillator \
             may drift by {}",
            ppm_text(present_ppb),
            ppm_text(max_drift_ppb)
        ),
        "the interval of a client contains true time only if the root dispersion that this server \
         declares covers its error. The interval of this host is not affected",
    );
    let change = match line {
        Some(line) => Change::replace(&line.file, line.number, &line.line, Some(wanted)),
        None => Change::add(main_configuration(facts), wanted),
    };
    Some(finding.change(change.then(RESTART_CHRONYD)))
}

/// A number of parts per million as parts per billion, rounded down.
fn ppb(text: &str) -> Option<u32> {
    let ppm: f64 = text.parse().ok()?;
    let ppb = (ppm * 1000.0).floor();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is in the range of the type"
    )]
    (0.0..=1e9).contains(&ppb).then_some(ppb as u32)
}

fn polls(facts: &Facts) -> Vec<Finding> {
    const CHECK: &str = "polls";
    let Some(max_drift_ppb) = facts.max_drift_ppb() else {
        return Vec::new();
    };
    let max_bound_ns = facts
        .diagnosed()
        .map_or(0, |diagnosed| diagnosed.record.settings.max_bound_ns);
    let mut findings: Vec<Finding> = facts
        .configuration
        .sources()
        .filter_map(|line| {
            let maxpoll = maxpoll(line);
            let growth_ns = growth_ns(max_drift_ppb, maxpoll);
            if growth_ns <= WIDE_NS {
                return None;
            }
            let what = format!(
                "{} {} is polled every {} at most",
                line.name,
                line.source().unwrap_or_default(),
                duration_ns(poll_ns(maxpoll)),
            );
            let why = format!(
                "until the next measurement the bound grows by {}, at {}; a source that no longer \
                 answers is reachable for eight polls",
                duration_ns(growth_ns),
                ppm_text(max_drift_ppb)
            );
            let shorter = shorter_poll(line, max_drift_ppb);
            let is_shorter = shorter < maxpoll;
            let change = is_shorter.then(|| {
                let wanted = with_poll(line, shorter);
                Change::replace(&line.file, line.number, &line.line, Some(wanted))
                    .then(RESTART_CHRONYD)
            });
            let finding = if max_bound_ns > 0 && growth_ns > max_bound_ns {
                let why = format!(
                    "{why}. This is more than --max-bound {}, above which the status is unknown",
                    duration_ns(max_bound_ns)
                );
                Finding::warning(CHECK, what, why)
            } else {
                Finding::info(CHECK, what, why)
            };
            Some(Finding { change, ..finding })
        })
        .collect();
    if findings.is_empty() && facts.configuration.sources().next().is_some() {
        findings.push(Finding::ok(
            CHECK,
            format!(
                "between two measurements the bound grows by {} at most",
                duration_ns(WIDE_NS)
            ),
        ));
    }
    findings
}

/// The base 2 logarithm of the longest polling interval, s.
fn maxpoll(line: &Directive) -> i32 {
    if line.name == "refclock" {
        return number(line, "poll").unwrap_or(4);
    }
    let minpoll = number(line, "minpoll").unwrap_or(6);
    number(line, "maxpoll").unwrap_or(10).max(minpoll)
}

/// The line with this longest polling interval.
fn with_poll(line: &Directive, exponent: i32) -> String {
    let poll = exponent.to_string();
    // A reference clock has one polling interval.
    if line.name == "refclock" {
        return line.with("poll", &poll);
    }
    let wanted = line.with("maxpoll", &poll);
    if number(line, "minpoll").unwrap_or(6) <= exponent {
        return wanted;
    }
    let directive = Directive {
        line: wanted,
        ..line.clone()
    };
    directive.with("minpoll", &poll)
}

fn number(line: &Directive, option: &str) -> Option<i32> {
    line.value(option)?.parse().ok()
}

fn poll_ns(exponent: i32) -> i64 {
    let exponent = exponent.clamp(-9, 24);
    let second = 1_000_000_000_i64;
    if exponent < 0 {
        second >> -exponent
    } else {
        second << exponent
    }
}

/// How much the bound grows between two measurements, ns.
fn growth_ns(max_drift_ppb: u32, exponent: i32) -> i64 {
    let grown = i128::from(poll_ns(exponent)) * i128::from(max_drift_ppb) / 1_000_000_000;
    i64::try_from(grown).unwrap_or(i64::MAX)
}

/// The longest polling interval with which the bound does not grow by more than a millisecond, not
/// below the shortest one that is polite towards a server.
fn shorter_poll(line: &Directive, max_drift_ppb: u32) -> i32 {
    let shortest = if line.name == "refclock" {
        0
    } else {
        SHORTEST_POLL
    };
    let narrow = |exponent: &i32| growth_ns(max_drift_ppb, *exponent) <= WIDE_NS;
    (shortest..10).rev().find(narrow).unwrap_or(shortest)
}

fn reference_clocks(facts: &Facts) -> Vec<Finding> {
    const CHECK: &str = "refclock_delay";
    let lines = facts.configuration.named("refclock");
    lines
        .map(|line| {
            let driver = line.words.first().map_or("", String::as_str).to_uppercase();
            if let Some(delay) = line.value("delay") {
                return Finding::ok(CHECK, format!("refclock {driver} has a delay of {delay} s"));
            }
            // Twice the largest error of the clock; these cover the usual one of each driver.
            let delay = match driver.as_str() {
                "PHC" => "10e-6",
                "PPS" => "2e-6",
                _ => "1e-3",
            };
            Finding::warning(
                CHECK,
                format!("refclock {driver} has no delay"),
                "chronyd then declares an error of 0.5 ns, and the interval is narrower than the \
                 error of the clock. The delay has to be twice the largest error of the clock and \
                 of reading it; replace the proposed value by what your clock's maker declares",
            )
            .change(
                Change::replace(
                    &line.file,
                    line.number,
                    &line.line,
                    Some(line.with("delay", delay)),
                )
                .then(RESTART_CHRONYD),
            )
        })
        .collect()
}

fn local(facts: &Facts) -> Option<Finding> {
    const CHECK: &str = "local";
    let is_allowed = facts
        .diagnosed()
        .is_some_and(|diagnosed| diagnosed.record.settings.allow_local_reference);
    match (facts.configuration.last("local"), is_allowed) {
        (None, false) => None,
        (None, true) => Some(
            Finding::info(
                CHECK,
                "--allow-local-reference is given, and chronyd has no local directive",
                "it also makes the daemon trust a source with a root distance of zero",
            )
            .change(Change::command(
                "remove --allow-local-reference from the options of clockbound",
            )),
        ),
        (Some(line), false) => Some(
            Finding::info(
                CHECK,
                "chronyd uses its own clock as a reference when it has no source",
                "clockbound does not trust this reference: the interval is held over, with reason \
                 local_reference. Clients of this chronyd do trust it",
            )
            .change(Change::replace(&line.file, line.number, &line.line, None)),
        ),
        (Some(line), true) => Some(
            Finding::warning(
                CHECK,
                "chronyd uses its own clock as a reference, and --allow-local-reference trusts it",
                "without a source the interval then contains the time of this clock, which is not \
                 UTC. Use both only where no program compares this time with that of other hosts",
            )
            .change(
                Change::replace(&line.file, line.number, &line.line, None).then(RESTART_CHRONYD),
            ),
        ),
    }
}

fn leap_seconds(facts: &Facts) -> Option<Finding> {
    const CHECK: &str = "leap_seconds";
    let configuration = &facts.configuration;
    if let Some(line) = configuration.last("leapsectz") {
        let zone = line.words.first().map_or("", String::as_str);
        if facts.leap_zone_exists == Some(false) {
            return Some(
                Finding::warning(
                    CHECK,
                    format!("the time zone {zone} of leapsectz is not installed"),
                    "chronyd then uses only what its sources announce. The interval keeps the old \
                     count of seconds after a leap second that is not announced",
                )
                .change(if can_read_leap_list(facts) {
                    Change::replace(&line.file, line.number, &line.line, Some(leap_list_line()))
                        .then(RESTART_CHRONYD)
                } else {
                    Change::command(format!(
                        "install the package that has {ZONES}/{zone}, tzdata-legacy on Debian and \
                         Ubuntu, and {RESTART_CHRONYD}"
                    ))
                }),
            );
        }
        return Some(Finding::ok(
            CHECK,
            format!("leap seconds are those of {zone}"),
        ));
    }
    if let Some(line) = configuration.last("leapseclist") {
        return Some(Finding::ok(
            CHECK,
            format!("leap seconds are those of {}", line.words.join(" ")),
        ));
    }
    let has_only_clocks = configuration.sources().next().is_some()
        && configuration.sources().all(|line| line.name == "refclock");
    has_only_clocks.then(|| {
        Finding::info(
            CHECK,
            "the only sources are reference clocks, and no list of leap seconds is configured",
            "chronyd announces a leap second only if the driver of the clock does. The interval \
             keeps the old count of seconds after a leap second that is not announced",
        )
        .change(if facts.has_right_utc {
            Change::add(main_configuration(facts), "leapsectz right/UTC").then(RESTART_CHRONYD)
        } else if can_read_leap_list(facts) {
            Change::add(main_configuration(facts), leap_list_line()).then(RESTART_CHRONYD)
        } else {
            Change::command(format!(
                "install the package that has {ZONES}/right/UTC, tzdata-legacy on Debian and \
                 Ubuntu, and run clockboundctl doctor again"
            ))
        })
    })
}

fn leap_list_line() -> String {
    format!("leapseclist {LEAP_LIST}")
}

/// Whether chronyd has the directive `leapseclist`, and the file for it is there.
fn can_read_leap_list(facts: &Facts) -> bool {
    let version = facts.chronyd_version.get();
    facts.has_leap_list && version.is_some_and(|version| has_leapseclist(version))
}

/// Whether this version of chronyd has `leapseclist`; an older one does not start with it.
fn has_leapseclist(version: &str) -> bool {
    let mut numbers = version
        .split(|character: char| !character.is_ascii_digit())
        .map_while(|digits| digits.parse::<u32>().ok());
    let (major, minor) = (numbers.next(), numbers.next().unwrap_or(0));
    major.is_some_and(|major| (major, minor) >= (4, 6))
}

fn maxdelay(facts: &Facts) -> Vec<Finding> {
    let is_protected = facts
        .diagnosed()
        .is_some_and(|diagnosed| diagnosed.record.disruption.supported);
    let lines = facts.configuration.sources().filter(|line| {
        let delay = line.value("maxdelay").and_then(|value| value.parse().ok());
        delay.is_some_and(|delay: f64| delay > 4.0) && is_protected
    });
    lines
        .map(|line| {
            Finding::warning(
                "maxdelay",
                format!(
                    "maxdelay of {} is above 4 s",
                    line.source().unwrap_or_default()
                ),
                "after a disruption clockbound uses reports that are requested 4 s later, unless \
                 chronyd has acknowledged a reset of its sources. An answer that took longer can \
                 belong to a request from before the disruption",
            )
            .change(
                Change::replace(
                    &line.file,
                    line.number,
                    &line.line,
                    Some(line.with("maxdelay", "3")),
                )
                .then(RESTART_CHRONYD),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chronyd_has_leapseclist_from_4_6_on() {
        for (version, expected) in [
            ("4.3", false),
            ("4.5", false),
            ("4.6", true),
            ("4.6.1", true),
            ("4.6-pre1", true),
            ("4.10", true),
            ("5.0", true),
            ("", false),
            ("git", false),
        ] {
            assert_eq!(has_leapseclist(version), expected, "{version}");
        }
    }
}
