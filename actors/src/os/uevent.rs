//! The kernel's uevents, which report that the virtual machine has become another one.
//!
//! A message is `ACTION@DEVPATH` and then `KEY=VALUE`, each terminated by a zero byte. The driver
//! of VMGenID reports a new generation, after a restore from a snapshot, with `NEW_VMGENID=1`.
//! Sources: `lib/kobject_uevent.c` and `drivers/virt/vmgenid.c` of Linux.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recvfrom, socket,
};

/// The kernel's multicast group. Group 2 is for messages of udev.
const KERNEL_GROUP: u32 = 1;

/// The longest message of the kernel: 2 KiB of variables, and the header.
const MAX_MESSAGE_BYTES: usize = 8_192;

/// A socket that receives the kernel's uevents.
#[derive(Debug)]
pub struct UeventSocket(OwnedFd);

impl UeventSocket {
    /// Opens a socket that does not block. The kernel sends uevents to the network namespaces that
    /// the initial user namespace owns.
    ///
    /// # Errors
    /// Those of socket(2) and bind(2): a sandbox can forbid `AF_NETLINK`.
    pub fn open() -> io::Result<Self> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkKObjectUEvent,
        )?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, KERNEL_GROUP))?;
        Ok(Self(socket))
    }

    /// Receives one message, and returns whether the kernel reports a new generation of the
    /// virtual machine in it.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if there is none. `ENOBUFS` if messages were lost.
    pub fn receive(&self) -> io::Result<bool> {
        let mut buffer = [0; MAX_MESSAGE_BYTES];
        let (length, sender) = recvfrom::<NetlinkAddr>(self.0.as_raw_fd(), &mut buffer)?;
        // Other processes can send to the socket. The kernel's address is 0.
        let from_kernel = sender.is_some_and(|sender| sender.pid() == 0);
        Ok(from_kernel && is_new_generation(&buffer[..length.min(MAX_MESSAGE_BYTES)]))
    }
}

impl AsRawFd for UeventSocket {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.0.as_raw_fd()
    }
}

/// Whether this message reports a new generation of the virtual machine.
#[must_use]
pub fn is_new_generation(message: &[u8]) -> bool {
    let mut fields = message.split(|&byte| byte == 0);
    let header = fields.next().unwrap_or_default();
    header.contains(&b'@') && fields.any(|field| field == b"NEW_VMGENID=1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_new_generation_is_recognised_by_its_variable() {
        let device = "change@/devices/LNXSYSTM:00/QEMUVGID:00\0ACTION=change\0";
        for (variables, is_new) in [
            ("NEW_VMGENID=1\0SEQNUM=812\0", true),
            ("SEQNUM=812\0NEW_VMGENID=1\0", true),
            ("SEQNUM=812\0NEW_VMGENID=1", true),
            ("NEW_VMGENID=0\0", false),
            ("NEW_VMGENID=10\0", false),
            ("XNEW_VMGENID=1\0", false),
            ("NAME=NEW_VMGENID=1\0", false),
            ("", false),
        ] {
            let message = format!("{device}{variables}");
            assert_eq!(is_new_generation(message.as_bytes()), is_new, "{message:?}");
        }
        assert!(!is_new_generation(b"libudev\0NEW_VMGENID=1\0"));
        assert!(!is_new_generation(b"NEW_VMGENID=1\0"));
        assert!(!is_new_generation(b""));
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed(bytes: Vec<u8>) {
            let expected = bytes.iter().position(|&byte| byte == 0).is_some_and(|end| {
                bytes[..end].contains(&b'@')
                    && bytes[end..].split(|&byte| byte == 0).any(|field| field == b"NEW_VMGENID=1")
            });
            prop_assert_eq!(is_new_generation(&bytes), expected);
        }

        #[test]
        fn the_place_of_the_variable_does_not_matter(
            before in proptest::collection::vec("[A-Z]{1,8}=[a-z0-9]{0,8}", 0..5),
            after in proptest::collection::vec("[A-Z]{1,8}=[a-z0-9]{0,8}", 0..5),
        ) {
            let fields = [vec!["change@/x".to_owned()], before, vec!["NEW_VMGENID=1".to_owned()], after];
            let message = fields.concat().join("\0");
            prop_assert!(is_new_generation(message.as_bytes()));
        }
    }

    /// Its own process is not the kernel.
    #[test]
    fn messages_of_other_processes_are_ignored() {
        use nix::sys::socket::{MsgFlags, getsockname, sendto};
        use std::io::Write;
        let send_to_itself = || -> io::Result<UeventSocket> {
            let (socket, sender) = (UeventSocket::open()?, UeventSocket::open()?);
            let own = getsockname::<NetlinkAddr>(socket.as_raw_fd())?;
            let message = b"change@/x\0NEW_VMGENID=1\0";
            let to = NetlinkAddr::new(own.pid(), 0);
            sendto(sender.as_raw_fd(), message, &to, MsgFlags::empty())?;
            Ok(socket)
        };
        match send_to_itself() {
            Ok(socket) => {
                let received: Vec<bool> = std::iter::from_fn(|| socket.receive().ok()).collect();
                // The message that was sent, and any of the kernel.
                assert!(!received.is_empty());
                assert!(received.iter().all(|is_new| !is_new));
            }
            Err(err) => {
                let name = "messages_of_other_processes_are_ignored";
                let _ = writeln!(io::stdout(), "skipped: {name}: {err}");
            }
        }
    }
}
