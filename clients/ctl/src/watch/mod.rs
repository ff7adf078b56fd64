//! The verb `watch`.

mod draw;
mod screen;
mod view;

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use clap::Args;
use clockbound_client::diagnostics;
use nix::poll::{PollFd, PollFlags};
use nix::sys::signal::Signal;

use self::draw::Palette;
use self::screen::Screen;
use self::view::View;
use crate::Global;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::units::ns_of;
use crate::record;
use crate::signals::{self, Signals};

/// The arguments of `watch`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Time between samples, at least 10ms
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = record::interval)]
    interval: Duration,
}

/// Runs the verb until a key or a signal ends it.
///
/// # Errors
/// [`Failure`].
pub fn run(arguments: &Arguments, global: &Global) -> Outcome {
    let (input, output) = (io::stdin(), io::stdout());
    let refused = |text: &str| Err(Failure::Other(Exit::Usage, text.to_owned()));
    if global.json {
        return refused("watch has no JSON; see status --json and record");
    }
    if !input.is_terminal() || !output.is_terminal() {
        return refused("watch needs a terminal; see status and record");
    }
    let palette = Palette {
        is_on: global.color.is_on(),
    };
    let signals = Signals::block(&[
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGWINCH,
    ])?;
    let mut view = View::new(
        global.directory.display().to_string(),
        ns_of(arguments.interval),
    );
    let mut screen = Screen::enter(output.as_fd())?;
    let mut next = Instant::now();
    loop {
        if Instant::now() >= next {
            match diagnostics::read(&global.directory) {
                Ok(diagnostics) => view.read(diagnostics),
                Err(err) => view.failed(err.to_string(), record::clocks()?),
            }
            next = record::following(next, arguments.interval, Instant::now());
        }
        // Drawing takes the size that the terminal has now.
        screen
            .terminal
            .draw(|frame| draw::draw(frame, &view, palette))?;
        let rest = next.saturating_duration_since(Instant::now());
        let keys = PollFd::new(input.as_fd(), PollFlags::POLLIN);
        signals::wait(&mut [keys, signals.poll_fd()], rest)?;
        match signals.next()? {
            None | Some(Signal::SIGWINCH) => {}
            Some(_) => break,
        }
        match pressed(input.as_fd())? {
            Some(bytes) if bytes.is_empty() || !view.type_in(&bytes) => break,
            _ => {}
        }
    }
    Ok(Exit::Success)
}

/// The bytes that the terminal sent; none at its end; `None` if it sent nothing.
fn pressed(input: impl AsFd) -> io::Result<Option<Vec<u8>>> {
    let mut fds = [PollFd::new(input.as_fd(), PollFlags::POLLIN)];
    signals::wait(&mut fds, Duration::ZERO)?;
    if fds[0].revents().is_none_or(|events| events.is_empty()) {
        return Ok(None);
    }
    let mut bytes = [0; 64];
    let count = nix::unistd::read(&input, &mut bytes)?;
    Ok(Some(bytes[..count].to_vec()))
}
