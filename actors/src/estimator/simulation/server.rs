//! A server of chronyd, correct or not, and the measurements of it that chronyd has.
//!
//! A kept measurement is adjusted when chronyd corrects the clock, as chronyd 4.3 does it
//! (`sourcestats.c`, `SST_SlewSamples`).

use std::net::Ipv4Addr;

use super::random::Rng;
use crate::chrony::{Address, SourceState};
use crate::time::NS_PER_S;

/// A measurement as chronyd keeps it.
#[derive(Clone, Copy, Debug)]
pub struct Measurement {
    /// When, in chronyd's corrected time.
    pub time_ns: i64,
    pub offset_ns: i64,
    pub original_ns: i64,
    pub error_ns: i64,
    pub raw_ns: i64,
}

#[derive(Clone, Debug)]
pub struct Server {
    pub address: u32,
    pub poll: i32,
    pub is_honest: bool,
    pub declared_ns: i64,
    pub lie_ns: i64,
    pub path_ns: i64,
    pub listed: bool,
    pub reach: u16,
    pub state: SourceState,
    pub last: Option<Measurement>,
    /// The request under way: corrected time when it was sent.
    pub sent_ns: Option<i64>,
    pub served_ns: i64,
    rng: Rng,
}

impl Server {
    pub fn new(address: u32, poll: i32, is_honest: bool, mut rng: Rng) -> Self {
        Self {
            address,
            poll,
            is_honest,
            declared_ns: rng.scale(1e3, 3e7) as i64,
            lie_ns: 0,
            path_ns: rng.scale(2e4, 5e7) as i64,
            listed: true,
            reach: 0,
            state: if rng.chance(0.5) {
                SourceState::Selectable
            } else {
                SourceState::Unselected
            },
            last: None,
            sent_ns: None,
            served_ns: 0,
            rng,
        }
    }

    pub fn key(&self) -> Address {
        address(self.address)
    }

    /// The delays to the server and back.
    pub fn delays_ns(&mut self) -> (i64, i64) {
        let total = self.path_ns as f64 * (1.0 - self.rng.unit().ln() * self.rng.unit());
        let total = total.min(0.9 * NS_PER_S as f64);
        let share = match self.rng.below(4) {
            0 => 0.0,
            1 => 1.0,
            _ => self.rng.unit(),
        };
        let there = total * share;
        (there as i64, (total - there) as i64)
    }

    /// Changes the error of the server: within its declared error, or not.
    pub fn lie(&mut self, lies: bool) {
        let rng = &mut self.rng;
        if !self.is_honest {
            if rng.chance(0.1) {
                self.lie_ns = (rng.sign() * rng.scale(1e3, 1e9)) as i64;
            }
            return;
        }
        if !lies {
            return;
        }
        if rng.chance(0.05) {
            self.declared_ns = rng.scale(1e3, 3e7) as i64;
        }
        let declared = self.declared_ns as f64;
        let lie = match rng.below(8) {
            0 => declared,
            1 => -declared,
            2 => rng.within(-declared, declared),
            3 | 4 => self.lie_ns as f64 + rng.within(-0.2, 0.2) * declared,
            _ => self.lie_ns as f64,
        };
        self.lie_ns = lie.clamp(-declared, declared) as i64;
    }

    pub fn adjust(&mut self, corrected_ns: i64, dfreq: f64, doffset_ns: i64) {
        let delta =
            |time_ns: i64| ((corrected_ns - time_ns) as f64 * dfreq).round() as i64 - doffset_ns;
        if let Some(last) = &mut self.last {
            let delta_ns = delta(last.time_ns);
            last.time_ns += delta_ns;
            last.offset_ns += delta_ns;
        }
        if let Some(sent_ns) = &mut self.sent_ns {
            *sent_ns += delta(*sent_ns);
        }
    }
}

pub fn address(number: u32) -> Address {
    Address::V4(Ipv4Addr::from_bits(number))
}
