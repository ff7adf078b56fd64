//! VmClockWatch: wakes ClockState when the host of the virtual machine changes the VMClock page.
//!
//! The device becomes readable when the host notifies the machine, and reading clears that. Without
//! notification the kernel reports POLLHUP, and a plain file cannot be watched. Then ClockState
//! compares the page at each of its messages, and this actor wakes it only if polls of chronyd are
//! rarer than that. Source: `drivers/ptp/ptp_vmclock.c` of Linux.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use slog::{Logger, debug};

use super::clock_state::{ClockState, PageChanged};
use crate::fail_points::fail_point;
use crate::os::async_fd::readable;
use crate::vmclock::VmClock;

/// The longest time between two comparisons of the page without notifications.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// The size of the part of the page that is read, in bytes, and the offset of its sequence count.
const HEADER_BYTES: usize = 16;
const SEQUENCE_OFFSET: usize = 12;

/// A device that has been readable so often without a change does not notify.
const MAX_IDLE_WAKE_UPS: u32 = 3;

/// The parts from which each life of VmClockWatch is built.
pub struct Parts {
    /// The page.
    pub vmclock: VmClock,
    /// The time between two polls of chronyd.
    pub poll_interval: Duration,
    /// Receives the changes.
    pub clock_state: Addr<ClockState>,
    /// The actor's log.
    pub log: Logger,
}

/// The actor that notices changes of the page.
pub struct VmClockWatch {
    parts: Parts,
}

impl VmClockWatch {
    /// A watch that has noticed no change yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self { parts }
    }

    fn check_periodically(&mut self, ctx: &mut Context<Self>) {
        if self.parts.poll_interval > CHECK_INTERVAL {
            ctx.run_interval(CHECK_INTERVAL, |act, _| {
                fail_point!("vmclock_watch.handler");
                report(&act.parts.clock_state);
            });
        }
    }
}

/// If ClockState's mailbox is full, another message makes it compare the page.
fn report(clock_state: &Addr<ClockState>) {
    let _ = clock_state.try_send(PageChanged);
}

/// Calls `changed` at each notification. Returns why there are none.
async fn watch(file: Arc<File>, mut changed: impl FnMut()) -> io::Error {
    let device = match readable(file) {
        Ok(device) => device,
        Err(err) => return err,
    };
    let (mut sequence, mut idle) = (None, 0);
    loop {
        let mut ready = match device.readable().await {
            Ok(ready) => ready,
            Err(err) => return err,
        };
        if ready.ready().is_read_closed() {
            return io::Error::new(io::ErrorKind::Unsupported, "the device does not notify");
        }
        ready.clear_ready();
        fail_point!("vmclock_watch.handler");
        // Reading also clears the notification.
        match read_sequence(device.get_ref()) {
            Ok(now) if sequence == Some(now) => idle += 1,
            Ok(now) => (sequence, idle) = (Some(now), 0),
            // The kernel gives up while the host writes for long: the page is compared anyway.
            Err(_) => idle += 1,
        }
        if idle >= MAX_IDLE_WAKE_UPS {
            return io::Error::other("the device is readable without a change");
        }
        changed();
    }
}

fn read_sequence(device: &File) -> io::Result<u32> {
    let mut header = [0; HEADER_BYTES];
    device.read_exact_at(&mut header, 0)?;
    let (_, sequence) = header.split_at(SEQUENCE_OFFSET);
    Ok(u32::from_le_bytes(sequence.try_into().unwrap_or_default()))
}

impl Actor for VmClockWatch {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        fail_point!("vmclock_watch.started");
        let notifies = self
            .parts
            .vmclock
            .page
            .read()
            .is_some_and(|content| content.notifies);
        if !notifies {
            self.check_periodically(ctx);
            return;
        }
        let clock_state = self.parts.clock_state.clone();
        let watched = watch(self.parts.vmclock.file.clone(), move || {
            report(&clock_state);
        });
        ctx.spawn(watched.into_actor(self).map(|err, act, ctx| {
            debug!(act.parts.log, "vmclock is compared at intervals"; "err" => %err);
            act.check_periodically(ctx);
        }));
    }
}

impl Supervised for VmClockWatch {}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
            .block_on(future)
    }

    #[test]
    fn a_plain_file_is_not_watched() {
        let file = File::open("/proc/self/exe").expect("a file");
        let err = block_on(watch(Arc::new(file), || panic!("no change")));
        assert_eq!(err.kind(), io::ErrorKind::PermissionDenied, "{err}");
    }

    #[test]
    fn a_device_that_hangs_up_is_not_watched() {
        let (reader, writer) = io::pipe().expect("a pipe");
        drop(writer);
        let file = File::from(std::os::fd::OwnedFd::from(reader));
        let err = block_on(watch(Arc::new(file), || panic!("no change")));
        assert_eq!(err.kind(), io::ErrorKind::Unsupported, "{err}");
    }

    /// A pipe with data is readable, and has no page.
    #[test]
    fn a_device_that_stays_readable_is_not_watched_for_ever() {
        use std::io::Write;
        let (reader, mut writer) = io::pipe().expect("a pipe");
        let file = File::from(std::os::fd::OwnedFd::from(reader));
        writer.write_all(&[0]).expect("written");
        let mut changes = 0;
        let err = block_on(watch(Arc::new(file), || {
            changes += 1;
            // Another edge of the descriptor.
            writer.write_all(&[0]).expect("written");
        }));
        assert!(err.to_string().contains("without a change"), "{err}");
        assert!(changes < MAX_IDLE_WAKE_UPS);
    }
}
