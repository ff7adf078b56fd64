//! A private chronyd that never changes the machine's clock: it disciplines a virtual clock, or
//! none.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;

use crate::host::process::{Exit, Log, Process};
use crate::host::sandbox::Sandbox;
use crate::host::user::UserAccount;
use crate::host::virtual_clock::{Environment, VirtualClock};
use crate::host::wait;

/// Options of a `server` line with which chronyd synchronises within a second.
pub const FREQUENT_POLLS: &str = "iburst minpoll -4 maxpoll -4";

/// A chronyd with its own run directory; it can be stopped and started again.
#[derive(Debug)]
pub struct Chronyd {
    dir: PathBuf,
    process: Option<Process>,
    disciplined: Option<Environment>,
}

/// The report of `chronyc tracking`; times in seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Tracking {
    /// Reference id.
    pub refid: u32,
    /// The source's name or address.
    pub source: String,
    /// Stratum.
    pub stratum: u16,
    /// When the clock was last updated.
    pub ref_time: f64,
    /// Offset of the system clock, positive when it is slow.
    pub correction: f64,
    /// Frequency offset of the system clock.
    pub frequency_ppm: f64,
    /// Estimated error of the frequency.
    pub skew_ppm: f64,
    /// Round trip to the reference clock.
    pub root_delay: f64,
    /// Dispersion accumulated from the reference clock.
    pub root_dispersion: f64,
    /// `Normal`, `Not synchronised`, or the announced leap second.
    pub leap: String,
}

impl Tracking {
    /// Parses a line of `chronyc -c tracking`.
    pub fn parse(line: &str) -> Option<Tracking> {
        let fields: Vec<&str> = line.trim().split(',').collect();
        let number = |index: usize| fields.get(index)?.parse::<f64>().ok();
        Some(Tracking {
            refid: u32::from_str_radix(fields.first()?, 16).ok()?,
            source: (*fields.get(1)?).to_owned(),
            stratum: fields.get(2)?.parse().ok()?,
            ref_time: number(3)?,
            correction: number(4)?,
            frequency_ppm: number(7)?,
            skew_ppm: number(9)?,
            root_delay: number(10)?,
            root_dispersion: number(11)?,
            leap: (*fields.get(13)?).to_owned(),
        })
    }

    /// Whether it has a reference.
    pub fn is_synchronised(&self) -> bool {
        self.refid != 0 && self.leap != "Not synchronised"
    }

    /// Twice the root distance, 2 x (root delay / 2 + root dispersion), in nanoseconds.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "an error bound in nanoseconds fits"
    )]
    pub fn root_distance_width_ns(&self) -> i64 {
        ((self.root_delay + 2.0 * self.root_dispersion) * 1e9) as i64
    }

    /// |correction| + delay/2 + dispersion, in nanoseconds: the bound of the system clock.
    pub fn bound_ns(&self) -> f64 {
        (self.correction.abs() + self.root_delay / 2.0 + self.root_dispersion) * 1e9
    }
}

impl Chronyd {
    /// Configures a chronyd with run directory `name` and these lines; does not start it.
    pub fn new(sandbox: &Sandbox, name: &str, lines: &[&str]) -> Chronyd {
        Chronyd::in_dir(sandbox.chrony_dir(name), lines)
    }

    /// Like [`Chronyd::new`], in a run directory that exists.
    ///
    /// # Panics
    /// If the configuration cannot be written.
    pub fn in_dir(dir: PathBuf, lines: &[&str]) -> Chronyd {
        let at = dir.display();
        let common = format!(
            "user {}\ncmdport 0\nbindcmdaddress {at}/chronyd.sock\npidfile {at}/chronyd.pid\n",
            UserAccount::chrony().name
        );
        fs::write(
            dir.join("chrony.conf"),
            format!("{common}{}\n", lines.join("\n")),
        )
        .expect("write chrony.conf");
        Chronyd {
            dir,
            process: None,
            disciplined: None,
        }
    }

    /// Disciplines this clock; chronyd runs with `-x` otherwise.
    #[must_use]
    pub fn disciplining(mut self, clock: &VirtualClock) -> Chronyd {
        self.disciplined = Some(clock.environment().clone());
        self
    }

    /// Configures a client of one server that synchronises within a second.
    pub fn following(sandbox: &Sandbox, name: &str, server: SocketAddr) -> Chronyd {
        Chronyd::new(sandbox, name, &["port 0", &server_line(server)])
    }

    /// Configures a server on the loopback address that is its own reference.
    pub fn reference(sandbox: &Sandbox, name: &str, port: u16) -> Chronyd {
        let port = format!("port {port}");
        Chronyd::new(
            sandbox,
            name,
            &[
                "local stratum 8",
                "bindaddress 127.0.0.1",
                "allow 127.0.0.1",
                &port,
            ],
        )
    }

