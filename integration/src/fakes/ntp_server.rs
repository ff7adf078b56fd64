//! A scripted NTP server with a defined time error, path delays and declarations.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::ntp_packet;
use super::ntp_packet::Reply;
use crate::host::background::Background;
use crate::time::profile::Profile;
use crate::time::truth::Truth;

/// How often a server that keeps a reply checks whether to send it.
const HOLD_INTERVAL: Duration = Duration::from_millis(1);

/// The behaviour of a server.
#[derive(Clone, Copy, Debug)]
pub struct ServerBehaviour {
    /// 0 normal, 1 and 2 announce a leap second, 3 not synchronised.
    pub leap: u8,
    /// Declared distance from the reference clock.
    pub stratum: u8,
    /// Declared reference id.
    pub refid: [u8; 4],
    /// Declared root delay in seconds.
    pub root_delay: f64,
    /// Declared root dispersion in seconds.
    pub root_dispersion: f64,
    /// One-way delay of requests.
    pub request_delay: Duration,
    /// One-way delay of replies.
    pub reply_delay: Duration,
    /// Largest additional delay of requests; each has a different part of it.
    pub request_jitter: Duration,
    /// Largest additional delay of replies; each has a different part of it.
    pub reply_jitter: Duration,
    /// The same seed gives the same jitter.
    pub jitter_seed: u64,
    /// The server's time less true time, ns. The server is a falseticker unless its declared root
    /// distance covers this.
    pub time_error_ns: i64,
    /// The change of the time error over time.
    pub time_error_profile: Profile,
    /// The change of the declared root dispersion over time.
    pub root_dispersion_profile: Profile,
    /// Does not reply.
    pub silent: bool,
    /// Keeps the next reply, which is complete with its time stamps, until this is false.
    pub holding: bool,
}

impl Default for ServerBehaviour {
    /// A good stratum 1 server that declares 100 us of root delay and of root dispersion.
    fn default() -> ServerBehaviour {
        ServerBehaviour {
            leap: 0,
            stratum: 1,
            refid: *b"TEST",
            root_delay: 100e-6,
            root_dispersion: 100e-6,
            request_delay: Duration::ZERO,
            reply_delay: Duration::ZERO,
            request_jitter: Duration::ZERO,
            reply_jitter: Duration::ZERO,
            jitter_seed: 0,
            time_error_ns: 0,
            time_error_profile: Profile::default(),
            root_dispersion_profile: Profile::default(),
            silent: false,
            holding: false,
        }
    }
}

impl ServerBehaviour {
    /// The server's time less true time, ns, at this second since the beginning.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a test's seconds, in nanoseconds"
    )]
    pub fn time_error_ns_at(&self, second: f64) -> i64 {
        self.time_error_ns + (self.time_error_profile.at(second) * 1e9).round() as i64
    }

    /// The declared root dispersion in seconds, at this second since the beginning.
    pub fn root_dispersion_at(&self, second: f64) -> f64 {
        self.root_dispersion + self.root_dispersion_profile.at(second)
    }

    /// Whether the declared root distance covers the time error, at this second since the
    /// beginning.
    pub fn is_truechimer_at(&self, second: f64) -> bool {
        let declared_s = self.root_delay / 2.0 + self.root_dispersion_at(second);
        let error = Duration::from_nanos(self.time_error_ns_at(second).unsigned_abs());
        error.as_secs_f64() <= declared_s
    }
}

/// A running server.
#[derive(Debug)]
pub struct NtpServer {
    address: SocketAddr,
    behaviour: Arc<Mutex<ServerBehaviour>>,
    requests: Arc<AtomicU64>,
    held: Arc<AtomicBool>,
    _thread: Background<()>,
}

impl NtpServer {
    /// Serves `truth` on the loopback address.
    pub fn start(truth: &Truth) -> NtpServer {
        NtpServer::start_at(truth, Ipv4Addr::LOCALHOST)
    }

    /// Serves `truth` on another address of this network namespace.
    ///
    /// # Panics
    /// If the address is not of this network namespace.
    pub fn start_at(truth: &Truth, address: Ipv4Addr) -> NtpServer {
        NtpServer::start_with(truth, address, ServerBehaviour::default())
    }

    /// Serves `truth` at this address with this behaviour.
    ///
    /// # Panics
    /// If the address is not of this network namespace.
    pub fn start_with(truth: &Truth, address: Ipv4Addr, behaviour: ServerBehaviour) -> NtpServer {
        let any_port = SocketAddr::new(IpAddr::V4(address), 0);
        NtpServer::start_in(truth, any_port, behaviour, Instant::now())
    }

