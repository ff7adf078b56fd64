//! Compares the widths of the published intervals with those of other daemons: see `integration::width`.
#![forbid(unsafe_code)]

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use integration::observe::layout::Layout;
use integration::width::{Comparison, Contender, Outcome, Setting};

const FAULT: u8 = 1;
const USAGE: u8 = 64;
const USAGE_TEXT: &str =
    "usage: width [--polls 0,4,6] [--seconds N] [--from SECONDS] [--max-wander PPM_PER_S]";
const MAX_DRIFT_RATE: [&str; 2] = ["--max-drift-rate", "50"];
/// 2.0.3 does not start without a VMClock device otherwise.
const WITHOUT_VMCLOCK: [&str; 1] = ["--disable-clock-disruption-support"];
const OURS: &str = "ours";

struct Options {
    daemon: PathBuf,
    tools: PathBuf,
    polls: Vec<i8>,
    seconds: u64,
    from: u64,
    max_wander: Option<String>,
}

fn main() -> ExitCode {
    let options = match options(env::args().skip(1)) {
        Ok(options) => options,
        Err(trouble) => {
            eprintln!("width: {trouble}\n{USAGE_TEXT}");
            return ExitCode::from(USAGE);
        }
    };
    let contenders = contenders(&options);
    let setting = |&poll: &i8| Setting {
        poll,
        lasting: Duration::from_secs(options.seconds),
        from: Duration::from_secs(options.from),
    };
    let settings: Vec<Setting> = options.polls.iter().map(setting).collect();
    let comparisons: Vec<Comparison> = thread::scope(|scope| {
        let threads: Vec<_> = settings
            .iter()
            .map(|setting| scope.spawn(|| setting.compare(&contenders)))
            .collect();
        let join = |thread: thread::ScopedJoinHandle<'_, Comparison>| thread.join().expect("ran");
        threads.into_iter().map(join).collect()
    });
    for comparison in &comparisons {
        println!("{}\n", comparison.report());
    }
    match comparisons.iter().all(is_good) {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(FAULT),
    }
}

/// Whether our daemon ran, and no native interval missed true time.
fn is_good(comparison: &Comparison) -> bool {
    comparison
        .outcomes
        .iter()
        .all(|(contender, outcome)| match outcome {
            Outcome::Ended(_) => contender.name != OURS,
            Outcome::Ran { seen, .. } => seen
                .iter()
                .filter(|seen| seen.layout.name == Layout::NATIVE.name)
                .all(|seen| seen.violations.is_empty()),
        })
}

fn contenders(options: &Options) -> Vec<Contender> {
    let contender = |name: &str, program: PathBuf, further: &[&str], layouts: &[Layout]| {
        let arguments = MAX_DRIFT_RATE.iter().chain(further);
        Contender {
            name: name.to_owned(),
            program,
            arguments: arguments.map(|&word| word.to_owned()).collect(),
            layouts: layouts.to_vec(),
        }
    };
    let published = |version: &str| {
        let root = options.tools.join(format!("clock-bound-d-{version}"));
        root.join("bin/clockbound")
    };
    let all = [Layout::NATIVE, Layout::V1, Layout::V2];
    let mut contenders = vec![
        contender(OURS, options.daemon.clone(), &[], &all),
        contender("1.0.0", published("1.0.0"), &[], &[Layout::V1]),
        contender("2.0.3", published("2.0.3"), &WITHOUT_VMCLOCK, &[Layout::V2]),
    ];
    if let Some(max_wander) = &options.max_wander {
        let name = format!("ours, wander {max_wander}");
        let further = ["--max-wander", max_wander];
        contenders.insert(1, contender(&name, options.daemon.clone(), &further, &all));
    }
    contenders
}

fn options(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options {
        daemon: PathBuf::from("target/release/clockbound"),
        tools: PathBuf::from("target/tools"),
        polls: vec![0, 4, 6],
        seconds: 300,
        from: 120,
        max_wander: None,
    };
    while let Some(word) = words.next() {
        let value = words.next().ok_or(format!("{word} needs a value"))?;
        let number = |text: &str| {
            let number = text.parse::<u64>();
            number.map_err(|err| format!("{word} {text}: {err}"))
        };
        match word.as_str() {
            "--daemon" => options.daemon = value.into(),
            "--tools" => options.tools = value.into(),
            "--polls" => options.polls = polls(&value)?,
            "--seconds" => options.seconds = number(&value)?,
            "--from" => options.from = number(&value)?,
            "--max-wander" => options.max_wander = Some(value),
            _ => return Err(format!("{word}: not understood")),
        }
    }
    if options.from >= options.seconds {
        return Err("--from must be less than --seconds".to_owned());
    }
    Ok(options)
}

fn polls(text: &str) -> Result<Vec<i8>, String> {
    let poll = |text: &str| text.parse().map_err(|err| format!("--polls {text}: {err}"));
    text.split(',').map(poll).collect()
}
