//! The world of the simulation: an oscillator, UTC, `CLOCK_REALTIME`, and a chronyd with its sources.
//!
//! What the estimator reads is as chronyd 4.3 makes it: samples are adjusted when it corrects the clock
//! (`sourcestats.c`, `SST_SlewSamples`), ages are differences of whole seconds, floats have 25 bits (`util.c`).

use std::net::Ipv4Addr;

use crate::chrony::{Address, ChronyPoll, Leap, SourceData, SourceMode, SourceState, Tracking};
use crate::clocks::Readings;
use crate::time::NS_PER_S;

/// splitmix64.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut new = Self(seed ^ stream.wrapping_mul(0xd134_2543_de82_ef95));
        new.next();
        new
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn within(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.unit()
    }

    pub fn ns(&mut self, from: i64, to: i64) -> i64 {
        self.within(from as f64, to as f64) as i64
    }

    pub fn below(&mut self, number: usize) -> usize {
        (self.unit() * number as f64) as usize
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Evenly spread over the logarithm.
    pub fn scale(&mut self, from: f64, to: f64) -> f64 {
        self.within(from.ln(), to.ln()).exp()
    }

    /// -1 or 1.
    pub fn sign(&mut self) -> f64 {
        if self.chance(0.5) { 1.0 } else { -1.0 }
    }
}

/// A clock that gains on `CLOCK_MONOTONIC_RAW` at a rate that changes evenly.
#[derive(Clone, Copy, Debug, Default)]
pub struct Line {
    pub raw_ns: i64,
    pub value_ns: i64,
    pub rate: f64,
    /// Change of the rate per ns.
    pub change: f64,
}

impl Line {
    pub fn at(&self, raw_ns: i64) -> i64 {
        let elapsed_ns = raw_ns - self.raw_ns;
        let elapsed = elapsed_ns as f64;
        let gained = elapsed * (self.rate + self.change * elapsed / 2.0);
        self.value_ns + elapsed_ns + gained.round() as i64
    }

    pub fn rate_at(&self, raw_ns: i64) -> f64 {
        self.rate + self.change * (raw_ns - self.raw_ns) as f64
    }

    pub fn turn(&mut self, raw_ns: i64, rate: f64, change: f64) {
        let value_ns = self.at(raw_ns);
        *self = Self {
            raw_ns,
            value_ns,
            rate,
            change,
        };
    }
}

/// A measurement as chronyd keeps it.
#[derive(Clone, Copy, Debug)]
pub struct Measurement {
    /// When, in chronyd's corrected time.
    time_ns: i64,
    offset_ns: i64,
    original_ns: i64,
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
    reach: u16,
    state: SourceState,
    pub last: Option<Measurement>,
    /// The request under way: corrected time when it was sent.
    sent_ns: Option<i64>,
    served_ns: i64,
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

