//! What a test reads of a running daemon: intervals, segment files, publications, resource usage.

pub mod layout;
pub mod publications;
pub mod published_c;
pub mod reader;
pub mod reading;
pub mod samples;
pub mod segment;
pub mod usage;
