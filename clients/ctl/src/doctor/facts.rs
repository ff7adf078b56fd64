//! The facts of a host. Everything is read here; the checks decide.

pub mod chrony_conf;
pub mod files;
pub mod process;
pub mod unit;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clockbound_client::diagnostics::{self, Diagnostics, DiagnosticsError};
use shm_layout::native::Native;
use shm_layout::reader::{ReadError, Reader};
use shm_layout::v1::V1;
use shm_layout::v2::V2;
use shm_layout::v3::V3;

use self::chrony_conf::Configuration;
use self::files::{FileFacts, FileId, below, file, file_id, text};
use self::process::{Process, option, processes};
use self::unit::Unit;

/// The program name of the daemon.
const DAEMON: &str = "clockbound";
/// The daemon's unit.
pub const UNIT: &str = "clockbound.service";
/// Where the packages of distributions have chronyd's configuration.
const CONFIGURATIONS: [&str; 3] = [
    "/etc/chrony/chrony.conf",
    "/etc/chrony.conf",
    "/usr/local/etc/chrony.conf",
];
/// The default command socket of chronyd.
const CHRONY_SOCKET: &str = "/var/run/chrony/chronyd.sock";
/// The directory of the time zones.
pub const ZONES: &str = "/usr/share/zoneinfo";
/// The list of leap seconds in it.
pub const LEAP_LIST: &str = "/usr/share/zoneinfo/leap-seconds.list";
const CLOCKSOURCE: &str = "/sys/devices/system/clocksource/clocksource0";
/// Files with the daemon's options, and the variable in them.
const OPTION_FILES: [&str; 2] = ["/etc/default/clockbound", "/etc/sysconfig/clockbound"];
const OPTIONS_VARIABLE: &str = "CLOCKBOUND_OPTIONS";
/// Files with chronyd's options, and the variables in them.
const CHRONYD_OPTION_FILES: [(&str, &str); 2] = [
    ("/etc/default/chrony", "DAEMON_OPTS"),
    ("/etc/sysconfig/chronyd", "OPTIONS"),
];

/// A fact that is read, or the reason why it cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact<T> {
    /// It is so.
    Known(T),
    /// The cause, and what to do to read it.
    Unknown(String),
}

impl<T> Fact<T> {
    /// The value, if it is known.
    pub fn known(self) -> Option<T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }

    /// A reference to the value, if it is known.
    pub fn get(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }
}

/// What the daemon publishes about itself.
#[derive(Clone, Debug)]
pub enum Published {
    /// The diagnostics.
    Read(Box<Diagnostics>),
    /// There is no such file.
    Missing,
    /// The file was written before the current boot.
    EarlierBoot,
    /// This user may not read it.
    NotPermitted(String),
    /// It is damaged, or of another kind.
    Unreadable(String),
}

/// A segment of the daemon.
#[derive(Clone, Debug)]
pub struct SegmentFacts {
    /// Its name in the list of [`diagnostics::SEGMENTS`].
    pub layout: &'static str,
    /// Its file.
    pub file: Fact<Option<FileFacts>>,
    /// Why its record cannot be read, if it cannot.
    pub damage: Option<String>,
    /// The process id in its lock file, which only the daemon's user can read.
    pub lock_pid: Option<u32>,
}

/// A file with the options of the daemon or of chronyd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionsFile {
    /// Its path.
    pub path: PathBuf,
    /// The number and the text of the line that sets them; `None` if there is none.
    pub line: Option<(usize, String)>,
    /// The options.
    pub options: Vec<String>,
}

/// A unit that starts after the daemon's.
#[derive(Clone, Debug)]
pub struct Consumer {
    /// Its name.
    pub name: String,
    /// The unit.
    pub unit: Unit,
}

/// The kernel's clocksource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clocksource {
    /// The one in use.
    pub current: String,
    /// Those that can be used.
    pub available: Vec<String>,
}

/// A time namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeNamespace {
    /// Its identity; `None` if the kernel has no time namespaces.
    pub id: Option<String>,
    /// The offset of its monotonic clocks, as /proc/self/timens_offsets has it.
    pub monotonic: String,
}

/// The discipline of `CLOCK_REALTIME` (adjtimex(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Discipline {
    /// STA_UNSYNC: no program has declared the clock to be synchronised.
    pub is_unsynchronised: bool,
    /// The declared largest error, us.
    pub max_error_us: i64,
}

