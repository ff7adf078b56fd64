//! Other programs that set or adjust the clock, or write the segments.

use crate::doctor::facts::process::Process;
use crate::doctor::facts::{Fact, Facts, chronyd_options};
use crate::doctor::finding::{Change, Finding};

/// Programs that discipline the clock, by the name of their process, with the unit that starts
/// them.
const TIME_DAEMONS: [(&str, &str); 9] = [
    ("systemd-timesyn", "systemd-timesyncd"),
    ("ntpd", "ntpd"),
    ("openntpd", "openntpd"),
    ("ntp-daemon", "ntpd-rs"),
    ("ptpd", "ptpd"),
    ("ptpd2", "ptpd"),
    ("sfptpd", "sfptpd"),
    ("timekeeper", "timekeeper"),
    ("radclock", "radclock"),
];

/// Units of time daemons that may start at boot beside chronyd.
const UNITS: [&str; 7] = [
    "systemd-timesyncd.service",
    "ntp.service",
    "ntpd.service",
    "ntpsec.service",
    "openntpd.service",
    "ntpd-rs.service",
    "phc2sys.service",
];

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut findings = match &facts.processes {
        Fact::Known(_) => running(facts),
        Fact::Unknown(why) => vec![Finding::unknown(
            "other_time_daemon",
            "whether another program disciplines the clock",
            why,
        )],
    };
    findings.extend(enabled(facts));
    findings.extend(second_writer(facts));
    findings
}

fn running(facts: &Facts) -> Vec<Finding> {
    const CHECK: &str = "other_time_daemon";
    let mut findings: Vec<Finding> = facts
        .running()
        .iter()
        .filter(|process| process.may_set_the_clock(facts.own_user_namespace.as_deref()))
        .filter_map(|process| other(facts, process))
        .collect();
    if findings.is_empty() {
        findings.push(Finding::ok(
            CHECK,
            "no other program that disciplines the clock runs",
        ));
    }
    findings
}

fn other(facts: &Facts, process: &Process) -> Option<Finding> {
    const CHECK: &str = "other_time_daemon";
    const WHY: &str = "two programs that correct one clock undo each other's corrections. The \
                       native interval is not affected, but the bound of v1 and v2 grows, and \
                       chronyd's measurements become worse";
    let (name, pid) = (process.name.as_str(), process.pid);
    let arguments = process.arguments.as_slice();
    let has = |word: &str| arguments.iter().any(|argument| argument == word);
    let finding = |what: String, command: String| {
        // The program is no fault where chronyd leaves the clock to it.
        let mut chronyds = facts.chronyds().peekable();
        let is_alone = chronyds.peek().is_some()
            && chronyds.all(|chronyd| chronyd_options(&chronyd.arguments).leaves_the_clock);
        let finding = if is_alone {
            Finding::info(
                CHECK,
                what,
                "chronyd runs with -x and leaves the clock to it",
            )
        } else {
            Finding::warning(CHECK, what, WHY)
        };
        Some(finding.change(Change::command(command)))
    };
    if let Some((_, unit)) = TIME_DAEMONS.iter().find(|(known, _)| *known == name) {
        // OpenNTPD and other daemons have children of the same name.
        let is_child = facts
            .running()
            .iter()
            .any(|parent| parent.pid == process.parent && parent.name == name);
        return (!is_child).then(|| {
            finding(
                format!("{name}, process {pid}, also disciplines the clock"),
                format!("systemctl disable --now {unit}"),
            )
        })?;
    }
    match name {
        "chronyd" => {
            let is_chosen = facts.chronyd().is_some_and(|chosen| chosen.pid == pid);
            let is_child = !facts.chronyds().any(|chronyd| chronyd.pid == pid);
            let is_harmless = is_chosen || is_child || chronyd_options(arguments).leaves_the_clock;
            (!is_harmless).then(|| {
                finding(
                    format!("a second chronyd, process {pid}, also disciplines the clock"),
                    format!("kill {pid}"),
                )
            })?
        }
        "phc2sys" if sets_realtime(arguments) => finding(
            format!("phc2sys, process {pid}, also disciplines the clock"),
            "systemctl disable --now phc2sys".to_owned(),
        ),
        "ptp4l" if has("-S") => finding(
            format!("ptp4l, process {pid}, disciplines the clock with software time stamps (-S)"),
            "systemctl disable --now ptp4l".to_owned(),
        ),
        "VBoxService" if !has("--disable-timesync") => finding(
            format!("VBoxService, process {pid}, also sets the clock"),
            "start VBoxService with --disable-timesync".to_owned(),
        ),
        "vmtoolsd" => Some(
            Finding::info(
                CHECK,
                format!("vmtoolsd, process {pid}, can set the clock"),
                "whether it does so periodically is a setting of the virtual machine, which no \
                 file of this host has",
            )
            .change(Change::command(
                "vmware-toolbox-cmd timesync status; vmware-toolbox-cmd timesync disable",
            )),
        ),
        _ => None,
    }
}

