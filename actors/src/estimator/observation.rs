//! What a measurement does to the held interval: it narrows it, contradicts it, or shows that a
//! leap second happened.

use super::ablation::Safeguard;
use super::contradiction::{Contradiction, Verdict};
use super::core::Estimator;
use super::finding::Finding;
use super::held::Observed;
use super::history::Point;
use super::leap_second::Use;
use super::rate_band::Growth;
use super::sample::Sample;
use crate::time::RawInstant;

impl Estimator {
    /// Takes an interval that contains true time, if the premises hold.
    pub(super) fn observe(&mut self, sample: Sample, findings: &mut Vec<Finding>) {
        let point = sample.point;
        if !self.settle_leap_second(point, findings) {
            return;
        }
        self.poll_ns = sample.poll_ns;
        self.changed = true;
        self.measurements += 1;
        self.sampled = Some((point, sample.budget));
        if let (Some(contradiction), Some(held)) = (self.contradiction, self.held.at(point.raw)) {
            self.changed_much = true;
            let two_polls_ns = sample.poll_ns.saturating_mul(2);
            let verdict = contradiction.weigh(held, point, self.tolerance, two_polls_ns);
            self.decide(verdict, point, findings);
            return;
        }
        let span_ns = if self.has(Safeguard::BandExpiry) {
            self.span_ns()
        } else {
            i64::MAX
        };
        let is_first = self.held.point().is_none();
        let observed = self.held.observe(point, span_ns);
        if is_first || observed != Observed::Agrees {
            self.begin_at(point.raw);
        }
        match observed {
            Observed::Agrees => self.observe_wander(point.raw, findings),
            Observed::Disjoint(held) => {
                self.changed_much = true;
                findings.push(Finding::Contradiction {
                    held,
                    measured: point.interval,
                    source: sample.key,
                });
                self.void_wander(RawInstant::MIN);
                if self.has(Safeguard::Hull) {
                    self.contradiction = Some(Contradiction::new(point));
                } else {
                    self.held.begin(point);
                }
            }
            Observed::RateImpossible => {
                self.changed_much = true;
                findings.push(Finding::DriftExceeded);
                self.void_wander(RawInstant::MIN);
            }
        }
    }

    fn decide(&mut self, verdict: Verdict, point: Point, findings: &mut Vec<Finding>) {
        match verdict {
            Verdict::Open(narrowed, next) => {
                if let Some(interval) = narrowed {
                    let raw = point.raw;
                    self.held.narrow(Point { raw, interval });
                }
                self.contradiction = Some(next);
            }
            Verdict::Held => {
                self.contradiction = None;
                findings.push(Finding::ContradictionEnded { held_stands: true });
                self.held.narrow(point);
            }
            Verdict::Other(other) => {
                self.contradiction = None;
                findings.push(Finding::ContradictionEnded { held_stands: false });
                self.held.begin(other);
                self.begin_at(other.raw);
            }
        }
    }

    fn observe_wander(&mut self, raw: RawInstant, findings: &mut Vec<Finding>) {
        let (Some(wander), Some(point)) = (&mut self.wander, self.held.point()) else {
            return;
        };
        if raw < wander.void_until {
            return;
        }
        // This premise is about all of time: a pair proves something however long ago it was
        // measured, and a breach that is slow beside the errors of measurements is seen in long
        // ones only.
        let agrees = wander.held.observe(point, i64::MAX) == Observed::Agrees;
        // Both premises are about the rate of now: it is in what either of them proves.
        let rates = wander.held.growth().published(raw, 0);
        let may_be = rates.intersect(self.held.growth().band()).is_some();
        if !agrees || !may_be {
            findings.push(Finding::WanderExceeded);
            let until = raw + self.settings.holdover_ns;
            self.void_wander(until);
        }
    }

    /// The wander premise is not relied on before this instant, and is started again then.
    fn void_wander(&mut self, until: RawInstant) {
        if let Some(wander) = &mut self.wander {
            wander.held.clear();
            wander.void_until = wander.void_until.max(until);
        }
    }

    /// Whether a measurement can be used as far as leap seconds are concerned; one may show that
    /// the leap has happened.
    fn settle_leap_second(&mut self, point: Point, findings: &mut Vec<Finding>) -> bool {
        let held = self.held.at(point.raw);
        let to_use = self.leap_second.use_of(held, point.interval);
        match to_use {
            Use::AsItIs => true,
            Use::Not => !self.has(Safeguard::LeapSettling),
            Use::AfterMoving(by_ns) => {
                self.changed_much = true;
                self.leap_second.clear();
                if by_ns != 0 {
                    self.begin_at(point.raw);
                }
                self.held.shift(by_ns);
                if let Some(wander) = &mut self.wander {
                    wander.held.shift(by_ns);
                }
                if let Some(contradiction) = &mut self.contradiction {
                    contradiction.other.interval = contradiction.other.interval.shift(by_ns);
                }
                self.sources.forget();
                let happened = by_ns != 0;
                findings.push(Finding::LeapSecondDecided { happened });
                true
            }
        }
    }
}
