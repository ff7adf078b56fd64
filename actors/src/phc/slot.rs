//! Resolves the name of an interface to the PCI slot of its device.

use std::fmt;
use std::path::{Path, PathBuf};

use super::error::PhcError;
use super::file::read_start;

/// The kernel's `IFNAMSIZ` without the terminating zero, in bytes.
const MAX_INTERFACE_BYTES: usize = 15;
/// The maximum size of a sysfs file: one page, in bytes.
const MAX_UEVENT_BYTES: u64 = 4096;

/// A PCI address. It is stored as numbers, so a path with it cannot contain anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PciSlot {
    domain: u32,
    bus: u8,
    device: u8,
    function: u8,
}

impl PciSlot {
    /// Parses `dddd:bb:dd.f` as the kernel prints it: lower-case hexadecimal with all digits. The
    /// domain has four digits, or up to eight if necessary.
    pub fn parse(text: &str) -> Option<Self> {
        let (domain, rest) = text.split_once(':')?;
        let (bus, rest) = rest.split_once(':')?;
        let (device, function) = rest.split_once('.')?;
        let domain_digits = domain.len().clamp(4, 8);
        let slot = Self {
            domain: hex(domain, domain_digits)?,
            bus: u8::try_from(hex(bus, 2)?).ok()?,
            device: u8::try_from(hex(device, 2)?).ok()?,
            function: u8::try_from(hex(function, 1)?).ok()?,
        };
        // Only the text that the kernel prints is accepted. "00010000:.." has a superfluous digit.
        (slot.device < 32 && slot.function < 8 && slot.to_string() == text).then_some(slot)
    }

    /// The file below `sys_root` in which the driver of this device publishes the error bound.
    pub fn error_bound_path(&self, sys_root: &Path) -> PathBuf {
        sys_root
            .join("bus/pci/devices")
            .join(self.to_string())
            .join("phc_error_bound")
    }
}

impl fmt::Display for PciSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            domain,
            bus,
            device,
            function,
        } = self;
        write!(f, "{domain:04x}:{bus:02x}:{device:02x}.{function}")
    }
}

fn hex(text: &str, digits: usize) -> Option<u32> {
    // `from_str_radix` also accepts a plus sign.
    let all_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if text.len() != digits || !all_hex {
        return None;
    }
    u32::from_str_radix(text, 16).ok()
}

/// Checks that the kernel allows this interface name. Only such names are used in paths.
///
/// # Errors
/// [`PhcError::BadInterface`].
pub fn check_interface_name(name: &str) -> Result<(), PhcError> {
    let forbidden =
        |c: char| c == '/' || c == ':' || c == '\0' || c.is_ascii_whitespace() || c == '\x0b';
    if matches!(name, "" | "." | "..")
        || name.len() > MAX_INTERFACE_BYTES
        || name.contains(forbidden)
    {
        return Err(PhcError::BadInterface {
            name: name.to_owned(),
        });
    }
    Ok(())
}

/// The PCI slot of a network interface's device. `sys_root` is [`super::SYS_ROOT`], except in
/// tests.
///
/// # Errors
/// [`PhcError::BadInterface`], [`PhcError::NoInterface`], [`PhcError::NoSlot`] for an interface
/// that is not a PCI device, [`PhcError::BadSlot`] and [`PhcError::Unreadable`].
pub fn resolve_slot(sys_root: &Path, interface: &str) -> Result<PciSlot, PhcError> {
    check_interface_name(interface)?;
    let name = || interface.to_owned();
    let directory = sys_root.join("class/net").join(interface);
    let uevent = match read_start(&directory.join("device/uevent"), MAX_UEVENT_BYTES) {
        Ok(uevent) => uevent,
        Err(PhcError::Missing { .. }) if directory.exists() => {
            return Err(PhcError::NoSlot { name: name() });
        }
        Err(PhcError::Missing { .. }) => return Err(PhcError::NoInterface { name: name() }),
        Err(err) => return Err(err),
    };
    let uevent = String::from_utf8_lossy(&uevent);
    let text = uevent
        .lines()
        .find_map(|line| line.strip_prefix("PCI_SLOT_NAME="))
        .ok_or_else(|| PhcError::NoSlot { name: name() })?;
    PciSlot::parse(text).ok_or_else(|| PhcError::BadSlot {
        text: text.chars().take(MAX_SLOT_SHOWN).collect(),
    })
}

/// The number of characters of an invalid slot that an error quotes.
const MAX_SLOT_SHOWN: usize = 32;

#[cfg(test)]
mod tests {
    use super::super::PhcErrorKind::*;
    use super::super::scratch::FakeSys;
    use super::*;
    use proptest::prelude::*;

