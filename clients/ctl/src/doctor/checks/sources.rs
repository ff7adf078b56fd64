//! The time sources: how many there are, and whether they serve the same time scale.

use clockbound_client::Reason;

use super::{RESTART, RESTART_CHRONYD, main_configuration};
use crate::doctor::facts::Facts;
use crate::doctor::facts::chrony_conf::Directive;
use crate::doctor::finding::{Change, Finding};

/// Servers that smear leap seconds. A name also stands for those that end with a dot and it.
const SMEARING: [&str; 15] = [
    "time.google.com",
    "time1.google.com",
    "time2.google.com",
    "time3.google.com",
    "time4.google.com",
    "time.android.com",
    "time.aws.com",
    "169.254.169.123",
    "fd00:ec2::123",
    "time.facebook.com",
    "time1.facebook.com",
    "time2.facebook.com",
    "time3.facebook.com",
    "time4.facebook.com",
    "time5.facebook.com",
];

/// Servers that do not.
const UNSMEARED: [&str; 7] = [
    "pool.ntp.org",
    "nist.gov",
    "time.cloudflare.com",
    "ptb.de",
    "npl.co.uk",
    "nts.netnod.se",
    "usno.navy.mil",
];

/// The number of servers of a `pool` line without `maxsources`.
const POOL_SOURCES: usize = 4;

/// How a server treats leap seconds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scale {
    Smeared,
    Utc,
    NotKnown,
}

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(smearing(facts));
    findings.extend(smearing_here(facts));
    findings.push(count(facts));
    findings
}

fn scale(line: &Directive) -> Scale {
    let name = line
        .source()
        .unwrap_or_default()
        .trim_end_matches('.')
        .to_lowercase();
    let is_of = |names: &[&str]| {
        names.iter().any(|known| {
            let rest = name.strip_suffix(known);
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    };
    if line.name == "refclock" {
        Scale::NotKnown
    } else if is_of(&SMEARING) {
        Scale::Smeared
    } else if is_of(&UNSMEARED) {
        Scale::Utc
    } else {
        Scale::NotKnown
    }
}

fn smearing(facts: &Facts) -> Option<Finding> {
    const CHECK: &str = "smeared_sources";
    let of = |wanted: Scale| -> Vec<&Directive> {
        let lines = facts.configuration.sources();
        lines.filter(|line| scale(line) == wanted).collect()
    };
    let (smeared, utc, others) = (of(Scale::Smeared), of(Scale::Utc), of(Scale::NotKnown));
    let first = smeared.first()?;
    let names = |lines: &[&Directive]| -> String {
        let names: Vec<&str> = lines.iter().filter_map(|line| line.source()).collect();
        names.join(", ")
    };
    let name = names(&smeared);
    if !utc.is_empty() {
        return Some(
            Finding::warning(
                CHECK,
                format!("{name} smears leap seconds, and {} does not", names(&utc)),
                "for most of a day around a leap second their times differ by up to a second. The \
                 interval of one then contradicts those of the others",
            )
            .change(
                Change::replace(&first.file, first.number, &first.line, None).then(RESTART_CHRONYD),
            ),
        );
    }
    let servers: Vec<&Directive> = others
        .into_iter()
        .filter(|line| line.name != "refclock")
        .collect();
    let what = if servers.is_empty() {
        format!("{name} smears leap seconds")
    } else {
        format!(
            "{name} smears leap seconds; whether {} does is not known",
            names(&servers)
        )
    };
    Some(Finding::info(
        CHECK,
        what,
        "for most of a day around a leap second the time of such a server is not UTC, and neither \
         is the interval. All sources, also reference clocks, have to smear in the same way, or \
         none",
    ))
}

/// Whether this chronyd smears leap seconds itself.
fn smearing_here(facts: &Facts) -> Vec<Finding> {
    let mode = facts
        .configuration
        .last("leapsecmode")
        .filter(|line| line.has("slew"))
        .map(|line| {
            Finding::info(
                "leapsecmode",
                "chronyd slews CLOCK_REALTIME after a leap second",
                "the interval is UTC and is not affected. Until the slew has ended, the bound of \
                 v1 and v2 contains the distance of CLOCK_REALTIME",
            )
            .change(Change::replace(
                &line.file,
                line.number,
                &line.line,
                Some("leapsecmode system".to_owned()),
            ))
        });
    let smooth = facts.configuration.last("smoothtime").map(|line| {
        Finding::info(
            "smoothtime",
            "chronyd serves smoothed time",
            "its clients get a time that differs from UTC by more than chronyd declares while an \
             offset is smoothed out. The interval of this host is not affected",
        )
        .change(Change::replace(&line.file, line.number, &line.line, None))
    });
    mode.into_iter().chain(smooth).collect()
}

/// The number of sources of a line.
fn sources_of(line: &Directive) -> usize {
    if line.name == "pool" {
        let given = line
            .value("maxsources")
            .and_then(|value| value.parse().ok());
        given.unwrap_or(POOL_SOURCES)
    } else {
        1
    }
}

fn count(facts: &Facts) -> Finding {
    const CHECK: &str = "source_count";
    let configured: usize = facts
        .configuration
        .sources()
        .filter(|line| !line.has("noselect"))
        .map(sources_of)
        .sum();
    let diagnosed = facts.diagnosed();
    let in_use = diagnosed.map_or(0, |diagnosed| {
        usize::try_from(diagnosed.record.source_count).unwrap_or(usize::MAX)
    });
    let count = configured.max(in_use);
    let falsetickers = diagnosed.map_or(0, |diagnosed| diagnosed.record.settings.falsetickers);
    let needed = 2 * usize::from(falsetickers) + 1;
    if count == 0 {
        if !facts.configuration.unreadable.is_empty() {
            return Finding::unknown(
                CHECK,
                "the number of time sources",
                "the configuration of chronyd cannot be read",
            );
        }
        return Finding::error(
            CHECK,
            "chronyd has no time source",
            "without a measurement nothing is known about true time",
        )
        .change(
            Change::add(
                main_configuration(facts),
                "server ntp.example.net iburst minpoll 4 maxpoll 4",
            )
            .then(RESTART_CHRONYD),
        );
    }
    let reason = diagnosed.map(|diagnosed| diagnosed.record.failure);
    if falsetickers > 0 && (count < needed || reason == Some(Reason::TooFewSources)) {
        return Finding::warning(
            CHECK,
            format!(
                "--falsetickers {falsetickers} needs {needed} reachable sources, and {count} are \
                 configured"
            ),
            "with fewer, no measurement is used, and the status becomes free_running with reason \
             too_few_sources. Two more than needed let a source fail",
        )
        .change(
            Change::add(
                main_configuration(facts),
                "server ntp.example.net iburst minpoll 4 maxpoll 4",
            )
            .then(format!(
                "{RESTART_CHRONYD}, or lower --falsetickers and {RESTART}"
            )),
        );
    }
    if count == 1 {
        return Finding::info(
            CHECK,
            "there is one time source",
            "nothing checks it: the interval is as wrong as this source",
        );
    }
    Finding::ok(CHECK, format!("{count} time sources"))
}
