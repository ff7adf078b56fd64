//! One comparison: a server, a chronyd that polls it at one interval, and every daemon.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::daemon::{Contender, Outcome, RUN_DIR};
use super::row::{Row, heading};
use crate::fakes::ntp_server::{NtpServer, ServerBehaviour};
use crate::host::namespace::{Private, private};
use crate::host::sandbox::Sandbox;
use crate::host::wait;
use crate::programs::chronyd::{Chronyd, polled_server_line};
use crate::time::truth::Truth;

const CHRONY_DIR: &str = "/run/chrony";
const BETWEEN_REPORTS: Duration = Duration::from_millis(100);

/// The poll interval and the duration of a comparison.
#[derive(Clone, Debug)]
pub struct Setting {
    /// chronyd polls every 2^poll s.
    pub poll: i8,
    /// How long it lasts.
    pub lasting: Duration,
    /// The measured time starts here.
    pub from: Duration,
}

/// The result of a [`Setting`]. Instants are since its beginning.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The setting.
    pub setting: Setting,
    /// When chronyd selected its source.
    pub selected: Option<Duration>,
    /// The result of each daemon.
    pub outcomes: Vec<(Contender, Outcome)>,
    /// Twice chronyd's root distance in the measured time, ns.
    pub chronyd_widths_ns: Vec<i64>,
}

impl Setting {
    /// Runs the comparison.
    ///
    /// # Panics
    /// When not root, or when chronyd does not start.
    pub fn compare(&self, contenders: &[Contender]) -> Comparison {
        private(|host| self.compare_in(host, contenders))
    }

    fn compare_in(&self, host: &Private, contenders: &[Contender]) -> Comparison {
        let sandbox = Sandbox::new();
        host.loopback(&[]);
        host.empty_run();
        for dir in [CHRONY_DIR, RUN_DIR] {
            fs::create_dir(dir).expect("make a directory below /run");
        }
        // chronyd replies to the path of the client's socket, which must be the same for both.
        host.bind(&sandbox.chrony_dir("chrony"), Path::new(CHRONY_DIR));
        // CLOCK_REALTIME has no offset, like a disciplined clock: chronyd -x does not correct it,
        // and the published daemons add chronyd's correction to their bound.
        let truth = Truth::default();
        let server = NtpServer::start_with(&truth, [127, 0, 0, 1].into(), near());
        let began = Instant::now();
        let mut chronyd = self.chronyd(&server);
        chronyd.start();
        let (outcomes, (selected, chronyd_widths_ns)) = thread::scope(|scope| {
            let run = |(number, contender): (usize, &Contender)| {
                let dir = sandbox.dir(&format!("daemon-{number}"), 0o755);
                contender.run(&dir, &truth, began, self.lasting)
            };
            let threads: Vec<_> = contenders
                .iter()
                .enumerate()
                .map(|each| scope.spawn(move || run(each)))
                .collect();
            let watched = self.watch(&chronyd, began);
            let join = |thread: thread::ScopedJoinHandle<'_, Outcome>| thread.join().expect("ran");
            let outcomes: Vec<Outcome> = threads.into_iter().map(join).collect();
            (outcomes, watched)
        });
        Comparison {
            setting: self.clone(),
            selected,
            outcomes: contenders.iter().cloned().zip(outcomes).collect(),
            chronyd_widths_ns,
        }
    }

    /// Returns at the end when chronyd selected its source, and its widths in the measured time,
    /// ns.
    fn watch(&self, chronyd: &Chronyd, began: Instant) -> (Option<Duration>, Vec<i64>) {
        let selected = wait::within(self.lasting, || {
            chronyd.has_selected().then(|| began.elapsed())
        });
        let mut widths_ns = Vec::new();
        while began.elapsed() < self.lasting {
            if began.elapsed() >= self.from {
                widths_ns.extend(
                    chronyd
                        .tracking()
                        .map(|tracking| tracking.root_distance_width_ns()),
                );
            }
            thread::sleep(BETWEEN_REPORTS);
        }
        (selected, widths_ns)
    }

    fn chronyd(&self, server: &NtpServer) -> Chronyd {
        let line = polled_server_line(server.address(), self.poll);
        Chronyd::in_dir(
            PathBuf::from(CHRONY_DIR),
            &["port 0", "maxclockerror 50", &line],
        )
    }
}

impl Comparison {
    /// The table, exited daemons and violations.
    pub fn report(&self) -> String {
        let Setting {
            poll,
            lasting,
            from,
        } = &self.setting;
        let selected = self.selected.map_or("never".to_owned(), |selected| {
            format!("after {:.2} s", selected.as_secs_f64())
        });
        let mut lines = vec![
            format!(
                "poll {} s: {} s, measured from {} s on; chronyd selected its source {selected}",
                2_f64.powi((*poll).into()),
                lasting.as_secs(),
                from.as_secs()
            ),
            heading(),
        ];
        let rows: Vec<Row> = self.rows().collect();
        let reference = rows.iter().find(|row| row.name.starts_with("2.0.3 "));
        let reference = reference.and_then(|row| row.widths);
        lines.extend(rows.iter().map(|row| row.line(reference)));
        for (Contender { name, .. }, outcome) in &self.outcomes {
            match outcome {
                Outcome::Ended(log) => {
                    lines.push(format!("{name} is skipped, it exited: {}", log.join(" ")));
                }
                Outcome::Ran { seen, .. } => {
                    for seen in seen {
                        let detail = |detail| format!("{name} {}: {detail}", seen.layout.name);
                        lines.extend(seen.details.iter().map(detail));
                    }
                }
            }
        }
        lines.join("\n")
    }

    /// Each layout of each daemon, then chronyd.
    pub fn rows(&self) -> impl Iterator<Item = Row> + '_ {
        let of = |(contender, outcome): &(Contender, Outcome)| {
            let Outcome::Ran { started, seen } = outcome else {
                return Vec::new();
            };
            let (selected, from) = (self.selected, self.setting.from);
            let row = |seen| Row::of(&contender.name, seen, *started, selected, from);
            seen.iter().map(row).collect()
        };
        let chronyd = Row::of_chronyd(self.chronyd_widths_ns.clone());
        self.outcomes.iter().flat_map(of).chain([chronyd])
    }
}

/// An exact server with one-way delays of about 0.35 ms: a sleep takes about 0.08 ms longer than
/// requested.
fn near() -> ServerBehaviour {
    ServerBehaviour {
        root_delay: 20e-6,
        root_dispersion: 10e-6,
        request_delay: Duration::from_micros(250),
        reply_delay: Duration::from_micros(250),
        request_jitter: Duration::from_micros(40),
        reply_jitter: Duration::from_micros(40),
        ..ServerBehaviour::default()
    }
}
