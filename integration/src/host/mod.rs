//! Facilities of the machine: directories, accounts, processes, namespaces, containers, a virtual
//! clock, and waiting for conditions.

pub mod background;
pub mod container;
pub mod namespace;
pub mod process;
pub mod sandbox;
pub mod user;
pub mod virtual_clock;
pub mod wait;
