//! The VMClock page of a virtual machine: its file, and what a change of the page means.
//!
//! ```text
//!   page --read--> Content --Host::compare (pure)--> Change: disrupted, unreadable, readable again
//!                                  \__ what is published: marker and notices
//! ```
//! The layout of the page is in [`shm_layout::vmclock`].

mod host;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use shm_layout::vmclock::{self, Page, VmClockError};

pub use host::{Change, Host};

/// An open VMClock page.
#[derive(Clone, Debug)]
pub struct VmClock {
    /// The page.
    pub page: Arc<Page>,
    /// Its file, which becomes readable when the host changes the page, if the device notifies.
    pub file: Arc<File>,
}

impl VmClock {
    /// Opens the page at `path`: a device, or a file in tests. Does not block.
    ///
    /// # Errors
    /// There is no such file, or it is no VMClock page.
    pub fn open(path: &Path) -> Result<Self, VmClockError> {
        let file = vmclock::open_file(path)?;
        let page = Page::from_file(&file)?;
        Ok(Self {
            page: Arc::new(page),
            file: Arc::new(file),
        })
    }
}
