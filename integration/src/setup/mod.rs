//! Arrangements of a daemon and its counterparts that several tests share.

pub mod c_library;
pub mod client_check;
pub mod packages;
pub mod testbed;
