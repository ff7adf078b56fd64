//! Harness for the integration tests, the truth rig, the demonstration and the measurements.
//!
//! A test starts the daemon beside scripted or real counterparts, acts, and waits for a condition
//! with a deadline:
//!
//! ```text
//!                                      host: Sandbox, namespaces, containers, VirtualClock
//!  fakes                               programs               observe
//!  NtpServer, ReferenceClock ------> Chronyd ----.
//!      ^                                          +---> Daemon ---> segments ---> Reader, Sampler
//!      |        FakeChronyd ---------------------'  ^                               Segment
//!      |        Phc (error bound in sysfs) ---------'                               Publications
//!      |                                                 Usage: CPU, memory           ^
//!      |                                                                              |
//!      `------------------- time: Truth, what time it is ------------------------------'
//! ```
//!
//! | folder | contents | may import |
//! |---|---|---|
//! | [`time`] | true time, clocks, quantities that change over time | |
//! | [`host`] | accounts, processes, namespaces, containers, the virtual clock, waiting | `time` |
//! | [`programs`] | chronyd and the daemon | `time`, `host` |
//! | [`fakes`] | NTP server, reference clocks, chronyd's command socket, PHC | `time`, `host` |
//! | [`observe`] | layouts, readers, samples, segment files, resource usage | `time`, `host` |
//! | [`setup`] | a synchronised daemon; the check of a client program | all above |
//! | [`demo`] | the table and the time servers of the demonstration | `fakes`, `observe` |
//! | [`rig`] | the truth rig: scenarios, their runs, reports and plots | all above |
//! | [`width`] | the comparison of interval widths with other daemons | all above |
//!
//! `src/bin` has the programs: `truth`, `width`, `bench`, `demo`, `client-check`, `watch` and
//! `interval`.
//!
//! Everything that a test creates is in a [`Sandbox`](host::sandbox::Sandbox) and ends with the
//! test. Tests that need the paths or the network addresses of a real host run inside
//! [`private`](host::namespace::private). Tests that set CLOCK_REALTIME, or in which chronyd
//! disciplines it, use a [`VirtualClock`](host::virtual_clock::VirtualClock).
#![deny(unsafe_code)]

pub mod demo;
pub mod fakes;
pub mod host;
pub mod observe;
pub mod programs;
pub mod rig;
pub mod setup;
pub mod time;
pub mod width;
