//! The daemon's unit: settings that a drop-in or another unit changed, options that are not in
//! effect, and units that start before the interval can be trusted.

use super::RESTART;
use crate::doctor::facts::unit::Unit;
use crate::doctor::facts::{Fact, Facts, UNIT};
use crate::doctor::finding::{Change, Finding};

/// The command after a change of a unit.
const RELOAD: &str = "systemctl daemon-reload && systemctl restart clockbound";
/// The longest watchdog timeout with which a hung daemon is replaced before its record is treated
/// as free running, s.
const MAX_WATCHDOG_S: u32 = 4;
/// The least memory limit with which the daemon runs, MiB.
const MIN_MEMORY_MIB: u64 = 8;

/// A setting that the unit needs.
struct Needed {
    key: &'static str,
    /// The line of the package.
    line: &'static str,
    is_met: fn(&Unit) -> bool,
    why: &'static str,
}

/// The settings that the packages' unit has, and without which something is lost.
const NEEDED: [Needed; 15] = [
    Needed {
        key: "RuntimeDirectory",
        line: "RuntimeDirectory=clockbound",
        is_met: |unit| unit.words("RuntimeDirectory").contains(&"clockbound"),
        why: "the daemon's user cannot create its directory in /run",
    },
    Needed {
        key: "RuntimeDirectoryPreserve",
        line: "RuntimeDirectoryPreserve=yes",
        is_met: |unit| unit.is_yes("RuntimeDirectoryPreserve"),
        why: "every stop of the unit then deletes the segments that programs have open",
    },
    Needed {
        key: "RuntimeDirectoryMode",
        line: "RuntimeDirectoryMode=0755",
        is_met: |unit| {
            let mode = unit.value("RuntimeDirectoryMode").unwrap_or("0755");
            u32::from_str_radix(mode, 8).is_ok_and(|mode| mode & 0o057 == 0o055)
        },
        why: "programs of other users cannot open the segments, or can write to the directory",
    },
    Needed {
        key: "Type",
        line: "Type=notify",
        is_met: |unit| unit.value("Type") == Some("notify"),
        why: "units that start after this one then start before the first publication, and the \
              watchdog is not used",
    },
    Needed {
        key: "WatchdogSec",
        line: "WatchdogSec=2s",
        is_met: |unit| {
            seconds(unit.value("WatchdogSec")).is_some_and(|s| (1..=MAX_WATCHDOG_S).contains(&s))
        },
        why: "a daemon that hangs is not restarted before readers treat its record as free \
              running, 5 s after the last publication",
    },
    Needed {
        key: "Restart",
        line: "Restart=always",
        is_met: |unit| unit.value("Restart") == Some("always"),
        why: "a daemon that was killed is not started again",
    },
    Needed {
        key: "StartLimitIntervalSec",
        line: "StartLimitIntervalSec=0",
        is_met: |unit| unit.value("StartLimitIntervalSec") == Some("0"),
        why: "after some failures in a row systemd does not start the daemon again",
    },
    Needed {
        key: "DynamicUser",
        line: "DynamicUser=no",
        is_met: |unit| !unit.is_yes("DynamicUser"),
        why: "a dynamic user may not query chronyd by its socket",
    },
    Needed {
        key: "ProtectClock",
        line: "ProtectClock=no",
        is_met: |unit| !unit.is_yes("ProtectClock"),
        why: "it also forbids reading the frequency of the clock: during a slew the bound of v1 \
              and v2 is too narrow",
    },
    Needed {
        key: "ProcSubset",
        line: "ProcSubset=all",
        is_met: |unit| unit.value("ProcSubset") != Some("pid"),
        why: "it hides the boot id, without which a segment from before a reboot is not recognised",
    },
    Needed {
        key: "RemoveIPC",
        line: "RemoveIPC=no",
        is_met: |unit| !unit.is_yes("RemoveIPC"),
        why: "when the unit stops, it removes the shared memory of chronyd's reference clocks, \
              which belongs to the same user",
    },
    Needed {
        key: "BindReadOnlyPaths",
        line: "BindReadOnlyPaths=-/dev/vmclock0",
        is_met: |unit| {
            let paths = unit.words("BindReadOnlyPaths");
            !unit.is_yes("PrivateDevices")
                || paths.iter().any(|path| path.contains("/dev/vmclock0"))
        },
        why: "PrivateDevices= hides the VMClock device, so that a restored snapshot is not \
              detected",
    },
    Needed {
        key: "RestrictAddressFamilies",
        line: "RestrictAddressFamilies=AF_UNIX AF_NETLINK",
        is_met: |unit| {
            let families = unit.words("RestrictAddressFamilies");
            families.is_empty()
                || ["AF_UNIX", "AF_NETLINK"]
                    .iter()
                    .all(|name| families.contains(name))
        },
        why: "without AF_UNIX chronyd cannot be queried, and without AF_NETLINK the kernel's \
              message about a restored snapshot does not arrive",
    },
    Needed {
        key: "ReadWritePaths",
        line: "ReadWritePaths=/run",
        is_met: |unit| {
            unit.value("ProtectSystem") != Some("strict")
                || unit.words("ReadWritePaths").contains(&"/run")
        },
        why: "the daemon creates its client socket in chronyd's directory, which chronyd creates \
              again at each start",
    },
    Needed {
        key: "MemoryMax",
        line: "MemoryMax=32M",
        is_met: |unit| unit.value("MemoryMax").is_none_or(is_enough_memory),
        why: "the daemon needs 4 MiB, and is killed above the limit",
    },
];

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let Some(unit) = &facts.unit else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    findings.extend(hidden(unit));
    findings.extend(published(unit));
    if findings.is_empty() {
        findings = settings(unit);
    }
    findings.extend(hardware_clock(facts, unit));
    findings.extend(reload(facts));
    findings.extend(not_in_effect(facts));
    findings.extend(not_enabled(facts));
    findings.extend(consumers(facts));
    findings
}

