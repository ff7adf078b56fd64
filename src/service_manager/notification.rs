//! Decides what is sent to the service manager. Pure: no clock and no socket.

use std::fmt;
use std::time::{Duration, Instant};

use clockbound_actors::publication::rounds::{PublishedState, Round};

/// The least time between two statuses.
const STATUS_INTERVAL: Duration = Duration::from_secs(1);
/// A status with a changed bound is sent only when the bound changed by more than an
/// eighth, because a notification costs the service manager more than a round costs the daemon.
const BOUND_DIVISOR: u64 = 8;

/// The service manager's watchdog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Watchdog {
    /// The service manager restarts the daemon when no `WATCHDOG=1` arrives for this time.
    pub(super) timeout: Duration,
    /// The timeout is longer than the unit's and has to be sent.
    pub(super) raised: bool,
}

impl Watchdog {
    /// A watchdog with the `requested` timeout, which is raised if it is too short for rounds every
    /// `poll_interval`.
    ///
    /// With a silent chronyd a round takes two polls, and the supervisor checks at most once a
    /// second. A healthy daemon therefore needs a timeout of two such rounds and one check.
    pub(super) fn new(requested: Duration, poll_interval: Duration) -> Self {
        let least = poll_interval * 4 + Duration::from_secs(1);
        Self {
            timeout: requested.max(least),
            raised: least > requested,
        }
    }
}

/// What has been sent to the service manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    watchdog: Option<Watchdog>,
    round: Option<u64>,
    status: Option<Status>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Status {
    state: PublishedState,
    bound_ns: i64,
    at: Instant,
}

impl Sent {
    pub(super) fn new(watchdog: Option<Watchdog>) -> Self {
        Self {
            watchdog,
            round: None,
            status: None,
        }
    }

    /// The message to send after `round`, and the state once it is sent; `None` if there is nothing
    /// to send.
    pub(super) fn next(&self, round: &Round, now: Instant) -> Option<(String, Self)> {
        let mut lines = Vec::new();
        let mut next = self.clone();
        if self.round.is_none() {
            lines.push("READY=1".to_owned());
            if let Some(dog) = self.watchdog.filter(|dog| dog.raised) {
                lines.push(format!("WATCHDOG_USEC={}", dog.timeout.as_micros()));
            }
        }
        // Without a new round the daemon hangs, and the watchdog has to expire.
        if self.round != Some(round.number) {
            next.round = Some(round.number);
            if self.watchdog.is_some() {
                lines.push("WATCHDOG=1".to_owned());
            }
        }
        if self.status.is_none_or(|sent| sent.is_outdated(round, now)) {
            next.status = Some(Status {
                state: round.state,
                bound_ns: round.bound_ns,
                at: now,
            });
            lines.push(format!("STATUS={}", StatusLine(round)));
        }
        (!lines.is_empty()).then(|| (lines.join("\n"), next))
    }
}

impl Status {
    fn is_outdated(&self, round: &Round, now: Instant) -> bool {
        let differs =
            self.bound_ns.abs_diff(round.bound_ns) > self.bound_ns.unsigned_abs() / BOUND_DIVISOR;
        let changed = self.state != round.state || (round.state.status.is_trusted() && differs);
        changed && now.saturating_duration_since(self.at) >= STATUS_INTERVAL
    }
}

/// The status line in `systemctl status`.
struct StatusLine<'a>(&'a Round);

impl fmt::Display for StatusLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Round {
            state, bound_ns, ..
        } = self.0;
        write!(f, "{}", state.status)?;
        if state.status.is_trusted() {
            write!(f, ", bound {}", Ns(*bound_ns))?;
        }
        if state.reference_id != 0 {
            write!(f, ", source {}", RefId(state.reference_id))?;
        }
        write!(f, ", reason {}", state.reason)
    }
}

/// A duration in ns, printed with its unit and one decimal.
struct Ns(i64);

impl fmt::Display for Ns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit_ns, unit) = match self.0 {
            ..1_000 => return write!(f, "{} ns", self.0),
            1_000..1_000_000 => (1_000, "us"),
            1_000_000..1_000_000_000 => (1_000_000, "ms"),
            _ => (1_000_000_000, "s"),
        };
        // A bound is rounded up.
        let tenths = self.0.saturating_add(unit_ns / 10 - 1) / (unit_ns / 10);
        write!(f, "{}.{} {unit}", tenths / 10, tenths % 10)
    }
}

/// chrony's reference id as chronyc prints it: hexadecimal, with the name of a reference clock.
struct RefId(u32);

