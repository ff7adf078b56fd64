//! A virtual CLOCK_REALTIME: a function of the machine's CLOCK_MONOTONIC_RAW, set and disciplined
//! like the kernel's.
//!
//! ```text
//!   realtime = set + (raw - raw when set) x (1 + rate)        rate: tick and freq of adjtimex(2)
//! ```
//!
//! The state is in one file that every process of a test maps ([`SharedClock`]). The virtual clock
//! replaces the system clock of a program that runs with `virtual-clock-preload` in `LD_PRELOAD`
//! and the file's path in [`STATE_VARIABLE`]. Without the variable the library has no effect.
//!
//! Emulated:
//! - clock_gettime of CLOCK_REALTIME, CLOCK_REALTIME_COARSE and CLOCK_TAI, gettimeofday and time
//!   return the virtual clock's time. The coarse clock has the resolution of the others.
//! - clock_settime, settimeofday, adjtimex, ntp_adjtime and clock_adjtime change the virtual clock.
//!   Write permission for the file is required.
//! - A timerfd on CLOCK_REALTIME is a timer on CLOCK_MONOTONIC that a thread rearms after each
//!   change of the clock. TFD_TIMER_CANCEL_ON_SET is supported.
//! - Timestamps of received packets (SCM_TIMESTAMP, SCM_TIMESTAMPNS, SCM_TIMESTAMPING) are virtual
//!   times.
//! - A leap second (STA_INS, STA_DEL) is a step of one second at the end of the virtual UTC day.
//!
//! Not emulated: the kernel's PLL and adjtime(3), which are refused; sleeps and POSIX timers until
//! an instant of CLOCK_REALTIME; times of files; statically linked programs. CLOCK_MONOTONIC is the
//! machine's. The kernel slews it together with CLOCK_REALTIME; here it is not slewed, and chronyd
//! and the daemon measure no rate on it.
#![deny(unsafe_code)]

pub mod readings;
pub mod shared;
pub mod state;

pub use shared::SharedClock;
pub use state::State;

/// The environment variable that holds the path of the state's file.
pub const STATE_VARIABLE: &str = "CLOCKBOUND_VIRTUAL_CLOCK";
