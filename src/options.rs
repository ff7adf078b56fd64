//! The command line. Nothing here ends the process: what cannot be run is returned.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clockbound_actors::phc::{self, PhcErrorKind};
use slog::Level;

use crate::exit::Exit;

/// What is assumed of the oscillator if nothing is said about it, in parts per billion.
const DEFAULT_DRIFT_PPB: u32 = 1_000;
/// A clock off by this much or more runs backwards or at twice its rate, in parts per billion.
const DRIFT_LIMIT_PPB: u32 = 1_000_000_000;
/// Faster polling costs more than chronyd's answers change.
const MIN_POLL: Duration = Duration::from_millis(10);
/// The oldest readers call a record of more than 5 seconds free running, so two polls must fit.
const MAX_POLL: Duration = Duration::from_secs(2);
/// The kernel's room for the path of a unix socket, less the closing zero, in bytes.
const MAX_SOCKET_PATH_BYTES: usize = 107;

/// Why [`Options::drift_was_defaulted`] deserves a warning.
pub const DEFAULT_DRIFT_REASON: &str = "1 ppm is rarely right: a crystal oscillator without \
    compensation commonly drifts by up to 50 ppm with temperature, and a bound that grows too \
    slowly does not contain true time; give --max-drift-rate";

/// Everything the command line says, checked as far as that goes without looking at the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How fast the free running clock can drift, in parts per billion, 1 to 999 999 999.
    pub max_drift_ppb: u32,
    /// The command line did not say how fast the clock drifts: see [`DEFAULT_DRIFT_REASON`].
    pub drift_was_defaulted: bool,
    /// Logs are JSON objects, one a line.
    pub json_output: bool,
    /// The PTP hardware clock whose own error bound counts, if one does.
    pub phc: Option<PhcOptions>,
    /// Where chronyd listens, an absolute path short enough for a socket.
    pub chrony_socket: PathBuf,
    /// Where the segment is published, an absolute path.
    pub shm_path: PathBuf,
    /// The time from one poll of chronyd to the next, 10 milliseconds to 2 seconds.
    pub poll_interval: Duration,
    /// How long chronyd may be silent before the clock is free running.
    pub chrony_grace: Duration,
    /// How long the last validated report is held over.
    pub holdover: Duration,
    /// A bound above this is not published as trusted.
    pub max_bound: Option<Duration>,
    /// chronyd's local mode counts as a reference.
    pub allow_local_reference: bool,
    /// Events below this level are not logged.
    pub log_level: Level,
    /// What only tests ask for.
    #[cfg(feature = "fault-injection")]
    pub faults: FaultOptions,
}

/// What only tests ask for, in a build made for them.
#[cfg(feature = "fault-injection")]
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct FaultOptions {
    /// Where to listen for faults to inject, one a datagram: <actor> <point> <action>
    #[arg(long, value_name = "PATH")]
    pub fault_socket: Option<PathBuf>,

    /// How many crashes of one actor to forgive in ten seconds
    #[arg(long, value_name = "N", default_value_t = clockbound_actors::supervision::DEFAULT_CRASH_BUDGET)]
    pub crash_budget: usize,
}

/// What the command line says of the PTP hardware clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhcOptions {
    /// chronyd's reference id of the clock: its characters from the highest byte on, zero padded.
    pub ref_id: u32,
    /// The network interface that the clock is part of, a name the kernel could have given.
    pub interface: String,
}

#[cfg(feature = "fault-injection")]
impl Default for FaultOptions {
    fn default() -> Self {
        let crash_budget = clockbound_actors::supervision::DEFAULT_CRASH_BUDGET;
        Self {
            fault_socket: None,
            crash_budget,
        }
    }
}

/// Why the daemon does not start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Help or the version was asked for: this text answers.
    Answered(String),
    /// The command line cannot be run.
    Refused {
        /// One line: what was wrong, and what to do.
        message: String,
        /// The exit code that goes with it.
        exit: Exit,
    },
}

impl Options {
    /// The options of this process, fit for this machine.
    ///
    /// # Errors
    /// Those of [`Options::parse`] and [`PhcOptions::check`].
    pub fn from_command_line() -> Result<Self, Refusal> {
        let options = Self::parse(std::env::args_os())?;
        if let Some(phc) = &options.phc {
            phc.check(Path::new(phc::SYS_ROOT))?;
        }
        Ok(options)
    }

