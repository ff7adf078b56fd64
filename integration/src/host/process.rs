//! A child process: its log, its signals and its exit.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::wait;

/// The use of a child's standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    /// Read line by line, as a log collector does.
    Kept,
    /// Left in the pipe, as a log collector that hangs does.
    Unread,
}

/// How a process ended.
#[derive(Clone, Copy, Debug)]
pub struct Exit {
    /// Exit code, unless a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
}

/// A running child, killed when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    pid: Pid,
    lines: Arc<Mutex<Vec<String>>>,
    _unread: Option<ChildStderr>,
}

impl Process {
    /// Starts `command`; `name` is for messages.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(name: &str, mut command: Command, log: Log) -> Process {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        // A Ctrl-C at the terminal reaches the parent only, which ends its children in order.
        command.process_group(0);
        let mut child = command
            .spawn()
            .unwrap_or_else(|err| panic!("start {name}: {err}"));
        let pid = pid_of(&child);
        let lines = Arc::default();
        let stderr = child.stderr.take().expect("standard error is piped");
        let unread = match log {
            Log::Kept => {
                keep_lines(stderr, Arc::clone(&lines));
                None
            }
            Log::Unread => Some(stderr),
        };
        Process {
            name: name.to_owned(),
            child,
            pid,
            lines,
            _unread: unread,
        }
    }

    /// Directs signals to the child's own child, for wrappers that fork.
    pub fn follow_fork(&mut self) {
        let parent = pid_of(&self.child);
        let path = format!("/proc/{parent}/task/{parent}/children");
        self.pid = wait::until_some(wait::PATIENCE, "the wrapper forks", || {
            let children = fs::read_to_string(&path).ok()?;
            Some(Pid::from_raw(
                children.split_whitespace().next()?.parse().ok()?,
            ))
        });
    }

    /// Process id.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// The lines logged so far.
    ///
    /// # Panics
    /// If the thread that reads them has panicked.
    pub fn log(&self) -> Vec<String> {
        self.lines.lock().expect("log lines").clone()
    }

    /// Waits for a line that contains `pattern` and returns it.
    ///
    /// # Panics
    /// If there is none in time.
    #[track_caller]
    pub fn wait_for_log(&self, pattern: &str) -> String {
        let find = || self.log().into_iter().find(|line| line.contains(pattern));
        match wait::within(wait::PATIENCE, find) {
            Some(line) => line,
            None => panic!(
                "{} did not log {pattern:?}:\n{}",
                self.name,
                self.log().join("\n")
            ),
        }
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// If the process has exited.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        kill(self.pid, signal).unwrap_or_else(|err| panic!("{signal} to {}: {err}", self.name));
    }

    /// Stops it with SIGSTOP, and waits until it has stopped.
    ///
    /// # Panics
    /// If it does not stop in time.
    #[track_caller]
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
        let path = format!("/proc/{}/stat", self.pid);
        wait::until(wait::PATIENCE, "the process stops", || {
            // The state follows the name, which is in parentheses.
            fs::read_to_string(&path)
                .is_ok_and(|stat| stat.rsplit(')').next().is_some_and(is_stopped))
        });
    }

    /// Whether it has not exited.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends SIGTERM and waits for the exit.
    #[track_caller]
    pub fn terminate(&mut self) -> Exit {
        self.signal(Signal::SIGTERM);
        self.wait()
    }

    /// Sends SIGKILL and waits for the exit.
    #[track_caller]
    pub fn kill(&mut self) -> Exit {
        self.signal(Signal::SIGKILL);
        self.wait()
    }

    /// Waits for the exit.
    ///
    /// # Panics
    /// If it does not exit in time.
    #[track_caller]
    pub fn wait(&mut self) -> Exit {
        let status: Option<ExitStatus> =
            wait::within(wait::PATIENCE, || self.child.try_wait().ok().flatten());
        let Some(status) = status else {
            panic!("{} does not exit:\n{}", self.name, self.log().join("\n"));
        };
        Exit {
            code: status.code(),
            signal: status.signal(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Only before it is reaped, since its id may be reused afterwards.
        if self.is_running() {
            let _ = kill(self.pid, Signal::SIGKILL);
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Whether the fields of /proc/PID/stat after the name are those of a stopped process.
fn is_stopped(fields: &str) -> bool {
    fields.trim_start().starts_with('T')
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("process ids fit"))
}

fn keep_lines(stderr: ChildStderr, lines: Arc<Mutex<Vec<String>>>) {
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            lines.lock().expect("log lines").push(line);
        }
    });
}