fn settings(unit: &Unit) -> Vec<Finding> {
    let missing = NEEDED.iter().filter(|needed| !(needed.is_met)(unit));
    let mut findings: Vec<Finding> = missing
        .map(|needed| {
            let assignment = unit.last(needed.key);
            let what = match assignment {
                Some(assignment) => format!("the unit of clockbound has {}", assignment.line),
                None => format!("the unit of clockbound does not have {}", needed.line),
            };
            let change = match assignment {
                Some(found) => Change::replace(
                    &found.file,
                    found.number,
                    &found.line,
                    Some(needed.line.to_owned()),
                ),
                None => Change::add(
                    &unit.file,
                    format!("{}\n{}", section(needed.key), needed.line),
                ),
            };
            Finding::warning("unit_setting", what, needed.why).change(change.then(RELOAD))
        })
        .collect();
    if findings.is_empty() {
        findings.push(Finding::ok(
            "unit_setting",
            format!(
                "{} has the settings that the daemon needs",
                unit.file.display()
            ),
        ));
    }
    findings
}

/// The section of a unit in which this setting is.
fn section(key: &str) -> &'static str {
    match key {
        "StartLimitIntervalSec" => "[Unit]",
        _ => "[Service]",
    }
}

/// A whole number of seconds of a time span, rounded up; `None` without one.
fn seconds(span: Option<&str>) -> Option<u32> {
    let span = span?;
    if let Some(ms) = span.strip_suffix("ms") {
        return Some(ms.parse::<u32>().ok()?.div_ceil(1000));
    }
    if let Some(minutes) = span.strip_suffix("min") {
        return minutes.parse::<u32>().ok()?.checked_mul(60);
    }
    span.trim_end_matches("sec")
        .trim_end_matches('s')
        .parse()
        .ok()
}

fn is_enough_memory(limit: &str) -> bool {
    let (number, mib) = match limit.char_indices().last() {
        Some((at, 'K')) => (&limit[..at], 1.0 / 1024.0),
        Some((at, 'M')) => (&limit[..at], 1.0),
        Some((at, 'G' | 'T')) => (&limit[..at], 1024.0),
        _ => (limit, 1.0 / 1_048_576.0),
    };
    // infinity, or a share of the memory
    number
        .parse::<f64>()
        .is_ok_and(|number| number * mib >= f64::from(u16::try_from(MIN_MEMORY_MIB).unwrap_or(0)))
        || limit.ends_with('%')
        || limit == "infinity"
}

/// A unit in /etc in place of the package's.
fn hidden(unit: &Unit) -> Option<Finding> {
    let hidden = unit.hidden.first()?;
    let file = unit.file.display();
    Some(
        Finding::warning(
            "unit_hidden",
            format!("{file} hides {}", hidden.display()),
            "upgrades of the package do not change it. Settings of this host belong into a drop-in",
        )
        .change(Change::command(format!("rm {file} && {RELOAD}"))),
    )
}

