//! The cost of a reading: the project's client libraries and the published ones, in one process, as
//! ratios to `clock_gettime(CLOCK_REALTIME)`. Run it with `cargo bench`.
//!
//! Every candidate runs in every round, so that noise affects all of them; the median over the
//! rounds is printed.

use std::env;
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use clockbound_client::{Client, Interval};
use integration::host::sandbox::Sandbox;
use integration::setup::c_library;
use integration::setup::testbed::Testbed;
use nix::libc;
use nix::time::ClockId;

const ROUNDS: usize = 300;
const CALLS: u32 = 20_000;
const PAIR_ROUNDS: usize = 10;
const PAIR_TIME: Duration = Duration::from_millis(200);
/// Makes this program one of two that read at the same time.
const READER: &str = "--reader-of";

/// A way to read the time.
struct Candidate {
    name: &'static str,
    goal: Option<f64>,
    /// Reads this many times.
    read: Box<dyn FnMut(u32)>,
}

fn main() {
    let words: Vec<String> = env::args().collect();
    if let Some(at) = words.iter().position(|word| word == READER) {
        let client = Client::open_at(&words[at + 1]).expect("open the segment");
        println!("{}", ns_a_call_for(PAIR_TIME, &client));
        return;
    }
    let testbed = Testbed::new();
    let _daemon = testbed.start(env!("CARGO_BIN_EXE_clockbound"));
    let directory = testbed.shm().with_file_name("");
    alone(candidates(&directory));
    c_library(&testbed.sandbox, &directory);
    in_pairs(&directory.join("native"));
}

fn alone(mut candidates: Vec<Candidate>) {
    let mut rounds = vec![Vec::new(); candidates.len()];
    for _ in 0..ROUNDS {
        for (candidate, times) in candidates.iter_mut().zip(&mut rounds) {
            let began = Instant::now();
            (candidate.read)(CALLS);
            times.push(began.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS));
        }
    }
    println!("one thread                            ns a call   ratio   goal");
    for (candidate, times) in candidates.iter().zip(&rounds) {
        let ratios = times.iter().zip(&rounds[0]).map(|(own, base)| own / base);
        let goal = candidate
            .goal
            .map_or(String::new(), |goal| format!("<= {goal:.2}"));
        println!(
            "{:<36} {:>10.1} {:>7.2}    {goal}",
            candidate.name,
            median(times.iter().copied()),
            median(ratios)
        );
    }
}

fn candidates(directory: &Path) -> Vec<Candidate> {
    let (v1, v2) = (directory.join("shm"), directory.join("shm0"));
    let native = directory.join("native");
    vec![
        clocks("clock_gettime(REALTIME)", [ClockId::CLOCK_REALTIME]),
        clocks(
            "clock_gettime(MONOTONIC_RAW)",
            [ClockId::CLOCK_MONOTONIC_RAW],
        ),
        clocks(
            "clock_gettime(REALTIME and COARSE)",
            [ClockId::CLOCK_REALTIME, ClockId::CLOCK_MONOTONIC_COARSE],
        ),
        own("clockbound-client, native", &native, 1.20),
        own("clockbound-client, v2", &v2, 1.30),
        own("clockbound-client, v1", &v1, 1.30),
        handed_on("clockbound-client, native, Result", &native, 1.50),
        published_1(&v1),
        published_2(&v2),
    ]
}

fn candidate(name: &'static str, mut call: impl FnMut() + 'static) -> Candidate {
    Candidate {
        name,
        goal: None,
        read: Box::new(move |calls| (0..calls).for_each(|_| call())),
    }
}

/// What a C program does that reads a clock. The result is used as those of the other candidates.
fn clocks<const N: usize>(name: &'static str, ids: [ClockId; N]) -> Candidate {
    candidate(name, move || {
        for id in ids {
            let mut time = MaybeUninit::<libc::timespec>::uninit();
            // SAFETY: the pointer is to memory of this type.
            let result = unsafe { libc::clock_gettime(id.as_raw(), time.as_mut_ptr()) };
            // SAFETY: these clocks can be read, so that the kernel has written the time.
            let time = unsafe { time.assume_init() };
            use_up(time.tv_sec, time.tv_nsec, result);
        }
    })
}

fn own(name: &'static str, path: &Path, goal: f64) -> Candidate {
    let client = Client::open_at(path).expect("open the segment");
    Candidate {
        goal: Some(goal),
        ..candidate(name, move || {
            let now = client.now().expect("an interval");
            use_up(now.earliest_ns(), now.latest_ns(), now.status() as i32);
        })
    }
}

