//! The files of the directory that is published.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clockbound_actors::os::clocksource::{PROC_ROOT, SYS_ROOT};
use clockbound_actors::publication::counter_clock::{self, CounterError};
use clockbound_actors::publication::segments::{Segments, retire_unpublished};
use clockbound_client::DEFAULT_DIRECTORY;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use shm_layout::diagnostics::DiagnosticsRecord;
use shm_layout::layout::Layout;
use shm_layout::layout::native::Native;
use shm_layout::layout::v1::V1;
use shm_layout::layout::v2::V2;
use shm_layout::layout::v3::V3;
use shm_layout::native::NativeRecord;
use shm_layout::v1::V1Record;
use shm_layout::v2::V2Record;
use shm_layout::v3::V3Record;
use shm_layout::writer::{OpenError, Segment};
use shm_layout::{Disruption, diagnostics, native, v1, v2, v3};

/// The names of the segments' files.
const NAMES: [&str; 5] = [
    native::FILE_NAME,
    v2::FILE_NAME,
    v1::FILE_NAME,
    v3::FILE_NAME,
    diagnostics::FILE_NAME,
];

/// How long a report is awaited before the clock is free running: the daemon's default.
pub const GRACE: Duration = Duration::from_secs(2);

/// The longest time between two publications that the records state. It is longer than
/// the actual one, so that clients of a busy machine do not look for another file too often.
pub const PUBLICATION_INTERVAL: Duration = Duration::from_millis(100);

/// The directory, and which segments are published in it.
#[derive(Debug)]
pub struct Files {
    directory: PathBuf,
    has_v3: bool,
}

impl Files {
    /// Checks the directory, which is created later if it is missing. The second value is why there
    /// is no segment of the 3.x layout.
    ///
    /// # Errors
    /// A daemon publishes there.
    pub fn new(directory: &Path) -> io::Result<(Self, Option<CounterError>)> {
        for name in NAMES {
            if let Some(writer) = writer_of(&directory.join(name))? {
                return Err(io::Error::new(
                    io::ErrorKind::ResourceBusy,
                    format!(
                        "process {writer} publishes the segment {name} here; give another directory"
                    ),
                ));
            }
        }
        let checked = counter_clock::check(Path::new(SYS_ROOT), Path::new(PROC_ROOT));
        let files = Self {
            directory: directory.to_owned(),
            has_v3: checked.is_ok(),
        };
        Ok((files, checked.err()))
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Whether there is a segment of the 3.x layout.
    pub fn has_v3(&self) -> bool {
        self.has_v3
    }

    /// Opens or creates the segments, with records that claim nothing.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(&self, disruption: Disruption) -> Result<Segments, OpenError> {
        let path = |name| self.directory.join(name);
        let v3 = self.has_v3.then(|| {
            open(&path(v3::FILE_NAME), |now_ns| V3Record {
                disruption,
                is_simulated: true,
                ..V3::no_claim(now_ns)
            })
        });
        // A client of the directory that opens it meanwhile reads the preferred layout.
        let segments = Segments {
            v3: v3.transpose()?,
            native: Some(open(&path(native::FILE_NAME), |now_ns| NativeRecord {
                disruption,
                is_simulated: true,
                ..Native::no_claim(now_ns)
            })?),
            v2: Some(open(&path(v2::FILE_NAME), |now_ns| V2Record {
                bound: V1Record {
                    is_simulated: true,
                    ..V2::no_claim(now_ns).bound
                },
                disruption,
            })?),
            v1: Some(open(&path(v1::FILE_NAME), |now_ns| V1Record {
                is_simulated: true,
                ..V1::no_claim(now_ns)
            })?),
            diagnostics: Some(open(&path(diagnostics::FILE_NAME), |now_ns| {
                DiagnosticsRecord {
                    is_simulated: true,
                    ..DiagnosticsRecord::no_claim(now_ns)
                }
            })?),
            grace: GRACE,
            publication_interval: PUBLICATION_INTERVAL,
        };
        let published: Vec<PathBuf> = self.published().map(path).collect();
        let published: Vec<&Path> = published.iter().map(PathBuf::as_path).collect();
        let _ = retire_unpublished(&published);
        Ok(segments)
    }

    /// Removes the segments' files. Programs that have them mapped keep the last records.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn remove(&self) -> io::Result<()> {
        for name in self.published() {
            match fs::remove_file(self.directory.join(name)) {
                Err(err) if err.kind() != io::ErrorKind::NotFound => return Err(err),
                _ => {}
            }
        }
        Ok(())
    }

    /// The names of the published files.
    pub fn published(&self) -> impl Iterator<Item = &'static str> + use<> {
        let has_v3 = self.has_v3;
        NAMES
            .into_iter()
            .filter(move |&name| has_v3 || name != v3::FILE_NAME)
    }
}

fn open<L: Layout>(
    path: &Path,
    nothing: impl Fn(i64) -> L::Record,
) -> Result<Segment<L>, OpenError> {
    Segment::open_with(path, nothing).map(|(segment, _)| segment)
}

/// The process that publishes the segment at `path`, by its lock file: its number, or `unknown`.
fn writer_of(path: &Path) -> io::Result<Option<String>> {
    let mut path = path.as_os_str().to_owned();
    path.push(".lock");
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(err) => return Err(err),
    };
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(_) => Ok(None),
        Err((_, Errno::EWOULDBLOCK)) => {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let pid = text.split_whitespace().next().unwrap_or("unknown");
            Ok(Some(pid.to_owned()))
        }
        Err((_, errno)) => Err(errno.into()),
    }
}

/// Whether the daemon publishes in this directory by default.
pub fn is_default(directory: &Path) -> bool {
    let resolved = |path: &Path| {
        let parent = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        path.canonicalize().ok().or_else(|| {
            let parent = parent.unwrap_or(Path::new(".")).canonicalize().ok()?;
            Some(parent.join(path.file_name()?))
        })
    };
    let default = Path::new(DEFAULT_DIRECTORY);
    directory == default || resolved(directory).is_some_and(|own| resolved(default) == Some(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_directory_is_recognised_by_every_name() {
        for name in [
            "/var/run/clockbound",
            "/run/clockbound",
            "/run/../run/clockbound/",
        ] {
            assert!(is_default(Path::new(name)), "{name}");
        }
        for name in ["/run/clockbound/test", "/tmp/clockbound", "clockbound", "/"] {
            assert!(!is_default(Path::new(name)), "{name}");
        }
    }

    #[test]
    fn a_directory_in_which_a_segment_is_locked_is_refused_and_unchanged() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path();
        let (held, _) = Segment::<V1>::open(&path.join(v1::FILE_NAME)).expect("a segment");
        let refused = Files::new(path).expect_err("refused").to_string();
        let own = format!(
            "process {} publishes the segment shm here",
            std::process::id()
        );
        assert!(refused.contains(&own), "{refused}");
        assert!(!path.join(native::FILE_NAME).exists());
        drop(held);
        let (files, _) = Files::new(path).expect("free");
        let opened = files.open(Disruption::default()).expect("opened");
        assert!(path.join(native::FILE_NAME).exists());
        assert!(Files::new(path).is_err(), "it publishes itself");
        drop(opened);
        files.remove().expect("removed");
        assert!(!path.join(native::FILE_NAME).exists());
    }
}
