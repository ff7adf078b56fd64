//! The arithmetic of the clock: no IO, and every instant of CLOCK_MONOTONIC_RAW is an argument.
//!
//! Limits and order of effects are those of Linux: adjtimex(2), kernel/time/ntp.c and
//! kernel/time/timekeeping.c.

use std::ops::RangeInclusive;

use libc::{c_int, timex};

const NS_PER_S: i64 = 1_000_000_000;
const NS_PER_DAY: i64 = 86_400 * NS_PER_S;
/// Microseconds of a tick at the hardware's rate.
const NOMINAL_TICK: i64 = 10_000;
const TICKS: RangeInclusive<i64> = 9_000..=11_000;
/// 500 ppm with 16 fractional bits.
const MAX_FREQ: i64 = 500 << 16;
/// Upper limit of maxerror and esterror, us.
const MAX_ERROR_US: i64 = 16_000_000;
/// Growth of maxerror per second, us.
const ERROR_GROWTH_US: i64 = 500;
const MAX_CONSTANT: i64 = 10;
const MAX_TAI_S: i64 = 100_000;
/// Fractional bits of a rate.
const RATE_BITS: u32 = 48;
/// Modes and commands that have no constant of their own in libc for every platform.
const ADJTIME_READ: u32 = 0x2000;
const READ_ONLY_STATUS: c_int = libc::STA_PPSSIGNAL
    | libc::STA_PPSJITTER
    | libc::STA_PPSWANDER
    | libc::STA_PPSERROR
    | libc::STA_CLOCKERR
    | libc::STA_NANO
    | libc::STA_MODE
    | libc::STA_CLK;

/// Number of words of [`State::to_words`].
pub const WORDS: usize = 16;

/// The time of the clock from one change to the next. Instants are of CLOCK_MONOTONIC_RAW, in ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// When it was last changed.
    pub raw_ns: i64,
    /// Its time at that instant, ns since 1970.
    pub realtime_ns: i64,
    /// Its rate relative to the raw clock minus 1, with 48 fractional bits.
    rate: i64,
    /// When a leap second takes effect; `i64::MAX` for never.
    pub leap_raw_ns: i64,
    /// The step of the leap second, ns: plus or minus a second.
    leap_step_ns: i64,
}

impl Line {
    /// The first words of [`State::to_words`].
    #[must_use]
    pub fn from_words([raw_ns, realtime_ns, rate, leap_raw_ns, leap_step_ns]: [i64; 5]) -> Line {
        Line {
            raw_ns,
            realtime_ns,
            rate,
            leap_raw_ns,
            leap_step_ns,
        }
    }

    /// The clock's time at `raw_ns`, ns since 1970.
    #[must_use]
    pub fn at(&self, raw_ns: i64) -> i64 {
        let leap_ns = if raw_ns >= self.leap_raw_ns {
            self.leap_step_ns
        } else {
            0
        };
        let elapsed_ns = raw_ns - self.raw_ns;
        self.realtime_ns + elapsed_ns + scaled(elapsed_ns, self.rate) + leap_ns
    }

    /// The instant at which its time is `realtime_ns`, unless it is changed before.
    #[must_use]
    pub fn raw_of(&self, realtime_ns: i64) -> i64 {
        let one = 1_i128 << RATE_BITS;
        let wait_ns = i128::from(realtime_ns) - i128::from(self.realtime_ns);
        let raw_wait_ns = (wait_ns << RATE_BITS) / (one + i128::from(self.rate));
        i64::try_from(i128::from(self.raw_ns) + raw_wait_ns).unwrap_or(i64::MAX)
    }
}

/// The clock and its discipline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Its time.
    pub line: Line,
    /// Microseconds that a tick of 10 ms counts for.
    pub tick: i64,
    /// Parts per million with 16 fractional bits.
    pub freq: i64,
    /// The `STA_` bits.
    pub status: c_int,
    /// Maximum error at `maxerror_raw_ns`, us.
    maxerror_us: i64,
    /// When the maximum error was set.
    maxerror_raw_ns: i64,
    /// Estimated error, us.
    pub esterror_us: i64,
    /// The PLL's time constant, which has no effect here.
    pub constant: i64,
    /// TAI - UTC, s.
    pub tai_s: i64,
    /// The state of the leap second: `TIME_OK` to `TIME_WAIT`.
    time_state: c_int,
    /// When an inserted leap second is over.
    leap_over_raw_ns: i64,
    /// How often it was set, by a program or a leap second.
    sets: i64,
}

