//! Processes of the examined host, by its /proc.

use std::fs;
use std::path::{Path, PathBuf};

use super::Fact;
use super::files::{FileId, below, file_id, text, why_unreadable};

/// The number of CAP_SYS_TIME: permission to set and to adjust the clock.
const CAP_SYS_TIME: u32 = 25;
/// The number of CAP_DAC_OVERRIDE: permission to use every file.
const CAP_DAC_OVERRIDE: u32 = 1;

/// A process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Its id, as /proc shows it.
    pub pid: u32,
    /// The id of its parent.
    pub parent: u32,
    /// Its name, at most 15 bytes.
    pub name: String,
    /// Its command line.
    pub arguments: Vec<String>,
    /// Its effective user id.
    pub user: u32,
    /// Its effective group id and its supplementary groups.
    pub groups: Vec<u32>,
    /// Its effective capabilities.
    pub capabilities: u64,
    /// Its id in each process namespace from that of /proc inwards.
    pub namespace_pids: Vec<u32>,
    /// Its user namespace, if it can be read.
    pub user_namespace: Option<String>,
    /// Its time namespace, if it can be read.
    pub time_namespace: Option<String>,
    /// Its control groups.
    pub control_groups: String,
    /// The directory of its option --shm-path, or of its default, as it sees it; `None` if that
    /// cannot be read.
    pub run_directory: Option<FileId>,
}

impl Process {
    /// Reads a process; `None` if it has ended or is a thread of the kernel.
    fn read(root: &Path, pid: u32) -> Option<Self> {
        let at = |name: &str| PathBuf::from(format!("/proc/{pid}/{name}"));
        let status = text(root, at("status")).known()?;
        let arguments = text(root, at("cmdline")).known()?;
        let link = |name: &str| {
            let target = fs::read_link(below(root, &at(name))).ok()?;
            Some(target.to_string_lossy().into_owned())
        };
        let mut process = Self::parse(pid, &status, &arguments)?;
        process.user_namespace = link("ns/user");
        process.time_namespace = link("ns/time");
        process.control_groups = text(root, at("cgroup")).known().unwrap_or_default();
        let run_directory = match process.option("--shm-path", None) {
            Some(path) => Path::new(path).parent().unwrap_or(Path::new("/")),
            None => Path::new("/run/clockbound"),
        };
        let own_root = below(root, &at("root"));
        process.run_directory = file_id(&below(&own_root, run_directory));
        Some(process)
    }

    /// Parses /proc/PID/status and /proc/PID/cmdline.
    fn parse(pid: u32, status: &str, arguments: &str) -> Option<Self> {
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            Some(line.strip_prefix(':')?.trim())
        };
        let numbers = |name: &str| -> Vec<u32> {
            let words = field(name).unwrap_or_default().split_whitespace();
            words.filter_map(|word| word.parse().ok()).collect()
        };
        let effective = |name: &str| numbers(name).get(1).copied();
        let mut groups: Vec<u32> = effective("Gid").into_iter().collect();
        groups.extend(numbers("Groups"));
        let arguments: Vec<String> = arguments.split('\0').map(str::to_owned).collect();
        // The last argument ends with a zero, too.
        let count = arguments.len().saturating_sub(1);
        if count == 0 {
            return None;
        }
        Some(Self {
            pid,
            parent: field("PPid")?.parse().ok()?,
            name: field("Name")?.to_owned(),
            arguments: arguments[..count].to_vec(),
            user: effective("Uid")?,
            groups,
            capabilities: u64::from_str_radix(field("CapEff").unwrap_or("0"), 16).ok()?,
            namespace_pids: numbers("NSpid"),
            ..Self::default()
        })
    }

    /// Whether it may set and adjust the clock. A process of a container that has a user namespace
    /// of its own may not, whatever capabilities it has there.
    pub fn may_set_the_clock(&self, own_user_namespace: Option<&str>) -> bool {
        let is_confined = self.namespace_pids.len() > 1
            && (self.user_namespace.is_none()
                || self.user_namespace.as_deref() != own_user_namespace);
        self.capabilities >> CAP_SYS_TIME & 1 == 1 && !is_confined
    }

    /// Whether it may use every file whatever the mode is.
    pub fn may_use_every_file(&self) -> bool {
        self.capabilities >> CAP_DAC_OVERRIDE & 1 == 1
    }

    /// The value of a long option, or of its one-letter form.
    pub fn option(&self, long: &str, short: Option<char>) -> Option<&str> {
        option(&self.arguments, long, short)
    }
}

