//! The bounded queue between the threads that log and the thread that writes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use slog::{Drain, Level, Never, OwnedKVList, Record, b, o, record};
use slog_async::AsyncRecord;

use super::line::EventTime;

/// Writes one event. After an error the event is lost, and later events are still written.
pub(super) type Sink = Box<dyn Drain<Ok = (), Err = io::Error> + Send>;

/// The capacity of the queue. Events that do not fit are dropped and counted.
pub(super) const QUEUE_EVENTS: usize = 256;
/// How long an exiting process waits for its last events to be written.
const FLUSH_DEADLINE: Duration = Duration::from_millis(300);

enum Message {
    Event { at_us: u64, record: AsyncRecord },
    Finish,
}

/// The handle of the writing thread. Dropping it waits until the queue is written, for at most 300
/// milliseconds. Events that are logged later are lost.
#[must_use = "events are written only until this is dropped"]
pub struct Logging {
    sender: Sender<Message>,
    /// Nothing is sent here: the channel is disconnected when the writer exits.
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

/// The sending end of the queue. It never blocks.
pub(super) struct Queue {
    sender: Sender<Message>,
    dropped: Arc<AtomicU64>,
}

impl Drain for Queue {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record, values: &OwnedKVList) -> Result<(), Never> {
        // A full queue is checked first, so that a dropped event is not copied.
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

/// Starts the thread that writes to `sink`. It sets `time` to the time of each event.
///
/// # Errors
/// The kernel refused a thread.
pub(super) fn spawn(sink: Sink, time: EventTime) -> io::Result<(Queue, Logging)> {
    let (sender, receiver) = bounded(QUEUE_EVENTS);
    let (end, ended) = bounded(0);
    let dropped = Arc::new(AtomicU64::new(0));
    let writer = Writer {
        receiver,
        sink,
        time,
        dropped: Arc::clone(&dropped),
        _end: end,
    };
    thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || writer.run())?;
    let queue = Queue {
        sender: sender.clone(),
        dropped,
    };
    Ok((queue, Logging { sender, ended }))
}

struct Writer {
    receiver: Receiver<Message>,
    sink: Sink,
    time: EventTime,
    dropped: Arc<AtomicU64>,
    _end: Sender<Never>,
}

impl Writer {
    fn run(self) {
        while let Ok(Message::Event { at_us, record }) = self.receiver.recv() {
            self.time.set(at_us);
            match record.log_to(&self.sink) {
                Err(_) => self.count_dropped(1),
                // The queue is empty: one report covers all events that were dropped.
                Ok(()) if self.receiver.is_empty() => self.report_dropped(),
                Ok(()) => {}
            }
        }
        self.report_dropped();
    }

    fn count_dropped(&self, count: u64) {
        self.dropped.fetch_add(count, Ordering::Relaxed);
    }

    /// Logs the number of dropped events, at every log level.
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
