//! Requests.
//!
//! Header, 20 bytes: version u8, packet type u8 = 1, two reserved bytes, command u16, attempt u16,
//! sequence u32, 8 bytes of padding. chronyd ignores a request that is shorter than its reply (to
//! prevent amplification), so requests are padded with zeros.

use super::error::ParseError;
use super::protocol::VERSION;
use super::reply::REPLY_HEADER_BYTES;
use super::wire::{Address, Reader, Writer};

/// The size of a request's header in bytes.
pub const REQUEST_HEADER_BYTES: usize = 20;

const PACKET_TYPE: u8 = 1;

/// A request to chronyd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// The tracking report.
    Tracking,
    /// The report on one source.
    SourceData {
        /// The source's index, from 0.
        index: u32,
    },
    /// Forget all measurements and outstanding requests of all sources. chronyd 4.0 and later.
    ResetSources,
    /// Poll all NTP sources quickly.
    Burst {
        /// How many good measurements of each source end its burst.
        good: i32,
        /// How many requests to each source end its burst.
        total: i32,
    },
}

impl Request {
    /// The command's number.
    #[must_use]
    pub fn command(&self) -> u16 {
        match self {
            Self::Burst { .. } => 3,
            Self::SourceData { .. } => 15,
            Self::Tracking => 33,
            Self::ResetSources => 66,
        }
    }

    /// The size of the data in the reply, in bytes.
    fn reply_data_bytes(&self) -> usize {
        match self {
            Self::SourceData { .. } => 48,
            Self::Tracking => 76,
            Self::ResetSources | Self::Burst { .. } => 0,
        }
    }

    /// The packet with this request and the sequence number `sequence`.
    #[must_use]
    pub fn encode(&self, sequence: u32) -> Vec<u8> {
        let header = Writer::new()
            .u8(VERSION)
            .u8(PACKET_TYPE)
            .u16(0)
            .u16(self.command())
            .u16(0);
        let header = header.u32(sequence).u32(0).u32(0);
        let packet = match *self {
            Self::SourceData { index } => header.u32(index),
            Self::Tracking | Self::ResetSources => header,
            // Mask and address: those of family 0 match every source.
            Self::Burst { good, total } => header
                .address(Address::Unspecified)
                .address(Address::Unspecified)
                .u32(good.cast_unsigned())
                .u32(total.cast_unsigned()),
        };
        packet.finish(REPLY_HEADER_BYTES + self.reply_data_bytes())
    }

    /// Parses a packet; returns the sequence number and the request.
    ///
    /// # Errors
    /// [`ParseError`] if the packet is not a known request.
    pub fn parse(packet: &[u8]) -> Result<(u32, Self), ParseError> {
        let mut reader = Reader::new(packet);
        let (version, packet_type, _reserved) = (reader.u8()?, reader.u8()?, reader.u16()?);
        if packet_type != PACKET_TYPE {
            return Err(ParseError::PacketType(packet_type));
        }
        if version != VERSION {
            return Err(ParseError::Version(version));
        }
        let (command, _attempt, sequence) = (reader.u16()?, reader.u16()?, reader.u32()?);
        let _padding = (reader.u32()?, reader.u32()?);
        let request = match command {
            15 => Self::SourceData {
                index: reader.u32()?,
            },
            33 => Self::Tracking,
            66 => Self::ResetSources,
            3 => {
                let (_mask, _address) = (reader.address()?, reader.address()?);
                let (good, total) = (reader.u32()?, reader.u32()?);
                Self::Burst {
                    good: good.cast_signed(),
                    total: total.cast_signed(),
                }
            }
            other => return Err(ParseError::Command(other)),
        };
        Ok((sequence, request))
    }
}