    /// Understands a command line, the name of the program first.
    ///
    /// # Errors
    /// [`Refusal`], with [`Exit::Usage`] unless help or the version was asked for.
    pub fn parse<A>(words: impl IntoIterator<Item = A>) -> Result<Self, Refusal>
    where
        A: Into<OsString> + Clone,
    {
        let words = Arguments::try_parse_from(words).map_err(|err| Refusal::from_clap(&err))?;
        Ok(Self {
            max_drift_ppb: words.max_drift_rate.unwrap_or(DEFAULT_DRIFT_PPB),
            drift_was_defaulted: words.max_drift_rate.is_none(),
            json_output: words.json_output,
            phc: (words.phc_ref_id.zip(words.phc_interface))
                .map(|(ref_id, interface)| PhcOptions { ref_id, interface }),
            chrony_socket: words.chrony_socket,
            shm_path: words.shm_path,
            poll_interval: words.poll_interval,
            chrony_grace: words.chrony_grace,
            holdover: words.holdover,
            max_bound: words.max_bound,
            allow_local_reference: words.allow_local_reference,
            log_level: words.log_level,
            #[cfg(feature = "fault-injection")]
            faults: words.faults,
        })
    }
}

impl PhcOptions {
    /// Whether the machine has the interface, and a PCI device behind it. The driver may publish
    /// the error bound later, so that is not looked for.
    ///
    /// # Errors
    /// [`Refusal`] with [`Exit::NoInput`] if there is no such interface, and [`Exit::Config`] if it
    /// is not a PCI device.
    pub fn check(&self, sys_root: &Path) -> Result<(), Refusal> {
        let Err(err) = phc::resolve_slot(sys_root, &self.interface) else {
            return Ok(());
        };
        let exit = match err.kind() {
            PhcErrorKind::BadInterface => Exit::Usage,
            PhcErrorKind::NoSlot | PhcErrorKind::BadSlot => Exit::Config,
            _ => Exit::NoInput,
        };
        let message =
            format!("--phc-interface: {err}; name the interface whose clock chronyd follows");
        Err(Refusal::Refused { message, exit })
    }
}

impl Refusal {
    /// Prints the answer on standard output, or the refusal on standard error.
    pub fn print(&self) -> ExitCode {
        // Nothing is left to do about a reader that has gone away.
        match self {
            Self::Answered(text) => {
                let _ = write!(std::io::stdout(), "{text}");
                ExitCode::SUCCESS
            }
            Self::Refused { message, exit } => {
                let _ = writeln!(std::io::stderr(), "clockbound: {message}");
                ExitCode::from(*exit)
            }
        }
    }

    fn from_clap(err: &clap::Error) -> Self {
        let text = err.render().to_string();
        if matches!(
            err.kind(),
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
        ) {
            return Self::Answered(text);
        }
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        let paragraphs: Vec<String> = text
            .split("\n\n")
            .filter(|part| {
                !part.starts_with("Usage: clockbound ") && !part.starts_with("For more information")
            })
            .map(one_line)
            .collect();
        Self::Refused {
            message: format!("{}; see --help", paragraphs.join("; ")),
            exit: Exit::Usage,
        }
    }
}

/// The words of a text, without line breaks or anything that would move a terminal's cursor.
fn one_line(text: &str) -> String {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        for c in word.chars() {
            if c.is_control() {
                line.extend(c.escape_default());
            } else {
                line.push(c);
            }
        }
    }
    line
}

/// Publishes the time, and how wrong it can be, in shared memory
#[derive(Parser)]
#[command(name = "clockbound", version)]
struct Arguments {
    /// How fast the clock can drift when nothing corrects it, in parts per million; fractions are
    /// welcome. Without it 1 ppm is assumed, with a warning: 50 is common for plain crystals
    // Hyphens are let through here and below so that "-5" is refused for what it is.
    #[arg(short, long, value_name = "PPM", value_parser = drift_ppb, allow_hyphen_values = true)]
    max_drift_rate: Option<u32>,

    /// Write logs as JSON, one object a line
    #[arg(short, long)]
    json_output: bool,

    /// chronyd's reference id of the PTP hardware clock, 1 to 4 characters, as in "refid" of its
    /// configuration
    #[arg(short = 'r', long, value_name = "ID", value_parser = ref_id, requires = "phc_interface")]
    phc_ref_id: Option<u32>,

    /// The network interface that the PTP hardware clock is part of
    #[arg(short = 'i', long, value_name = "NAME", value_parser = interface, requires = "phc_ref_id")]
    phc_interface: Option<String>,

