//! The command line. Parsing does not exit the process: it returns an [`EarlyExit`].

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
#[cfg(feature = "fault-injection")]
use clockbound_actors::supervision::DEFAULT_CRASH_BUDGET;
use shm_layout::{diagnostics, native, v2, v3, vmclock};
use slog::Level;

use crate::exit_codes::Exit;
use values::{
    SegmentPath, drift_ppb, file_path, grace, holdover, interface, log_level, max_bound,
    poll_interval, ref_id, segment_path, socket_path,
};

/// `--max-drift-rate` when it is not given, in parts per billion.
const DEFAULT_DRIFT_PPB: u32 = 1_000;
/// The path that programs of the 1.x generation open.
const DEFAULT_SHM_PATH: &str = "/var/run/clockbound/shm";

/// The advice that is logged with [`Options::drift_was_defaulted`].
pub const DEFAULT_DRIFT_ADVICE: &str = "1 ppm is too low for most machines: a crystal oscillator \
    without compensation commonly drifts by up to 50 ppm with temperature, and an interval that \
    grows too slowly does not contain true time; set --max-drift-rate";

/// The values of all options. [`Options::parse`] checks them without access to the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How far the oscillator can move from its measured rate within the holdover, in parts per
    /// billion, 1 to 999 999 999.
    pub max_drift_ppb: u32,
    /// How fast the oscillator's rate can change, in parts per billion per second; `None` if the
    /// estimator must not rely on it.
    pub max_wander_ppb_per_s: Option<u32>,
    /// How many of chronyd's sources may be wrong; 0 trusts the source that chronyd selects.
    pub falsetickers: u8,
    /// `--max-drift-rate` was not given: see [`DEFAULT_DRIFT_ADVICE`].
    pub drift_was_defaulted: bool,
    /// Logs are written as JSON objects, one per line.
    pub json_output: bool,
    /// The PTP hardware clock whose error bound is added to its measurements, if any.
    pub phc: Option<PhcOptions>,
    /// The path of chronyd's command socket, absolute and short enough for a socket.
    pub chrony_socket: PathBuf,
    /// The paths of the segments.
    pub segments: SegmentPaths,
    /// The time between two polls of chronyd, 10 milliseconds to 2 seconds.
    pub poll_interval: Duration,
    /// How long chronyd may be silent or without a source before the clock is free running.
    pub chrony_grace: Duration,
    /// How long the last interval is held over without a source.
    pub holdover: Duration,
    /// The status is unknown while the bound is above this, if it is given.
    pub max_bound: Option<Duration>,
    /// chronyd's local mode is trusted as a reference.
    pub allow_local_reference: bool,
    /// How disruptions of the clock are detected.
    pub disruptions: Disruptions,
    /// The least severe level that is logged.
    pub log_level: Level,
    /// Options for tests.
    #[cfg(feature = "fault-injection")]
    pub faults: FaultOptions,
}

/// Options for tests, in builds with fault injection.
#[cfg(feature = "fault-injection")]
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct FaultOptions {
    /// Path of a datagram socket to receive fail points on, one per datagram:
    /// <actor>.<point>=<actions>
    #[arg(long, value_name = "PATH")]
    pub fault_socket: Option<PathBuf>,

    /// How many crashes of one actor within ten seconds are followed by a restart
    #[arg(long, value_name = "N", default_value_t = DEFAULT_CRASH_BUDGET)]
    pub crash_budget: usize,
}

/// The options of the PTP hardware clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhcOptions {
    /// chronyd's reference id of the clock: its characters from the highest byte on, zero padded.
    pub ref_id: u32,
    /// The network interface with the clock; a name that the kernel allows.
    pub interface: String,
}

/// How disruptions of the clock are detected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disruptions {
    /// The path of the VMClock page; `None` if disruptions are not detected.
    pub vmclock: Option<PathBuf>,
    /// The daemon does not run without the page.
    pub is_required: bool,
}

/// The absolute paths of the segments; `None` for a layout that is switched off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentPaths {
    /// The v1 layout.
    pub v1: Option<PathBuf>,
    /// The v2 layout.
    pub v2: Option<PathBuf>,
    /// The v3 layout, which is published only where the processor's counter permits it.
    pub v3: Option<PathBuf>,
    /// The native layout.
    pub native: Option<PathBuf>,
    /// The diagnostics, which no client reads.
    pub diagnostics: Option<PathBuf>,
}

impl SegmentPaths {
    fn is_empty(&self) -> bool {
        let Self {
            v1,
            v2,
            v3,
            native,
            diagnostics: _,
        } = self;
        [v1, v2, v3, native].into_iter().all(Option::is_none)
    }

