//! A quantity that changes over time, as a pure function of the time since its scenario began.

use std::f64::consts::TAU;

/// A sum of ramps and a sinusoid, zero at the beginning. Values are in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Profile {
    /// Linear changes, which are added.
    pub ramps: [Ramp; 2],
    /// A sinusoid that is added to them.
    pub swing: Option<Swing>,
}

/// A linear change from a start to an end; the value is constant afterwards.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ramp {
    /// When it starts, in seconds since the beginning.
    pub from_s: f64,
    /// How long it lasts, in seconds; infinite when it does not end.
    pub lasting_s: f64,
    /// Rate of change, in microseconds a second.
    pub ppm: f64,
}

/// A sinusoid, zero until it starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Swing {
    /// When it starts, in seconds since the beginning.
    pub from_s: f64,
    /// Amplitude, in seconds.
    pub amplitude_s: f64,
    /// Period, in seconds.
    pub period_s: f64,
}

impl Profile {
    /// A ramp alone.
    pub fn ramp(ramp: Ramp) -> Profile {
        Profile::ramps(ramp, Ramp::default())
    }

    /// Two ramps.
    pub fn ramps(first: Ramp, second: Ramp) -> Profile {
        Profile {
            ramps: [first, second],
            swing: None,
        }
    }

    /// A sinusoid alone.
    pub fn swing(from_s: f64, amplitude_s: f64, period_s: f64) -> Profile {
        Profile {
            ramps: Default::default(),
            swing: Some(Swing {
                from_s,
                amplitude_s,
                period_s,
            }),
        }
    }

    /// The value `second` seconds after the beginning, in seconds.
    pub fn at(&self, second: f64) -> f64 {
        let ramp = |ramp: &Ramp| {
            let elapsed_s = (second - ramp.from_s).clamp(0.0, ramp.lasting_s);
            elapsed_s * ramp.ppm * 1e-6
        };
        let swing = self.swing.map_or(0.0, |swing| {
            let turns = (second - swing.from_s).max(0.0) / swing.period_s;
            swing.amplitude_s * (turns * TAU).sin()
        });
        self.ramps.iter().map(ramp).sum::<f64>() + swing
    }
}

impl Ramp {
    /// Reaches `by_s` at this rate, starting at `from_s`.
    pub fn reaching(from_s: f64, by_s: f64, ppm: f64) -> Ramp {
        Ramp {
            from_s,
            lasting_s: by_s * 1e6 / ppm,
            ppm,
        }
    }

    /// Does not end.
    pub fn endless(from_s: f64, ppm: f64) -> Ramp {
        Ramp {
            from_s,
            lasting_s: f64::INFINITY,
            ppm,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_values(profile: &Profile, expected: &[(f64, f64)]) {
        for &(second, value_s) in expected {
            let got_s = profile.at(second);
            assert!((got_s - value_s).abs() < 1e-12, "{got_s} at {second} s");
        }
    }

    #[test]
    fn a_ramp_is_constant_before_its_start_and_after_its_end() {
        let slew = Profile::ramp(Ramp::reaching(20.0, 0.028, 500.0));
        let expected = [(0.0, 0.0), (20.0, 0.0), (48.0, 0.014), (76.0, 0.028)];
        assert_values(&slew, &expected);
        assert_values(&slew, &[(1e6, 0.028)]);
    }

    #[test]
    fn a_negative_ramp_reaches_a_negative_value() {
        let slew = Profile::ramp(Ramp::reaching(10.0, -0.005, -1000.0));
        assert_values(&slew, &[(12.0, -0.002), (15.0, -0.005), (20.0, -0.005)]);
    }

    #[test]
    fn ramps_are_added() {
        let there_and_back = Profile::ramps(
            Ramp::reaching(10.0, 0.01, 1000.0),
            Ramp::reaching(30.0, -0.01, -500.0),
        );
        let expected = [(15.0, 0.005), (25.0, 0.01), (40.0, 0.005), (50.0, 0.0)];
        assert_values(&there_and_back, &expected);
    }

    #[test]
    fn an_endless_ramp_does_not_end() {
        let holdover = Profile::ramp(Ramp::endless(5.0, 15.0));
        assert_values(&holdover, &[(5.0, 0.0), (1005.0, 0.015)]);
    }

    #[test]
    fn a_swing_starts_at_zero_and_stays_within_its_amplitude() {
        let wander = Profile::swing(10.0, 0.025, 40.0);
        let expected = [(0.0, 0.0), (10.0, 0.0), (20.0, 0.025), (40.0, -0.025)];
        assert_values(&wander, &expected);
        let within = |step: u32| wander.at(f64::from(step) * 0.1).abs() <= 0.025;
        assert!((0..1000).all(within));
    }
}