/// The facts of a host.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The root of the host.
    pub root: PathBuf,
    /// The directory in which the daemon publishes.
    pub directory: PathBuf,
    /// What it publishes about itself.
    pub published: Published,
    /// The processes.
    pub processes: Fact<Vec<Process>>,
    /// The user namespace of this process, if it can be read.
    pub own_user_namespace: Option<String>,
    /// The accounts: name, user id, group id.
    pub accounts: Vec<(String, u32, u32)>,
    /// The configuration of the chronyd that the daemon queries, or would.
    pub configuration: Configuration,
    /// The file with chronyd's options, if there is one.
    pub chronyd_options: Option<OptionsFile>,
    /// The version of chronyd.
    pub chronyd_version: Fact<String>,
    /// chronyd's command socket, as the daemon's command line has it.
    pub socket: PathBuf,
    /// The file of the socket.
    pub socket_file: Fact<Option<FileFacts>>,
    /// The directory of the socket.
    pub socket_directory: Fact<Option<FileFacts>>,
    /// The directory in which the daemon publishes.
    pub run_directory: Fact<Option<FileFacts>>,
    /// Which directory it is, if that can be read.
    pub run_directory_id: Option<FileId>,
    /// The type of its file system.
    pub run_filesystem: Fact<String>,
    /// The segments.
    pub segments: Vec<SegmentFacts>,
    /// The daemon's unit.
    pub unit: Option<Unit>,
    /// The files with its options that exist.
    pub options_files: Vec<OptionsFile>,
    /// Units that start at boot.
    pub enabled_units: Vec<String>,
    /// All services.
    pub services: Vec<String>,
    /// Units that start after the daemon's.
    pub consumers: Vec<Consumer>,
    /// Whether systemd has to read unit files again.
    pub needs_reload: Fact<bool>,
    /// The clocksource.
    pub clocksource: Fact<Clocksource>,
    /// The time namespace of this process.
    pub time_namespace: Fact<TimeNamespace>,
    /// Whether this is a virtual machine, and of which kind.
    pub hypervisor: Fact<Option<String>>,
    /// The VMClock device.
    pub vmclock: Fact<Option<FileFacts>>,
    /// The discipline of `CLOCK_REALTIME`.
    pub discipline: Fact<Discipline>,
    /// Whether the time zone of `leapsectz` is installed.
    pub leap_zone_exists: Option<bool>,
    /// Whether the time zone right/UTC is installed.
    pub has_right_utc: bool,
    /// Whether the list of leap seconds of the time zones' package is installed.
    pub has_leap_list: bool,
}

/// Where the facts are, if not at the usual places.
#[derive(Clone, Debug)]
pub struct Places<'a> {
    /// The root of the host.
    pub root: &'a Path,
    /// The directory in which the daemon publishes.
    pub directory: &'a Path,
    /// chronyd's configuration.
    pub configuration: Option<&'a Path>,
}

