//! The command line. Nothing here ends the process: what cannot be run is returned.

mod values;

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clockbound_actors::phc::{self, PhcErrorKind};
use shm_layout::{native, v2};
use slog::Level;

use crate::exit::Exit;
use values::{
    SegmentPath, drift_ppb, grace, holdover, interface, log_level, max_bound, poll_interval,
    ref_id, segment_path, socket_path,
};

/// What is assumed of the oscillator if nothing is said about it, in parts per billion.
const DEFAULT_DRIFT_PPB: u32 = 1_000;
/// Where programs of the 1.x layout look.
const DEFAULT_SHM_PATH: &str = "/var/run/clockbound/shm";

/// Why [`Options::drift_was_defaulted`] deserves a warning.
pub const DEFAULT_DRIFT_REASON: &str = "1 ppm is rarely right: a crystal oscillator without \
    compensation commonly drifts by up to 50 ppm with temperature, and a bound that grows too \
    slowly does not contain true time; give --max-drift-rate";

/// Everything the command line says, checked as far as that goes without looking at the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How fast the free running clock can drift, in parts per billion, 1 to 999 999 999.
    pub max_drift_ppb: u32,
    /// How fast the oscillator's rate can change, in parts per billion a second, if that is relied on.
    pub max_wander_ppb_per_s: Option<u32>,
    /// How many of chronyd's sources may lie; 0 trusts the one that chronyd follows.
    pub falsetickers: u8,
    /// The command line did not say how fast the clock drifts: see [`DEFAULT_DRIFT_REASON`].
    pub drift_was_defaulted: bool,
    /// Logs are JSON objects, one a line.
    pub json_output: bool,
    /// The PTP hardware clock whose own error bound counts, if one does.
    pub phc: Option<PhcOptions>,
    /// Where chronyd listens, an absolute path short enough for a socket.
    pub chrony_socket: PathBuf,
    /// Where the layouts are published.
    pub segments: SegmentPaths,
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
    /// Where to listen for configurations of fail points, one a datagram: <actor>.<point>=<actions>
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

/// Where the layouts are published, absolute paths; `None` for a layout that is switched off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentPaths {
    /// The v1 layout.
    pub v1: Option<PathBuf>,
    /// The v2 layout.
    pub v2: Option<PathBuf>,
    /// The native layout.
    pub native: Option<PathBuf>,
}

impl SegmentPaths {
    fn is_empty(&self) -> bool {
        let Self { v1, v2, native } = self;
        v1.is_none() && v2.is_none() && native.is_none()
    }

    /// What is not told stands beside v1, or in the default directory if that is off.
    fn new(v1: SegmentPath, v2: Option<SegmentPath>, native: Option<SegmentPath>) -> Self {
        let beside = v1.clone().unwrap_or_else(|| DEFAULT_SHM_PATH.into());
        let or_beside = |told: Option<SegmentPath>, name| {
            told.unwrap_or_else(|| Some(beside.with_file_name(name)))
        };
        Self {
            v2: or_beside(v2, v2::FILE_NAME),
            native: or_beside(native, native::FILE_NAME),
            v1,
        }
    }
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
        let segments = SegmentPaths::new(words.shm_path, words.shm0_path, words.native_path);
        if segments.is_empty() {
            return Err(Refusal::Refused {
                message: "nothing to publish: every layout is off; leave one on".to_owned(),
                exit: Exit::Usage,
            });
        }
        Ok(Self {
            max_drift_ppb: words.max_drift_rate.unwrap_or(DEFAULT_DRIFT_PPB),
            max_wander_ppb_per_s: words.max_wander,
            falsetickers: words.falsetickers,
            drift_was_defaulted: words.max_drift_rate.is_none(),
            json_output: words.json_output,
            phc: (words.phc_ref_id.zip(words.phc_interface))
                .map(|(ref_id, interface)| PhcOptions { ref_id, interface }),
            chrony_socket: words.chrony_socket,
            segments,
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
    /// How far the oscillator can move from its measured rate within the holdover, in parts per million; fractions are
    /// accepted. Without it 1 ppm is assumed, with a warning: 50 is right for plain crystals
    // Hyphens are let through here and below so that "-5" is refused for what it is.
    #[arg(short, long, value_name = "PPM", value_parser = drift_ppb, allow_hyphen_values = true)]
    max_drift_rate: Option<u32>,

    /// How fast the oscillator's rate can change, in parts per million a second: narrower intervals at long polling
    /// intervals. 0.02 is cautious in a machine room. Not for virtual machines that can be moved to another host: a change
    /// of rate in one step breaks the premise, and a breach smaller than the errors of the measurements raises no alarm
    #[arg(long, value_name = "PPM_PER_S", value_parser = drift_ppb, allow_hyphen_values = true)]
    max_wander: Option<u32>,

    /// How many of chronyd's sources may lie, from 0 to 15. 0 trusts the source that chronyd follows and compares it with
    /// the others. N publishes what all but N reachable sources agree on, for which 2N + 1 have to be reachable; with like
    /// paths the interval is about a tenth wider than that of the best source
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=15))]
    falsetickers: u8,

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

    /// Where to publish the v1 layout, or "off"
    #[arg(long, value_name = "PATH", default_value = DEFAULT_SHM_PATH,
        value_parser = PathBufValueParser::new().try_map(segment_path))]
    shm_path: SegmentPath,

    /// Where to publish the v2 layout, or "off"; "shm0" beside the v1 layout unless told
    #[arg(long, value_name = "PATH", value_parser = PathBufValueParser::new().try_map(segment_path))]
    shm0_path: Option<SegmentPath>,

    /// Where to publish the native layout, or "off"; "native" beside the v1 layout unless told
    #[arg(long, value_name = "PATH", value_parser = PathBufValueParser::new().try_map(segment_path))]
    native_path: Option<SegmentPath>,

    /// The time from one poll of chronyd to the next, with its unit, from 10ms to 2s
    #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = poll_interval,
        allow_hyphen_values = true)]
    poll_interval: Duration,

    /// How long chronyd may be silent before the clock is free running, with its unit, from 100ms to 1h
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = grace)]
    chrony_grace: Duration,

    /// How long the held interval is published without a source, growing, before nothing is claimed any more; also the
    /// span within which the oscillator's rate is measured. With its unit, from 1s to 1day
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

// A build with fault injection has options that are nobody's business.
#[cfg(all(test, not(feature = "fault-injection")))]
mod documents;
#[cfg(test)]
mod tests;
