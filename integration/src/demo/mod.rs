//! Parts of the demonstration.

pub mod table;
pub mod time_servers;