/// The value of a long option, or of its one-letter form, in a command line: the last one.
pub fn option<'a>(arguments: &'a [String], long: &str, short: Option<char>) -> Option<&'a str> {
    let mut found = None;
    let mut words = arguments.iter().map(String::as_str).peekable();
    while let Some(word) = words.next() {
        let short = short.and_then(|short| word.strip_prefix(&format!("-{short}")));
        if word == long || short == Some("") {
            found = words.peek().copied().or(found);
        } else if let Some(value) = word
            .strip_prefix(long)
            .and_then(|rest| rest.strip_prefix('='))
        {
            found = Some(value);
        } else if let Some(value) = short.filter(|_| !word.starts_with("--")) {
            found = Some(value.strip_prefix('=').unwrap_or(value));
        }
    }
    found
}

/// The processes of the host, in the order of their ids.
pub fn processes(root: &Path) -> Fact<Vec<Process>> {
    let proc = Path::new("/proc");
    let entries = match fs::read_dir(below(root, proc)) {
        Ok(entries) => entries,
        Err(err) => return Fact::Unknown(why_unreadable(proc, &err)),
    };
    let mut processes: Vec<Process> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Process::read(root, pid))
        .collect();
    processes.sort_by_key(|process| process.pid);
    Fact::Known(processes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tchronyd\nPPid:\t1\nUid:\t0\t101\t101\t101\n\
        Gid:\t0\t103\t103\t103\nGroups:\t7 8\nNSpid:\t712\t5\nCapEff:\t0000000002000400\n";

    #[test]
    fn status_and_command_line_are_parsed() {
        let process = Process::parse(712, STATUS, "/usr/sbin/chronyd\0-F\x001\0").expect("parsed");
        assert_eq!(process.parent, 1);
        assert_eq!(process.user, 101);
        assert_eq!(process.groups, [103, 7, 8]);
        assert_eq!(process.arguments, ["/usr/sbin/chronyd", "-F", "1"]);
        assert_eq!(process.namespace_pids, [712, 5]);
        assert_eq!(
            Process::parse(2, STATUS, ""),
            None,
            "a thread of the kernel"
        );
    }

    #[test]
    fn a_process_in_a_user_namespace_of_its_own_may_not_set_the_clock() {
        let mut process = Process::parse(712, STATUS, "chronyd\0").expect("parsed");
        assert!(!process.may_set_the_clock(Some("user:[1]")), "not known");
        process.user_namespace = Some("user:[2]".to_owned());
        assert!(!process.may_set_the_clock(Some("user:[1]")), "another");
        assert!(process.may_set_the_clock(Some("user:[2]")), "the same");
        process.user_namespace = None;
        process.namespace_pids = vec![712];
        assert!(process.may_set_the_clock(None), "not in a container");
        process.capabilities = 0;
        assert!(!process.may_set_the_clock(None), "without the capability");
    }

    #[test]
    fn the_last_value_of_an_option_is_found_in_every_form() {
        for (line, expected) in [
            ("clockbound --max-drift-rate 50", Some("50")),
            ("clockbound --max-drift-rate=50 -m 5", Some("5")),
            ("clockbound -m50", Some("50")),
            ("clockbound --max-wander 1", None),
        ] {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert_eq!(
                option(&words, "--max-drift-rate", Some('m')),
                expected,
                "{line}"
            );
        }
    }
}
