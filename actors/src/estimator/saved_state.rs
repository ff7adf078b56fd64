//! What the next life of the daemon resumes from: the held interval, the history and the proved
//! rates, as bytes.
//!
//! The bytes are 64-bit words in native order, for a file that does not outlive the boot:
//!
//! ```text
//!   FORMAT  suspended_ns  drift_ppt  wander_ppt_per_s  wander_void_until_ns
//!   held: raw_ns earliest_ns latest_ns
//!   leap second: change (0 none, 1 insert, 2 delete) midnight_ns
//!   wander: (0 nothing, 1 held, 2 held and limits) raw_ns earliest_ns latest_ns
//!     reference_ns slowest_ppt fastest_ppt
//!   number of epochs, then each: begins_ns length_ns slowest_ppt fastest_ppt
//!   number of points, then each: raw_ns earliest_ns latest_ns
//! ```

use super::history::{MAX_POINTS, Point};
use super::leap_second::{Announced, Change};
use super::rate_band::{Epoch, MAX_EPOCHS};
use super::status::ClockStatus;
use crate::chrony::Leap;
use crate::time::{Interval, Rate, RateBand, RawInstant, RealtimeInstant, SUSPEND_NOISE_NS};

/// Instants beyond it, in 1823 and 2116, are refused: differences of two others stay within 64
/// bits.
const FARTHEST: u64 = 1 << 62;

/// The first word: what the others mean.
const FORMAT: i64 = 0x6362_0001;

/// What an earlier life knew: [`State`], with what was published last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resumed {
    /// The status that was published last: a trusted one.
    pub status: ClockStatus,
    /// When chronyd was last known to follow a source.
    pub validated: RawInstant,
    /// Nothing was claimed about earlier instants.
    pub valid_since: RawInstant,
    /// Whether a leap second was announced.
    pub leap: Leap,
    /// chrony's reference id; 0 for none.
    pub reference_id: u32,
    /// What was known.
    pub state: State,
}

/// What is known of true time and of the oscillator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    pub(super) suspended_ns: i64,
    /// The premises under which the rates were proved: `--max-drift-rate` and `--max-wander`.
    pub(super) drift: Rate,
    pub(super) wander_per_s: Rate,
    /// The wander premise is not relied on before this instant.
    pub(super) wander_void_until: RawInstant,
    pub(super) held: Option<Point>,
    pub(super) leap_second: Option<Announced>,
    pub(super) wander: Option<(Point, Option<(RawInstant, RateBand)>)>,
    pub(super) epochs: Vec<Epoch>,
    pub(super) points: Vec<Point>,
}

impl State {
    /// The state of a daemon that left no more than a published interval, with the rates that it
    /// published.
    #[must_use]
    pub fn of_interval(
        raw: RawInstant,
        interval: Interval,
        rates: Option<RateBand>,
        suspended_ns: i64,
    ) -> Self {
        let held = Point { raw, interval };
        let epochs = rates.map(|band| Epoch {
            begins: raw,
            length_ns: 1,
            band,
        });
        Self {
            suspended_ns,
            held: Some(held),
            epochs: epochs.into_iter().collect(),
            ..Self::default()
        }
    }

    /// The instant of the held interval; `None` when nothing is held.
    #[must_use]
    pub fn held_at(&self) -> Option<RawInstant> {
        self.held.map(|held| held.raw)
    }

    /// Whether the state is valid when the machine has been suspended for `suspended_ns` in total:
    /// it is not if that has increased.
    #[must_use]
    pub fn is_of(&self, suspended_ns: i64) -> bool {
        let slept_ns = suspended_ns.saturating_sub(self.suspended_ns);
        self.held.is_some() && slept_ns.saturating_abs() <= SUSPEND_NOISE_NS
    }