impl State {
    /// A clock whose time is `realtime_ns` at `raw_ns`, without any adjustment and not
    /// synchronised.
    #[must_use]
    pub fn new(raw_ns: i64, realtime_ns: i64) -> State {
        State {
            line: Line {
                raw_ns,
                realtime_ns,
                rate: 0,
                leap_raw_ns: i64::MAX,
                leap_step_ns: 0,
            },
            tick: NOMINAL_TICK,
            freq: 0,
            status: libc::STA_UNSYNC | libc::STA_NANO,
            maxerror_us: MAX_ERROR_US,
            maxerror_raw_ns: raw_ns,
            esterror_us: MAX_ERROR_US,
            constant: 2,
            tai_s: 0,
            time_state: libc::TIME_OK,
            leap_over_raw_ns: i64::MIN,
            sets: 0,
        }
    }

    /// The clock's time at `raw_ns`, ns since 1970.
    #[must_use]
    pub fn at(&self, raw_ns: i64) -> i64 {
        self.line.at(raw_ns)
    }

    /// How often it was set until `raw_ns`, leap seconds included.
    #[must_use]
    pub fn sets_at(&self, raw_ns: i64) -> i64 {
        self.sets + i64::from(raw_ns >= self.line.leap_raw_ns)
    }

    /// Sets it to `realtime_ns` at `raw_ns`.
    pub fn set(&mut self, raw_ns: i64, realtime_ns: i64) {
        self.advance(raw_ns);
        self.line.realtime_ns = realtime_ns;
        self.sets += 1;
        self.status |= libc::STA_UNSYNC;
        self.set_maxerror(MAX_ERROR_US);
        self.esterror_us = MAX_ERROR_US;
        self.schedule_leap();
    }

    /// Moves it by `by_ns` at `raw_ns`.
    pub fn step(&mut self, raw_ns: i64, by_ns: i64) {
        self.set(raw_ns, self.at(raw_ns) + by_ns);
    }

    /// Changes its rate at `raw_ns`.
    ///
    /// # Errors
    /// EINVAL when the tick is out of its range; the frequency is limited to its own.
    pub fn set_rate(&mut self, raw_ns: i64, tick: i64, freq: i64) -> Result<(), c_int> {
        if !TICKS.contains(&tick) {
            return Err(libc::EINVAL);
        }
        self.advance(raw_ns);
        (self.tick, self.freq) = (tick, freq.clamp(-MAX_FREQ, MAX_FREQ));
        self.line.rate = rate(self.tick, self.freq);
        self.schedule_leap();
        Ok(())
    }

    /// Replaces the writable status bits at `raw_ns`; STA_INS and STA_DEL request a leap second.
    pub fn set_status(&mut self, raw_ns: i64, status: c_int) {
        self.advance(raw_ns);
        self.replace_status(status);
        self.schedule_leap();
    }

    /// adjtimex(2): changes the clock according to `request.modes`, and writes the report to
    /// `request`.
    ///
    /// # Errors
    /// The errno, when a value is out of its range, or a requested mode is not emulated.
    pub fn adjust(&mut self, raw_ns: i64, request: &mut timex) -> Result<c_int, c_int> {
        let modes = request.modes;
        let adjtime = modes & libc::ADJ_OFFSET_SINGLESHOT & !libc::ADJ_OFFSET != 0;
        let singleshot = adjtime && modes & ADJTIME_READ == 0;
        if singleshot && request.offset != 0
            || !adjtime && modes & libc::ADJ_OFFSET != 0 && request.offset != 0
        {
            return Err(libc::EOPNOTSUPP);
        }
        if !adjtime && modes & libc::ADJ_TICK != 0 && !TICKS.contains(&request.tick) {
            return Err(libc::EINVAL);
        }
        self.advance(raw_ns);
        if !adjtime {
            self.change(request)?;
        }
        Ok(self.report(request))
    }

