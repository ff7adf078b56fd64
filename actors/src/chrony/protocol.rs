//! The numbers of the protocol that requests, replies and errors share.

use std::fmt;

/// The protocol's version, which chronyd has used since 1.29.1.
pub const VERSION: u8 = 6;

/// The status of a request, with the names in `candm.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(pub u16);

impl Status {
    /// The request succeeded.
    pub const SUCCESS: Self = Self(0);
    /// There is no source with this index.
    pub const NO_SUCH_SOURCE: Self = Self(4);
    /// chronyd uses another version of the protocol.
    pub const BAD_PACKET_VERSION: Self = Self(18);

    /// The names by number. Number 20 has none.
    const NAMES: [&str; 22] = [
        "SUCCESS",
        "FAILED",
        "UNAUTH",
        "INVALID",
        "NOSUCHSOURCE",
        "INVALIDTS",
        "NOTENABLED",
        "BADSUBNET",
        "ACCESSALLOWED",
        "ACCESSDENIED",
        "NOHOSTACCESS",
        "SOURCEALREADYKNOWN",
        "TOOMANYSOURCES",
        "NORTC",
        "BADRTCFILE",
        "INACTIVE",
        "BADSAMPLE",
        "INVALIDAF",
        "BADPKTVERSION",
        "BADPKTLENGTH",
        "",
        "INVALIDNAME",
    ];
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMES.get(usize::from(self.0)) {
            Some(name) if !name.is_empty() => f.write_str(name),
            _ => write!(f, "status {}", self.0),
        }
    }
}
