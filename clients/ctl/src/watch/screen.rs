//! The terminal while the view is shown, and how it is given back.

use std::fs::File;
use std::io::{self, BufWriter};
use std::os::fd::BorrowedFd;
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::write;
use ratatui::Terminal;
use ratatui::backend::TermionBackend;

/// The alternate screen, cleared, without a cursor.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[2J\x1b[?25l";
/// No attributes, the cursor, and the screen as it was.
const LEAVE: &[u8] = b"\x1b[0m\x1b[?25h\x1b[?1049l";

/// What gives the terminal back, once.
#[derive(Debug)]
struct Restore {
    terminal: File,
    mode: std::sync::Mutex<Termios>,
    is_done: AtomicBool,
}

impl Restore {
    fn restore(&self) {
        if self.is_done.swap(true, Ordering::SeqCst) {
            return;
        }
        // A terminal that is gone needs no restoring.
        let _ = write(&self.terminal, LEAVE);
        let mode = self.mode.lock().unwrap_or_else(|err| err.into_inner());
        let _ = tcsetattr(&self.terminal, SetArg::TCSADRAIN, &mode);
    }
}

/// A terminal in raw mode that shows the alternate screen, until it is dropped or the program
/// panics.
#[derive(Debug)]
pub struct Screen {
    /// Draws on it.
    pub terminal: Terminal<TermionBackend<BufWriter<File>>>,
    restore: Arc<Restore>,
}

impl Screen {
    /// Takes the terminal. Its size is that of standard output.
    ///
    /// # Errors
    /// It is no terminal, or cannot be written to.
    pub fn enter(fd: BorrowedFd<'_>) -> io::Result<Screen> {
        let mode = tcgetattr(fd)?;
        let file = File::from(fd.try_clone_to_owned()?);
        let mut raw = mode.clone();
        cfmakeraw(&mut raw);
        tcsetattr(fd, SetArg::TCSADRAIN, &raw)?;
        let restore = Arc::new(Restore {
            terminal: File::from(fd.try_clone_to_owned()?),
            mode: std::sync::Mutex::new(mode),
            is_done: AtomicBool::new(false),
        });
        let on_panic = Arc::clone(&restore);
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            // The message would be lost with the alternate screen.
            on_panic.restore();
            report(info);
        }));
        write(&restore.terminal, ENTER)?;
        let backend = TermionBackend::new(BufWriter::new(file));
        Ok(Screen {
            terminal: Terminal::new(backend)?,
            restore,
        })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.restore.restore();
    }
}
