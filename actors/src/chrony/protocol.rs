//! Numbers of the protocol that requests, replies and errors have in common.

use std::fmt;

/// The protocol's version, which chronyd has spoken since 1.29.1.
pub const VERSION: u8 = 6;

/// What chronyd says of a request, by the names in `candm.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(pub u16);

impl Status {
    /// The request was carried out.
    pub const SUCCESS: Self = Self(0);
    /// There is no source of that number.
    pub const NO_SUCH_SOURCE: Self = Self(4);
    /// chronyd speaks another version of the protocol.
    pub const BAD_PACKET_VERSION: Self = Self(18);

    /// By number; 20 has none.
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
