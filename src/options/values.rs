//! Parses the values of options. Each error states which values are valid.

use std::path::PathBuf;
use std::time::Duration;

use clockbound_actors::phc;
use shm_layout::DRIFT_LIMIT_PPB;
use slog::Level;

/// Polling faster costs CPU time, and chronyd's reports do not change that fast.
const MIN_POLL: Duration = Duration::from_millis(10);
/// Readers of v1 treat a record older than 5 seconds as free running, so two polls must fit into
/// that.
const MAX_POLL: Duration = Duration::from_secs(2);
/// The longest path of a unix socket, without the terminating zero, in bytes.
const MAX_SOCKET_PATH_BYTES: usize = 107;

/// The path of a segment; `None` for "off".
pub(super) type SegmentPath = Option<PathBuf>;

/// Parses parts per million, rounded up to parts per billion.
pub(super) fn drift_ppb(text: &str) -> Result<u32, String> {
    let range = "give parts per million above 0 and below 1000000";
    let ppm: f64 = text.parse().map_err(|_| format!("not a number; {range}"))?;
    if !ppm.is_finite() || ppm <= 0.0 || ppm >= f64::from(DRIFT_LIMIT_PPB / 1_000) {
        return Err(format!("out of range; {range}"));
    }
    let nearest = (ppm * 1e3).round();
    // 0.07 * 1000 is slightly above 70, so a whole number of parts per billion is not rounded up.
    let ppb = if nearest / 1e3 == ppm {
        nearest
    } else {
        (ppm * 1e3).ceil()
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number from 1 to the limit"
    )]
    let ppb = ppb as u32;
    match ppb {
        DRIFT_LIMIT_PPB.. => Err(format!("out of range; {range}")),
        ppb => Ok(ppb),
    }
}

pub(super) fn ref_id(text: &str) -> Result<u32, String> {
    let mut bytes = [0; 4];
    match bytes.get_mut(..text.len()) {
        Some(start) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic()) => {
            start.copy_from_slice(text.as_bytes());
            Ok(u32::from_be_bytes(bytes))
        }
        _ => Err("give 1 to 4 printable ASCII characters, such as PHC0".to_owned()),
    }
}

pub(super) fn interface(name: &str) -> Result<String, String> {
    phc::check_interface_name(name).map_err(|err| err.to_string())?;
    Ok(name.to_owned())
}

pub(super) fn poll_interval(text: &str) -> Result<Duration, String> {
    time_within(text, MIN_POLL, MAX_POLL)
}

pub(super) fn grace(text: &str) -> Result<Duration, String> {
    time_within(text, Duration::from_millis(100), Duration::from_secs(3_600))
}

pub(super) fn holdover(text: &str) -> Result<Duration, String> {
    time_within(text, Duration::from_secs(1), Duration::from_secs(86_400))
}

pub(super) fn max_bound(text: &str) -> Result<Duration, String> {
    time_within(text, Duration::from_nanos(1), Duration::from_secs(86_400))
}

pub(super) fn time_within(text: &str, least: Duration, most: Duration) -> Result<Duration, String> {
    let name = humantime::format_duration;
    let range = format!(
        "give a time from {} to {}, with a unit",
        name(least),
        name(most)
    );
    match humantime::parse_duration(text) {
        Ok(time) if (least..=most).contains(&time) => Ok(time),
        Ok(_) => Err(format!("out of range; {range}")),
        Err(_) => Err(format!("not a time; {range}")),
    }
}

pub(super) fn log_level(text: &str) -> Result<Level, String> {
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

/// Parses an absolute path of a file. A relative path would depend on the working directory.
pub(super) fn file_path(path: PathBuf) -> Result<PathBuf, String> {
    if !path.is_absolute() {
        return Err("give an absolute path".to_owned());
    }
    if path.file_name().is_none() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err("this is a directory; give the path of a file".to_owned());
    }
    Ok(path)
}

pub(super) fn segment_path(path: PathBuf) -> Result<SegmentPath, String> {
    if path.as_os_str() == "off" {
        return Ok(None);
    }
    file_path(path).map(Some)
}

pub(super) fn socket_path(path: PathBuf) -> Result<PathBuf, String> {
    if path.as_os_str().len() > MAX_SOCKET_PATH_BYTES {
        return Err(format!(
            "too long for a socket; give at most {MAX_SOCKET_PATH_BYTES} bytes"
        ));
    }
    file_path(path)
}
