//! chronyd: whether it runs, disciplines the clock, and can be queried by the daemon.

use super::{RESTART, RESTART_CHRONYD, main_configuration, owner_text};
use crate::doctor::facts::files::{FileFacts, Kind, below};
use crate::doctor::facts::{Fact, Facts, chronyd_options, configured_socket};
use crate::doctor::finding::{Change, Finding};

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![process(facts)];
    findings.extend(version(facts));
    if facts.chronyd().is_some() {
        findings.extend(discipline(facts));
        findings.push(socket(facts));
    }
    findings
}

fn process(facts: &Facts) -> Finding {
    const CHECK: &str = "chronyd";
    match (&facts.processes, facts.chronyd()) {
        (_, Some(chronyd)) => Finding::ok(CHECK, format!("chronyd runs, process {}", chronyd.pid)),
        (Fact::Unknown(why), None) => Finding::unknown(CHECK, "whether chronyd runs", why),
        (Fact::Known(_), None) if reports_arrive(facts) => Finding::unknown(
            CHECK,
            "chronyd answers the daemon, but its process is not visible here",
            "it runs in another process namespace, or under another name; run clockboundctl doctor \
             where chronyd runs to examine it",
        ),
        (Fact::Known(_), None) => Finding::error(
            CHECK,
            "chronyd does not run",
            "clockbound measures nothing itself: without chronyd the interval grows, and the \
             status becomes unknown after --holdover",
        )
        .change(Change::command("systemctl enable --now chronyd")),
    }
}

/// Whether the daemon's last poll of chronyd gave a report.
fn reports_arrive(facts: &Facts) -> bool {
    use clockbound_client::Reason::{ChronySilent, NeverSynchronized, PermissionDenied};
    facts.diagnosed().is_some_and(|diagnosed| {
        diagnosed.record.counters.reports > 0
            && ![ChronySilent, NeverSynchronized, PermissionDenied]
                .contains(&diagnosed.record.failure)
    })
}

fn version(facts: &Facts) -> Option<Finding> {
    const CHECK: &str = "chronyd_version";
    match &facts.chronyd_version {
        Fact::Known(version) => Some(Finding::ok(CHECK, format!("chronyd is version {version}"))),
        Fact::Unknown(why) => Some(Finding::unknown(CHECK, "the version of chronyd", why)),
    }
}

fn discipline(facts: &Facts) -> Option<Finding> {
    const CHECK: &str = "chronyd_leaves_the_clock";
    let chronyd = facts.chronyd()?;
    if !chronyd_options(&chronyd.arguments).leaves_the_clock {
        return Some(Finding::ok(CHECK, "chronyd disciplines CLOCK_REALTIME"));
    }
    let finding = Finding::warning(
        CHECK,
        format!("chronyd, process {}, runs with -x", chronyd.pid),
        "it measures the error of CLOCK_REALTIME and does not correct it. The native interval is \
         not affected, but the bound of v1 and v2 contains this error, which grows without limit. \
         Use -x only where another program disciplines the clock",
    );
    let without = |words: &[String]| {
        let others: Vec<&str> = words
            .iter()
            .map(String::as_str)
            .filter(|word| *word != "-x")
            .collect();
        others.join(" ")
    };
    let file = facts.chronyd_options.as_ref();
    let change = match file.and_then(|file| Some((file, file.line.as_ref()?))) {
        Some((file, (number, line))) if file.options.iter().any(|word| word == "-x") => {
            let (variable, _) = line.split_once('=')?;
            let wanted = format!("{variable}=\"{}\"", without(&file.options));
            Change::replace(&file.path, *number, line, Some(wanted)).then(RESTART_CHRONYD)
        }
        // Debian's unit adds it where the capability to set the clock is missing.
        _ => Change {
            present_line: Some(chronyd.arguments.join(" ")),
            wanted_line: Some(without(&chronyd.arguments)),
            ..Change::default()
        },
    };
    Some(finding.change(change))
}

fn socket(facts: &Facts) -> Finding {
    const CHECK: &str = "chronyd_socket";
    let path = facts.socket.display();
    let Some(own) = configured_socket(&facts.configuration) else {
        let finding = Finding::error(
            CHECK,
            "bindcmdaddress / switches chronyd's command socket off",
            "clockbound queries chronyd by this socket",
        );
        return match facts.configuration.last("bindcmdaddress") {
            Some(line) => finding.change(
                Change::replace(&line.file, line.number, &line.line, None).then(RESTART_CHRONYD),
            ),
            None => finding,
        };
    };
    let root = &facts.root;
    if below(root, &own) != below(root, &facts.socket) {
        let finding = Finding::error(
            CHECK,
            format!(
                "chronyd's command socket is {}, and clockbound uses {path}",
                own.display()
            ),
            "clockbound queries chronyd by this socket",
        );
        return match facts.configuration.last("bindcmdaddress") {
            Some(line) => {
                let wanted = Some(format!("bindcmdaddress {path}"));
                finding.change(
                    Change::replace(&line.file, line.number, &line.line, wanted)
                        .then(RESTART_CHRONYD),
                )
            }
            None => finding.change(
                Change::add(main_configuration(facts), format!("bindcmdaddress {path}"))
                    .then(RESTART_CHRONYD),
            ),
        };
    }
    match (&facts.socket_directory, &facts.socket_file) {
        (Fact::Unknown(why), _) | (_, Fact::Unknown(why)) => {
            Finding::unknown(CHECK, format!("owner and mode of {path}"), why)
        }
        (Fact::Known(Some(directory)), Fact::Known(Some(socket))) => {
            permission(facts, directory, socket)
        }
        (Fact::Known(_), Fact::Known(_)) if !facts.configuration.unreadable.is_empty() => {
            Finding::unknown(
                CHECK,
                format!("{path} does not exist; whether chronyd has another socket"),
                "the configuration of chronyd cannot be read",
            )
        }
        (Fact::Known(directory), Fact::Known(_)) => missing(facts, directory.as_ref()),
    }
}

