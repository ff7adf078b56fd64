//! Makes a recording with an outage: a private chronyd whose server is offline for a while, and a
//! daemon that is killed and started again. Everything else is removed afterwards.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::Duration;

use clap::Parser;
use integration::fakes::ntp_server::NtpServer;
use integration::host::process::{Log, Process};
use integration::host::sandbox::Sandbox;
use integration::programs::chronyd::{Chronyd, polled_server_line};
use integration::programs::daemon::Launch;
use integration::setup::testbed::shm_path;
use integration::time::truth::Truth;

/// Records a private daemon for two minutes.
#[derive(Parser)]
struct Options {
    /// The daemon's program.
    #[arg(long, default_value = "target/release/clockbound")]
    daemon: PathBuf,
    /// The program that records.
    #[arg(long, default_value = "target/release/clockboundctl")]
    ctl: PathBuf,
    /// The file of the recording.
    #[arg(long)]
    to: PathBuf,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let sandbox = Sandbox::new();
    let truth = Truth::offset_by_ns(0);
    let servers = [(); 3].map(|()| NtpServer::start(&truth));
    let lines: Vec<String> = servers
        .iter()
        .map(|server| polled_server_line(server.address(), 1))
        .collect();
    let mut lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    lines.push("port 0");
    let mut chronyd = Chronyd::new(&sandbox, "chrony", &lines);
    chronyd.start_synchronised();
    let shm = shm_path(&sandbox);
    let launch = Launch::new(&options.daemon, &chronyd.socket(), &shm);
    let launch = launch.args(["--holdover", "24s"]);
    let mut command = Command::new(&options.ctl);
    command
        .arg("--directory")
        .arg(shm.parent().expect("a directory"))
        .args(["record", "--interval", "100ms", "--to"])
        .arg(&options.to);
    let mut recorder = Process::start("clockboundctl record", command, Log::Kept);
    let pass = |seconds| thread::sleep(Duration::from_secs(seconds));
    pass(2);
    let mut daemon = launch.start();
    pass(30);
    chronyd.chronyc("offline");
    pass(45);
    chronyd.chronyc("online");
    pass(22);
    daemon.kill();
    pass(8);
    let _daemon = launch.start();
    pass(16);
    match recorder.terminate().code {
        Some(0) => ExitCode::SUCCESS,
        _ => {
            eprintln!("recording: {}", recorder.log().join("\n"));
            ExitCode::FAILURE
        }
    }
}
