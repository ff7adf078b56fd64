//! What a record consists of, in every layout.

mod disruption;
mod error;
mod identity;
mod leap;
mod limits;
mod reason;
pub mod scale;
mod status;

pub use disruption::{Disruption, HostNotice};
pub use error::RecordError;
pub use identity::{BOOT_ID_PATH, Identity, IdentityError};
pub(crate) use identity::{boot_id_at, parse_boot_id};
pub use leap::{InvalidLeap, Leap};
pub(crate) use limits::NS_PER_S;
pub use limits::{DRIFT_LIMIT_PPB, NO_CLAIM_BOUND_NS, STALE_AFTER_NS};
pub use reason::Reason;
pub use status::{ClockStatus, InvalidStatus};
