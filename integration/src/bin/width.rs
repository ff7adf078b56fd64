//! Compares the widths of the published intervals with those of other daemons: see
//! `integration::width`.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use integration::observe::layout::Layout;
use integration::width::{Comparison, Contender, Outcome, Setting};

const FAULT: u8 = 1;
const MAX_DRIFT_RATE: [&str; 2] = ["--max-drift-rate", "50"];
/// 2.0.3 does not start without a VMClock device otherwise.
const WITHOUT_VMCLOCK: [&str; 1] = ["--disable-clock-disruption-support"];
const OURS: &str = "ours";

/// Compares the widths of the published intervals with those of the daemons 1.0.0 and 2.0.3.
#[derive(Parser)]
#[command(name = "width")]
struct Options {
    /// The daemon's program.
    #[arg(long, default_value = "target/release/clockbound")]
    daemon: PathBuf,
    /// Where `integration/width` installs the other daemons.
    #[arg(long, default_value = "target/tools")]
    tools: PathBuf,
    /// chronyd's poll intervals as exponents of 2 s; each is a comparison.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "0,4,6",
        allow_negative_numbers = true
    )]
    polls: Vec<i8>,
    /// How long a comparison lasts.
    #[arg(long, default_value_t = 300)]
    seconds: u64,
    /// Widths count from this second on.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    from: u64,
    /// Adds a second instance of the daemon with this `--max-wander`.
    #[arg(long, value_name = "PPM_PER_S")]
    max_wander: Option<String>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if options.from >= options.seconds {
        let message = "--from must be less than --seconds";
        Options::command()
            .error(ErrorKind::ValueValidation, message)
            .exit();
    }
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

/// Whether this daemon ran, and every native interval contained true time.
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