    /// Another lie: within what is declared, or not.
    fn lie(&mut self, lies: bool) {
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

    fn adjust(&mut self, corrected_ns: i64, dfreq: f64, doffset_ns: i64) {
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

/// What the world can do, drawn from the seed.
#[derive(Clone, Copy, Debug)]
pub struct Oscillator {
    pub drift: f64,
    /// The span in which the rate stays in a band of twice the drift rate... of the drift rate, ns.
    pub span_ns: f64,
    /// The largest change of the rate per ns.
    pub wander: Option<f64>,
    centre: f64,
    velocity: f64,
}

impl Oscillator {
    pub fn new(drift: f64, span_ns: f64, wander: Option<f64>, rng: &mut Rng) -> Self {
        let room = 499e-6 - drift / 2.0;
        let fastest = drift * 0.47 / span_ns;
        let velocity = fastest.min(wander.map_or(f64::MAX, |wander| wander * 0.3));
        Self {
            drift,
            span_ns,
            wander,
            centre: rng.within(-room.max(0.0), room.max(0.0)),
            velocity: velocity * rng.sign(),
        }
    }

    /// Turns the rate of UTC to something else that keeps to the premises; returns for how long, ns.
    pub fn turn(&mut self, utc: &mut Line, raw_ns: i64, rng: &mut Rng) -> i64 {
        let longest = (self.span_ns / 30.0).clamp(2e9, 4e12);
        let length = rng.scale(1e9, longest);
        if rng.chance(0.1)
            || (self.centre + self.velocity * length).abs() > 499e-6 - self.drift / 2.0
        {
            self.velocity = -self.centre.signum() * self.velocity.abs();
        }
        let tube = |centre: f64, rng: &mut Rng| {
            let half = self.drift * 0.24;
            let at = match rng.below(4) {
                0 => -1.0,
                1 => 1.0,
                _ => rng.within(-1.0, 1.0),
            };
            (centre + half * at).clamp(-499e-6, 499e-6)
        };
        let mut from = utc.rate_at(raw_ns);
        if raw_ns == utc.raw_ns || (self.wander.is_none() && rng.chance(0.5)) {
            from = tube(self.centre, rng);
        }
        self.centre += self.velocity * length;
        let mut to = tube(self.centre, rng);
        if let Some(wander) = self.wander {
            to = to.clamp(from - wander * length * 0.98, from + wander * length * 0.98);
        }
        utc.turn(raw_ns, from, (to - from) / length);
        length as i64
    }
}

/// Clocks and chronyd.
#[derive(Debug)]
pub struct World {
    pub utc: Line,
    pub realtime: Line,
    /// chronyd's corrected time.
    corrected: Line,
    /// What somebody else makes `CLOCK_REALTIME` gain.
    foreign: f64,
    frequency: f64,
    slew: f64,
    /// Whether chronyd steers `CLOCK_REALTIME`; otherwise it only computes (`-x`).
    pub steers: bool,
    pub servers: Vec<Server>,
    pub selected: Option<usize>,
    pub leap: Leap,
    pub suspended_ns: i64,
    pub down_until_ns: i64,
    ref_time_ns: i64,
    pub rng: Rng,
}

impl World {
    pub fn new(raw_ns: i64, utc_ns: i64, steers: bool, servers: Vec<Server>, mut rng: Rng) -> Self {
        let clock = |value_ns| Line {
            raw_ns,
            value_ns,
            ..Line::default()
        };
        let realtime = clock(utc_ns + rng.ns(-NS_PER_S, NS_PER_S));
        Self {
            utc: clock(utc_ns),
            realtime,
            corrected: realtime,
            foreign: 0.0,
            frequency: 0.0,
            slew: 0.0,
            steers,
            servers,
            selected: None,
            leap: Leap::Normal,
            suspended_ns: 0,
            down_until_ns: 0,
            ref_time_ns: 0,
            rng,
        }
    }

    fn set_rates(&mut self, raw_ns: i64) {
        let own = if self.steers {
            self.slew - self.frequency
        } else {
            0.0
        };
        self.realtime.turn(raw_ns, self.foreign + own, 0.0);
        self.corrected
            .turn(raw_ns, self.foreign - self.frequency, 0.0);
    }

    /// Somebody sets the clock: chronyd's time moves with it.
    pub fn set(&mut self, by_ns: i64) {
        self.realtime.value_ns += by_ns;
        self.corrected.value_ns += by_ns;
        if by_ns.abs() > 10 * NS_PER_S {
            // chronyd notices.
            self.servers
                .iter_mut()
                .for_each(|server| server.last = None);
        }
    }

    /// Somebody changes the rate of the clock; not while chronyd slews it: what is seen of the clock then is the sum of both.
    pub fn steer(&mut self, raw_ns: i64, rate: f64) {
        if self.slew == 0.0 {
            self.foreign = rate;
            self.set_rates(raw_ns);
        }
    }

    /// chronyd corrects its idea of frequency and offset, by stepping or slewing; returns when the slew is over.
    pub fn correct(
        &mut self,
        raw_ns: i64,
        frequency: f64,
        doffset_ns: i64,
        step: bool,
    ) -> Option<i64> {
        let dfreq = (frequency - self.frequency) / (1.0 - self.frequency);
        let corrected_ns = self.corrected.at(raw_ns);
        for server in &mut self.servers {
            server.adjust(corrected_ns, dfreq, doffset_ns);
        }
        self.corrected.value_ns -= doffset_ns;
        self.frequency = frequency;
        if self.steers {
            // It sets the whole rate.
            self.foreign = 0.0;
        }
        if step && self.steers {
            self.realtime.value_ns -= doffset_ns;
        }
        self.ref_time_ns = corrected_ns;
        let left_ns = self.corrected.at(raw_ns) - self.realtime.at(raw_ns);
        let rate = [0.08, 0.001, 0.000_5][self.rng.below(3)];
        self.slew = if left_ns == 0 {
            0.0
        } else {
            rate * left_ns.signum() as f64
        };
        self.set_rates(raw_ns);
        self.steers
            .then(|| raw_ns + (left_ns as f64 / self.slew) as i64)
    }

    /// The slew is over, if this is when it is.
    pub fn end_slew(&mut self, raw_ns: i64) {
        let left_ns = self.corrected.at(raw_ns) - self.realtime.at(raw_ns);
        if left_ns.abs() < 100_000 {
            self.slew = 0.0;
            self.set_rates(raw_ns);
        }
    }

    pub fn begin_exchange(&mut self, index: usize, raw_ns: i64) {
        let sent_ns = self.corrected.at(raw_ns);
        self.servers[index].sent_ns = Some(sent_ns);
    }

    /// The server answers.
    pub fn serve(&mut self, index: usize, raw_ns: i64, lies: bool) {
        let utc_ns = self.utc.at(raw_ns);
        let server = &mut self.servers[index];
        server.lie(lies);
        server.served_ns = utc_ns + server.lie_ns;
    }

    /// The answer is here; whether chronyd takes it, `None` when the poll failed.
    pub fn end_exchange(&mut self, index: usize, raw_ns: i64, taken: Option<bool>) {
        let received_ns = self.corrected.at(raw_ns);
        let server = &mut self.servers[index];
        server.reach = (server.reach << 1 | u16::from(taken.is_some())) & 0xff;
        let Some(sent_ns) = server.sent_ns.take().filter(|_| taken == Some(true)) else {
            return;
        };
        let delay_ns = (received_ns - sent_ns).max(1_000);
        let time_ns = sent_ns.midpoint(received_ns);
        let offset_ns = time_ns - server.served_ns;
        server.last = Some(Measurement {
            time_ns,
            offset_ns,
            original_ns: offset_ns,
            error_ns: delay_ns / 2 + server.declared_ns + 30,
            raw_ns,
        });
    }

    /// chronyd selects one, and corrects its clock; returns when the slew is over.
    pub fn update(
        &mut self,
        index: usize,
        raw_ns: i64,
        reselects: bool,
        wrong: bool,
        eligible: impl Fn(&Server) -> bool,
    ) -> Option<i64> {
        let good = |server: &Server| server.listed && server.last.is_some() && server.reach != 0;
        let gone = self.selected.is_none_or(|selected| {
            !self.servers[selected].listed || self.servers[selected].last.is_none()
        });
        let dead = self
            .selected
            .is_some_and(|selected| self.servers[selected].reach == 0);
        if gone || (dead && self.rng.chance(0.3)) || (reselects && self.rng.chance(0.03)) {
            let all: Vec<usize> = (0..self.servers.len())
                .filter(|&n| good(&self.servers[n]) && eligible(&self.servers[n]))
                .collect();
            if !all.is_empty() {
                self.selected = Some(all[self.rng.below(all.len())]);
            }
        }
        if self.selected != Some(index) || !good(&self.servers[index]) {
            return None;
        }
        let offset_ns = self.servers[index].last.map_or(0, |last| last.offset_ns);
        let frequency = if wrong && self.rng.chance(0.1) {
            self.rng.within(-500e-6, 500e-6)
        } else {
            let own = -self.utc.rate_at(raw_ns) + self.foreign * f64::from(u8::from(!self.steers));
            (own + self.rng.within(-1e-7, 1e-7)).clamp(-500e-6, 500e-6)
        };
        let step = self.rng.chance(0.05);
        let share = self.rng.unit();
        self.correct(raw_ns, frequency, (offset_ns as f64 * share) as i64, step)
    }

    /// chronyd is started again.
    pub fn restart_chronyd(&mut self, raw_ns: i64, down_ns: i64) {
        for server in &mut self.servers {
            (server.last, server.reach, server.sent_ns) = (None, 0, None);
        }
        self.selected = None;
        self.slew = 0.0;
        self.corrected = self.realtime;
        self.corrected.turn(raw_ns, 0.0, 0.0);
        self.set_rates(raw_ns);
        self.down_until_ns = raw_ns + down_ns;
    }

    /// The machine sleeps: `CLOCK_MONOTONIC_RAW` stands still.
    pub fn suspend(&mut self, for_ns: i64, error_ns: i64) {
        self.utc.value_ns += for_ns;
        self.suspended_ns += for_ns;
        self.set(for_ns + error_ns);
    }

    pub fn readings(&mut self, raw_ns: i64) -> Readings {
        let longest = if self.rng.chance(0.02) {
            2_000_000
        } else {
            1_000
        };
        let gap_ns = self.rng.ns(0, longest);
        let realtime_ns = self.realtime.at(raw_ns + self.rng.ns(-gap_ns, gap_ns));
        Readings {
            coarse_ns: raw_ns,
            raw_ns,
            realtime_ns,
            gap_ns,
            kernel_ppb: None,
            suspended_ns: self.suspended_ns,
        }
    }

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
            refused: false,
        }
    }
}

fn address(number: u32) -> Address {
    Address::V4(Ipv4Addr::from_bits(number))
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