/// Whether phc2sys adjusts `CLOCK_REALTIME`: by its automatic mode with -r, or by the clock of -c,
/// which is `CLOCK_REALTIME` by default.
fn sets_realtime(arguments: &[String]) -> bool {
    let has = |letter: char| {
        arguments.iter().skip(1).any(|word| {
            word.strip_prefix('-')
                .is_some_and(|letters| !letters.starts_with('-') && letters.contains(letter))
        })
    };
    let clock = arguments
        .iter()
        .position(|word| word == "-c")
        .and_then(|index| arguments.get(index + 1));
    if has('a') {
        return has('r');
    }
    clock.is_none_or(|clock| clock == "CLOCK_REALTIME")
}

fn enabled(facts: &Facts) -> Vec<Finding> {
    let chronyd_is_enabled = facts
        .enabled_units
        .iter()
        .any(|unit| unit == "chrony.service" || unit == "chronyd.service");
    let is_running = |unit: &str| {
        let name = unit.trim_end_matches(".service");
        facts.running().iter().any(|process| {
            let known = TIME_DAEMONS
                .iter()
                .any(|(known, of)| *known == process.name && *of == name);
            known || process.name == name
        })
    };
    let units = facts.enabled_units.iter().filter(|unit| {
        UNITS.contains(&unit.as_str())
            && facts.services.contains(unit)
            && chronyd_is_enabled
            && !is_running(unit)
    });
    units
        .map(|unit| {
            let name = unit.trim_end_matches(".service");
            Finding::warning(
                "other_time_daemon_enabled",
                format!("{unit} starts at boot beside chronyd"),
                "after the next boot either of the two runs, or both",
            )
            .change(Change::command(format!("systemctl disable --now {name}")))
        })
        .collect()
}

/// A daemon beside the one that publishes. It can be the published daemon, which does not use lock
/// files.
fn second_writer(facts: &Facts) -> Vec<Finding> {
    const CHECK: &str = "second_clockbound";
    let own = facts.daemon().map(|daemon| daemon.pid);
    let at = facts.directory.display();
    let others = facts
        .running()
        .iter()
        .filter(|process| process.name == "clockbound" && Some(process.pid) != own);
    others
        .filter_map(|process| {
            let pid = process.pid;
            match (process.run_directory, facts.run_directory_id) {
                (Some(other), Some(own)) if other == own => Some(
                    Finding::error(
                        CHECK,
                        format!("a second clockbound, process {pid}, writes to {at}"),
                        "the published daemon of this name truncates and overwrites the segments, \
                         and neither of the two notices. A program that reads them gets a mixture",
                    )
                    .change(Change::command(format!("kill {pid}"))),
                ),
                (None, Some(_)) => Some(Finding::unknown(
                    CHECK,
                    format!("whether a second clockbound, process {pid}, writes to {at}"),
                    "its directories cannot be read; run clockboundctl doctor as root",
                )),
                _ => None,
            }
        })
        .collect()
}