    /// The bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let Some(held) = self.held else {
            return Vec::new();
        };
        let mut words = vec![
            FORMAT,
            self.suspended_ns,
            self.drift.as_ppt(),
            self.wander_per_s.as_ppt(),
            self.wander_void_until.as_ns(),
        ];
        words.extend(point_words(held));
        words.extend(match self.leap_second {
            None => [0, 0],
            Some(leap) => [
                1 + i64::from(leap.change == Change::Delete),
                leap.midnight.as_ns(),
            ],
        });
        words.extend(match self.wander {
            None => [0; 7],
            Some((point, limits)) => {
                let [raw, earliest, latest] = point_words(point);
                let kind = 1 + i64::from(limits.is_some());
                let (reference, band) =
                    limits.unwrap_or((RawInstant::default(), RateBand::within(Rate::default())));
                [
                    kind,
                    raw,
                    earliest,
                    latest,
                    reference.as_ns(),
                    band.slowest.as_ppt(),
                    band.fastest.as_ppt(),
                ]
            }
        });
        words.push(count_word(self.epochs.len()));
        for epoch in &self.epochs {
            words.extend([
                epoch.begins.as_ns(),
                epoch.length_ns,
                epoch.band.slowest.as_ppt(),
                epoch.band.fastest.as_ppt(),
            ]);
        }
        words.push(count_word(self.points.len()));
        words.extend(self.points.iter().copied().flat_map(point_words));
        words.into_iter().flat_map(i64::to_ne_bytes).collect()
    }

    /// The state in these bytes; `None` when they are invalid, or of another format.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (words, rest) = bytes.as_chunks::<8>();
        let mut words = Words(words.iter().map(|word| i64::from_ne_bytes(*word)));
        if !rest.is_empty() || words.next()? != FORMAT {
            return None;
        }
        let suspended_ns = words.next()?;
        let (drift, wander_per_s) = (words.rate()?, words.rate()?);
        let wander_void_until = words.raw()?;
        let held = words.point()?;
        let leap_second = match (words.next()?, words.realtime()?) {
            (0, _) => None,
            (1, midnight) => Some(Announced {
                change: Change::Insert,
                midnight,
            }),
            (2, midnight) => Some(Announced {
                change: Change::Delete,
                midnight,
            }),
            _ => return None,
        };
        let kind = words.next()?;
        let (raw, earliest, latest) = (words.raw()?, words.realtime()?, words.realtime()?);
        let limits = (words.raw()?, words.band()?);
        let wander = match kind {
            0 => None,
            1 | 2 => Some((point(raw, earliest, latest)?, (kind == 2).then_some(limits))),
            _ => return None,
        };
        let mut epochs = Vec::new();
        for _ in 0..words.count(MAX_EPOCHS)? {
            epochs.push(Epoch {
                begins: words.raw()?,
                length_ns: words.next()?,
                band: words.band()?,
            });
        }
        let mut points = Vec::new();
        for _ in 0..words.count(MAX_POINTS)? {
            points.push(words.point()?);
        }
        Some(Self {
            suspended_ns,
            drift,
            wander_per_s,
            wander_void_until,
            held: Some(held),
            leap_second,
            wander,
            epochs,
            points,
        })
    }
}

/// A number of epochs or points, which are limited.
fn count_word(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn point_words(point: Point) -> [i64; 3] {
    [
        point.raw.as_ns(),
        point.interval.earliest.as_ns(),
        point.interval.latest.as_ns(),
    ]
}

fn point(raw: RawInstant, earliest: RealtimeInstant, latest: RealtimeInstant) -> Option<Point> {
    (earliest <= latest).then(|| Point {
        raw,
        interval: Interval::new(earliest, latest),
    })
}

/// Words, one after the other; `None` at the end and for invalid ones.
struct Words<I>(I);

impl<I: Iterator<Item = i64>> Words<I> {
    fn next(&mut self) -> Option<i64> {
        self.0.next().filter(|word| word.unsigned_abs() < FARTHEST)
    }

    fn raw(&mut self) -> Option<RawInstant> {
        self.next().map(RawInstant::from_ns)
    }

    fn realtime(&mut self) -> Option<RealtimeInstant> {
        self.next().map(RealtimeInstant::from_ns)
    }

    fn point(&mut self) -> Option<Point> {
        point(self.raw()?, self.realtime()?, self.realtime()?)
    }

    fn rate(&mut self) -> Option<Rate> {
        self.next().map(Rate::from_ppt)
    }

    fn band(&mut self) -> Option<RateBand> {
        let (slowest, fastest) = (self.rate()?, self.rate()?);
        (slowest <= fastest).then(|| RateBand::new(slowest, fastest))
    }

    fn count(&mut self, most: usize) -> Option<usize> {
        let count = usize::try_from(self.next()?).ok()?;
        (count <= most).then_some(count)
    }
}
