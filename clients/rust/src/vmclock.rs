//! The page of the VMClock device. Its disruption marker is compared with that of the record.

use std::path::{Path, absolute};
use std::sync::Arc;

use once_cell::race::OnceBox;
use shm_layout::vmclock::{Page, VmClockError};

use crate::error::Error;

/// The page at a path, which is mapped when the client is opened.
#[derive(Debug)]
pub(crate) struct VmClock {
    path: Arc<Path>,
    state: State,
}

#[derive(Debug)]
enum State {
    Opened(Page),
    Missing {
        /// Why the page could not be opened together with the client.
        source: Arc<VmClockError>,
        /// The page that was opened later.
        page: OnceBox<Page>,
    },
}

impl VmClock {
    /// Opens the page at `path`, if that is possible.
    pub(crate) fn open(path: &Path) -> Self {
        let path = absolute(path).unwrap_or_else(|_| path.to_owned());
        let state = match Page::open(&path) {
            Ok(page) => State::Opened(page),
            Err(source) => State::Missing {
                source: source.into(),
                page: OnceBox::new(),
            },
        };
        let path = path.into();
        Self { path, state }
    }

    /// Opens the page if it could not be opened before. This makes system calls and allocates
    /// memory.
    pub(crate) fn open_if_missing(&self) {
        if let State::Missing { page, .. } = &self.state
            && page.get().is_none()
            && let Ok(opened) = Page::open(&self.path)
        {
            // Another thread may have opened it meanwhile.
            let _ = page.set(opened.into());
        }
    }

    /// Returns the disruption marker, or `None` without a page.
    #[inline(always)]
    pub(crate) fn marker(&self) -> Option<u64> {
        match &self.state {
            State::Opened(page) => Some(page.marker()),
            State::Missing { page, .. } => page.get().map(Page::marker),
        }
    }

    /// Like [`marker`](Self::marker), with an error, which allocates nothing.
    ///
    /// # Errors
    /// [`Error::VmClock`].
    pub(crate) fn checked_marker(&self) -> Result<u64, Error> {
        match &self.state {
            State::Opened(page) => Ok(page.marker()),
            State::Missing { source, page } => match page.get() {
                Some(page) => Ok(page.marker()),
                None => Err(Error::VmClock {
                    path: Arc::clone(&self.path),
                    source: Arc::clone(source),
                }),
            },
        }
    }
}
