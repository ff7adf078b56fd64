//! The oscillator: a rate of UTC against `CLOCK_MONOTONIC_RAW` that moves as far and as fast as the
//! premises allow.

use super::line::Line;
use super::random::Rng;

/// What an oscillator can do, drawn from the seed.
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

    /// Turns the rate of UTC to something else that keeps to the premises; returns for how long,
    /// ns.
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
