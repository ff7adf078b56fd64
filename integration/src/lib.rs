//! Harness for the integration tests, the demo and the benchmark.
//!
//! A test arranges neighbours, acts, and waits for a condition with a deadline:
//!
//! ```text
//!   NtpServer ---> Chronyd (or FakeChronyd) ---> Daemon ---> segment file ---> Reader
//!       \                                                                        /
//!        `------------------------- Truth (what time it is) --------------------'
//! ```
//!
//! Everything lives in a [`Sandbox`] and dies with the test. Tests that need the paths of a real host,
//! or its network addresses, run inside [`namespace::private`]. Tests that set CLOCK_REALTIME, or let chronyd discipline it,
//! do that to a [`VirtualClock`].
#![deny(unsafe_code)]

pub mod account;
pub mod candm;
pub mod chronyd;
pub mod container;
pub mod daemon;
pub mod demo_text;
pub mod fake_chronyd;
pub mod host_servers;
pub mod layout;
pub mod namespace;
pub mod ntp_packet;
pub mod ntp_server;
pub mod ntp_shm;
pub mod process;
pub mod profile;
pub mod publications;
pub mod reader;
pub mod reference_clock;
pub mod rig;
pub mod sandbox;
pub mod segment;
pub mod survival;
pub mod truth;
pub mod usage;
pub mod virtual_clock;
pub mod wait;
pub mod width;
pub mod world;

pub use account::Account;
pub use chronyd::Chronyd;
pub use container::{Container, Root};
pub use daemon::{Daemon, Launch};
pub use fake_chronyd::FakeChronyd;
pub use layout::Layout;
pub use ntp_server::NtpServer;
pub use publications::Publications;
pub use reader::{Reader, Reading, Status};
pub use reference_clock::ReferenceClock;
pub use sandbox::Sandbox;
pub use segment::Segment;
pub use truth::{Course, Truth};
pub use virtual_clock::VirtualClock;
pub use world::World;
