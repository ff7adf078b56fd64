//! The daemon under test.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use nix::sys::signal::Signal;

use crate::host::process::{Exit, Log, Process};
use crate::host::sandbox::vmclock_path;
use crate::host::user::UserAccount;
use crate::host::wait;
use crate::time::clock::clock_ns;

/// The command line and the environment of a daemon, which can be started repeatedly.
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

    /// The daemon with a drift rate of 50 ppm, this chronyd, this v1 segment, and the VMClock page
    /// at [`vmclock_path`], if it is there.
    pub fn new(program: impl AsRef<Path>, chrony_socket: &Path, shm_path: &Path) -> Launch {
        Launch::bare(program)
            .args(["--max-drift-rate", "50"])
            .args(["--chrony-socket", &chrony_socket.to_string_lossy()])
            .args(["--shm-path", &shm_path.to_string_lossy()])
            .args(["--vmclock", &vmclock_path(shm_path).to_string_lossy()])
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<'a>(mut self, arguments: impl IntoIterator<Item = &'a str>) -> Launch {
        self.arguments
            .extend(arguments.into_iter().map(str::to_owned));
        self
    }

    /// Runs it under another account.
    #[must_use]
    pub fn account(mut self, account: &UserAccount) -> Launch {
        self.account = account.clone();
        self
    }

    /// Leaves its log in the pipe.
    #[must_use]
    pub fn unread_log(mut self) -> Launch {
        self.log = Log::Unread;
        self
    }

    /// Sets its umask.
    #[must_use]
    pub fn umask(mut self, umask: u32) -> Launch {
        self.umask = Some(umask);
        self
    }

    /// Runs it in a time namespace in which CLOCK_MONOTONIC shows this uptime.
    #[must_use]
    pub fn uptime(mut self, uptime: Duration) -> Launch {
        self.uptime = Some(uptime);
        self
    }

    /// Enables [`Daemon::inject`]; requires a build with fault injection.
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

    /// Starts it and waits for its exit; returns the exit and the log.
    pub fn run(&self) -> (Exit, Vec<String>) {
        let mut daemon = self.start();
        let exit = daemon.process.wait();
        // The last lines may still be in the pipe.
        wait::within(Duration::from_secs(1), || {
            (!daemon.log().is_empty()).then_some(())
        });
        (exit, daemon.log())
    }

    fn command(&self) -> Command {
        // Each wrapper replaces itself by the next, so the process id is the daemon's, except with
        // an uptime.
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

    /// The lines logged so far.
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

    /// Waits until `cond` holds; shows the log if it does not.
    ///
    /// # Panics
    /// If it does not hold in time.
    #[track_caller]
    pub fn wait_until(&self, what: &str, mut cond: impl FnMut() -> bool) {
        let held = wait::within(wait::PATIENCE, || cond().then_some(()));
        assert!(
            held.is_some(),
            "never: {what}; the log of the daemon:\n{}",
            self.log().join("\n")
        );
    }

    /// Whether it has not exited.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// Sends a signal.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Stops it without its notice, as a stopped virtual machine does.
    #[track_caller]
    pub fn freeze(&self) {
        self.process.freeze();
    }

    /// Continues it after [`Daemon::freeze`].
    #[track_caller]
    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Sends SIGTERM and waits for the exit.
    #[track_caller]
    pub fn terminate(&mut self) -> Exit {
        self.process.terminate()
    }

    /// Sends SIGKILL and waits for the exit.
    #[track_caller]
    pub fn kill(&mut self) -> Exit {
        self.process.kill()
    }

    /// Waits for the exit.
    #[track_caller]
    pub fn wait(&mut self) -> Exit {
        self.process.wait()
    }

    /// Configures a fail point of the daemon; [`inject`] has the details.
    ///
    /// # Panics
    /// If the daemon has no fault socket.
    #[track_caller]
    pub fn inject(&self, actor: &str, point: &str, actions: &str) {
        let socket = self
            .fault_socket
            .as_ref()
            .expect("started with a fault socket");
        inject(socket, actor, point, actions);
    }
}

/// Configures the fail point `point` of `actor` in the daemon that listens at `socket`. The actions
/// are those of the crate `fail`: `1*panic` for the next time, `panic` for every time, `pause` for
/// a hang.
///
/// # Panics
/// If no daemon listens there in time.
#[track_caller]
pub fn inject(socket: &Path, actor: &str, point: &str, actions: &str) {
    let sender = UnixDatagram::unbound().expect("a socket");
    let line = format!("{actor}.{point}={actions}");
    wait::until(
        wait::PATIENCE,
        "the fault socket accepts a datagram",
        || sender.send_to(line.as_bytes(), socket).is_ok(),
    );
}

/// Copies a program to `dir`, for accounts that cannot enter the build directory; returns the copy.
///
/// # Panics
/// If it cannot be copied.
pub fn copy_for_everyone(program: &Path, dir: &Path) -> PathBuf {
    let copy = dir.join("program");
    // A process of its own has the copy open for writing. Otherwise a process that another thread
    // starts meanwhile would have it open, too, and the copy could not be executed (ETXTBSY).
    let status = Command::new("install")
        .args(["--mode=755"])
        .args([program, &copy])
        .status();
    assert!(status.expect("install").success(), "copy the daemon");
    copy
}

fn current_uptime_s() -> i64 {
    clock_ns(nix::time::ClockId::CLOCK_MONOTONIC) / 1_000_000_000
}