    /// Like [`NtpServer::start_with`], at this port, or any free port for 0; profiles count from
    /// `began`.
    ///
    /// # Panics
    /// If the address is not ours, or the port is taken.
    pub fn start_in(
        truth: &Truth,
        address: SocketAddr,
        behaviour: ServerBehaviour,
        began: Instant,
    ) -> NtpServer {
        let socket = UdpSocket::bind(address).expect("bind the server's port");
        socket
            .set_read_timeout(Some(Duration::from_millis(50)))
            .expect("set a timeout");
        let address = socket.local_addr().expect("bound");
        let behaviour = Arc::new(Mutex::new(behaviour));
        let (requests, held) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let thread = {
            let (truth, behaviour) = (truth.clone(), Arc::clone(&behaviour));
            let (requests, held) = (Arc::clone(&requests), Arc::clone(&held));
            Background::start(move |stop| {
                serve(&socket, &truth, &behaviour, &requests, &held, began, stop);
            })
        };
        NtpServer {
            address,
            behaviour,
            requests,
            held,
            _thread: thread,
        }
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes its behaviour.
    ///
    /// # Panics
    /// If the server's thread has panicked.
    pub fn set(&self, change: impl FnOnce(&mut ServerBehaviour)) {
        change(&mut self.behaviour.lock().expect("behaviour"));
    }

    /// Number of requests so far.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Whether a client waits for a reply that the server keeps.
    pub fn is_holding(&self) -> bool {
        self.held.load(Ordering::Relaxed)
    }
}

fn serve(
    socket: &UdpSocket,
    truth: &Truth,
    behaviour: &Mutex<ServerBehaviour>,
    requests: &AtomicU64,
    held: &AtomicBool,
    began: Instant,
    stop: &AtomicBool,
) {
    let mut packet = [0; 1024];
    let is_holding = || behaviour.lock().expect("behaviour").holding;
    while !stop.load(Ordering::Relaxed) {
        let Ok((length, client)) = socket.recv_from(&mut packet) else {
            continue;
        };
        let arrived_ns = truth.now_ns();
        let request = &packet[..length];
        let current = *behaviour.lock().expect("behaviour");
        if current.silent || !ntp_packet::is_request(request) {
            continue;
        }
        let count = 2 * (1 + requests.fetch_add(1, Ordering::Relaxed));
        let request_delay =
            current.request_delay + jitter(current.request_jitter, current.jitter_seed, count);
        let reply_delay =
            current.reply_delay + jitter(current.reply_jitter, current.jitter_seed, count + 1);
        let received_ns = if request_delay.is_zero() {
            arrived_ns
        } else {
            thread::sleep(request_delay);
            truth.now_ns()
        };
        // One instant for the time error and the declarations.
        let second = began.elapsed().as_secs_f64();
        let time_error_ns = current.time_error_ns_at(second);
        let reply = ntp_packet::reply(
            request,
            &Reply {
                leap: current.leap,
                stratum: current.stratum,
                refid: current.refid,
                root_delay: current.root_delay,
                root_dispersion: current.root_dispersion_at(second),
                received_ns: received_ns + time_error_ns,
                transmitted_ns: truth.now_ns() + time_error_ns,
            },
        );
        if !reply_delay.is_zero() {
            thread::sleep(reply_delay);
        }
        held.store(is_holding(), Ordering::Relaxed);
        while is_holding() && !stop.load(Ordering::Relaxed) {
            thread::sleep(HOLD_INTERVAL);
        }
        held.store(false, Ordering::Relaxed);
        // The client may have exited.
        let _ = socket.send_to(&reply, client);
    }
}

/// The part of `limit` for the packet of this number: uniformly distributed and reproducible.
#[expect(clippy::cast_precision_loss, reason = "an f64 holds 53 bits exactly")]
pub(crate) fn jitter(limit: Duration, seed: u64, number: u64) -> Duration {
    // The finalizer of splitmix64, whose input counts.
    let mut bits = seed.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^= bits >> 31;
    limit.mul_f64((bits >> 11) as f64 / (1_u64 << 53) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_truechimer_while_its_root_distance_covers_its_error() {
        use crate::time::profile::Ramp;
        let growing = ServerBehaviour {
            root_delay: 0.0,
            root_dispersion: 0.001,
            time_error_ns: -500_000,
            time_error_profile: Profile::ramp(Ramp::endless(10.0, -100.0)),
            root_dispersion_profile: Profile::ramp(Ramp::endless(20.0, 100.0)),
            ..ServerBehaviour::default()
        };
        assert_eq!(growing.time_error_ns_at(13.0), -800_000);
        assert!((growing.root_dispersion_at(30.0) - 0.002).abs() < 1e-12);
        let truechimer = |second| growing.is_truechimer_at(second);
        assert!(truechimer(0.0) && truechimer(14.9));
        assert!(!truechimer(15.1) && !truechimer(30.0));
    }

    #[test]
    fn jitter_is_distributed_up_to_its_limit_and_reproducible() {
        let limit = Duration::from_millis(10);
        let delays = |seed| (0..1000).map(move |number| jitter(limit, seed, number));
        assert!(delays(1).eq(delays(1)));
        assert!(!delays(1).eq(delays(2)));
        assert!(delays(1).all(|delay| delay < limit));
        let mean = delays(1).sum::<Duration>() / 1000;
        assert!((4..6).contains(&mean.as_millis()), "{mean:?}");
        assert_eq!(jitter(Duration::ZERO, 1, 1), Duration::ZERO);
    }
}
