//! Fault injection: lets a test crash, hang or kill the daemon at chosen points.
//!
//! Without the cargo feature `fault-injection` every point is an empty function and nothing can arm it.

use crate::supervision::ActorName;

/// Where a fault can strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// In a handler, or in the poll that stands for one.
    Handler,
    /// In `started`, of the next life.
    Started,
    /// Between the two halves of a segment write.
    MidWrite,
}

#[cfg(not(feature = "fault-injection"))]
mod switches {
    use super::{ActorName, Point};

    /// The switches of all faults; here there are none.
    #[derive(Clone, Debug, Default)]
    pub struct Faults;

    impl Faults {
        /// Does nothing.
        pub fn reach(&self, _actor: ActorName, _point: Point) {}
    }
}

#[cfg(feature = "fault-injection")]
mod switches {
    use std::os::unix::net::UnixDatagram;
    use std::path::Path;
    use std::sync::{Arc, Mutex, PoisonError};
    use std::{io, thread};

    use super::{ActorName, Point};

    /// What happens at a point that is armed.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Action {
        Panic,
        Abort,
        Hang,
    }

    /// The switches of all faults, shared by all actors. Each armed fault strikes once.
    #[derive(Clone, Debug, Default)]
    pub struct Faults {
        armed: Arc<Mutex<Vec<(ActorName, Point, Action)>>>,
    }

    impl Faults {
        /// Strikes if a fault is armed for `point` of `actor`.
        ///
        /// # Panics
        /// That is its purpose.
        pub fn reach(&self, actor: ActorName, point: Point) {
            match self.take(actor, point) {
                None => {}
                Some(Action::Panic) => panic!("injected fault"),
                Some(Action::Abort) => std::process::abort(),
                Some(Action::Hang) => loop {
                    thread::park();
                },
            }
        }

        fn take(&self, actor: ActorName, point: Point) -> Option<Action> {
            let mut armed = self.armed.lock().unwrap_or_else(PoisonError::into_inner);
            let at = armed
                .iter()
                .position(|&(a, p, _)| (a, p) == (actor, point))?;
            Some(armed.remove(at).2)
        }

        /// Arms faults from datagrams at `path`, each a line `<actor> <point> <action>`.
        ///
        /// # Errors
        /// When the socket cannot be bound or the thread not started.
        pub fn listen(&self, path: &Path) -> io::Result<()> {
            let socket = UnixDatagram::bind(path)?;
            let faults = self.clone();
            thread::Builder::new()
                .name("faults".to_owned())
                .spawn(move || {
                    let mut buffer = [0; 128];
                    while let Ok(length) = socket.recv(&mut buffer) {
                        if let Some(fault) =
                            std::str::from_utf8(&buffer[..length]).ok().and_then(parse)
                        {
                            faults
                                .armed
                                .lock()
                                .unwrap_or_else(PoisonError::into_inner)
                                .push(fault);
                        }
                    }
                })?;
            Ok(())
        }
    }

    fn parse(line: &str) -> Option<(ActorName, Point, Action)> {
        let mut words = line.split_whitespace();
        let actor = words.next()?;
        let actor = ActorName::ALL
            .into_iter()
            .find(|name| name.as_str() == actor)?;
        let point = match words.next()? {
            "handler" => Point::Handler,
            "started" => Point::Started,
            "mid_write" => Point::MidWrite,
            _ => return None,
        };
        let action = match words.next()? {
            "panic" => Action::Panic,
            "abort" => Action::Abort,
            "hang" => Action::Hang,
            _ => return None,
        };
        Some((actor, point, action))
    }
}

pub use switches::Faults;