impl Facts {
    /// Reads the facts.
    pub fn collect(places: &Places<'_>) -> Self {
        let &Places {
            root, directory, ..
        } = places;
        let is_live = root == Path::new("/");
        let published = published(root, directory);
        let processes = processes(root);
        let empty = Vec::new();
        let running = processes.get().unwrap_or(&empty);
        let daemon = daemon_of(running, &published);
        let unit = Unit::read(root, UNIT);
        let options_files: Vec<OptionsFile> = OPTION_FILES
            .into_iter()
            .filter_map(|path| OptionsFile::read(root, path, OPTIONS_VARIABLE))
            .collect();
        let given = daemon
            .and_then(|daemon| daemon.option("--chrony-socket", None))
            .or_else(|| {
                let options = options_files.last()?;
                option(&options.options, "--chrony-socket", None)
            })
            .map(PathBuf::from);
        let is_installed = daemon.is_some() || unit.is_some();
        let usual = given.clone().unwrap_or_else(|| CHRONY_SOCKET.into());
        let configuration = configuration(root, places.configuration, running, &usual);
        // Without a daemon there is nothing to compare chronyd's socket with.
        let own = configured_socket(&configuration).filter(|_| given.is_none() && !is_installed);
        let socket = own.unwrap_or(usual);
        let vmclock = daemon
            .and_then(|daemon| daemon.option("--vmclock", None))
            .unwrap_or(clockbound_client::DEFAULT_VMCLOCK);
        let mounts = text(root, "/proc/self/mounts");
        let services = unit::services(root);
        let leap_zone_exists = configuration.last("leapsectz").and_then(|directive| {
            let zone = directive.words.first()?;
            let path = Path::new(ZONES).join(zone);
            Some(below(root, &path).exists())
        });
        let right_utc = Path::new(ZONES).join("right/UTC");
        Self {
            root: root.to_owned(),
            directory: directory.to_owned(),
            own_user_namespace: link(root, "/proc/self/ns/user"),
            accounts: accounts(root),
            chronyd_options: CHRONYD_OPTION_FILES
                .into_iter()
                .find_map(|(path, variable)| OptionsFile::read(root, path, variable)),
            chronyd_version: chronyd_version(is_live),
            socket_file: file(root, &socket),
            socket_directory: file(root, socket.parent().unwrap_or(Path::new("/"))),
            run_directory: file(root, directory),
            run_directory_id: file_id(&below(root, directory)),
            run_filesystem: match mounts {
                Fact::Known(mounts) => files::filesystem(&mounts, directory).map_or_else(
                    || Fact::Unknown("/proc/self/mounts does not list it".to_owned()),
                    Fact::Known,
                ),
                Fact::Unknown(why) => Fact::Unknown(why),
            },
            segments: segments(root, directory),
            enabled_units: unit::enabled(root),
            consumers: consumers(root, &services),
            services,
            needs_reload: needs_reload(is_live),
            clocksource: clocksource(root),
            time_namespace: time_namespace(root),
            hypervisor: hypervisor(root),
            vmclock: file(root, Path::new(vmclock)),
            discipline: discipline(is_live),
            leap_zone_exists,
            has_right_utc: below(root, &right_utc).is_file(),
            has_leap_list: below(root, Path::new(LEAP_LIST)).is_file(),
            published,
            processes,
            configuration,
            socket,
            unit,
            options_files,
        }
    }

    /// The diagnostics, if they can be read.
    pub fn diagnosed(&self) -> Option<&Diagnostics> {
        match &self.published {
            Published::Read(diagnosed) => Some(diagnosed),
            _ => None,
        }
    }

    /// The running processes; none if they cannot be read.
    pub fn running(&self) -> &[Process] {
        self.processes.get().map_or(&[], Vec::as_slice)
    }

    /// The daemon's process, if it can be found.
    pub fn daemon(&self) -> Option<&Process> {
        daemon_of(self.running(), &self.published)
    }

    /// The processes of chronyd that are not children of another one.
    pub fn chronyds(&self) -> impl Iterator<Item = &Process> {
        chronyds(self.running())
    }

    /// The chronyd that has the daemon's socket, or the first one that is not in a container.
    pub fn chronyd(&self) -> Option<&Process> {
        let file = &self.configuration.file;
        self.chronyds()
            .find(|process| {
                let named = chronyd_options(&process.arguments).configuration;
                named.as_ref() == Some(file)
            })
            .or_else(|| {
                self.chronyds()
                    .find(|process| process.namespace_pids.len() < 2)
            })
    }

    /// The user id of this account.
    pub fn user_id(&self, name: &str) -> Option<u32> {
        let accounts = &self.accounts;
        let number = name.parse().ok();
        number.or_else(|| Some(accounts.iter().find(|account| account.0 == name)?.1))
    }

    /// The name of this user id, or the number.
    pub fn user_name(&self, id: u32) -> String {
        let account = self.accounts.iter().find(|account| account.1 == id);
        account.map_or_else(|| id.to_string(), |account| account.0.clone())
    }

    /// The drift rate that the daemon assumes, or would, ppb.
    pub fn max_drift_ppb(&self) -> Option<u32> {
        Some(self.diagnosed()?.record.settings.max_drift_ppb)
    }
}

impl OptionsFile {
    fn read(root: &Path, path: &str, variable: &str) -> Option<Self> {
        Some(Self::parse(path, variable, &text(root, path).known()?))
    }

