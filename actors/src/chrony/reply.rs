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

/// What chronyd answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reply {
    /// Done, and nothing to tell.
    Null,
    /// What is known of one source.
    SourceData(SourceData),
    /// What the system clock is known to be.
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

    /// What it is called in errors.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Null => "empty reply",
            Self::SourceData(_) => "source report",
            Self::Tracking(_) => "tracking report",
        }
    }

    /// The packet that answers `command` under the number `sequence`.
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

    /// The reply to `command` under the number `sequence` in a packet.
    ///
    /// # Errors
    /// [`ParseError::NotOurs`] when it is no reply to this question, to be ignored; anything
    /// else is an answer that cannot be relied on.
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
        // Before the version: all versions have these in the same place, so a chronyd of
        // another version can be told apart from a late reply.
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
