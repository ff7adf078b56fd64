//! The clockbound daemon, which publishes an interval that contains true time in shared memory.
//!
//! ```text
//! options --> signals --> segments --> logging --> supervised actors --> exit code
//! ```

#![forbid(unsafe_code)]

mod exit_codes;
mod logging;
mod options;
mod service_manager;
mod signals;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clockbound_actors::actors::drill::Drill;
use clockbound_actors::daemon::{self, Config};
use clockbound_actors::estimator::Settings;
use clockbound_actors::os::clocksource::{PROC_ROOT, SYS_ROOT};
use clockbound_actors::publication::counter_clock::{self, CounterError};
use clockbound_actors::publication::segments::{Segments, retire_unpublished};
use clockbound_actors::supervision::Ending;
use clockbound_actors::vmclock::VmClock;
use crossbeam_channel::Receiver;
use shm_layout::Disruption;
use shm_layout::diagnostics::DiagnosticsRecord;
use shm_layout::layout::Layout;
use shm_layout::layout::native::{Native, NativeRecord};
use shm_layout::layout::v1::V1;
use shm_layout::layout::v2::{V2, V2Record};
use shm_layout::layout::v3::{V3, V3Record};
use shm_layout::vmclock::VmClockError;
use shm_layout::writer::{OpenError, Segment, Start};
use slog::{Logger, crit, info, warn};

use crate::exit_codes::Exit;
use crate::options::{DEFAULT_DRIFT_ADVICE, Disruptions, Options, SegmentPaths};
use crate::service_manager::ServiceManager;
use crate::signals::DrillSignal;

fn main() -> ExitCode {
    let options = match Options::from_command_line() {
        Ok(options) => options,
        Err(exit) => return exit.print(),
    };
    // This precedes every thread, so that all threads inherit the signal mask.
    let drill = Drill::default();
    let switch = drill.clone();
    let signals = match signals::receive(move |signal| match signal {
        DrillSignal::Begin(value) => switch.begin(value),
        DrillSignal::End => switch.end(),
    }) {
        Ok(signals) => signals,
        Err(err) => return exit_codes::os_error("failed to set up signal handling", &err),
    };
    let vmclock = match &options.disruptions.vmclock {
        Some(path) => VmClock::open(path).map(Some),
        None => Ok(None),
    };
    if let (Err(err), Some(path), true) = (
        &vmclock,
        &options.disruptions.vmclock,
        options.disruptions.is_required,
    ) {
        return exit_codes::vmclock_error(path, err);
    }
    // This precedes logging, so that a refused segment is reported in one plain line on standard
    // error.
    let page = vmclock.as_ref().ok().and_then(Option::as_ref);
    let opened = match open_segments(&options, page) {
        Ok(opened) => opened,
        Err(err) => return exit_codes::segment_error(&err),
    };
    let (log, logging) = match logging::start(options.log_level, options.json_output) {
        Ok(started) => started,
        Err(err) => return exit_codes::os_error("failed to start logging", &err),
    };
    logging::install_panic_hook(&log);
    let host = HostClock { vmclock, drill };
    let code = run(options, opened, host, &signals, &log);
    drop(logging);
    code
}

/// The open segments.
struct Opened {
    segments: Segments,
    /// Each path with how its file was opened, for the log.
    starts: String,
    /// Why the v3 layout cannot be published, unless it is off.
    counter_error: Option<CounterError>,
}

/// What reports disruptions.
struct HostClock {
    /// The VMClock page, why there is none, or `None` if disruptions are not detected.
    vmclock: Result<Option<VmClock>, VmClockError>,
    drill: Drill,
}

fn open_segments(options: &Options, vmclock: Option<&VmClock>) -> Result<Opened, OpenError> {
    let SegmentPaths {
        v1,
        v2,
        v3,
        native,
        diagnostics,
    } = &options.segments;
    let checked = match v3 {
        Some(_) => counter_clock::check(Path::new(SYS_ROOT), Path::new(PROC_ROOT)),
        None => Ok(()),
    };
    let v3 = v3.as_deref().filter(|_| checked.is_ok());
    let mut starts = Vec::new();
    let mut note = |path: &Path, start: Start| starts.push(format!("{} {start}", path.display()));
    // The flag of disruption support never changes while a program has the segment mapped.
    let disruption = Disruption {
        marker: vmclock.map_or(0, |vmclock| vmclock.page.marker()),
        supported: vmclock.is_some(),
    };
    // The first one, because programs of the 3.x generation accept a file of an earlier boot.
    let v3 = open_segment(v3, &mut note, |now_ns| V3Record {
        disruption,
        ..V3::no_claim(now_ns)
    })?;
    // A client of the directory that opens it meanwhile reads the preferred layout.
    let segments = Segments {
        v3,
        native: open_segment(native.as_deref(), &mut note, |now_ns| NativeRecord {
            disruption,
            ..Native::no_claim(now_ns)
        })?,
        v2: open_segment(v2.as_deref(), &mut note, |now_ns| V2Record {
            disruption,
            ..V2::no_claim(now_ns)
        })?,
        v1: open_segment(v1.as_deref(), &mut note, V1::no_claim)?,
        diagnostics: open_segment(
            diagnostics.as_deref(),
            &mut note,
            DiagnosticsRecord::no_claim,
        )?,
        grace: options.chrony_grace,
        publication_interval: options.poll_interval,
    };
    let starts = starts.join(", ");
    Ok(Opened {
        segments,
        starts,
        counter_error: checked.err(),
    })
}

