//! The terminal while the view is shown, and how it is given back.

use std::fs::File;
use std::io::{self, BufWriter};
use std::os::fd::BorrowedFd;
use std::panic;
use std::sync::{Arc, Mutex, PoisonError};

use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::write;
use ratatui::Terminal;
use ratatui::backend::TermionBackend;

/// The alternate screen, cleared, without a cursor.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[2J\x1b[?25l";
/// No attributes, the cursor, and the screen as it was.
const LEAVE: &[u8] = b"\x1b[0m\x1b[?25h\x1b[?1049l";

/// A terminal in raw mode that shows the alternate screen, until it is dropped or the program
/// panics.
#[derive(Debug)]
pub struct Screen {
    /// Draws on it.
    pub terminal: Terminal<TermionBackend<BufWriter<File>>>,
    // The last field: drawing ends before the terminal is given back.
    _taken: Taken,
}

impl Screen {
    /// Takes the terminal. Its size is that of standard output.
    ///
    /// # Errors
    /// It is no terminal, or cannot be written to.
    pub fn enter(fd: BorrowedFd<'_>) -> io::Result<Screen> {
        let taken = Taken::new(fd)?;
        let file = File::from(fd.try_clone_to_owned()?);
        let backend = TermionBackend::new(BufWriter::new(file));
        Ok(Screen {
            terminal: Terminal::new(backend)?,
            _taken: taken,
        })
    }
}

/// A terminal that is given back once: when this is dropped, or before the message of a panic.
#[derive(Clone, Debug)]
struct Taken {
    terminal: Arc<File>,
    /// The mode to restore; `None` once it is.
    mode: Arc<Mutex<Option<Termios>>>,
}

impl Taken {
    fn new(fd: BorrowedFd<'_>) -> io::Result<Taken> {
        let mode = tcgetattr(fd)?;
        let taken = Taken {
            terminal: Arc::new(File::from(fd.try_clone_to_owned()?)),
            mode: Arc::new(Mutex::new(Some(mode.clone()))),
        };
        let on_panic = Taken::clone(&taken);
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            // The message would be lost with the alternate screen.
            on_panic.give_back();
            report(info);
        }));
        let mut raw = mode;
        cfmakeraw(&mut raw);
        tcsetattr(fd, SetArg::TCSADRAIN, &raw)?;
        write(fd, ENTER)?;
        Ok(taken)
    }

    fn give_back(&self) {
        let mode = self
            .mode
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(mode) = mode {
            // A terminal that is gone needs no restoring.
            let _ = write(&self.terminal, LEAVE);
            let _ = tcsetattr(&self.terminal, SetArg::TCSADRAIN, &mode);
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use nix::pty::openpty;
    use nix::unistd::read;

    use super::*;

    #[test]
    fn a_panic_gives_the_terminal_back_once_and_before_its_message() {
        let pair = openpty(None, None).expect("a pseudo-terminal");
        let before = tcgetattr(&pair.slave).expect("is a terminal");
        let taken = Taken::new(pair.slave.as_fd()).expect("takes it");
        assert_ne!(tcgetattr(&pair.slave).expect("is a terminal"), before);
        let outcome = panic::catch_unwind(panic::AssertUnwindSafe(|| {
            let _taken = taken;
            panic!("deliberate");
        }));
        let _ = panic::take_hook();
        assert!(outcome.is_err());
        assert_eq!(tcgetattr(&pair.slave).expect("is a terminal"), before);
        let mut bytes = [0; 256];
        let count = read(&pair.master, &mut bytes).expect("reads");
        assert_eq!(bytes[..count], [ENTER, LEAVE].concat());
    }
}
