//! Scripted counterparts of what the daemon and chronyd communicate with.

pub mod candm;
pub mod chronyd;
pub mod ntp_packet;
pub mod ntp_server;
pub mod ntp_shm;
pub mod phc;
pub mod reference_clock;
pub mod vmclock;