/// The published daemon's unit, which replaces chronyd.
fn published(unit: &Unit) -> Option<Finding> {
    let conflict = unit
        .assignments
        .iter()
        .find(|assignment| assignment.key == "Conflicts" && assignment.value.contains("chrony"))?;
    Some(
        Finding::error(
            "published_unit",
            format!("{UNIT} is the unit of the published daemon, which stops chronyd"),
            "systemd runs one unit of this name. This clockbound needs chronyd",
        )
        .change(
            Change::replace(&conflict.file, conflict.number, &conflict.line, None)
                .then("remove the published package, and install this one again"),
        ),
    )
}

/// The hardware clock's error bound is in /sys/class/net, which a private network hides.
fn hardware_clock(facts: &Facts, unit: &Unit) -> Option<Finding> {
    let options = &facts.options_files.last()?.options;
    let is_used = options
        .iter()
        .any(|word| word.starts_with("--phc-interface") || word.starts_with("-i"));
    let private = unit
        .last("PrivateNetwork")
        .filter(|_| unit.is_yes("PrivateNetwork"))?;
    is_used.then(|| {
        Finding::error(
            "unit_setting",
            "--phc-interface is given, and the unit has PrivateNetwork=yes",
            "a private network namespace hides the interface, and with it the error bound of its \
             clock: the daemon does not start",
        )
        .change(
            Change {
                present_line: Some(private.line.clone()),
                ..Change::add(
                    "/etc/systemd/system/clockbound.service.d/phc.conf".as_ref(),
                    "[Service]\nPrivateNetwork=no",
                )
            }
            .then(RELOAD),
        )
    })
}

fn reload(facts: &Facts) -> Option<Finding> {
    match facts.needs_reload {
        Fact::Known(true) => Some(
            Finding::warning(
                "unit_reload",
                "systemd has not read the unit of clockbound since it was changed",
                "the unit that runs is not the one in the files",
            )
            .change(Change::command(RELOAD)),
        ),
        _ => None,
    }
}

/// Options that were changed after the daemon was started.
fn not_in_effect(facts: &Facts) -> Option<Finding> {
    let file = facts.options_files.last()?;
    let daemon = facts.daemon()?;
    let is_of_the_unit = daemon.control_groups.contains(UNIT);
    let running = daemon.arguments.get(1..).unwrap_or_default();
    (is_of_the_unit && running != file.options).then(|| {
        Finding::warning(
            "options_not_in_effect",
            format!(
                "clockbound runs with other options than those in {}: {}",
                file.path.display(),
                running.join(" ")
            ),
            "options take effect when the daemon starts",
        )
        .change(Change::command(RESTART))
    })
}

fn not_enabled(facts: &Facts) -> Option<Finding> {
    let is_enabled = facts.enabled_units.iter().any(|unit| unit == UNIT);
    (!is_enabled).then(|| {
        Finding::warning(
            "unit_not_enabled",
            "clockbound does not start at boot",
            "after the next boot there is no interval",
        )
        .change(Change::command("systemctl enable clockbound"))
    })
}

/// Units that start after the daemon's and do not wait for an interval.
fn consumers(facts: &Facts) -> Vec<Finding> {
    let consumers = facts.consumers.iter().filter(|consumer| {
        let lines = consumer.unit.assignments.iter();
        !lines
            .filter(|line| line.key.starts_with("ExecStart"))
            .any(|line| line.value.contains("clockboundctl wait"))
    });
    consumers
        .map(|consumer| {
            let file = format!("/etc/systemd/system/{}.d/clockbound.conf", consumer.name);
            Finding::info(
                "consumer_does_not_wait",
                format!(
                    "{} starts after {UNIT} and does not wait for an interval",
                    consumer.name
                ),
                "clockbound is ready after its first publication, which can have status unknown",
            )
            .change(Change::add(
                file.as_ref(),
                // Shorter than the default of TimeoutStartSec, 90 s, so that it says why it fails.
                "[Service]\nExecStartPre=/usr/bin/clockboundctl wait --timeout 60s",
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_spans_and_memory_limits_are_parsed() {
        for (span, expected) in [
            ("2s", Some(2)),
            ("2", Some(2)),
            ("500ms", Some(1)),
            ("1min", Some(60)),
        ] {
            assert_eq!(seconds(Some(span)), expected, "{span}");
        }
        for (limit, expected) in [
            ("32M", true),
            ("4M", false),
            ("1G", true),
            ("infinity", true),
            ("4096K", false),
        ] {
            assert_eq!(is_enough_memory(limit), expected, "{limit}");
        }
    }
}