    /// Parses a file of variables as systemd does for values without escapes.
    fn parse(path: &str, variable: &str, text: &str) -> Self {
        let mut found = Self {
            path: path.into(),
            line: None,
            options: Vec::new(),
        };
        for (index, line) in text.lines().enumerate() {
            let assignment = line.trim().split_once('=');
            let Some((_, value)) = assignment.filter(|(name, _)| *name == variable) else {
                continue;
            };
            let value = value.trim().trim_matches(['"', '\'']);
            found.options = value.split_whitespace().map(str::to_owned).collect();
            found.line = Some((index + 1, line.trim().to_owned()));
        }
        found
    }
}

/// What matters of chronyd's command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChronydOptions {
    /// `-x`: it does not set or adjust the clock.
    pub leaves_the_clock: bool,
    /// `-f FILE`.
    pub configuration: Option<PathBuf>,
    /// `-u USER`.
    pub user: Option<String>,
}

/// Parses chronyd's command line.
pub fn chronyd_options(arguments: &[String]) -> ChronydOptions {
    let mut options = ChronydOptions::default();
    let mut words = arguments.iter().skip(1);
    while let Some(word) = words.next() {
        // Options may follow other words.
        let Some(letters) = word.strip_prefix('-') else {
            continue;
        };
        for (index, letter) in letters.char_indices() {
            match letter {
                'x' => options.leaves_the_clock = true,
                'f' | 'u' | 'F' | 'l' | 'L' | 'P' | 't' => {
                    let attached = &letters[index + 1..];
                    let value = if attached.is_empty() {
                        words.next().cloned()
                    } else {
                        Some(attached.to_owned())
                    };
                    match letter {
                        'f' => options.configuration = value.map(PathBuf::from),
                        'u' => options.user = value,
                        _ => {}
                    }
                    break;
                }
                _ => {}
            }
        }
    }
    options
}

/// The command socket that a configuration gives chronyd; `None` if it opens none.
pub fn configured_socket(configuration: &Configuration) -> Option<PathBuf> {
    let paths = configuration
        .named("bindcmdaddress")
        .filter_map(|directive| directive.words.first())
        .filter(|address| address.starts_with('/'));
    match paths.last().map(String::as_str) {
        Some("/") => None,
        Some(path) => Some(path.into()),
        None => Some(CHRONY_SOCKET.into()),
    }
}

fn chronyds(running: &[Process]) -> impl Iterator<Item = &Process> {
    let is_chronyd = |process: &Process| process.name == "chronyd";
    running.iter().filter(move |process| {
        let has_parent = || {
            running
                .iter()
                .any(|other| other.pid == process.parent && is_chronyd(other))
        };
        is_chronyd(process) && !has_parent()
    })
}

/// The daemon's process: the one that the diagnostics name, or one with its name that is not in a
/// container. Without diagnostics, one that is not the published daemon cannot be told from it.
fn daemon_of<'a>(running: &'a [Process], published: &Published) -> Option<&'a Process> {
    let mut daemons = running.iter().filter(|process| process.name == DAEMON);
    match published {
        Published::Read(diagnosed) => daemons.find(|process| {
            let pid = diagnosed.record.pid;
            process.pid == pid || process.namespace_pids.last() == Some(&pid)
        }),
        _ => daemons.find(|process| process.namespace_pids.len() < 2),
    }
}

fn published(root: &Path, directory: &Path) -> Published {
    let error = match diagnostics::read(&below(root, directory)) {
        Ok(diagnostics) => return Published::Read(Box::new(diagnostics)),
        Err(error) => error,
    };
    match &error {
        DiagnosticsError::EarlierBoot { .. } => Published::EarlierBoot,
        DiagnosticsError::Read { source, .. } => match source {
            ReadError::Io(err) if err.kind() == std::io::ErrorKind::NotFound => Published::Missing,
            ReadError::Io(err) if err.kind() == std::io::ErrorKind::PermissionDenied => {
                Published::NotPermitted(error.to_string())
            }
            _ => Published::Unreadable(error.to_string()),
        },
        _ => Published::Unreadable(error.to_string()),
    }
}

