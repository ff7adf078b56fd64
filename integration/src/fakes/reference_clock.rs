//! A scripted reference clock of a chronyd, with defined errors.
#![expect(
    clippy::cast_precision_loss,
    reason = "errors in nanoseconds are below 2^53"
)]

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::time::ClockId;
use virtual_clock::readings::close_readings;

use super::ntp_server::jitter;
use super::ntp_shm::NtpShm;
use crate::host::background::Background;
use crate::time::clock::clock_ns;
use crate::time::profile::Profile;
use crate::time::truth::Truth;

/// Identifies a sample.
const SOCK_MAGIC: i32 = 0x534f_434b;
const SOCK_SAMPLE_LENGTH: usize = 40;

/// How the clock is connected to chronyd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// Datagrams to a socket that chronyd creates.
    Sock,
    /// NTP's shared memory.
    Shm,
}

/// The samples of a clock.
#[derive(Clone, Copy, Debug)]
pub struct Feed {
    /// The time between two samples.
    pub every: Duration,
    /// The clock's time less true time, ns.
    pub error_ns: i64,
    /// The change of the error over time.
    pub error_profile: Profile,
    /// Random errors of samples, by half of this to either side.
    pub noise: Duration,
    /// Sends no samples.
    pub silent: bool,
}

impl Default for Feed {
    /// An exact clock, read four times a second.
    fn default() -> Feed {
        Feed {
            every: Duration::from_millis(250),
            error_ns: 0,
            error_profile: Profile::default(),
            noise: Duration::ZERO,
            silent: false,
        }
    }
}

impl Feed {
    /// The largest error of a sample, ns, at this second since the beginning.
    pub fn largest_error_ns_at(&self, second: f64) -> f64 {
        let error_ns = self.error_ns as f64 + self.error_profile.at(second) * 1e9;
        error_ns.abs() + self.noise.as_secs_f64() / 2.0 * 1e9
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "a test's seconds, in nanoseconds"
    )]
    fn error_ns_of(&self, second: f64, number: u64) -> i64 {
        let spread = jitter(self.noise, 0, number).as_secs_f64() - self.noise.as_secs_f64() / 2.0;
        self.error_ns + ((self.error_profile.at(second) + spread) * 1e9) as i64
    }
}

/// A running clock, which ends when dropped.
#[derive(Debug)]
pub struct ReferenceClock {
    parameter: String,
    feed: Arc<Mutex<Feed>>,
    _thread: Background<()>,
}

enum Connection {
    Sock(UnixDatagram, PathBuf),
    Shm(NtpShm),
}

impl ReferenceClock {
    /// Sends samples of `truth` to a chronyd that creates its socket at `socket` (driver SOCK
    /// only); chronyd may start later. The profile of the feed counts from `began`.
    ///
    /// # Panics
    /// If the kernel refuses a socket or shared memory.
    pub fn start(
        driver: Driver,
        socket: &Path,
        truth: &Truth,
        feed: Feed,
        began: Instant,
    ) -> ReferenceClock {
        let (parameter, mut connection) = match driver {
            Driver::Sock => {
                let sender = UnixDatagram::unbound().expect("a socket");
                let parameter = format!("SOCK {}", socket.display());
                (parameter, Connection::Sock(sender, socket.to_owned()))
            }
            Driver::Shm => {
                let shm = NtpShm::new().expect("a segment of shared memory");
                (
                    format!("SHM {}:perm=0666", shm.unit()),
                    Connection::Shm(shm),
                )
            }
        };
        let feed = Arc::new(Mutex::new(feed));
        let thread = {
            let (truth, feed) = (truth.clone(), Arc::clone(&feed));
            Background::start(move |stop| measure(&mut connection, &truth, &feed, began, stop))
        };
        ReferenceClock {
            parameter,
            feed,
            _thread: thread,
        }
    }

    /// The driver and its parameter in chronyd's `refclock` directive.
    pub fn parameter(&self) -> &str {
        &self.parameter
    }

    /// Changes its samples.
    ///
    /// # Panics
    /// If the clock's thread has panicked.
    pub fn set(&self, change: impl FnOnce(&mut Feed)) {
        change(&mut self.feed.lock().expect("feed"));
    }
}

fn measure(
    connection: &mut Connection,
    truth: &Truth,
    feed: &Mutex<Feed>,
    began: Instant,
    stop: &AtomicBool,
) {
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        let feed = *feed.lock().expect("feed");
        if !feed.silent {
            number += 1;
            let (true_ns, receive_ns) =
                close_readings(|| truth.now_ns(), || clock_ns(ClockId::CLOCK_REALTIME));
            let clock_ns = true_ns + feed.error_ns_of(began.elapsed().as_secs_f64(), number);
            match connection {
                Connection::Sock(sender, socket) => {
                    // chronyd may not be running.
                    let _ = sender.send_to(&sock_sample(clock_ns, receive_ns), socket);
                }
                Connection::Shm(shm) => shm.put(clock_ns, receive_ns),
            }
        }
        thread::sleep(feed.every);
    }
}

/// A sample as the driver SOCK reads it: struct timeval, a double, and four integers, as the
/// machine stores them.
fn sock_sample(clock_ns: i64, receive_ns: i64) -> [u8; SOCK_SAMPLE_LENGTH] {
    let receive_us = receive_ns / 1_000;
    let offset_s = (clock_ns - receive_ns) as f64 / 1e9;
    let (pulse, leap, padding) = (0_i32, 0_i32, 0_i32);
    let mut bytes = [0; SOCK_SAMPLE_LENGTH];
    bytes[..8].copy_from_slice(&(receive_us / 1_000_000).to_ne_bytes());
    bytes[8..16].copy_from_slice(&(receive_us % 1_000_000).to_ne_bytes());
    bytes[16..24].copy_from_slice(&offset_s.to_ne_bytes());
    bytes[24..28].copy_from_slice(&pulse.to_ne_bytes());
    bytes[28..32].copy_from_slice(&leap.to_ne_bytes());
    bytes[32..36].copy_from_slice(&padding.to_ne_bytes());
    bytes[36..].copy_from_slice(&SOCK_MAGIC.to_ne_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_samples_do_not_exceed_the_largest() {
        let feed = Feed {
            error_ns: 200_000,
            error_profile: Profile::swing(0.0, 0.000_3, 10.0),
            noise: Duration::from_micros(100),
            ..Feed::default()
        };
        for number in 0..200_u32 {
            let second = f64::from(number) * 0.25;
            let error_ns = feed.error_ns_of(second, u64::from(number));
            let limit_ns = feed.largest_error_ns_at(second) + 1.0;
            assert!(error_ns.unsigned_abs() as f64 <= limit_ns, "{error_ns}");
        }
    }

    #[test]
    fn a_sock_sample_has_its_instant_and_offset() {
        let bytes = sock_sample(1_700_000_000_250_000_500, 1_700_000_000_000_000_500);
        let word = |range: std::ops::Range<usize>| {
            i64::from_ne_bytes(bytes[range].try_into().expect("8 bytes"))
        };
        assert_eq!((word(0..8), word(8..16)), (1_700_000_000, 0));
        let offset_s = f64::from_ne_bytes(bytes[16..24].try_into().expect("8 bytes"));
        assert!((offset_s - 0.25).abs() < 1e-9, "{offset_s}");
        assert_eq!(bytes[36..], SOCK_MAGIC.to_ne_bytes());
    }
}
