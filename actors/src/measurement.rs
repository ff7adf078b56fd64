//! The last single measurement of the source that chronyd follows.
//!
//! What chronyd reports is a line through many measurements. While the oscillator keeps its frequency the line is
//! the better knowledge; after a change, it misses true time by more than chronyd says until the
//! measurements before it are forgotten. A single measurement cannot: true time was within half the round
//! trip and what the servers declare. So what a report stands for must not exclude it.

use crate::bound::{NS_PER_S, ceil_ns, ceil_ppb, growth_ns, scaled_ns, signed_ns};
use crate::chrony::{SourceData, Tracking};
use crate::clocks::Readings;
use crate::interpretation::FREQUENCY_TOLERANCE_PPB;

/// The last measurement, on `CLOCK_MONOTONIC_RAW`.
#[derive(Clone, Debug, Default)]
pub struct Measurement {
    /// Which: its offset as it was measured, and the update of the clock that it may have led to.
    identity: Option<(f64, i64)>,
    raw_ns: i64,
    earliest_ns: i64,
    latest_ns: i64,
}

impl Measurement {
    /// Takes note of what chronyd says of its source, and returns where true time lies by the last measurement: ns
    /// of UTC since 1970, at the instant `at`.
    ///
    /// The oscillator's frequency is `frequency_ppb`, and doubted by `growth_ppb`. The system clock runs off without
    /// chronyd's knowledge by `off_ppb`.
    pub fn observe(
        &mut self,
        source: &SourceData,
        tracking: &Tracking,
        (frequency_ppb, growth_ppb): (i64, u32),
        off_ppb: u32,
        at: &Readings,
    ) -> (i64, i64) {
        let identity = Some((source.original_offset_s, tracking.ref_time_ns));
        if self.identity != identity || at.raw_ns < self.raw_ns {
            // Until now chronyd has carried it on, with whatever frequency it believes in.
            let age_ns = greatest_age_ns(source);
            let believed_ppb = ceil_ppb(tracking.freq_ppm);
            let wild_ppb = believed_ppb.saturating_sub(i64::from(FREQUENCY_TOLERANCE_PPB));
            let wild_ppb = u32::try_from(wild_ppb).unwrap_or(0);
            let half_ns = ceil_ns(source.offset_error_s)
                .saturating_add(growth_ns(
                    age_ns,
                    growth_ppb.saturating_add(wild_ppb).saturating_add(off_ppb),
                ))
                .saturating_add(at.gap_ns);
            // How far the corrected clock was fast (sourcestats.c, SST_AccumulateSample).
            let centre_ns = at
                .realtime_ns
                .saturating_add(signed_ns(tracking.current_correction_s))
                .saturating_sub(signed_ns(source.offset_s));
            *self = Self {
                identity,
                raw_ns: at.raw_ns,
                earliest_ns: centre_ns.saturating_sub(half_ns),
                latest_ns: centre_ns.saturating_add(half_ns),
            };
        }
        let elapsed_ns = at.raw_ns.saturating_sub(self.raw_ns);
        let shift_ns = elapsed_ns.saturating_add(scaled_ns(elapsed_ns, -frequency_ppb));
        let growth_ns = growth_ns(elapsed_ns, growth_ppb);
        let earliest_ns = self.earliest_ns.saturating_add(shift_ns);
        let latest_ns = self.latest_ns.saturating_add(shift_ns);
        (
            earliest_ns.saturating_sub(growth_ns),
            latest_ns.saturating_add(growth_ns).saturating_add(1),
        )
    }
}

/// How old a source's last measurement may be, ns: chronyd tells whole seconds.
pub fn greatest_age_ns(source: &SourceData) -> i64 {
    (i64::from(source.since_sample_s) + 1).saturating_mul(NS_PER_S)
}
