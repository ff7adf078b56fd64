//! What comes of a wander premise that the oscillator breaks: is true time lost, do measurements
//! show it, is it alarmed?
//!
//! A breach can be smaller than the error of the measurements: an oscillator that keeps to the
//! premise would have explained all of them as well, and nothing can find it. Which oscillators
//! would, is computed here in another way than the estimator's: by the set of all offsets and rates
//! that they can have, a polygon.

use crate::estimator::history::Point;
use crate::time::{RawInstant, RealtimeInstant};

/// How far any oscillator's rate is off.
const TOLERANCE: f64 = 501e-6;

/// What has been seen of the breach.
#[derive(Clone, Debug, Default)]
pub struct Breach {
    /// Since when true time has been lost without an alarm, `CLOCK_MONOTONIC_RAW` in ns.
    pub lost_ns: Option<i64>,
    /// Alarms.
    pub alarms: u32,
    /// Alarms after true time was lost.
    pub losses_alarmed: u32,
    /// The oscillators that explain the measurements since the premise has been relied on.
    explained: Option<Explained>,
    /// Measurements since none does.
    unexplained: u32,
    /// The most measurements that had no explanation before the alarm.
    pub most_unexplained: u32,
}

impl Breach {
    /// The published interval does not contain true time.
    pub fn lost(&mut self, now_ns: i64) {
        self.lost_ns.get_or_insert(now_ns);
    }

    /// The estimator held `point` after a measurement, and did not alarm.
    pub fn measured(&mut self, point: Point, wander: f64) {
        let explained = self.explained.get_or_insert_with(|| Explained::new(point));
        explained.measured(point, wander);
        if explained.corners.is_empty() {
            self.unexplained += 1;
            self.most_unexplained = self.most_unexplained.max(self.unexplained);
        }
    }

    /// The estimator has found the premise broken.
    pub fn alarmed(&mut self) {
        self.alarms += 1;
        self.losses_alarmed += u32::from(self.lost_ns.take().is_some());
        self.explained = None;
        self.unexplained = 0;
    }
}

/// The offsets and rates of all oscillators that keep to the premise and to every measurement.
#[derive(Clone, Debug)]
struct Explained {
    first: Point,
    raw: RawInstant,
    /// Corners of a convex polygon, counterclockwise: gained on `CLOCK_MONOTONIC_RAW` since the
    /// first, ns, and rate.
    corners: Vec<(f64, f64)>,
}

impl Explained {
    fn new(first: Point) -> Self {
        let far = 1e18;
        let corners = vec![
            (-far, -TOLERANCE),
            (far, -TOLERANCE),
            (far, TOLERANCE),
            (-far, TOLERANCE),
        ];
        Self {
            first,
            raw: first.raw,
            corners,
        }
    }

    /// The rate changes by at most `wander` per ns.
    fn measured(&mut self, point: Point, wander: f64) {
        let elapsed = (point.raw - self.raw) as f64;
        self.raw = point.raw;
        // Within so long the rate changes by up to `most`; the offset by half of that on the way,
        // give or take.
        let most = wander * elapsed;
        let give = most * elapsed / 4.0;
        let along = most * elapsed / 2.0;
        let reached = self.corners.iter().flat_map(|&(gained, rate)| {
            let gained = gained + rate * elapsed;
            [
                (-along - give, -most),
                (-along + give, -most),
                (along - give, most),
                (along + give, most),
            ]
            .map(|(by, change)| (gained + by, rate + change))
        });
        let hull = convex_hull(reached.collect());
        let since_first = |instant: RealtimeInstant| {
            ((instant - self.first.interval.earliest) - (point.raw - self.first.raw)) as f64
        };
        let earliest = since_first(point.interval.earliest) - 1.0;
        let latest = since_first(point.interval.latest) + 1.0;
        let later = half_of(&hull, |(gained, _)| gained - earliest);
        self.corners = half_of(&later, |(gained, _)| latest - gained);
    }
}

/// The part of a polygon where `inside` is not negative.
fn half_of(corners: &[(f64, f64)], inside: impl Fn((f64, f64)) -> f64) -> Vec<(f64, f64)> {
    let mut half = Vec::new();
    for (n, &from) in corners.iter().enumerate() {
        let to = corners[(n + 1) % corners.len()];
        let (before, after) = (inside(from), inside(to));
        if before >= 0.0 {
            half.push(from);
        }
        if (before < 0.0) != (after < 0.0) {
            let share = before / (before - after);
            half.push((
                from.0 + share * (to.0 - from.0),
                from.1 + share * (to.1 - from.1),
            ));
        }
    }
    half
}

/// Andrew's monotone chain.
fn convex_hull(mut points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    points.dedup();
    let chain = |points: &mut dyn Iterator<Item = (f64, f64)>| {
        let mut chain: Vec<(f64, f64)> = Vec::new();
        for point in points {
            while let [.., a, b] = chain[..] {
                let turn = (b.0 - a.0) * (point.1 - a.1) - (b.1 - a.1) * (point.0 - a.0);
                if turn > 0.0 {
                    break;
                }
                chain.pop();
            }
            chain.push(point);
        }
        chain.pop();
        chain
    };
    let mut hull = chain(&mut points.iter().copied());
    hull.extend(chain(&mut points.iter().rev().copied()));
    if hull.is_empty() { points } else { hull }
}