    fn change(&mut self, request: &timex) -> Result<(), c_int> {
        let modes = request.modes;
        let has = |mode| modes & mode != 0;
        if has(libc::ADJ_SETOFFSET) {
            let (parts, ns_each) = match has(libc::ADJ_NANO) {
                true => (NS_PER_S, 1),
                false => (NS_PER_S / 1_000, 1_000),
            };
            if !(0..parts).contains(&request.time.tv_usec) {
                return Err(libc::EINVAL);
            }
            let by_ns = request.time.tv_sec * NS_PER_S + request.time.tv_usec * ns_each;
            self.step(self.line.raw_ns, by_ns);
        }
        if has(libc::ADJ_STATUS) {
            self.replace_status(request.status);
        }
        if has(libc::ADJ_NANO) {
            self.status |= libc::STA_NANO;
        }
        if has(libc::ADJ_MICRO) {
            self.status &= !libc::STA_NANO;
        }
        if has(libc::ADJ_FREQUENCY) {
            self.freq = request.freq.clamp(-MAX_FREQ, MAX_FREQ);
        }
        if has(libc::ADJ_TICK) {
            self.tick = request.tick;
        }
        if has(libc::ADJ_MAXERROR) {
            self.set_maxerror(request.maxerror.clamp(0, MAX_ERROR_US));
        }
        if has(libc::ADJ_ESTERROR) {
            self.esterror_us = request.esterror.clamp(0, MAX_ERROR_US);
        }
        if has(libc::ADJ_TIMECONST) {
            let coarser = if self.status & libc::STA_NANO == 0 {
                4
            } else {
                0
            };
            self.constant = (request.constant + coarser).clamp(0, MAX_CONSTANT);
        }
        if has(libc::ADJ_TAI) && (0..=MAX_TAI_S).contains(&request.constant) {
            self.tai_s = request.constant;
        }
        self.line.rate = rate(self.tick, self.freq);
        self.schedule_leap();
        Ok(())
    }

    fn replace_status(&mut self, status: c_int) {
        if self.status & libc::STA_PLL != 0 && status & libc::STA_PLL == 0 {
            self.time_state = libc::TIME_OK;
        }
        self.status = self.status & READ_ONLY_STATUS | status & !READ_ONLY_STATUS;
    }

    fn report(&self, report: &mut timex) -> c_int {
        let nano = self.status & libc::STA_NANO != 0;
        report.offset = 0;
        report.freq = self.freq;
        report.maxerror = self.maxerror_now();
        report.esterror = self.esterror_us;
        report.status = self.status;
        report.constant = self.constant;
        report.precision = 1;
        report.tolerance = MAX_FREQ;
        report.time.tv_sec = self.line.realtime_ns.div_euclid(NS_PER_S);
        report.time.tv_usec =
            self.line.realtime_ns.rem_euclid(NS_PER_S) / if nano { 1 } else { 1_000 };
        report.tick = self.tick;
        (report.ppsfreq, report.jitter, report.shift) = (0, 0, 0);
        (report.stabil, report.jitcnt, report.calcnt) = (0, 0, 0);
        (report.errcnt, report.stbcnt) = (0, 0);
        report.tai = c_int::try_from(self.tai_s).unwrap_or(0);
        if self.status & (libc::STA_UNSYNC | libc::STA_CLOCKERR) != 0 {
            libc::TIME_ERROR
        } else if self.line.raw_ns < self.leap_over_raw_ns {
            libc::TIME_OOP
        } else {
            self.time_state
        }
    }

    /// Starts a new line at `raw_ns` with the time of the old one.
    fn advance(&mut self, raw_ns: i64) {
        self.line.realtime_ns = self.at(raw_ns);
        self.sets = self.sets_at(raw_ns);
        if raw_ns >= self.line.leap_raw_ns {
            if self.line.leap_step_ns < 0 {
                self.leap_over_raw_ns = self.line.leap_raw_ns + NS_PER_S;
            }
            self.tai_s -= self.line.leap_step_ns / NS_PER_S;
            self.line.leap_raw_ns = i64::MAX;
            self.time_state = libc::TIME_WAIT;
        }
        self.line.raw_ns = raw_ns;
        if self.maxerror_now() == MAX_ERROR_US {
            self.status |= libc::STA_UNSYNC;
        }
    }

