//! The boot and the time namespace in which a segment's instants were taken. Monotonic clocks can
//! be compared only within one boot, and only after correction for the namespace offset.

use std::fs;
use std::io;
use std::path::Path;

use thiserror::Error;

use super::limits::NS_PER_S;

/// The kernel's boot id: a new random UUID at each boot (random(4)).
pub const BOOT_ID_PATH: &str = "/proc/sys/kernel/random/boot_id";

/// The offsets of this process's monotonic clocks from those of the initial time namespace
/// (time_namespaces(7)).
const TIME_NAMESPACE_PATH: &str = "/proc/self/timens_offsets";

/// A boot and a time namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The kernel's boot id; all zeros, which no boot has, when it cannot be read.
    pub boot_id: [u8; 16],
    /// How far the monotonic clocks are ahead of those of the initial time namespace, ns.
    pub namespace_offset_ns: i64,
}

/// The offset of this process's time namespace cannot be read.
#[derive(Debug, Error)]
#[error("cannot read the time namespace offset from {TIME_NAMESPACE_PATH}: {0}; mount /proc")]
pub struct IdentityError(#[source] io::Error);

impl Identity {
    /// The identity of this process.
    ///
    /// # Errors
    /// [`IdentityError`] when `/proc` is not mounted or the offsets have an unknown format.
    pub fn own() -> Result<Self, IdentityError> {
        let boot_id = boot_id_at(Path::new(BOOT_ID_PATH)).unwrap_or_default();
        let namespace_offset_ns = match fs::read_to_string(TIME_NAMESPACE_PATH) {
            Ok(text) => parse_offsets(&text)
                .ok_or_else(|| IdentityError(io::ErrorKind::InvalidData.into()))?,
            // The kernel has no time namespaces (before 5.6).
            Err(err)
                if err.kind() == io::ErrorKind::NotFound && Path::new("/proc/self").exists() =>
            {
                0
            }
            Err(err) => return Err(IdentityError(err)),
        };
        Ok(Self {
            boot_id,
            namespace_offset_ns,
        })
    }

    /// Whether the boot id is known.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.boot_id != [0; 16]
    }
}

/// The boot id in the file at `path`: a UUID of 32 hexadecimal digits.
pub(crate) fn boot_id_at(path: &Path) -> Option<[u8; 16]> {
    let text = fs::read_to_string(path).ok()?;
    parse_boot_id(&text)
}

/// Parses a UUID, with or without its hyphens.
pub(crate) fn parse_boot_id(text: &str) -> Option<[u8; 16]> {
    let digits: String = text.trim().chars().filter(|&c| c != '-').collect();
    let is_uuid = digits.len() == 32 && digits.chars().all(|c| c.is_ascii_hexdigit());
    let number = u128::from_str_radix(&digits, 16).ok()?;
    is_uuid.then(|| number.to_be_bytes())
}

/// The offset in the line `monotonic <seconds> <nanoseconds>`, in ns.
fn parse_offsets(text: &str) -> Option<i64> {
    let line = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("monotonic"))?;
    let mut numbers = line.split_whitespace().map(str::parse::<i64>);
    let (seconds, nanoseconds) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    seconds.checked_mul(NS_PER_S)?.checked_add(nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_parsed_in_the_kernels_format() {
        for (text, expected) in [
            (
                "monotonic           0         0\nboottime            0         0\n",
                Some(0),
            ),
            (
                "monotonic  1000         5\nboottime 0 0\n",
                Some(1_000_000_000_005),
            ),
            (
                "monotonic         -2 500000000\nboottime 0 0\n",
                Some(-1_500_000_000),
            ),
            ("boottime 0 0\n", None),
            ("monotonic x 0\n", None),
            ("monotonic 9223372036854775807 0\n", None),
            ("", None),
        ] {
            assert_eq!(parse_offsets(text), expected, "{text:?}");
        }
    }

    #[test]
    fn only_a_uuid_is_accepted_as_boot_id() {
        let id = parse_boot_id("01234567-89ab-cdef-0123-456789abcdef\n").expect("a boot id");
        assert_eq!(&id[..4], [0x01, 0x23, 0x45, 0x67]);
        for text in [
            "",
            "first",
            "01234567-89ab-cdef-0123-456789abcde",
            "+1234567-89ab-cdef-0123-456789abcdef",
        ] {
            assert_eq!(parse_boot_id(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_identity_of_this_process_is_available() {
        let own = Identity::own().expect("an identity");
        assert!(own.is_known());
    }
}