/// A program that reads in a function of its own, and returns its result.
fn handed_on(name: &'static str, path: &Path, goal: f64) -> Candidate {
    #[inline(never)]
    fn read(client: &Client) -> Result<Interval, clockbound_client::Error> {
        client.now()
    }
    let client = Client::open_at(path).expect("open the segment");
    Candidate {
        goal: Some(goal),
        ..candidate(name, move || {
            let now = read(&client).expect("an interval");
            use_up(now.earliest_ns(), now.latest_ns(), now.status() as i32);
        })
    }
}

fn published_1(path: &Path) -> Candidate {
    let path = path.to_str().expect("UTF-8");
    let client = clock_bound_client::ClockBoundClient::new_with_path(path);
    let mut client = client.expect("open the segment");
    candidate("clock-bound-client 1.0.0, v1", move || {
        let now = client.now().expect("an interval");
        use_up(now.earliest, now.latest, now.clock_status as i32);
    })
}

fn published_2(path: &Path) -> Candidate {
    let path = path.to_str().expect("UTF-8");
    let client = clock_bound_client_2::ClockBoundClient::new_with_path(path);
    let mut client = client.expect("open the segment");
    candidate("clock-bound-client 2.0.3, v2", move || {
        let now = client.now().expect("an interval");
        use_up(now.earliest, now.latest, now.clock_status as i32);
    })
}

/// Uses each part of a reading, as a program does that does not copy it.
#[inline(always)]
fn use_up<T>(earliest: T, latest: T, status: i32) {
    black_box(earliest);
    black_box(latest);
    black_box(status);
}

/// A C program that is linked to the installed library, which Rust programs cannot measure: a call
/// goes through the procedure linkage table, and nothing is inlined into the program.
fn c_library(sandbox: &Sandbox, directory: &Path) {
    let (prefix, program) = (sandbox.path("prefix"), sandbox.path("now"));
    c_library::install(&prefix);
    let libraries = prefix.join("lib");
    let arguments = [
        format!("-L{}", libraries.display()),
        format!("-Wl,-rpath,{}", libraries.display()),
        "-lclockbound".to_owned(),
    ];
    c_library::compile(&program, "benches/now.c", &arguments);
    println!();
    let status = Command::new(program).arg(directory).status();
    assert!(status.expect("run the program").success());
}

/// Two readers at the same time: threads with one handle, threads with a handle each, processes.
fn in_pairs(path: &Path) {
    let open = || Client::open_at(path).expect("open the segment");
    let (shared, one, other) = (open(), open(), open());
    let mut rounds = [const { Vec::new() }; 4];
    for _ in 0..PAIR_ROUNDS {
        rounds[0].push(ns_a_call_for(PAIR_TIME, &shared));
        rounds[1].push(two_threads(&shared, &shared));
        rounds[2].push(two_threads(&one, &other));
        rounds[3].push(two_processes(path));
    }
    println!("\nnative                                ns a call   ratio to two processes");
    let names = [
        "one thread",
        "two threads, one handle",
        "two threads, a handle each",
        "two processes",
    ];
    for (name, times) in names.into_iter().zip(&rounds) {
        let ratios = times.iter().zip(&rounds[3]).map(|(own, base)| own / base);
        println!(
            "{name:<36} {:>10.1} {:>7.2}",
            median(times.iter().copied()),
            median(ratios)
        );
    }
}

fn ns_a_call_for(span: Duration, client: &Client) -> f64 {
    let began = Instant::now();
    let mut calls = 0_u32;
    while began.elapsed() < span {
        for _ in 0..1_000 {
            let now = client.now().expect("an interval");
            use_up(now.earliest_ns(), now.latest_ns(), now.status() as i32);
        }
        calls += 1_000;
    }
    began.elapsed().as_secs_f64() * 1e9 / f64::from(calls)
}

fn two_threads(one: &Client, other: &Client) -> f64 {
    thread::scope(|scope| {
        let threads =
            [one, other].map(|client| scope.spawn(move || ns_a_call_for(PAIR_TIME, client)));
        mean(threads.map(|thread| thread.join().expect("a reader")))
    })
}

fn two_processes(path: &Path) -> f64 {
    let program = env::current_exe().expect("this program");
    let start = || {
        let mut command = Command::new(&program);
        command.arg(READER).arg(path).stdout(Stdio::piped());
        command.spawn().expect("start a reader")
    };
    let children = [start(), start()];
    mean(children.map(|child| {
        let output = child.wait_with_output().expect("a reader");
        let text = String::from_utf8(output.stdout).expect("a number");
        text.trim().parse().expect("a number")
    }))
}

fn mean([one, other]: [f64; 2]) -> f64 {
    f64::midpoint(one, other)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