    /// Where chronyd listens for commands
    #[arg(long, value_name = "PATH", default_value = "/var/run/chrony/chronyd.sock",
        value_parser = PathBufValueParser::new().try_map(socket_path))]
    chrony_socket: PathBuf,

    /// Where to publish
    #[arg(long, value_name = "PATH", default_value = "/var/run/clockbound/shm",
        value_parser = PathBufValueParser::new().try_map(file_path))]
    shm_path: PathBuf,

    /// The time from one poll of chronyd to the next, with its unit, from 10ms to 2s
    #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = poll_interval,
        allow_hyphen_values = true)]
    poll_interval: Duration,

    /// How long chronyd may be silent before the clock is free running, with its unit, from 100ms to 1h
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = grace)]
    chrony_grace: Duration,

    /// How long the last validated report is held over, growing, before nothing is claimed any more, with its
    /// unit, from 1s to 1day
    #[arg(long, value_name = "TIME", default_value = "1000s", value_parser = holdover)]
    holdover: Duration,

    /// Claim nothing while the bound is wider than this, with its unit
    #[arg(long, value_name = "TIME", value_parser = max_bound)]
    max_bound: Option<Duration>,

    /// Trust chronyd in its local mode, and with a root distance of zero: a clock without a reference
    #[arg(long)]
    allow_local_reference: bool,

    /// The least important events to log: trace, debug, info, warn, error or critical
    #[arg(long, value_name = "LEVEL", default_value = "info", value_parser = log_level)]
    log_level: Level,

    #[cfg(feature = "fault-injection")]
    #[command(flatten)]
    faults: FaultOptions,
}

/// Parts per million, rounded up to parts per billion.
fn drift_ppb(text: &str) -> Result<u32, String> {
    let range = "give parts per million above 0 and below 1000000";
    let ppm: f64 = text.parse().map_err(|_| format!("not a number; {range}"))?;
    if !ppm.is_finite() || ppm <= 0.0 || ppm >= f64::from(DRIFT_LIMIT_PPB / 1_000) {
        return Err(format!("out of range; {range}"));
    }
    let nearest = (ppm * 1e3).round();
    // 0.07 times 1000 is a little over 70: a number of whole parts per billion is left as it is.
    let ppb = if nearest / 1e3 == ppm {
        nearest
    } else {
        (ppm * 1e3).ceil()
    };
    // The cast is exact: a whole number from 1 to the limit.
    match ppb as u32 {
        DRIFT_LIMIT_PPB.. => Err(format!("out of range; {range}")),
        ppb => Ok(ppb),
    }
}

fn ref_id(text: &str) -> Result<u32, String> {
    let mut bytes = [0; 4];
    match bytes.get_mut(..text.len()) {
        Some(start) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic()) => {
            start.copy_from_slice(text.as_bytes());
            Ok(u32::from_be_bytes(bytes))
        }
        _ => Err("give 1 to 4 printable ASCII characters, such as PHC0".to_owned()),
    }
}

fn interface(name: &str) -> Result<String, String> {
    phc::check_interface_name(name).map_err(|err| err.to_string())?;
    Ok(name.to_owned())
}

fn poll_interval(text: &str) -> Result<Duration, String> {
    time_within(text, MIN_POLL, MAX_POLL)
}

fn grace(text: &str) -> Result<Duration, String> {
    time_within(text, Duration::from_millis(100), Duration::from_secs(3_600))
}

fn holdover(text: &str) -> Result<Duration, String> {
    time_within(text, Duration::from_secs(1), Duration::from_secs(86_400))
}

fn max_bound(text: &str) -> Result<Duration, String> {
    time_within(text, Duration::from_nanos(1), Duration::from_secs(86_400))
}

fn time_within(text: &str, least: Duration, most: Duration) -> Result<Duration, String> {
    let name = humantime::format_duration;
    let range = format!(
        "give a time from {} to {}, with its unit",
        name(least),
        name(most)
    );
    match humantime::parse_duration(text) {
        Ok(time) if (least..=most).contains(&time) => Ok(time),
        Ok(_) => Err(format!("out of range; {range}")),
        Err(_) => Err(format!("not a time; {range}")),
    }
}

fn log_level(text: &str) -> Result<Level, String> {
    match text {
        "trace" => Ok(Level::Trace),
        "debug" => Ok(Level::Debug),
        "info" => Ok(Level::Info),
        "warn" | "warning" => Ok(Level::Warning),
        "error" => Ok(Level::Error),
        "critical" => Ok(Level::Critical),
        _ => Err("give trace, debug, info, warn, error or critical".to_owned()),
    }
}

/// A relative path would mean something else in every directory the daemon is started in.
fn file_path(path: PathBuf) -> Result<PathBuf, String> {
    if !path.is_absolute() {
        return Err("give an absolute path".to_owned());
    }
    if path.file_name().is_none() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err("that is a directory; give the path of a file".to_owned());
    }
    Ok(path)
}

fn socket_path(path: PathBuf) -> Result<PathBuf, String> {
    if path.as_os_str().len() > MAX_SOCKET_PATH_BYTES {
        return Err(format!(
            "too long for a socket; give at most {MAX_SOCKET_PATH_BYTES} bytes"
        ));
    }
    file_path(path)
}

#[cfg(test)]
mod tests;