/// The configuration of the chronyd whose command socket is `socket`, of the first one that runs,
/// or of one that would be started.
fn configuration(
    root: &Path,
    given: Option<&Path>,
    running: &[Process],
    socket: &Path,
) -> Configuration {
    let usual = CONFIGURATIONS
        .into_iter()
        .map(Path::new)
        .find(|path| below(root, path).exists())
        .unwrap_or(Path::new(CONFIGURATIONS[0]));
    if let Some(file) = given {
        return Configuration::read(root, file);
    }
    let mut first = None;
    for process in chronyds(running) {
        let options = chronyd_options(&process.arguments);
        let file = options.configuration.as_deref().unwrap_or(usual);
        let configuration = Configuration::read(root, file);
        let own = configured_socket(&configuration);
        let has_socket = own.is_some_and(|own| below(root, &own) == below(root, socket));
        if has_socket && configuration.unreadable.is_empty() {
            return configuration;
        }
        if process.namespace_pids.len() < 2 {
            first.get_or_insert(configuration);
        }
    }
    first.unwrap_or_else(|| Configuration::read(root, usual))
}

fn segments(root: &Path, directory: &Path) -> Vec<SegmentFacts> {
    let names = ["native", "shm0", "shm", "shm1"];
    let layouts = diagnostics::SEGMENTS.into_iter().zip(names);
    layouts
        .map(|(layout, name)| {
            let path = directory.join(name);
            let real = below(root, &path);
            let damage = match layout {
                "native" => Reader::<Native>::open(&real).err(),
                "v2" => Reader::<V2>::open(&real).err(),
                "v1" => Reader::<V1>::open(&real).err(),
                _ => Reader::<V3>::open(&real).err(),
            };
            // A file that is missing, or that this user may not read, is not damaged.
            let damage = damage.filter(|err| !matches!(err, ReadError::Io(_)));
            let mut lock = OsString::from(&real);
            lock.push(".lock");
            let lock_text = fs::read_to_string(lock).ok();
            SegmentFacts {
                layout,
                file: file(root, &path),
                damage: damage.map(|err| err.to_string()),
                lock_pid: lock_text.and_then(|text| text.split_whitespace().next()?.parse().ok()),
            }
        })
        .collect()
}

fn consumers(root: &Path, services: &[String]) -> Vec<Consumer> {
    let others = services
        .iter()
        .filter(|name| !name.starts_with("clockbound"));
    others
        .filter_map(|name| {
            let unit = Unit::read(root, name)?;
            let waits = unit.words("After").contains(&UNIT);
            waits.then(|| Consumer {
                name: name.clone(),
                unit,
            })
        })
        .collect()
}

fn accounts(root: &Path) -> Vec<(String, u32, u32)> {
    let text = text(root, "/etc/passwd").known().unwrap_or_default();
    text.lines()
        .filter_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?.to_owned();
            let mut ids = fields.skip(1).map_while(|field| field.parse().ok());
            Some((name, ids.next()?, ids.next()?))
        })
        .collect()
}

fn link(root: &Path, path: &str) -> Option<String> {
    let target = fs::read_link(below(root, Path::new(path))).ok()?;
    Some(target.to_string_lossy().into_owned())
}

fn clocksource(root: &Path) -> Fact<Clocksource> {
    let read = |name: &str| text(root, Path::new(CLOCKSOURCE).join(name));
    match read("current_clocksource") {
        Fact::Unknown(why) => Fact::Unknown(why),
        Fact::Known(current) => Fact::Known(Clocksource {
            current: current.trim().to_owned(),
            available: read("available_clocksource")
                .known()
                .unwrap_or_default()
                .split_whitespace()
                .map(str::to_owned)
                .collect(),
        }),
    }
}

fn time_namespace(root: &Path) -> Fact<TimeNamespace> {
    match text(root, "/proc/self/timens_offsets") {
        Fact::Known(offsets) => Fact::Known(TimeNamespace {
            id: link(root, "/proc/self/ns/time"),
            monotonic: offsets
                .lines()
                .find_map(|line| line.strip_prefix("monotonic"))
                .map(|rest| rest.split_whitespace().collect::<Vec<_>>().join("."))
                .unwrap_or_default(),
        }),
        Fact::Unknown(_) if below(root, Path::new("/proc/self/status")).exists() => {
            Fact::Known(TimeNamespace {
                id: None,
                monotonic: "0.0".to_owned(),
            })
        }
        Fact::Unknown(why) => Fact::Unknown(why),
    }
}