/// chronyd runs, and its socket does not exist.
fn missing(facts: &Facts, directory: Option<&FileFacts>) -> Finding {
    const CHECK: &str = "chronyd_socket";
    let path = facts.socket.display();
    let finding = |what: String| {
        Finding::error(
            CHECK,
            what,
            "clockbound queries chronyd by this socket, and nothing else",
        )
    };
    let open = directory.filter(|directory| directory.mode & 0o007 != 0);
    if let Some(directory) = open {
        let at = directory.path.display();
        return finding(format!(
            "chronyd did not create {path}: its directory has mode {:04o}, and chronyd refuses a \
             directory that others may use",
            directory.mode
        ))
        .change(Change::command(format!(
            "chmod 0750 {at} && {RESTART_CHRONYD}"
        )));
    }
    finding(format!("chronyd runs, and {path} does not exist"))
        .change(Change::command(RESTART_CHRONYD))
}

fn permission(facts: &Facts, directory: &FileFacts, socket: &FileFacts) -> Finding {
    const CHECK: &str = "chronyd_socket";
    let path = facts.socket.display();
    if socket.kind != Kind::Socket {
        return Finding::error(
            CHECK,
            format!("{path} is not a socket"),
            "clockbound queries chronyd by this socket",
        )
        .change(Change::command(format!("rm {path} && {RESTART_CHRONYD}")));
    }
    let Some(user) = User::of_the_daemon(facts) else {
        return Finding::ok(CHECK, format!("{path} is {}", owner_text(facts, socket)));
    };
    // The daemon binds a socket of its own beside chronyd's, to which chronyd replies.
    for (file, needed, use_of_it) in [
        (directory, 0o3, "create its own socket in"),
        (socket, 0o2, "connect to"),
    ] {
        if !user.may(file, needed) {
            let at = file.path.display();
            let finding = Finding::error(
                CHECK,
                format!(
                    "clockbound, user {}, may not {use_of_it} {at}, which is {}",
                    user.name,
                    owner_text(facts, file)
                ),
                "only chronyd's user may query chronyd by its socket, so no measurement arrives",
            );
            let chronyd = facts
                .chronyd()
                .map_or(directory.owner, |chronyd| chronyd.user);
            let owner = facts.user_name(chronyd);
            return finding.change(if file.owner == chronyd {
                user.remedy(facts, &owner)
            } else {
                Change::command(format!("chown {owner}: {at} && {RESTART_CHRONYD}"))
            });
        }
    }
    Finding::ok(
        CHECK,
        format!("user {} may query chronyd by {path}", user.name),
    )
}

/// The user that the daemon runs as, or would.
struct User {
    name: String,
    id: u32,
    groups: Vec<u32>,
    may_use_every_file: bool,
}

impl User {
    fn of_the_daemon(facts: &Facts) -> Option<Self> {
        if let Some(daemon) = facts.daemon() {
            return Some(Self {
                name: facts.user_name(daemon.user),
                id: daemon.user,
                groups: daemon.groups.clone(),
                may_use_every_file: daemon.may_use_every_file(),
            });
        }
        let name = facts.unit.as_ref()?.value("User")?;
        let id = facts.user_id(name)?;
        let account = facts.accounts.iter().find(|account| account.1 == id);
        Some(Self {
            name: name.to_owned(),
            id,
            groups: account.map(|account| account.2).into_iter().collect(),
            may_use_every_file: false,
        })
    }

    /// Whether it has these permissions, as bits of "others".
    fn may(&self, file: &FileFacts, needed: u32) -> bool {
        let granted = if file.owner == self.id {
            file.mode >> 6
        } else if self.groups.contains(&file.group) {
            file.mode >> 3
        } else {
            file.mode
        };
        self.may_use_every_file || granted & needed == needed
    }

    /// Runs the daemon as chronyd's user.
    fn remedy(&self, facts: &Facts, owner: &str) -> Change {
        let assignment = facts.unit.as_ref().and_then(|unit| unit.last("User"));
        match assignment {
            Some(user) if self.name == user.value => Change::replace(
                &user.file,
                user.number,
                &user.line,
                Some(format!("User={owner}")),
            )
            .then(format!("systemctl daemon-reload && {RESTART}")),
            _ => Change::command(format!("start clockbound as user {owner}")),
        }
    }
}
