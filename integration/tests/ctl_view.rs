//! clockboundctl watch, record and report beside a live daemon and a real chronyd.

use std::fs;
use std::io::{self, Read, Write};
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use integration::host::process::{Log, Process};
use integration::host::sandbox::Sandbox;
use integration::host::wait::{self, PATIENCE};
use integration::programs::tools::{self, Ended};
use integration::setup::testbed::Testbed;
use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

const BIN: &str = env!("CARGO_BIN_EXE_clockbound");

/// The directory in which the daemon of a test publishes.
fn directory(bed: &Testbed) -> PathBuf {
    bed.shm().parent().expect("a directory").to_owned()
}

/// `clockboundctl watch` in a pseudo-terminal whose screen a terminal emulator keeps.
struct Watch {
    child: Child,
    /// The other end of the terminal, open so that its mode can be read when the program has ended.
    terminal: OwnedFd,
    keyboard: fs::File,
    screen: Arc<Mutex<vt100::Parser>>,
    mode_before: String,
}

impl Watch {
    fn start(directory: &Path, rows: u16, columns: u16) -> Watch {
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let pair = openpty(&size, None).expect("a pseudo-terminal");
        let screen = Arc::new(Mutex::new(emulator(rows, columns)));
        let mut output = fs::File::from(pair.master.try_clone().expect("duplicates"));
        let kept = Arc::clone(&screen);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                kept.lock().expect("no panic").process(&bytes[..count]);
            }
        });
        let slave = || Stdio::from(pair.slave.try_clone().expect("duplicates"));
        let mode_before = stty(&pair.slave, &["-g"]);
        // A session of its own, whose controlling terminal sends SIGWINCH.
        let child = Command::new("setsid")
            .args(["--ctty", "--wait"])
            .arg(tools::clockboundctl())
            .arg("--directory")
            .arg(directory)
            .args(["watch", "--interval", "100ms"])
            .env_remove("NO_COLOR")
            .stdin(slave())
            .stdout(slave())
            .stderr(slave())
            .spawn()
            .expect("setsid is installed");
        Watch {
            child,
            terminal: pair.slave,
            keyboard: fs::File::from(pair.master),
            screen,
            mode_before,
        }
    }

    /// The lines of the screen.
    fn lines(&self) -> Vec<String> {
        let parser = self.screen.lock().expect("no panic");
        let (_, columns) = parser.screen().size();
        parser.screen().rows(0, columns.get()).collect()
    }

    /// Waits until the screen is as `shows` says.
    #[track_caller]
    fn wait_for(&self, what: &str, shows: impl Fn(&[String]) -> bool) -> Vec<String> {
        let seen = wait::within(PATIENCE, || {
            let lines = self.lines();
            shows(&lines).then_some(lines)
        });
        seen.unwrap_or_else(|| panic!("never: {what}; the screen:\n{}", self.lines().join("\n")))
    }

    /// Waits until a line contains each of these texts.
    #[track_caller]
    fn wait_for_texts(&self, texts: &[&str]) -> Vec<String> {
        self.wait_for(&texts.join(", "), |lines| {
            let has = |text: &&str| lines.iter().any(|line| line.contains(*text));
            texts.iter().all(has)
        })
    }

    fn resize(&self, rows: u16, columns: u16) {
        let mut parser = self.screen.lock().expect("no panic");
        let [height, width] = [rows, columns].map(|size| NonZero::new(size).expect("not zero"));
        parser.screen_mut().set_size(height, width);
        let (rows, columns) = (rows.to_string(), columns.to_string());
        stty(&self.terminal, &["rows", &rows, "cols", &columns]);
    }

    fn press(&mut self, keys: &[u8]) {
        self.keyboard.write_all(keys).expect("the terminal is open");
    }

    /// Sends a signal to clockboundctl, the only child of setsid if that had to fork.
    fn signal(&self, signal: Signal) {
        let own = i32::try_from(self.child.id()).expect("fits");
        let children = fs::read_to_string(format!("/proc/{own}/task/{own}/children"));
        let forked = children.ok().and_then(|pids| pids.trim().parse().ok());
        kill(Pid::from_raw(forked.unwrap_or(own)), signal).expect("it runs");
    }

    /// Waits for the end, and checks that the terminal is as it was before.
    #[track_caller]
    fn assert_ends_and_restores_the_terminal(&mut self) {
        let status = wait::until_some(PATIENCE, "watch ends", || {
            self.child.try_wait().expect("a child")
        });
        assert_eq!(status.code(), Some(0), "{}", self.lines().join("\n"));
        assert_eq!(stty(&self.terminal, &["-g"]), self.mode_before);
        wait::until(PATIENCE, "the screen is given back", || {
            let parser = self.screen.lock().expect("no panic");
            !parser.screen().alternate_screen() && !parser.screen().hide_cursor()
        });
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.signal(Signal::SIGKILL);
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// A terminal emulator of this size.
fn emulator(rows: u16, columns: u16) -> vt100::Parser {
    let [rows, columns] = [rows, columns].map(|size| NonZero::new(size).expect("not zero"));
    vt100::Parser::new(rows, columns, 0)
}

/// Runs stty on a terminal.
fn stty(terminal: &OwnedFd, words: &[&str]) -> String {
    let output = Command::new("stty")
        .args(words)
        .stdin(terminal.try_clone().expect("duplicates"))
        .output()
        .expect("stty is installed");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn watch_shows_a_live_daemon_at_each_size_and_follows_its_restart() {
    let bed = Testbed::new();
    let mut daemon = bed.start(BIN);
    let directory = directory(&bed);
    let mut watch = Watch::start(&directory, 24, 80);
    let source = format!("* {}", bed.server.address().ip());
    let lines = watch.wait_for_texts(&["synchronized (tracking)", "█", "━━", &source]);
    assert_eq!(lines.len(), 24);
    assert!(lines[0].starts_with("clockbound  /"), "{lines:#?}");
    assert!(
        lines[1].starts_with("synchronized (tracking)"),
        "{lines:#?}"
    );
    assert!(lines[2].starts_with("bound "), "{lines:#?}");
    assert!(lines[23].starts_with("q quit"), "{lines:#?}");
    for part in [
        "-5 min",
        "Components of the bound",
        "root_distance",
        "Events",
    ] {
        assert!(lines.iter().any(|line| line.contains(part)), "{lines:#?}");
    }

    watch.resize(60, 200);
    let large = watch.wait_for("a drawing of the new size", |lines| {
        lines[59].starts_with("q quit") && lines[59].trim_end().len() > 190
    });
    assert!(large[1].starts_with("synchronized"), "{large:#?}");
    // Only there is room for the state.
    assert!(
        large.iter().any(|line| line.contains(" selected ")),
        "{large:#?}"
    );

    watch.resize(24, 80);
    watch.wait_for("a drawing of the first size", |lines| {
        lines[23].starts_with("q quit")
    });
    watch.press(b"-");
    watch.wait_for_texts(&["-15 min"]);

    daemon.kill();
    watch.wait_for_texts(&["free_running (daemon_silent)", "▒"]);
    let mut daemon = bed.start(BIN);
    watch.wait_for_texts(&["synchronized (tracking)", "the daemon was restarted"]);

    daemon.kill();
    fs::remove_file(directory.join("diagnostics")).expect("is there");
    watch.wait_for_texts(&[
        "no data",
        "failed to read",
        "the diagnostics are unreadable",
    ]);
    let _daemon = bed.start(BIN);
    watch.wait_for("data again", |lines| lines[1].starts_with("synchronized"));

    watch.press(b"q");
    watch.assert_ends_and_restores_the_terminal();
}

#[test]
fn each_key_and_signal_that_ends_watch_restores_the_terminal() {
    let sandbox = Sandbox::new();
    let directory = sandbox.dir("run", 0o755);
    for keys in [&b"q"[..], b"\x1b", b"\x03"] {
        let mut watch = Watch::start(&directory, 24, 80);
        watch.wait_for_texts(&["no data", "q quit"]);
        // The sequence of a key that means nothing begins as the key Esc.
        watch.press(b"\x1b[A");
        watch.press(b"-");
        watch.wait_for_texts(&["time span: 15 min"]);
        watch.press(keys);
        watch.assert_ends_and_restores_the_terminal();
    }
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let mut watch = Watch::start(&directory, 24, 80);
        watch.wait_for_texts(&["no data", "q quit"]);
        watch.signal(signal);
        watch.assert_ends_and_restores_the_terminal();
    }
}

#[test]
fn watch_without_a_terminal_says_what_else_there_is() {
    let ended = tools::ctl(Path::new("/nowhere"), &["watch"]);
    assert_eq!(ended.code, Some(64), "{ended:?}");
    assert!(ended.stderr.contains("needs a terminal"), "{ended:?}");
}

/// Starts `clockboundctl record` with these options.
fn record(directory: &Path, file: &Path, options: &[&str]) -> Process {
    let mut command = Command::new(tools::clockboundctl());
    command.arg("--directory").arg(directory);
    command.args(["record", "--to"]).arg(file).args(options);
    Process::start("clockboundctl record", command, Log::Kept)
}

/// FILE.1 and so on, and FILE.
fn files_of(file: &Path) -> Vec<PathBuf> {
    let numbered = (1..100).map(|number| {
        let mut name = file.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    });
    let mut files: Vec<PathBuf> = numbered.take_while(|path| path.exists()).collect();
    files.push(file.to_owned());
    files
}

fn lines_of(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Waits until this many rows contain `text`.
#[track_caller]
fn wait_for_rows(file: &Path, text: &str, count: usize) {
    wait::until(PATIENCE, text, || {
        let files = files_of(file);
        let lines = files.iter().flat_map(|file| lines_of(file));
        lines.filter(|line| line.contains(text)).count() >= count
    });
}

fn report(files: &[PathBuf], options: &[&str]) -> Ended {
    let mut command = Command::new(tools::clockboundctl());
    command.arg("report").args(files).args(options);
    tools::run(command)
}

fn report_json(files: &[PathBuf]) -> Value {
    let ended = report(files, &["--json"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    serde_json::from_str(&ended.stdout).expect("is JSON")
}

/// The texts of the events of a report.
fn events(json: &Value) -> Vec<&str> {
    let events = json["events"].as_array().expect("an array").iter();
    events.filter_map(|event| event["text"].as_str()).collect()
}

#[test]
fn a_recording_has_outages_restarts_and_gaps_and_the_report_tells_them() {
    let bed = Testbed::new();
    let directory = directory(&bed);
    let file = bed.sandbox.path("bound.csv");
    let mut recorder = record(&directory, &file, &["--interval", "20ms"]);
    wait_for_rows(&file, ",unreadable,", 3);
    let mut daemon = bed.start(BIN);
    wait_for_rows(&file, ",synchronized,tracking,", 20);
    daemon.kill();
    wait_for_rows(&file, ",free_running,daemon_silent,", 3);
    let _daemon = bed.start(BIN);
    let before = lines_of(&file).len();
    wait::until(PATIENCE, "rows of the second daemon", || {
        lines_of(&file).len() > before + 20
    });
    let exit = recorder.terminate();
    assert_eq!(exit.code, Some(0), "{:?}", recorder.log());
    assert!(
        recorder
            .log()
            .iter()
            .any(|line| line.contains("recording gaps")),
        "{:?}",
        recorder.log()
    );

    let files = [file.clone()];
    let json = report_json(&files);
    let rows = u64::try_from(lines_of(&file).len() - 1).expect("fits");
    assert_eq!(json["rows"], rows);
    assert_eq!(json["malformed_lines"], 0);
    assert_eq!(json["rows_out_of_order"], 0);
    let totals = &json["totals"];
    for (name, least) in [("unreadable_rows", 3), ("gaps", 1), ("synchronized_ns", 1)] {
        assert!(totals[name].as_u64() >= Some(least), "{name}: {totals:#}");
    }
    let bound = totals["largest_bound"]["value_ns"].as_i64();
    assert!(bound > Some(0), "{totals:#}");
    let error = totals["largest_realtime_error"]["value_ns"].as_i64();
    assert!(error >= bound, "{totals:#}");
    let events = events(&json);
    for start in [
        "the diagnostics are readable",
        "synchronized -> free_running (daemon_silent)",
        "the daemon was restarted",
    ] {
        let is_told = events.iter().any(|event| event.starts_with(start));
        assert!(is_told, "{start}: {events:#?}");
    }

    let text = report(&files, &[]);
    assert!(text.stdout.contains("PREMISES"), "{text:?}");
    let page = bed.sandbox.path("bound.html");
    let ended = report(&files, &["--html", &page.to_string_lossy()]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""));
    let page = fs::read_to_string(page).expect("is written");
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    assert!(page.contains("the daemon was restarted"));
}

#[test]
fn a_row_is_the_interval_that_the_daemon_publishes() {
    let bed = Testbed::new();
    let _daemon = bed.start(BIN);
    let file = bed.sandbox.path("bound.csv");
    let mut recorder = record(&directory(&bed), &file, &["--interval", "20ms"]);
    wait_for_rows(&file, ",synchronized,tracking,", 20);
    assert_eq!(recorder.terminate().code, Some(0));
    let lines = lines_of(&file);
    let names: Vec<&str> = lines[0].split(',').collect();
    let of = |line: &str, name: &str| -> i64 {
        let index = names.iter().position(|other| *other == name);
        let field = line.split(',').nth(index.expect("a column"));
        field
            .and_then(|field| field.parse().ok())
            .expect("a number")
    };
    // The server's time, which the daemon takes for UTC, is that of this machine.
    for line in lines.iter().filter(|line| line.contains(",synchronized,")) {
        let of = |name: &str| of(line, name);
        let (earliest, latest) = (of("earliest_ns"), of("latest_ns"));
        let truth = of("unix_time_ns");
        assert!((earliest..=latest).contains(&truth), "{line}");
        let width = latest - earliest;
        assert_eq!(of("bound_ns"), width / 2 + width % 2, "{line}");
        let root = names.iter().position(|name| *name == "root_distance_ns");
        let root = root.expect("a column");
        let sum: i64 = names[root..root + 11].iter().map(|name| of(name)).sum();
        assert_eq!(sum, of("bound_ns"), "{line}");
    }
}

#[test]
fn a_recorder_that_is_killed_loses_at_most_one_row_and_the_next_one_continues() {
    let bed = Testbed::new();
    let _daemon = bed.start(BIN);
    let directory = directory(&bed);
    let file = bed.sandbox.path("bound.csv");
    let options = ["--interval", "10ms", "--max-size", "8K", "--keep", "90"];
    for kills in 1..=4 {
        let mut recorder = record(&directory, &file, &options);
        let before = files_of(&file).len();
        wait::until(PATIENCE, "a renamed file", || {
            files_of(&file).len() > before
        });
        recorder.kill();
        if kills == 2 {
            // A row that was cut, as by a machine that stopped.
            wait_for_rows(&file, ",synchronized,", 1);
            let size = fs::metadata(&file).expect("is there").len();
            let opened = fs::OpenOptions::new().write(true).open(&file);
            opened
                .and_then(|file| file.set_len(size - 30))
                .expect("cuts");
        }
    }
    let mut last = record(&directory, &file, &options);
    let before = files_of(&file).len();
    wait::until(PATIENCE, "a renamed file", || {
        files_of(&file).len() > before
    });
    assert_eq!(last.terminate().code, Some(0));

    let files = files_of(&file);
    let header = &lines_of(&file)[0];
    let mut rows = 0;
    let mut cut = 0;
    for path in &files {
        let lines = lines_of(path);
        assert_eq!(&lines[0], header, "{}", path.display());
        assert!(fs::metadata(path).expect("is there").len() <= 8 * 1024);
        let fields = |line: &String| line.split(',').count();
        let complete = |line: &&String| fields(line) == fields(header);
        rows += lines[1..].iter().filter(complete).count();
        cut += lines[1..].iter().filter(|line| !complete(line)).count();
    }
    // Ours, and one for each kill at most.
    assert!((1..=5).contains(&cut), "{cut}");
    let json = report_json(&files);
    assert_eq!(json["rows"], u64::try_from(rows).expect("fits"));
    assert_eq!(json["malformed_lines"], u64::try_from(cut).expect("fits"));
    assert_eq!(json["rows_out_of_order"], 0);
    assert_eq!(json["files"], u64::try_from(files.len()).expect("fits"));
}

#[test]
fn a_full_disk_ends_the_recorder_with_a_message_and_leaves_whole_rows() {
    let sandbox = Sandbox::new();
    let disk = sandbox.dir("disk", 0o755);
    let copy = sandbox.path("copy.csv");
    let script = format!(
        "mount -t tmpfs -o size=16k none {disk} || exit 200\n\
         {ctl} --directory /nowhere record --to {disk}/bound.csv --interval 10ms\n\
         code=$?\ncp {disk}/bound.csv {copy}\nexit $code",
        disk = disk.display(),
        ctl = tools::clockboundctl().display(),
        copy = copy.display(),
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &script]);
    let ended = tools::run(command);
    if ended.code == Some(200) || ended.stderr.starts_with("unshare") {
        let _ = writeln!(
            io::stdout(),
            "skipped: a_full_disk_ends_the_recorder: mounting is not permitted: {}",
            ended.stderr
        );
        return;
    }
    assert_eq!(ended.code, Some(74), "{ended:?}");
    let last = ended.stderr.lines().last().unwrap_or_default();
    assert!(last.contains("bound.csv"), "{ended:?}");
    assert!(
        last.contains("full") || last.contains("No space"),
        "{ended:?}"
    );
    let text = fs::read_to_string(&copy).expect("was copied");
    assert!(text.ends_with('\n'), "{text}");
    assert_eq!(report_json(&[copy])["malformed_lines"], 0);
}

#[test]
fn a_second_recorder_and_a_missing_directory_are_errors() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("bound.csv");
    let mut first = record(Path::new("/nowhere"), &file, &["--interval", "10ms"]);
    wait_for_rows(&file, ",unreadable,", 1);
    let to = |path: &Path| {
        let path = path.to_string_lossy();
        tools::ctl(Path::new("/nowhere"), &["record", "--to", &path])
    };
    let second = to(&file);
    assert_eq!(second.code, Some(74), "{second:?}");
    assert!(
        second.stderr.contains("another process records"),
        "{second:?}"
    );
    let absent = to(&sandbox.path("absent/bound.csv"));
    assert_eq!(absent.code, Some(73), "{absent:?}");
    first.signal(Signal::SIGINT);
    assert_eq!(first.wait().code, Some(0));
}