fn hypervisor(root: &Path) -> Fact<Option<String>> {
    let identity = ["sys_vendor", "product_name"]
        .map(|name| text(root, Path::new("/sys/class/dmi/id").join(name)).known())
        .map(|text| text.unwrap_or_default().trim().to_owned())
        .join(" ");
    let identity = identity.trim();
    let xen = text(root, "/sys/hypervisor/type").known();
    match text(root, "/proc/cpuinfo") {
        Fact::Known(cpu) => {
            let has_flag = cpu
                .lines()
                .filter(|line| line.starts_with("flags"))
                .any(|line| line.split_whitespace().any(|flag| flag == "hypervisor"));
            let known = [
                "KVM",
                "QEMU",
                "VMware",
                "VirtualBox",
                "Virtual Machine",
                "Firecracker",
            ];
            let is_named = known.iter().any(|name| identity.contains(name));
            let kind = match (xen, identity) {
                (Some(kind), _) => kind.trim().to_owned(),
                (None, "") => "of an unnamed kind".to_owned(),
                (None, identity) => identity.to_owned(),
            };
            Fact::Known((has_flag || is_named).then_some(kind))
        }
        Fact::Unknown(why) => Fact::Unknown(why),
    }
}

fn chronyd_version(is_live: bool) -> Fact<String> {
    if !is_live {
        return Fact::Unknown("it is asked for only on this host: chronyd --version".to_owned());
    }
    let program = [
        "/usr/sbin/chronyd",
        "/usr/local/sbin/chronyd",
        "/usr/bin/chronyd",
    ]
    .into_iter()
    .find(|path| Path::new(path).exists());
    let Some(program) = program else {
        return Fact::Unknown("chronyd is not at its usual path".to_owned());
    };
    match Command::new(program).arg("--version").output() {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let mut words = text.split_whitespace();
            let version = words.find(|word| *word == "version").and(words.next());
            version.map_or_else(
                || Fact::Unknown(format!("{program} --version does not print it")),
                |version| Fact::Known(version.to_owned()),
            )
        }
        Err(err) => Fact::Unknown(format!("{program} --version: {err}")),
    }
}

fn needs_reload(is_live: bool) -> Fact<bool> {
    // sd_booted(3)
    if !is_live || !Path::new("/run/systemd/system").exists() {
        return Fact::Unknown("systemd does not run here".to_owned());
    }
    let output = Command::new("systemctl")
        .args(["show", "--property=NeedDaemonReload", "--value", UNIT])
        .output();
    match output {
        Ok(output) if output.status.success() => Fact::Known(output.stdout.trim_ascii() == b"yes"),
        Ok(output) => Fact::Unknown(format!(
            "systemctl show: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(err) => Fact::Unknown(format!("systemctl show: {err}")),
    }
}

fn discipline(is_live: bool) -> Fact<Discipline> {
    if !is_live {
        return Fact::Unknown("it is read only on this host".to_owned());
    }
    match clockbound_actors::os::discipline() {
        Ok(read) => Fact::Known(Discipline {
            is_unsynchronised: read.is_unsynchronised,
            max_error_us: read.max_error_us,
        }),
        Err(err) => Fact::Unknown(format!("adjtimex: {err}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_of_chronyd_is_parsed_as_by_getopt() {
        for (line, expected) in [
            ("chronyd -F 1", (false, None, None)),
            ("chronyd -dx -f /c", (true, Some("/c"), None)),
            ("chronyd -F1 -uroot -x", (true, None, Some("root"))),
            ("chronyd -f x -d", (false, Some("x"), None)),
            ("chronyd -q server -x", (true, None, None)),
        ] {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let options = chronyd_options(&words);
            let found = (
                options.leaves_the_clock,
                options.configuration.as_deref().and_then(Path::to_str),
                options.user.as_deref(),
            );
            assert_eq!(found, expected, "{line}");
        }
    }

    #[test]
    fn the_last_line_with_options_counts() {
        let text = "# CLOCKBOUND_OPTIONS=no\nCLOCKBOUND_OPTIONS=\"--max-drift-rate 50\"\n";
        let file = OptionsFile::parse("/etc/default/clockbound", OPTIONS_VARIABLE, text);
        assert_eq!(file.options, ["--max-drift-rate", "50"]);
        assert_eq!(file.line.expect("a line").0, 2);
    }
}
