//! The daemon under test.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use nix::sys::signal::Signal;

use crate::host::process::{Exit, Log, Process};
use crate::host::user::UserAccount;
use crate::host::wait;
use crate::time::clock::clock_ns;

/// How to start the daemon; the same one can be started again and again.
#[derive(Clone, Debug)]
pub struct Launch {
    program: PathBuf,
    arguments: Vec<String>,
    account: UserAccount,
    log: Log,
    umask: Option<u32>,
    uptime: Option<Duration>,
    fault_socket: Option<PathBuf>,
}

impl Launch {
    /// The program at this path, without arguments.
    pub fn bare(program: impl AsRef<Path>) -> Launch {
        Launch {
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            account: UserAccount::current(),
            log: Log::Kept,
            umask: None,
            uptime: None,
            fault_socket: None,
        }
    }

    /// The daemon for a clock that drifts by 50 ppm at most, beside this chronyd, publishing at this path.
    pub fn new(program: impl AsRef<Path>, chrony_socket: &Path, shm_path: &Path) -> Launch {
        Launch::bare(program)
            .args(["--max-drift-rate", "50"])
            .args(["--chrony-socket", &chrony_socket.to_string_lossy()])
            .args(["--shm-path", &shm_path.to_string_lossy()])
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<'a>(mut self, arguments: impl IntoIterator<Item = &'a str>) -> Launch {
        self.arguments
            .extend(arguments.into_iter().map(str::to_owned));
        self
    }

    /// As another user.
    #[must_use]
    pub fn account(mut self, account: &UserAccount) -> Launch {
        self.account = account.clone();
        self
    }

    /// With a log that nobody reads.
    #[must_use]
    pub fn unread_log(mut self) -> Launch {
        self.log = Log::Unread;
        self
    }

    /// Under this umask.
    #[must_use]
    pub fn umask(mut self, umask: u32) -> Launch {
        self.umask = Some(umask);
        self
    }

    /// On a machine that has been up for so long, as far as CLOCK_MONOTONIC tells.
    #[must_use]
    pub fn uptime(mut self, uptime: Duration) -> Launch {
        self.uptime = Some(uptime);
        self
    }

    /// Listens for [`Daemon::crash`]; only a build with fault injection can.
    #[must_use]
    pub fn fault_socket(mut self, path: &Path) -> Launch {
        self.fault_socket = Some(path.to_owned());
        self.args(["--fault-socket", &path.to_string_lossy()])
    }

    /// Starts it.
    pub fn start(&self) -> Daemon {
        if let Some(path) = &self.fault_socket {
            let _ = fs::remove_file(path);
        }
        let mut process = Process::start("clockbound", self.command(), self.log);
        if self.uptime.is_some() {
            process.follow_fork();
        }
        Daemon {
            process,
            fault_socket: self.fault_socket.clone(),
        }
    }

    /// Starts it and waits for its end: for daemons that refuse to start.
    pub fn run(&self) -> (Exit, Vec<String>) {
        let mut daemon = self.start();
        let exit = daemon.process.wait();
        // The last lines may still be on their way through the pipe.
        wait::within(Duration::from_secs(1), || {
            (!daemon.log().is_empty()).then_some(())
        });
        (exit, daemon.log())
    }

    fn command(&self) -> Command {
        // Each wrapper becomes the next one, so the process id stays the daemon's, but for a faked uptime.
        let mut words: Vec<String> = Vec::new();
        if let Some(uptime) = self.uptime {
            let offset = i64::try_from(uptime.as_secs()).expect("fits") - current_uptime_s();
            words.extend(
                [
                    "unshare",
                    "--time",
                    "--fork",
                    "--kill-child=KILL",
                    "--monotonic",
                ]
                .map(str::to_owned),
            );
            words.extend([offset.to_string(), "--".to_owned()]);
        }
        if let Some(umask) = self.umask {
            let script = format!("umask {umask:03o}; exec \"$@\"");
            words.extend(["sh", "-c", &script, "sh"].map(str::to_owned));
        }
        words.push(self.program.to_string_lossy().into_owned());
        words.extend(self.arguments.iter().cloned());
        let mut command = self.account.command(&words[0]);
        command.args(&words[1..]).env(
            "RUST_BACKTRACE",
            env::var("RUST_BACKTRACE").unwrap_or("0".to_owned()),
        );
        command
    }
}

/// A running daemon, killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    process: Process,
    fault_socket: Option<PathBuf>,
}

impl Daemon {
    /// Process id.
    pub fn pid(&self) -> i32 {
        self.process.pid()
    }

    /// Every line logged so far.
    pub fn log(&self) -> Vec<String> {
        self.process.log()
    }

    /// How many lines logged so far contain `pattern`.
    pub fn count_log(&self, pattern: &str) -> usize {
        self.log()
            .iter()
            .filter(|line| line.contains(pattern))
            .count()
    }

    /// Waits for a line that contains `pattern` and returns it.
    #[track_caller]
    pub fn wait_for_log(&self, pattern: &str) -> String {
        self.process.wait_for_log(pattern)
    }

    /// Waits until `cond` holds; shows the log if it never does.
    ///
    /// # Panics
    /// If it does not hold in time.
    #[track_caller]
    pub fn wait_until(&self, what: &str, mut cond: impl FnMut() -> bool) {
        let held = wait::within(wait::PATIENCE, || cond().then_some(()));
        assert!(
            held.is_some(),
            "never: {what}; the daemon says:\n{}",
            self.log().join("\n")
        );
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// Sends a signal.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Asks it to end with SIGTERM and waits for that.
    #[track_caller]
    pub fn terminate(&mut self) -> Exit {
        self.process.terminate()
    }

    /// Ends it with SIGKILL.
    #[track_caller]
    pub fn kill(&mut self) -> Exit {
        self.process.kill()
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(&mut self) -> Exit {
        self.process.wait()
    }

    /// Arms a fault; it strikes once, when `actor` next comes to `point`.
    ///
    /// # Panics
    /// If the daemon does not listen for faults.
    #[track_caller]
    pub fn crash(&self, actor: &str, point: &str, action: &str) {
        let socket = self
            .fault_socket
            .as_ref()
            .expect("started with a fault socket");
        inject(socket, actor, point, action);
    }
}

/// Arms a fault of the daemon that listens at `socket`.
///
/// # Panics
/// If nobody does.
#[track_caller]
pub fn inject(socket: &Path, actor: &str, point: &str, action: &str) {
    let sender = UnixDatagram::unbound().expect("a socket");
    let line = format!("{actor} {point} {action}");
    wait::until(wait::PATIENCE, "someone is at the fault socket", || {
        sender.send_to(line.as_bytes(), socket).is_ok()
    });
}

/// Makes a program usable by accounts that cannot enter the build directory: returns a copy in `dir`.
///
/// # Panics
/// If it cannot be copied.
pub fn copy_for_everyone(program: &Path, dir: &Path) -> PathBuf {
    let copy = dir.join("program");
    fs::copy(program, &copy).expect("copy the daemon");
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).expect("make it executable");
    copy
}

fn current_uptime_s() -> i64 {
    clock_ns(nix::time::ClockId::CLOCK_MONOTONIC) / 1_000_000_000
}
