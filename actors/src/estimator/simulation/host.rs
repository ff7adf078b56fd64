//! The host: UTC, `CLOCK_REALTIME`, and a chronyd that corrects it.

use super::line::Line;
use super::random::Rng;
use super::server::{Measurement, Server};
use crate::chrony::Leap;
use crate::time::{CoarseInstant, NS_PER_S, RawInstant, Readings, RealtimeInstant};

/// Clocks and chronyd.
#[derive(Debug)]
pub struct Host {
    pub utc: Line,
    pub realtime: Line,
    /// chronyd's corrected time.
    pub corrected: Line,
    /// The rate that another program gives `CLOCK_REALTIME`.
    foreign: f64,
    pub frequency: f64,
    slew: f64,
    /// Whether chronyd steers `CLOCK_REALTIME`; otherwise it only computes (`-x`).
    pub steers: bool,
    pub servers: Vec<Server>,
    pub selected: Option<usize>,
    pub leap: Leap,
    pub suspended_ns: i64,
    pub down_until_ns: i64,
    pub ref_time_ns: i64,
    pub rng: Rng,
}

impl Host {
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

    /// Somebody changes the rate of the clock; not while chronyd slews it: what is seen of the
    /// clock then is the sum of both.
    pub fn steer(&mut self, raw_ns: i64, rate: f64) {
        if self.slew == 0.0 {
            self.foreign = rate;
            self.set_rates(raw_ns);
        }
    }

    /// chronyd corrects its idea of frequency and offset, by stepping or slewing; returns when the
    /// slew is over.
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

    /// A virtual machine is paused: none of its clocks counts the pause.
    pub fn pause(&mut self, for_ns: i64) {
        self.utc.value_ns += for_ns;
    }

    /// chronyd forgets its measurements and outstanding requests.
    pub fn reset_sources(&mut self) {
        for server in &mut self.servers {
            (server.last, server.sent_ns) = (None, None);
        }
    }

    /// True time at `raw_ns`.
    pub fn true_time(&self, raw_ns: i64) -> RealtimeInstant {
        RealtimeInstant::from_ns(self.utc.at(raw_ns))
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
            coarse: CoarseInstant::from_ns(raw_ns),
            raw: RawInstant::from_ns(raw_ns),
            realtime: RealtimeInstant::from_ns(realtime_ns),
            gap_ns,
            kernel: None,
            suspended_ns: self.suspended_ns,
        }
    }
}