impl fmt::Display for RefId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08X}", self.0)?;
        let bytes = self.0.to_be_bytes();
        let name = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
        let is_name = !name.is_empty()
            && name.iter().all(u8::is_ascii_alphanumeric)
            && bytes[name.len()..].iter().all(|&byte| byte == 0);
        match std::str::from_utf8(name) {
            Ok(name) if is_name => write!(f, " ({name})"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use clockbound_actors::estimator::status::{ClockStatus, Reason};

    use super::*;

    const GOOD: PublishedState = PublishedState {
        status: ClockStatus::Synchronized,
        reason: Reason::Tracking,
        reference_id: 0x7f00_0001,
    };
    const LOST: PublishedState = PublishedState {
        status: ClockStatus::FreeRunning,
        reason: Reason::ChronySilent,
        ..GOOD
    };
    const THREE_S: Watchdog = Watchdog {
        timeout: Duration::from_secs(3),
        raised: false,
    };

    #[test]
    fn readiness_and_status_are_sent_once_and_the_watchdog_is_notified_each_round() {
        let start = Instant::now();
        let mut sent = Sent::new(Some(THREE_S));
        for (ms, number, state, bound_ns, want) in [
            (
                0,
                1,
                GOOD,
                80_000,
                Some(
                    "READY=1\nWATCHDOG=1\n\
                     STATUS=synchronized, bound 80.0 us, source 7F000001, reason tracking",
                ),
            ),
            (1000, 11, GOOD, 81_000, Some("WATCHDOG=1")),
            // The publisher hangs.
            (2000, 11, GOOD, 81_000, None),
            (3000, 12, GOOD, 89_000, Some("WATCHDOG=1")),
            (
                4000,
                22,
                GOOD,
                91_000,
                Some(
                    "WATCHDOG=1\n\
                     STATUS=synchronized, bound 91.0 us, source 7F000001, reason tracking",
                ),
            ),
            // The status changed, but too soon after the last one.
            (4100, 23, LOST, 91_000, Some("WATCHDOG=1")),
            (
                5000,
                32,
                LOST,
                91_000,
                Some(
                    "WATCHDOG=1\n\
                     STATUS=free_running, bound 91.0 us, source 7F000001, reason chrony_silent",
                ),
            ),
        ] {
            let round = Round {
                number,
                state,
                bound_ns,
            };
            let next = sent.next(&round, start + Duration::from_millis(ms));
            assert_eq!(
                next.as_ref().map(|(text, _)| text.as_str()),
                want,
                "at {ms} ms"
            );
            if let Some((_, next)) = next {
                sent = next;
            }
        }
    }

    #[test]
    fn without_a_watchdog_only_readiness_and_status_are_sent() {
        let round = Round {
            number: 1,
            state: PublishedState {
                status: ClockStatus::Unknown,
                reason: Reason::NeverSynchronized,
                reference_id: 0,
            },
            bound_ns: i64::MAX,
        };
        let (text, sent) = Sent::new(None).next(&round, Instant::now()).unwrap();
        assert_eq!(text, "READY=1\nSTATUS=unknown, reason never_synchronized");
        let later = Round {
            number: 2,
            bound_ns: 5,
            ..round
        };
        assert!(
            sent.next(&later, Instant::now() + Duration::from_secs(9))
                .is_none()
        );
    }

    #[test]
    fn a_watchdog_timeout_too_short_for_the_poll_interval_is_raised() {
        let ms = Duration::from_millis;
        for (requested, poll, timeout, raised) in [
            (ms(3_000), ms(100), ms(3_000), false),
            (ms(3_000), ms(500), ms(3_000), false),
            (ms(3_000), ms(501), ms(3_004), true),
            (ms(3_000), ms(2_000), ms(9_000), true),
            (ms(1), ms(10), ms(1_040), true),
        ] {
            assert_eq!(Watchdog::new(requested, poll), Watchdog { timeout, raised });
        }
        let dog = Watchdog::new(ms(1), ms(10));
        let round = Round {
            number: 1,
            state: GOOD,
            bound_ns: 0,
        };
        let (text, _) = Sent::new(Some(dog)).next(&round, Instant::now()).unwrap();
        assert!(
            text.starts_with("READY=1\nWATCHDOG_USEC=1040000\nWATCHDOG=1\n"),
            "{text}"
        );
    }

    #[test]
    fn durations_have_units_and_are_rounded_up() {
        for (ns, text) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.0 us"),
            (1_001, "1.1 us"),
            (312_000, "312.0 us"),
            (1_234_567, "1.3 ms"),
            (2_000_000_001, "2.1 s"),
            (i64::MAX, "9223372036.8 s"),
        ] {
            assert_eq!(Ns(ns).to_string(), text);
        }
    }

    #[test]
    fn reference_ids_are_printed_as_chronyc_prints_them_with_the_name_of_a_reference_clock() {
        for (id, text) in [
            (0x5048_4330, "50484330 (PHC0)"),
            (0x5050_5300, "50505300 (PPS)"),
            (0x7f00_0001, "7F000001"),
            (0x5000_5000, "50005000"),
            (0xa9fe_a97b, "A9FEA97B"),
        ] {
            assert_eq!(RefId(id).to_string(), text);
        }
    }
}
