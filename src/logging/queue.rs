//! The bounded queue between those who log and the thread that writes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use slog::{Drain, Level, Never, OwnedKVList, Record, b, o, record};
use slog_async::AsyncRecord;

use super::Sink;
use super::line::EventTime;

/// How many events wait for a slow reader; those after them are counted instead.
pub(super) const QUEUE_EVENTS: usize = 256;
/// How long a process that ends waits for its last events to be written.
const FLUSH_DEADLINE: Duration = Duration::from_millis(300);

enum Message {
    Event { at_us: u64, record: AsyncRecord },
    Finish,
}

/// Keeps the log being written. Dropping it writes what is still in the queue, but gives up after
/// 300 milliseconds if nobody reads; events logged later are lost.
#[must_use = "events are written only as long as this lives"]
pub struct Logging {
    sender: Sender<Message>,
    /// Nothing is ever sent: the other end goes away with the worker.
    ended: Receiver<Never>,
}

impl Drop for Logging {
    fn drop(&mut self) {
        let deadline = Instant::now() + FLUSH_DEADLINE;
        if self.sender.send_deadline(Message::Finish, deadline).is_ok() {
            let _ = self.ended.recv_deadline(deadline);
        }
    }
}

/// The end of the queue that events are put into. It never waits.
pub(super) struct Queue {
    sender: Sender<Message>,
    dropped: Arc<AtomicU64>,
}

impl Drain for Queue {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record, values: &OwnedKVList) -> Result<(), Never> {
        // Looked at first, so that an event that will be dropped costs no copy.
        let sent = !self.sender.is_full() && {
            let event = Message::Event {
                at_us: EventTime::now_us(),
                record: AsyncRecord::from(record, values),
            };
            self.sender.try_send(event).is_ok()
        };
        if !sent {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Starts the thread that writes to `sink`, which learns of each event's time through `time`.
///
/// # Errors
/// The kernel grants no thread.
pub(super) fn spawn(sink: Sink, time: EventTime) -> io::Result<(Queue, Logging)> {
    let (sender, receiver) = bounded(QUEUE_EVENTS);
    let (end, ended) = bounded(0);
    let dropped = Arc::new(AtomicU64::new(0));
    let worker = Worker {
        receiver,
        sink,
        time,
        dropped: Arc::clone(&dropped),
        _end: end,
    };
    thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || worker.run())?;
    let queue = Queue {
        sender: sender.clone(),
        dropped,
    };
    Ok((queue, Logging { sender, ended }))
}

struct Worker {
    receiver: Receiver<Message>,
    sink: Sink,
    time: EventTime,
    dropped: Arc<AtomicU64>,
    _end: Sender<Never>,
}

impl Worker {
    fn run(self) {
        while let Ok(Message::Event { at_us, record }) = self.receiver.recv() {
            self.time.set(at_us);
            match record.log_to(&self.sink) {
                Err(_) => self.count_dropped(1),
                // Caught up: one report stands for the whole of a bad time.
                Ok(()) if self.receiver.is_empty() => self.report_dropped(),
                Ok(()) => {}
            }
        }
        self.report_dropped();
    }

    fn count_dropped(&self, count: u64) {
        self.dropped.fetch_add(count, Ordering::Relaxed);
    }

    /// Says how many events are missing, whatever the level.
    fn report_dropped(&self) {
        let count = self.dropped.swap(0, Ordering::Relaxed);
        if count == 0 {
            return;
        }
        self.time.set(EventTime::now_us());
        let report = self.sink.log(
            &record!(
                Level::Warning,
                "",
                &format_args!("log events dropped"),
                b!("count" => count)
            ),
            &o!().into(),
        );
        if report.is_err() {
            self.count_dropped(count);
        }
    }
}