    const UEVENT: &str = "DRIVER=ena\nPCI_CLASS=20000\nPCI_ID=1D0F:EC20\n\
                          PCI_SLOT_NAME=0000:00:05.0\nMODALIAS=pci:v00001D0Fd0000EC20\n";

    #[test]
    fn only_slots_in_the_kernels_format_are_parsed() {
        for good in [
            "0000:00:05.0",
            "0000:ff:1f.7",
            "ffff:3b:00.1",
            "10000:e1:00.0",
            "ffffffff:00:00.0",
        ] {
            let slot = PciSlot::parse(good).unwrap();
            assert_eq!(slot.to_string(), good);
        }
        for bad in [
            "",
            ":",
            "0000:00:05",
            "00:05.0",
            "000:00:05.0",
            "00000:00:05.0",
            "100000000:00:05.0",
            "0000:0:05.0",
            "0000:000:05.0",
            "0000:00:20.0",
            "0000:00:05.8",
            "0000:00:05.00",
            "0000:00:5.0",
            "0000:00:05.0 ",
            " 0000:00:05.0",
            "0000:00:05.0\r",
            "0000:00:05.0/..",
            "+000:00:05.0",
            "0000:+0:05.0",
            "0000:FF:05.0",
            "000g:00:05.0",
            "../../../../etc",
            "/etc/passwd",
            "0000:00:05.0\0",
            "\u{0660}000:00:05.0",
        ] {
            assert_eq!(PciSlot::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn an_interface_is_resolved_to_the_file_of_its_slot() {
        let sys = FakeSys::new();
        sys.write("class/net/eth0/device/uevent", UEVENT);
        let slot = resolve_slot(sys.root(), "eth0").unwrap();
        assert_eq!(
            slot.error_bound_path(sys.root()),
            sys.root()
                .join("bus/pci/devices/0000:00:05.0/phc_error_bound")
        );
    }

    #[test]
    fn invalid_interface_names_are_refused_before_a_path_is_used() {
        let sys = FakeSys::new();
        // A name with a '/' would resolve to this file.
        sys.write("class/eth0/device/uevent", UEVENT);
        for name in [
            "",
            ".",
            "..",
            "../eth0",
            "/etc",
            "a/b",
            "a:0",
            "a b",
            "a\tb",
            "a\x0bb",
            "a\n",
            "a\0",
            "abcdefghijklmnop",
            "ääääääää",
        ] {
            let err = resolve_slot(sys.root(), name).unwrap_err();
            assert_eq!(err.kind(), BadInterface, "{name:?}");
            assert_eq!(err.to_string().lines().count(), 1);
        }
        for name in [
            "a",
            "lo",
            "eth0.100",
            "enp0s3",
            "...",
            "abcdefghijklmno",
            "ä",
        ] {
            assert!(check_interface_name(name).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn each_interface_without_a_usable_slot_has_a_specific_error() {
        let sys = FakeSys::new();
        sys.write("class/net/lo/uevent", "INTERFACE=lo\n");
        sys.write("class/net/virtio/device/uevent", "DRIVER=virtio_net\n");
        sys.write("class/net/empty/device/uevent", "");
        sys.write(
            "class/net/late/device/uevent",
            "X=PCI_SLOT_NAME=0000:00:05.0\n",
        );
        sys.write("class/net/odd/device/uevent", "PCI_SLOT_NAME=../../..\n");
        sys.write("class/net/bytes/device/uevent", b"PCI_SLOT_NAME=\xff\xff\n");
        sys.write(
            "class/net/long/device/uevent",
            format!("PCI_SLOT_NAME={}\n", "0".repeat(100_000)),
        );
        sys.write("class/net/dir/device/uevent/x", "");
        for (name, kind) in [
            ("absent", NoInterface),
            ("lo", NoSlot),
            ("virtio", NoSlot),
            ("empty", NoSlot),
            ("late", NoSlot),
            ("odd", BadSlot),
            ("bytes", BadSlot),
            ("long", BadSlot),
            ("dir", Unreadable),
        ] {
            let err = resolve_slot(sys.root(), name).unwrap_err();
            assert_eq!(err.kind(), kind, "{name}: {err}");
            assert!(err.to_string().len() < 400, "{err}");
        }
    }

    proptest! {
        #[test]
        fn every_slot_survives_a_round_trip(
            domain: u32, bus: u8, device in 0_u8..32, function in 0_u8..8
        ) {
            let slot = PciSlot { domain, bus, device, function };
            prop_assert_eq!(PciSlot::parse(&slot.to_string()), Some(slot));
        }

        #[test]
        fn no_text_results_in_a_path_outside_the_directory(text: String) {
            if let Some(slot) = PciSlot::parse(&text) {
                let path = slot.error_bound_path(Path::new("/sys"));
                prop_assert_eq!(path.components().count(), 7);
            }
        }
    }
}
