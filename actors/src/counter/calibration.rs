//! The tick periods that agree with every bracket.

use super::bracket::Bracket;
use super::chain::{Chain, Point};
use super::period::TickPeriod;

/// No line passes through all brackets: the kernel does not compute `CLOCK_MONOTONIC_RAW` from this
/// counter by one multiplication, or the counter was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// The counter is behind its reading of the bracket before.
    #[error("the counter went back")]
    CounterWentBack,
    /// The clock does not show what the brackets before predict.
    #[error("CLOCK_MONOTONIC_RAW is not where the counter predicts it")]
    OffPrediction,
}

/// The lines through all brackets.
#[derive(Clone, Debug)]
pub struct Calibration {
    period: TickPeriod,
    last: Bracket,
    /// The line is not below these: what the clock showed, at the ends of the brackets.
    shown: Chain,
    /// The line is below these: one ns above what it showed, at their starts. Stored with the
    /// opposite sign, so that these corners are those of an upper hull, too.
    next: Chain,
}

impl Calibration {
    /// The lines through one bracket.
    #[must_use]
    pub fn of(bracket: Bracket) -> Self {
        let mut calibration = Self {
            period: TickPeriod::ANY,
            last: bracket,
            shown: Chain::default(),
            next: Chain::default(),
        };
        calibration.push(bracket);
        calibration
    }

    /// Excludes the lines that do not pass through `bracket`, which was read after the ones before.
    ///
    /// # Errors
    /// [`Contradiction`]; then nothing is known any more, and a new calibration has to begin.
    pub fn add(&mut self, bracket: Bracket) -> Result<(), Contradiction> {
        if bracket.before < self.last.after || bracket.after < bracket.before {
            return Err(Contradiction::CounterWentBack);
        }
        let raw = i128::from(bracket.raw.as_ns());
        let mut period = Some(self.period);
        for shown in self.shown.points() {
            let ticks = bracket.before - shown.x;
            period = period.and_then(|period| period.less_than(raw + 1 - shown.y, ticks));
        }
        for next in self.next.points() {
            let ticks = bracket.after - next.x;
            // `next.y` has the opposite sign.
            period = period.and_then(|period| period.at_least(raw + next.y, ticks));
        }
        self.period = period.ok_or(Contradiction::OffPrediction)?;
        self.push(bracket);
        Ok(())
    }

    fn push(&mut self, bracket: Bracket) {
        let raw = i128::from(bracket.raw.as_ns());
        self.shown.push(Point {
            x: bracket.after,
            y: raw,
        });
        self.next.push(Point {
            x: bracket.before,
            y: -(raw + 1),
        });
        self.last = bracket;
    }

    /// The last bracket.
    #[must_use]
    pub fn last(&self) -> Bracket {
        self.last
    }

    /// The periods of the lines.
    #[must_use]
    pub fn period(&self) -> TickPeriod {
        self.period
    }
}
