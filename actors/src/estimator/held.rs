//! The held interval: what all measurements so far prove about true time, under one premise about
//! the oscillator.

use super::history::{History, Point};
use super::rate_band::Growth;
use crate::time::{Interval, RawInstant};

/// The held interval, the history that it made, and the rates that this proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held<G> {
    growth: G,
    point: Option<Point>,
    history: History,
}

/// What a new interval made of the held one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observed {
    /// Both contain true time: what they have in common is held now.
    Agrees,
    /// They have nothing in common, so one of them is wrong. The held one, at the same instant,
    /// stays as it is.
    Disjoint(Interval),
    /// They agree, but the rate that they prove contradicts the premise about the oscillator. Rates
    /// and history are forgotten; the hull of both intervals is held now.
    RateImpossible,
}

impl<G: Growth> Held<G> {
    /// Nothing is held, and nothing is known but `growth`.
    #[must_use]
    pub fn new(growth: G) -> Self {
        Self {
            growth,
            point: None,
            history: History::default(),
        }
    }

    /// What an earlier life held.
    #[must_use]
    pub fn resumed(growth: G, point: Point, history: History) -> Self {
        Self {
            growth,
            point: Some(point),
            history,
        }
    }

    /// The interval as of the last measurement.
    #[must_use]
    pub fn point(&self) -> Option<Point> {
        self.point
    }

    /// The premise with what it proves.
    #[must_use]
    pub fn growth(&self) -> &G {
        &self.growth
    }

    /// The points that rates are measured with.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The held interval, carried to `raw`.
    #[must_use]
    pub fn at(&self, raw: RawInstant) -> Option<Interval> {
        self.point.map(|point| self.growth.carried(point, raw))
    }

    /// Takes an interval that contains true time. History reaches back `span_ns`.
    pub fn observe(&mut self, new: Point, span_ns: i64) -> Observed {
        self.growth.expire(new.raw, span_ns);
        let Some(held) = self.at(new.raw) else {
            self.begin(new);
            return Observed::Agrees;
        };
        let Some(common) = held.intersect(new.interval) else {
            return Observed::Disjoint(held);
        };
        let newest = Point {
            interval: common,
            ..new
        };
        for (older, mean) in self.history.mean_rates(newest) {
            self.growth.learn(older.raw, newest.raw, mean);
        }
        if !self.growth.is_consistent() {
            self.begin(Point {
                interval: held.hull(new.interval),
                ..new
            });
            return Observed::RateImpossible;
        }
        self.point = Some(newest);
        self.history.add(newest, span_ns, G::POINTS);
        Observed::Agrees
    }

    /// Intersects the held interval with one that also contains true time, without adding to
    /// history or band.
    pub fn narrow(&mut self, to: Point) {
        if let Some(interval) = self.at(to.raw).and_then(|held| held.intersect(to.interval)) {
            self.point = Some(Point { interval, ..to });
        }
    }

    /// Forgets everything and begins with this interval.
    pub fn begin(&mut self, point: Point) {
        self.clear();
        self.point = Some(point);
        self.history.add(point, i64::MAX, G::POINTS);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.growth.forget();
        self.history.clear();
        self.point = None;
    }

    /// UTC had a leap second: every interval moves by `by_ns`.
    pub fn shift(&mut self, by_ns: i64) {
        if let Some(point) = &mut self.point {
            point.interval = point.interval.shift(by_ns);
        }
        self.history.shift(by_ns);
    }
}
