//! The widths of the intervals that several daemons publish beside one chronyd.
//!
//! ```text
//!                               +--> daemon 1.0.0 --> its segments --> samples --> rows
//!   Truth --> NtpServer --> chronyd --> daemon 2.0.3 --> ...
//!                  |            +--> this daemon  --> ...
//!                  |            `--> tracking, every 100 ms --> chronyd's own row
//! ```
//!
//! The published daemons have fixed paths. chronyd runs in a mount namespace with its directory at
//! `/run/chrony`; each daemon runs in a copy of this namespace with a private `/run/clockbound`.

pub mod daemon;
pub mod row;
pub mod setting;

pub use daemon::{Contender, Outcome};
pub use row::Row;
pub use setting::{Comparison, Setting};