    fn set_maxerror(&mut self, us: i64) {
        (self.maxerror_us, self.maxerror_raw_ns) = (us, self.line.raw_ns);
    }

    /// The maximum error at the last change, us.
    fn maxerror_now(&self) -> i64 {
        let elapsed_s = (self.line.raw_ns - self.maxerror_raw_ns) / NS_PER_S;
        (self.maxerror_us + elapsed_s * ERROR_GROWTH_US).min(MAX_ERROR_US)
    }

    /// Determines the instant of the leap second that `status` requests: one per request, at the
    /// end of the UTC day.
    fn schedule_leap(&mut self) {
        self.line.leap_raw_ns = i64::MAX;
        let wanted = self.status & (libc::STA_INS | libc::STA_DEL);
        if wanted == 0 {
            self.time_state = libc::TIME_OK;
        }
        if wanted == 0 || self.time_state == libc::TIME_WAIT {
            return;
        }
        let inserts = wanted & libc::STA_INS != 0;
        let (missing_ns, step_ns, state) = match inserts {
            true => (0, -NS_PER_S, libc::TIME_INS),
            false => (NS_PER_S, NS_PER_S, libc::TIME_DEL),
        };
        let day = (self.line.realtime_ns + missing_ns).div_euclid(NS_PER_DAY);
        let leap_ns = (day + 1) * NS_PER_DAY - missing_ns;
        self.line.leap_raw_ns = self.line.raw_of(leap_ns);
        self.line.leap_step_ns = step_ns;
        self.time_state = state;
    }

    /// The state as words of the shared file; the first five are its [`Line`].
    #[must_use]
    pub fn to_words(&self) -> [i64; WORDS] {
        [
            self.line.raw_ns,
            self.line.realtime_ns,
            self.line.rate,
            self.line.leap_raw_ns,
            self.line.leap_step_ns,
            self.tick,
            self.freq,
            self.status.into(),
            self.maxerror_us,
            self.esterror_us,
            self.constant,
            self.tai_s,
            self.time_state.into(),
            self.leap_over_raw_ns,
            self.sets,
            self.maxerror_raw_ns,
        ]
    }

    /// The state of words that [`State::to_words`] returned.
    #[must_use]
    pub fn from_words(words: &[i64; WORDS]) -> State {
        let [first, second, third, fourth, fifth, rest @ ..] = *words;
        let [
            tick,
            freq,
            status,
            maxerror_us,
            esterror_us,
            constant,
            tai_s,
            time_state,
            leap_over_raw_ns,
            sets,
            maxerror_raw_ns,
        ] = rest;
        State {
            line: Line::from_words([first, second, third, fourth, fifth]),
            tick,
            freq,
            status: c_int::try_from(status).unwrap_or(libc::STA_UNSYNC),
            maxerror_us,
            maxerror_raw_ns,
            esterror_us,
            constant,
            tai_s,
            time_state: c_int::try_from(time_state).unwrap_or(libc::TIME_ERROR),
            leap_over_raw_ns,
            sets,
        }
    }
}

/// The rate of a clock with this tick and frequency minus 1, with [`RATE_BITS`] fractional bits.
fn rate(tick: i64, freq: i64) -> i64 {
    let scaled_ppm = i128::from(tick - NOMINAL_TICK) * (100 << 16) + i128::from(freq);
    let rate = (scaled_ppm << RATE_BITS) / (1_000_000 << 16);
    i64::try_from(rate).unwrap_or(0)
}

/// `ns` times `rate`, to the nearest ns.
#[expect(clippy::cast_possible_truncation, reason = "a rate is below 0.11")]
fn scaled(ns: i64, rate: i64) -> i64 {
    ((i128::from(ns) * i128::from(rate) + (1 << (RATE_BITS - 1))) >> RATE_BITS) as i64
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
