//! The result of opening a segment for writing.

use std::fmt;

/// What was at the path when the segment was opened, and what was done with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// A record of this boot, which is resumed.
    Warm,
    /// A valid segment, reused in place, whose record could not be resumed. It now claims nothing,
    /// or is unreadable until the first write.
    Cold {
        /// Why the record could not be resumed.
        why: String,
    },
    /// Nothing; a new segment was created.
    Created,
    /// A file that was not usable, which was replaced by a new segment.
    Replaced {
        /// What was wrong with the file.
        why: String,
    },
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Warm => f.write_str("resumed"),
            Self::Cold { why } => write!(f, "reused, record dropped: {why}"),
            Self::Created => f.write_str("created"),
            Self::Replaced { why } => write!(f, "replaced: {why}"),
        }
    }
}