    /// A path that is not given is in the directory of v1, or in the default directory if v1 is
    /// off.
    fn new(args: &Arguments) -> Self {
        let v1 = args.shm_path.clone();
        let sibling = v1.clone().unwrap_or_else(|| DEFAULT_SHM_PATH.into());
        let or_default = |given: &Option<SegmentPath>, name| {
            given
                .clone()
                .unwrap_or_else(|| Some(sibling.with_file_name(name)))
        };
        Self {
            v2: or_default(&args.shm0_path, v2::FILE_NAME),
            v3: or_default(&args.shm1_path, v3::FILE_NAME),
            native: or_default(&args.native_path, native::FILE_NAME),
            diagnostics: or_default(&args.diagnostics_path, diagnostics::FILE_NAME),
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

/// The reason to exit before the daemon starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EarlyExit {
    /// Help or the version was requested; the text to print.
    Output(String),
    /// The command line is invalid, or does not fit this machine.
    Error {
        /// One line that states the error and what to do.
        message: String,
        /// The exit code.
        exit: Exit,
    },
}

impl Options {
    /// Parses the command line of this process and checks it against this machine.
    ///
    /// # Errors
    /// Those of [`Options::parse`] and [`PhcOptions::check`].
    pub fn from_command_line() -> Result<Self, EarlyExit> {
        let options = Self::parse(std::env::args_os())?;
        if let Some(phc) = &options.phc {
            phc.check(Path::new(phc::SYS_ROOT))?;
        }
        Ok(options)
    }

    /// Parses a command line, which begins with the name of the program.
    ///
    /// # Errors
    /// [`EarlyExit`], with [`Exit::Usage`] unless help or the version was requested.
    pub fn parse<A>(args: impl IntoIterator<Item = A>) -> Result<Self, EarlyExit>
    where
        A: Into<OsString> + Clone,
    {
        let args = Arguments::try_parse_from(args).map_err(|err| EarlyExit::from_clap(&err))?;
        let segments = SegmentPaths::new(&args);
        if segments.is_empty() {
            return Err(EarlyExit::Error {
                message: "nothing to publish: every layout is off; do not switch off all of them"
                    .to_owned(),
                exit: Exit::Usage,
            });
        }
        Ok(Self {
            max_drift_ppb: args.max_drift_rate.unwrap_or(DEFAULT_DRIFT_PPB),
            max_wander_ppb_per_s: args.max_wander,
            falsetickers: args.falsetickers,
            drift_was_defaulted: args.max_drift_rate.is_none(),
            json_output: args.json_output,
            phc: (args.phc_ref_id.zip(args.phc_interface))
                .map(|(ref_id, interface)| PhcOptions { ref_id, interface }),
            chrony_socket: args.chrony_socket,
            segments,
            poll_interval: args.poll_interval,
            chrony_grace: args.chrony_grace,
            holdover: args.holdover,
            max_bound: args.max_bound,
            allow_local_reference: args.allow_local_reference,
            disruptions: Disruptions {
                vmclock: (!args.disable_clock_disruption_support).then_some(args.vmclock),
                is_required: args.require_vmclock,
            },
            log_level: args.log_level,
            #[cfg(feature = "fault-injection")]
            faults: args.faults,
        })
    }
}

impl PhcOptions {
    /// Checks that the network interface exists and is a PCI device. The error bound is not
    /// checked, because the driver may publish it later.
    ///
    /// # Errors
    /// [`EarlyExit`] with [`Exit::NoInput`] if the interface does not exist or sysfs cannot be
    /// read, and with [`Exit::Config`] if the interface is not a PCI device.
    pub fn check(&self, sys_root: &Path) -> Result<(), EarlyExit> {
        let Err(err) = phc::resolve_slot(sys_root, &self.interface) else {
            return Ok(());
        };
        let exit = match err.kind() {
            PhcErrorKind::BadInterface => Exit::Usage,
            PhcErrorKind::NoSlot | PhcErrorKind::BadSlot => Exit::Config,
            _ => Exit::NoInput,
        };
        let message =
            format!("--phc-interface: {err}; give the interface whose clock chronyd uses");
        Err(EarlyExit::Error { message, exit })
    }
}

impl EarlyExit {
    /// Prints the text on standard output, or the error on standard error.
    pub fn print(&self) -> ExitCode {
        // A write error is ignored: there is no other place to report it.
        match self {
            Self::Output(text) => {
                let _ = write!(std::io::stdout(), "{text}");
                ExitCode::SUCCESS
            }
            Self::Error { message, exit } => {
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
            return Self::Output(text);
        }
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        let paragraphs: Vec<String> = text
            .split("\n\n")
            .filter(|part| {
                !part.starts_with("Usage: clockbound ") && !part.starts_with("For more information")
            })
            .map(one_line)
            .collect();
        Self::Error {
            message: format!("{}; see --help", paragraphs.join("; ")),
            exit: Exit::Usage,
        }
    }
}

/// The text in one line, with control characters escaped.
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

/// Publishes an interval that contains true time in shared memory
#[derive(Parser)]
#[command(name = "clockbound", version)]
struct Arguments {
    /// How far the oscillator can move from its measured rate within the holdover, in parts per
    /// million; fractions are accepted. Without this option 1 ppm is assumed and a warning is
    /// logged. Use 50 for crystals without compensation
    // Leading hyphens are accepted here and below, so that the error for "-5" names its option.
    #[arg(short, long, value_name = "PPM", value_parser = drift_ppb, allow_hyphen_values = true)]
    max_drift_rate: Option<u32>,

    /// How fast the oscillator's rate can change, in parts per million per second. The option
    /// narrows the interval at long polling intervals. 0.02 is cautious in a machine room. Do not
    /// use it on virtual machines that can be moved to another host: a change of rate in one step
    /// breaks the premise, and a breach smaller than the errors of the measurements raises no alarm
    #[arg(long, value_name = "PPM_PER_S", value_parser = drift_ppb, allow_hyphen_values = true)]
    max_wander: Option<u32>,

    /// How many of chronyd's sources may be wrong, from 0 to 15. With 0 the source that chronyd
    /// selects is trusted and compared with the others. With N the interval is the one that all but
    /// N reachable sources agree on, and at least 2N + 1 sources have to be reachable; on similar
    /// paths it is about a tenth wider than that of the best source
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=15))]
    falsetickers: u8,