    /// Starts it, and waits until it replies to commands.
    ///
    /// # Panics
    /// If it does not reply in time.
    pub fn start(&mut self) -> &mut Chronyd {
        // A chronyd that was killed leaves its pid file, because of which the next one would not
        // start.
        let _ = fs::remove_file(self.dir.join("chronyd.pid"));
        let mut command = UserAccount::chrony().command("chronyd");
        command
            .args(["-U", "-d", "-f"])
            .arg(self.dir.join("chrony.conf"));
        match &self.disciplined {
            Some(environment) => environment.apply_to(&mut command),
            None => {
                command.arg("-x");
            }
        }
        let process = self
            .process
            .insert(Process::start("chronyd", command, Log::Kept));
        let socket = self.dir.join("chronyd.sock");
        let up = wait::within(wait::PATIENCE, || {
            (tracking_at(&socket).is_some() || !process.is_running()).then_some(())
        });
        assert!(
            up.is_some() && process.is_running(),
            "chronyd does not start:\n{}",
            process.log().join("\n")
        );
        self
    }

    /// Starts it, and waits until it has a reference.
    pub fn start_synchronised(&mut self) -> &mut Chronyd {
        self.start();
        wait::until(wait::PATIENCE, "chronyd synchronises", || {
            self.is_synchronised()
        });
        self
    }

    /// Stops it with SIGTERM.
    pub fn stop(&mut self) -> Exit {
        self.running().terminate()
    }

    /// Kills it.
    pub fn kill(&mut self) -> Exit {
        self.running().kill()
    }

    /// Suspends it: its socket exists, but it does not reply.
    pub fn freeze(&mut self) {
        self.running().freeze();
    }

    /// Resumes it after [`Chronyd::freeze`].
    pub fn thaw(&mut self) {
        self.running().signal(Signal::SIGCONT);
    }

    /// Runs a command of `chronyc`.
    ///
    /// # Panics
    /// If it fails.
    pub fn chronyc(&self, command: &str) {
        let mut chronyc = Command::new("chronyc");
        chronyc.arg("-h").arg(self.socket());
        chronyc.args(command.split(' '));
        let output = chronyc.output().expect("chronyc is installed");
        assert!(
            output.status.success(),
            "chronyc {command}: {}",
            String::from_utf8_lossy(&output.stdout)
        );
    }

    /// The lines logged since its last start.
    pub fn log(&self) -> Vec<String> {
        self.process
            .as_ref()
            .map_or_else(Vec::new, |process| process.log())
    }

    /// Its command socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.join("chronyd.sock")
    }

    /// Its run directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its tracking report, if it replies.
    pub fn tracking(&self) -> Option<Tracking> {
        tracking_at(&self.socket())
    }

    /// Number of sources that it polls in a burst, if it replies.
    pub fn bursting_sources(&self) -> Option<u32> {
        let line = report_at(&self.socket(), "activity")?;
        let numbers: Vec<u32> = line
            .trim()
            .split(',')
            .map(|word| word.parse().ok())
            .collect::<Option<_>>()?;
        let [_online, _offline, to_online, to_offline, ..] = numbers[..] else {
            return None;
        };
        Some(to_online + to_offline)
    }

    /// Whether it replies and has a reference.
    pub fn is_synchronised(&self) -> bool {
        self.tracking()
            .is_some_and(|tracking| tracking.is_synchronised())
    }

    /// Whether it has selected a source since its last start, according to its log.
    pub fn has_selected(&self) -> bool {
        let selected = |line: &String| line.contains("Selected source");
        self.log().iter().any(selected)
    }

    fn running(&mut self) -> &mut Process {
        self.process.as_mut().expect("chronyd was started")
    }
}

/// The configuration line for a server that chronyd polls so often that it synchronises within a
/// second.
pub fn server_line(server: SocketAddr) -> String {
    server_line_with(server, FREQUENT_POLLS)
}

/// The configuration line for a server that chronyd polls every 2^`poll_exponent` s after an
/// initial burst.
pub fn polled_server_line(server: SocketAddr, poll_exponent: i8) -> String {
    let options = format!("iburst minpoll {poll_exponent} maxpoll {poll_exponent}");
    server_line_with(server, &options)
}

fn server_line_with(server: SocketAddr, options: &str) -> String {
    format!("server {} port {} {options}", server.ip(), server.port())
}

/// The tracking report of the chronyd with this command socket, if it replies.
pub fn tracking_at(socket: &Path) -> Option<Tracking> {
    Tracking::parse(&report_at(socket, "tracking")?)
}

/// A report of the chronyd with this command socket, comma separated.
fn report_at(socket: &Path, report: &str) -> Option<String> {
    let output = Command::new("chronyc")
        .args(["-c", "-h"])
        .arg(socket)
        .arg(report)
        .output()
        .ok()?;
    String::from_utf8(output.stdout).ok()
}
