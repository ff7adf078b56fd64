//! Arrangements of a daemon and its counterparts that several tests share.

pub mod client_check;
pub mod testbed;