    /// Write logs as JSON, one object per line
    #[arg(short, long)]
    json_output: bool,

    /// chronyd's reference id of the PTP hardware clock, 1 to 4 characters, as given with "refid"
    /// in chrony.conf
    #[arg(short = 'r', long, value_name = "ID", value_parser = ref_id, requires = "phc_interface")]
    phc_ref_id: Option<u32>,

    /// The network interface with the PTP hardware clock
    #[arg(short = 'i', long, value_name = "NAME", value_parser = interface, requires = "phc_ref_id")]
    phc_interface: Option<String>,

    /// Path of chronyd's command socket
    #[arg(long, value_name = "PATH", default_value = "/var/run/chrony/chronyd.sock",
        value_parser = PathBufValueParser::new().try_map(socket_path))]
    chrony_socket: PathBuf,

    /// Path of the segment of the v1 layout, or "off"
    #[arg(long, value_name = "PATH", default_value = DEFAULT_SHM_PATH,
        value_parser = PathBufValueParser::new().try_map(segment_path))]
    shm_path: SegmentPath,

    /// Path of the segment of the v2 layout, or "off" [default: "shm0" in the directory of v1]
    #[arg(long, value_name = "PATH", value_parser = PathBufValueParser::new().try_map(segment_path))]
    shm0_path: Option<SegmentPath>,

    /// Path of the segment of the v3 layout, or "off" [default: "shm1" in the directory of v1]; it
    /// is published only where the processor's counter is invariant and is the kernel's clocksource
    #[arg(long, value_name = "PATH", value_parser = PathBufValueParser::new().try_map(segment_path))]
    shm1_path: Option<SegmentPath>,

    /// Path of the segment of the native layout, or "off" [default: "native" in the directory of
    /// v1]
    #[arg(long, value_name = "PATH", value_parser = PathBufValueParser::new().try_map(segment_path))]
    native_path: Option<SegmentPath>,

    /// Path of the diagnostics, which clockboundctl and clockbound-exporter read, or "off"
    /// [default: "diagnostics" in the directory of v1]
    #[arg(long, value_name = "PATH", value_parser = PathBufValueParser::new().try_map(segment_path))]
    diagnostics_path: Option<SegmentPath>,

    /// Time between two polls of chronyd, with a unit, from 10ms to 2s
    #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = poll_interval,
        allow_hyphen_values = true)]
    poll_interval: Duration,

    /// How long chronyd may be silent or without a source before the clock is free running, with
    /// a unit, from 100ms to 1h
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = grace)]
    chrony_grace: Duration,

    /// How long the last interval is held over without a source, growing, before the status becomes
    /// unknown; also the span within which the oscillator's rate is measured. With a unit, from
    /// 1s to 1day
    #[arg(long, value_name = "TIME", default_value = "1000s", value_parser = holdover)]
    holdover: Duration,

    /// Report the status unknown while the bound is above this, with a unit, up to 1day
    #[arg(long, value_name = "TIME", value_parser = max_bound)]
    max_bound: Option<Duration>,

    /// Trust chronyd in its local mode and with a root distance of zero, which is a clock without a
    /// reference
    #[arg(long)]
    allow_local_reference: bool,

    /// Run without support for clock disruptions: a virtual machine that is restored from a
    /// snapshot or moved to another host is not detected
    #[arg(short, long)]
    disable_clock_disruption_support: bool,

    /// Path of the VMClock device of a virtual machine, which reports disruptions of the clock
    #[arg(long, value_name = "PATH", default_value = vmclock::DEFAULT_PATH,
        value_parser = PathBufValueParser::new().try_map(file_path))]
    vmclock: PathBuf,

    /// Do not run without a VMClock device
    #[arg(long, conflicts_with = "disable_clock_disruption_support")]
    require_vmclock: bool,

    /// Least severe level to log: trace, debug, info, warn, error or critical
    #[arg(long, value_name = "LEVEL", default_value = "info", value_parser = log_level)]
    log_level: Level,

    #[cfg(feature = "fault-injection")]
    #[command(flatten)]
    faults: FaultOptions,
}

// Builds with fault injection have additional options, which are not documented.
#[cfg(all(test, not(feature = "fault-injection")))]
mod documents;
#[cfg(test)]
mod tests;