fn open_segment<L: Layout>(
    path: Option<&Path>,
    note: &mut impl FnMut(&Path, Start),
    nothing: impl Fn(i64) -> L::Record,
) -> Result<Option<Segment<L>>, OpenError> {
    path.map(|path| {
        let (segment, start) = Segment::open_with(path, nothing)?;
        note(path, start);
        Ok(segment)
    })
    .transpose()
}

/// Runs the actors until they end, logs why they ended, and returns the exit code.
fn run(
    options: Options,
    opened: Opened,
    host: HostClock,
    signals: &Receiver<&'static str>,
    log: &Logger,
) -> ExitCode {
    info!(log, "clockbound starting";
        "version" => env!("CARGO_PKG_VERSION"), "max_drift_ppb" => options.max_drift_ppb,
        "source" => %options.chrony_socket.display(), "segments" => &opened.starts);
    let SegmentPaths {
        v1,
        v2,
        v3,
        native,
        diagnostics,
    } = &options.segments;
    let v3 = v3.as_ref().filter(|_| opened.segments.v3.is_some());
    let native = native.as_ref();
    retire_segments(
        &[v1.as_ref(), v2.as_ref(), v3, native, diagnostics.as_ref()],
        log,
    );
    if let Some(err) = &opened.counter_error {
        info!(log, "3.x segment is not published"; "err" => %err);
    }
    if options.drift_was_defaulted {
        warn!(log, "no drift rate given, assuming 1 ppm"; "advice" => DEFAULT_DRIFT_ADVICE);
    }
    report_protection(&options.disruptions, &host.vmclock, &opened.segments, log);
    let mut manager = match ServiceManager::from_environment(options.poll_interval, log) {
        Ok(manager) => manager,
        Err(err) => {
            crit!(log, "failed to open the service manager's socket"; "err" => %err);
            return Exit::OsErr.into();
        }
    };
    let config = match config(options, host) {
        Ok(config) => config,
        Err(err) => {
            crit!(log, "failed to listen for injected faults"; "err" => %err);
            return Exit::OsErr.into();
        }
    };
    match daemon::run(
        config,
        Arc::new(opened.segments),
        signals,
        &mut manager,
        log,
    ) {
        Ok(Ending::Signal(signal)) => {
            info!(log, "clockbound stopped"; "signal" => signal);
            ExitCode::SUCCESS
        }
        Ok(Ending::CrashLoop { actor, panic }) => {
            crit!(log, "clockbound exiting, actor crashed too often";
                "actor" => %actor, "err" => panic);
            Exit::Software.into()
        }
        Ok(Ending::Exited { actor }) => {
            let actor = actor.map_or("runtime", |actor| actor.as_str());
            crit!(log, "clockbound exiting, actor exited unexpectedly"; "actor" => actor);
            Exit::Software.into()
        }
        Err(err) => {
            crit!(log, "failed to start the actors"; "err" => %err);
            Exit::OsErr.into()
        }
    }
}

/// Logs whether disruptions of the clock are detected, unless all is as it should be.
fn report_protection(
    disruptions: &Disruptions,
    vmclock: &Result<Option<VmClock>, VmClockError>,
    segments: &Segments,
    log: &Logger,
) {
    match (vmclock, &disruptions.vmclock) {
        (Ok(Some(_)), _) => {
            let v2 = segments.v2.as_ref();
            if v2.is_some_and(|v2| !v2.is_disruption_supported()) {
                warn!(log, "readers of v2 do not detect disruptions, the file was made without";
                    "advice" => "delete the file, and restart the programs that have it open");
            }
        }
        (Err(err), Some(path)) => {
            warn!(log, "no vmclock, a restored or moved virtual machine may not be detected";
                "err" => %err, "source" => %path.display(),
                "advice" => "add the device to the virtual machine, or use \
                             --disable-clock-disruption-support");
        }
        (_, _) => info!(log, "support for clock disruptions is disabled"),
    }
}

/// Retires what earlier daemons have published beside `paths`.
fn retire_segments(paths: &[Option<&PathBuf>], log: &Logger) {
    let published: Vec<&Path> = paths.iter().flatten().map(|path| path.as_path()).collect();
    let retired: Vec<String> = retire_unpublished(&published)
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    if !retired.is_empty() {
        info!(log, "segment retired"; "path" => retired.join(", "));
    }
}

fn config(options: Options, host: HostClock) -> std::io::Result<Config> {
    #[cfg(not(feature = "fault-injection"))]
    let crash_budget = clockbound_actors::supervision::DEFAULT_CRASH_BUDGET;
    #[cfg(feature = "fault-injection")]
    let crash_budget = {
        if let Some(path) = &options.faults.fault_socket {
            clockbound_actors::fail_points::listen(path)?;
        }
        options.faults.crash_budget
    };
    // The option parser limits every duration to one day.
    let ns = |time: std::time::Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
    Ok(Config {
        chrony_socket: options.chrony_socket,
        poll_interval: options.poll_interval,
        settings: Settings {
            max_drift_ppb: options.max_drift_ppb,
            max_wander_ppb_per_s: options.max_wander_ppb_per_s,
            falsetickers: usize::from(options.falsetickers),
            phc_reference_id: options.phc.as_ref().map(|phc| phc.ref_id),
            grace_ns: ns(options.chrony_grace),
            holdover_ns: ns(options.holdover),
            max_bound_ns: options.max_bound.map(ns),
            allow_local_reference: options.allow_local_reference,
        },
        phc_interface: options.phc.map(|phc| phc.interface),
        vmclock: host.vmclock.ok().flatten(),
        detects_disruptions: options.disruptions.vmclock.is_some(),
        drill: host.drill,
        crash_budget,
    })
}
