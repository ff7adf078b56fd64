//! Requests.
//!
//! Header, 20 bytes: version u8, packet type u8 = 1, two reserved bytes, command u16, attempt u16, sequence
//! u32, 8 bytes of padding. chronyd answers no request that is shorter than its reply would be
//! (an amplification guard), so requests are filled up with zeros.

use super::error::ParseError;
use super::protocol::VERSION;
use super::reply::REPLY_HEADER_BYTES;
use super::wire::{Address, Reader, Writer};

/// The size of a request's header in bytes.
pub const REQUEST_HEADER_BYTES: usize = 20;

const PACKET_TYPE: u8 = 1;

/// A question to chronyd, or an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// What the system clock is known to be.
    Tracking,
    /// How many sources there are.
    NSources,
    /// What is known of one source.
    SourceData {
        /// Counts from 0 to the number of sources.
        index: u32,
    },
    /// How one source fared in the last selection. chronyd 4.0 and later, unix socket only.
    SelectData {
        /// As above.
        index: u32,
    },
    /// How many sources are in which state.
    Activity,
    /// Drop all measurements of all sources (after the clock was set or suspended).
    ResetSources,
    /// Make a number of quick measurements.
    Burst(Burst),
}

/// Which sources to measure quickly, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burst {
    /// Which bits of the address count; unspecified for all sources.
    pub mask: Address,
    /// The sources' address.
    pub address: Address,
    /// How many good measurements are enough.
    pub good: i32,
    /// How many measurements to make at the most.
    pub total: i32,
}

impl Request {
    /// The command's number.
    #[must_use]
    pub fn command(&self) -> u16 {
        match self {
            Self::Burst(_) => 3,
            Self::NSources => 14,
            Self::SourceData { .. } => 15,
            Self::Tracking => 33,
            Self::Activity => 44,
            Self::ResetSources => 66,
            Self::SelectData { .. } => 69,
        }
    }

    /// The size of the data in the reply, in bytes.
    fn reply_data_bytes(&self) -> usize {
        match self {
            Self::Burst(_) | Self::ResetSources => 0,
            Self::NSources => 4,
            Self::SourceData { .. } | Self::SelectData { .. } => 48,
            Self::Tracking => 76,
            Self::Activity => 20,
        }
    }

    /// The packet that asks this under the number `sequence`.
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
            Self::SourceData { index } | Self::SelectData { index } => header.u32(index),
            Self::Burst(Burst {
                mask,
                address,
                good,
                total,
            }) => header.address(mask).address(address).i32(good).i32(total),
            Self::Tracking | Self::NSources | Self::Activity | Self::ResetSources => header,
        };
        packet.finish(REPLY_HEADER_BYTES + self.reply_data_bytes())
    }

    /// The request in a packet, and its sequence number.
    ///
    /// # Errors
    /// [`ParseError`] when it is none that is known here.
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
            3 => Self::Burst(Burst {
                mask: reader.address()?,
                address: reader.address()?,
                good: reader.i32()?,
                total: reader.i32()?,
            }),
            14 => Self::NSources,
            15 => Self::SourceData {
                index: reader.u32()?,
            },
            33 => Self::Tracking,
            44 => Self::Activity,
            66 => Self::ResetSources,
            69 => Self::SelectData {
                index: reader.u32()?,
            },
            other => return Err(ParseError::Command(other)),
        };
        Ok((sequence, request))
    }
}
