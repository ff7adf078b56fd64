//! Replies.
//!
//! Header, 28 bytes: version u8, packet type u8 = 2, two reserved bytes, command u16, reply u16,
//! status u16, 6 bytes of padding, sequence u32, 8 bytes of padding.

use super::error::ParseError;
use super::protocol::{Status, VERSION};
use super::report::{SourceData, Tracking};
use super::wire::{Reader, Writer};

/// The size of a reply's header in bytes.
pub const REPLY_HEADER_BYTES: usize = 28;

const PACKET_TYPE: u8 = 2;

/// A reply of chronyd.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reply {
    /// Success, without data.
    Null,
    /// The report on one source.
    SourceData(SourceData),
    /// The tracking report.
    Tracking(Tracking),
}

impl Reply {
    /// The reply's number.
    #[must_use]
    pub fn code(&self) -> u16 {
        match self {
            Self::Null => 1,
            Self::SourceData(_) => 3,
            Self::Tracking(_) => 5,
        }
    }

    /// The reply's name in errors.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Null => "empty reply",
            Self::SourceData(_) => "source report",
            Self::Tracking(_) => "tracking report",
        }
    }

    /// The packet that replies to `command` with the sequence number `sequence`.
    #[must_use]
    pub fn encode(&self, command: u16, sequence: u32) -> Vec<u8> {
        let header = header(command, self.code(), Status::SUCCESS, sequence);
        let packet = match self {
            Self::Null => header,
            Self::SourceData(report) => report.write(header),
            Self::Tracking(report) => report.write(header),
        };
        packet.finish(0)
    }

    /// The packet that refuses `command` with `status`.
    #[must_use]
    pub fn encode_refusal(command: u16, sequence: u32, status: Status) -> Vec<u8> {
        header(command, Self::Null.code(), status, sequence).finish(0)
    }

    /// Parses a packet as the reply to `command` with the sequence number `sequence`.
    ///
    /// # Errors
    /// [`ParseError::NotOurs`] if the packet is not a reply to this request and has to be ignored.
    /// Any other error means that chronyd refused the request or that its reply is invalid.
    pub fn parse(packet: &[u8], command: u16, sequence: u32) -> Result<Self, ParseError> {
        if packet.len() < REPLY_HEADER_BYTES {
            return Err(ParseError::NotOurs);
        }
        let mut reader = Reader::new(packet);
        let (version, packet_type, _reserved) = (reader.u8()?, reader.u8()?, reader.u16()?);
        let (answered, code, status) = (reader.u16()?, reader.u16()?, Status(reader.u16()?));
        let _padding = (reader.u16()?, reader.u16()?, reader.u16()?);
        let number = reader.u32()?;
        let _padding = (reader.u32()?, reader.u32()?);
        // These fields precede the check of the version. They have the same place in all versions,
        // so a reply of another version is distinguished from a late reply.
        if (packet_type, answered, number) != (PACKET_TYPE, command, sequence) {
            return Err(ParseError::NotOurs);
        }
        if version != VERSION || status == Status::BAD_PACKET_VERSION {
            return Err(ParseError::Version(version));
        }
        if status != Status::SUCCESS {
            return Err(ParseError::Status(status));
        }
        match code {
            1 => Ok(Self::Null),
            3 => SourceData::read(&mut reader).map(Self::SourceData),
            5 => Tracking::read(&mut reader).map(Self::Tracking),
            other => Err(ParseError::ReplyKind(other)),
        }
    }
}

fn header(command: u16, code: u16, status: Status, sequence: u32) -> Writer {
    let header = Writer::new().u8(VERSION).u8(PACKET_TYPE).u16(0);
    let header = header
        .u16(command)
        .u16(code)
        .u16(status.0)
        .u16(0)
        .u16(0)
        .u16(0);
    header.u32(sequence).u32(0).u32(0)
}
