//! clockbound-exporter: serves the diagnostics of clockbound as OpenMetrics text.
//!
//! | module | contents |
//! |---|---|
//! | `arguments` | the command line |
//! | `metrics` | pure: the diagnostics as metric families |
//! | `encoding` | pure: metric families as text |
//! | `negotiation` | pure: the format for a scraper |
//! | `readings` | reads the diagnostics |
//! | `listener`, `server` | the socket, and HTTP |
//! | `textfile` | the file for the collector of node_exporter |

#![forbid(unsafe_code)]

mod arguments;
mod encoding;
mod listener;
mod metrics;
mod negotiation;
mod readings;
mod server;
mod textfile;

use std::future::poll_fn;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::task::Poll;

use clap::Parser;
use thiserror::Error;
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::Arguments;
use crate::encoding::Format;
use crate::listener::{ListenError, Listener};
use crate::readings::Readings;

/// The exit codes, of sysexits.h.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
enum Exit {
    Usage = 64,
    Unavailable = 69,
    OsError = 71,
    CannotCreate = 73,
}

/// Why the program ends.
#[derive(Debug, Error)]
enum Failure {
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error("failed to write {path}: {1}", path = .0.display())]
    Textfile(PathBuf, io::Error),
    #[error("failed to start: {0}")]
    Start(#[from] io::Error),
}

impl Failure {
    fn exit(&self) -> Exit {
        match self {
            Self::Listen(ListenError::Remote(_)) => Exit::Usage,
            Self::Listen(_) => Exit::Unavailable,
            Self::Textfile(..) => Exit::CannotCreate,
            Self::Start(_) => Exit::OsError,
        }
    }
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(err) => {
            // A write error is ignored: there is no other place to report it.
            let _ = err.print();
            return if err.use_stderr() {
                ExitCode::from(Exit::Usage as u8)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    let readings = Readings::new(arguments.directory.clone());
    let outcome = match &arguments.textfile {
        Some(path) => write_once(path, &readings),
        None => serve(&arguments, readings),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("clockbound-exporter: {failure}");
            ExitCode::from(failure.exit() as u8)
        }
    }
}

/// The collector reads the Prometheus text format only.
fn write_once(path: &Path, readings: &Readings) -> Result<(), Failure> {
    let text = readings.text(Format::Prometheus);
    textfile::write(path, &text).map_err(|err| Failure::Textfile(path.to_owned(), err))
}

/// Serves until SIGTERM or SIGINT. Both are handled because a process with id 1, in a container, is
/// not ended by them otherwise.
fn serve(arguments: &Arguments, readings: Readings) -> Result<(), Failure> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut signals = [SignalKind::terminate(), SignalKind::interrupt()]
            .map(signal)
            .into_iter()
            .collect::<io::Result<Vec<_>>>()?;
        let listener = Listener::open(
            &arguments.listen,
            arguments.allow_remote,
            arguments.socket_mode,
        )?;
        let serving = server::serve(&listener, Arc::new(readings));
        let mut serving = std::pin::pin!(serving);
        poll_fn(|context| {
            let is_signalled = signals
                .iter_mut()
                .any(|signal| signal.poll_recv(context).is_ready());
            if is_signalled {
                return Poll::Ready(());
            }
            match serving.as_mut().poll(context) {
                Poll::Ready(never) => match never {},
                Poll::Pending => Poll::Pending,
            }
        })
        .await;
        Ok(())
    })
}
