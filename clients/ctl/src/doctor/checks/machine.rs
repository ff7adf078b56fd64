//! The machine: its clocksource, its host, time namespaces, and the discipline of the clock.

use clockbound_client::Status;

use super::{RESTART, main_configuration};
use crate::doctor::facts::files::Kind;
use crate::doctor::facts::{Fact, Facts};
use crate::doctor::finding::{Change, Finding};

/// Clocksources that are read without the kernel, and from which v3 is computed.
const COUNTERS: [&str; 2] = ["tsc", "arch_sys_counter"];
/// Clocksources that are slow to read. The kernel uses one of the first three on x86 when it has
/// marked the counter as unstable.
const SLOW: [&str; 6] = [
    "hpet",
    "acpi_pm",
    "refined-jiffies",
    "jiffies",
    "pit",
    "xen",
];

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![clocksource(facts)];
    findings.push(vmclock(facts));
    findings.push(time_namespace(facts));
    findings.extend(discipline(facts));
    findings
}

fn clocksource(facts: &Facts) -> Finding {
    const CHECK: &str = "clocksource";
    let source = match &facts.clocksource {
        Fact::Known(source) => source,
        Fact::Unknown(why) => return Finding::unknown(CHECK, "the clocksource", why),
    };
    let current = source.current.as_str();
    if COUNTERS.contains(&current) {
        return Finding::ok(CHECK, format!("the clocksource is {current}"));
    }
    let what = format!("the clocksource is {current}");
    let counter = COUNTERS
        .into_iter()
        .find(|counter| source.available.iter().any(|name| name == counter));
    let command = match counter {
        Some(counter) => format!(
            "dmesg | grep -i clocksource; if it was not marked as unstable, start the kernel with \
             clocksource={counter}"
        ),
        None => "dmesg | grep -i clocksource".to_owned(),
    };
    if SLOW.contains(&current) {
        return Finding::warning(
            CHECK,
            what,
            "a read of the clock takes a system call of a microsecond or more. If the kernel left \
             the processor's counter because it is unstable, time cannot be bounded on this \
             machine. v3, for programs of the 3.x generation, is not published",
        )
        .change(Change::command(command));
    }
    Finding::info(
        CHECK,
        what,
        "v3, for programs of the 3.x generation, needs the processor's counter and is not \
         published",
    )
    .change(Change::command(command))
}

fn vmclock(facts: &Facts) -> Finding {
    const CHECK: &str = "vmclock";
    const WHY: &str = "a snapshot that is restored, or a move to another host, is then not \
                       detected: the interval is wrong until chronyd has measured again";
    let machine = match &facts.hypervisor {
        Fact::Unknown(why) => {
            return Finding::unknown(CHECK, "whether this is a virtual machine", why);
        }
        Fact::Known(None) => return Finding::ok(CHECK, "this is not a virtual machine"),
        Fact::Known(Some(machine)) => machine,
    };
    let device = match &facts.vmclock {
        Fact::Unknown(why) => return Finding::unknown(CHECK, "the VMClock device", why),
        Fact::Known(None) => {
            return Finding::info(
                CHECK,
                format!("this virtual machine ({machine}) has no VMClock device"),
                WHY,
            );
        }
        Fact::Known(Some(device)) => device,
    };
    let at = device.path.display();
    if device.mode & 0o444 != 0o444 && device.kind != Kind::Directory {
        return Finding::warning(
            CHECK,
            format!("{at} has mode {:04o}", device.mode),
            "every program that reads the segments opens it, and gets an error if it cannot",
        )
        .change(
            Change::add(
                "/usr/lib/udev/rules.d/60-clockbound.rules".as_ref(),
                "SUBSYSTEM==\"misc\", KERNEL==\"vmclock[0-9]*\", MODE=\"0444\"",
            )
            .then("udevadm control --reload && udevadm trigger --sysname-match='vmclock*'"),
        );
    }
    let Some(diagnosed) = facts.diagnosed() else {
        return Finding::ok(CHECK, format!("{at} is readable"));
    };
    if diagnosed.record.disruption.supported {
        return Finding::ok(CHECK, format!("clockbound reads {at}"));
    }
    let is_disabled = facts.daemon().is_some_and(|daemon| {
        daemon
            .arguments
            .iter()
            .any(|word| word == "-d" || word == "--disable-clock-disruption-support")
    });
    if is_disabled {
        return Finding::warning(
            CHECK,
            format!("{at} exists, and clockbound runs with --disable-clock-disruption-support"),
            WHY,
        )
        .change(Change::command(format!(
            "remove --disable-clock-disruption-support from the options of clockbound, and \
             {RESTART}"
        )));
    }
    Finding::warning(CHECK, format!("clockbound does not read {at}"), WHY)
        .change(Change::command(RESTART))
}

fn time_namespace(facts: &Facts) -> Finding {
    const CHECK: &str = "time_namespace";
    let own = match &facts.time_namespace {
        Fact::Known(own) => own,
        Fact::Unknown(why) => return Finding::unknown(CHECK, "the time namespace", why),
    };
    let of_daemon = facts
        .daemon()
        .and_then(|daemon| daemon.time_namespace.as_ref());
    let differs = match (&own.id, of_daemon) {
        (Some(own), Some(daemon)) => own != daemon,
        _ => own.monotonic != "0.0" && !own.monotonic.is_empty(),
    };
    if !differs {
        return Finding::ok(CHECK, "no other time namespace is in use");
    }
    Finding::warning(
        CHECK,
        format!(
            "this process is in another time namespace than clockbound; its monotonic clocks are \
             offset by {} s",
            own.monotonic
        ),
        "the clients of this project take the offset into account. Published clients of the 1.x \
         and 2.x generations in this namespace read records as of another time",
    )
    .change(Change::command(
        "run such programs in the time namespace of clockbound, or use the clients of this project",
    ))
}

fn discipline(facts: &Facts) -> Option<Finding> {
    const CHECK: &str = "kernel_clock";
    let discipline = facts.discipline.get()?;
    let diagnosed = facts.diagnosed()?;
    if !discipline.is_unsynchronised || diagnosed.status != Status::Synchronized {
        return None;
    }
    let finding = Finding::info(
        CHECK,
        "the kernel's clock is not declared to be synchronised (STA_UNSYNC)",
        "the interval is not affected. Programs that look at this flag, such as timedatectl and \
         node_exporter, report that the clock is not synchronised",
    );
    let has_rtcsync = facts.configuration.last("rtcsync").is_some();
    Some(if has_rtcsync {
        finding
    } else {
        finding.change(Change::add(main_configuration(facts), "rtcsync"))
    })
}
