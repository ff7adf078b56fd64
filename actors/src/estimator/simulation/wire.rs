//! What chronyd answers, as chronyd 4.3 makes it: ages are differences of whole seconds, floats
//! have 25 bits (`util.c`).

use super::host::Host;
use super::server::address;
use crate::chrony::{Address, ChronyPoll, Leap, SourceData, SourceMode, SourceState, Tracking};
use crate::time::NS_PER_S;

impl Host {
    /// What chronyd answers at `raw_ns`.
    pub fn report(&mut self, raw_ns: i64, all: bool) -> ChronyPoll {
        let corrected_ns = self.corrected.at(raw_ns);
        let correction_ns = corrected_ns - self.realtime.at(raw_ns);
        let selected = self.selected.filter(|&n| self.servers[n].listed);
        let tracking = Tracking {
            ref_id: selected.map_or(0, |n| self.servers[n].address),
            address: selected.map_or(Address::Unspecified, |n| address(self.servers[n].address)),
            stratum: 2,
            leap: selected.map_or(Leap::Unsynchronized, |_| self.leap),
            ref_time_ns: self.ref_time_ns,
            current_correction_s: on_wire(correction_ns),
            last_offset_s: 0.0,
            rms_offset_s: 0.0,
            freq_ppm: quantised(self.frequency * 1e6),
            resid_freq_ppm: 0.0,
            skew_ppm: 0.01,
            root_delay_s: 0.001,
            root_dispersion_s: 0.001,
            last_update_interval_s: 64.0,
        };
        let second = |ns: i64| ns.div_euclid(NS_PER_S);
        let sources = self
            .servers
            .iter()
            .enumerate()
            .filter(|(_, server)| server.listed);
        let sources = sources.map(|(n, server)| SourceData {
            address: address(server.address),
            poll: server.poll as i16,
            stratum: 1,
            state: match (selected == Some(n), server.is_honest, server.last) {
                (true, ..) => SourceState::Selected,
                (_, _, None) => SourceState::Nonselectable,
                (_, false, _) => SourceState::Falseticker,
                _ => server.state,
            },
            mode: SourceMode::Client,
            flags: 0,
            reachability: server.reach,
            since_sample_s: server.last.map_or(u32::MAX, |last| {
                ((corrected_ns - second(last.time_ns) * NS_PER_S) / NS_PER_S) as u32
            }),
            original_offset_s: server.last.map_or(0.0, |last| on_wire(last.original_ns)),
            offset_s: server.last.map_or(0.0, |last| on_wire(last.offset_ns)),
            offset_error_s: server.last.map_or(0.0, |last| on_wire(last.error_ns)),
        });
        let mut sources: Vec<SourceData> = sources.collect();
        if !all {
            let rng = &mut self.rng;
            sources.retain(|_| rng.chance(0.7));
        }
        ChronyPoll {
            tracking,
            sources,
            complete: all,
        }
    }
}

fn on_wire(ns: i64) -> f64 {
    quantised(ns as f64 / 1e9)
}

/// What is left of a value in chrony's float of 25 bits.
pub fn quantised(value: f64) -> f64 {
    let size = value.abs();
    if size < 1e-18 {
        return 0.0;
    }
    let most = (1i64 << 24) - 1 + i64::from(value < 0.0);
    let mut exponent = (size.ln() / 2f64.ln() + 1.0) as i32;
    let mut coefficient = (size * 2f64.powi(25 - exponent) + 0.5) as i64;
    while coefficient > most {
        coefficient >>= 1;
        exponent += 1;
    }
    (coefficient as f64 * 2f64.powi(exponent - 25)).copysign(value)
}
