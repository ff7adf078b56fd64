//! What each event does.

use super::event_loop::{Event, Simulation};
use super::report::Lost;
use crate::chrony::Leap;
use crate::time::{NS_PER_S, RawInstant};

impl Simulation {
    pub fn happen(&mut self, event: Event) -> Result<(), Lost> {
        let now_ns = self.now_ns;
        match event {
            Event::Oscillate => {
                let length_ns = self
                    .oscillator
                    .turn(&mut self.host.utc, now_ns, &mut self.noise);
                self.after(length_ns, Event::Oscillate);
            }
            Event::Begin(n) => self.host.begin_exchange(n, now_ns),
            Event::Serve(n) => {
                let lies = self.config.has("lies");
                self.host.serve(n, now_ns, lies);
            }
            Event::End(n) => self.end_exchange(n),
            Event::Poll => self.poll(event)?,
            Event::Replies => self.read_replies(event)?,
            Event::KeepAlive => {
                self.poll(event)?;
                let ns = (self.settings.holdover_ns / 3).min(self.settings.grace_ns * 4 / 5);
                self.after(ns, Event::KeepAlive);
            }
            Event::SlewEnds => self.host.end_slew(now_ns),
            Event::Set(by_ns) => {
                self.host.set(by_ns);
                self.after(500_000, Event::Noticed);
            }
            Event::Noticed => {
                let at = self.host.readings(now_ns);
                self.estimator.clocks_read(&at);
                self.publish(&at, event)?;
            }
            Event::Disturb => {
                let rate = self.noise.sign() * self.noise.scale(1e-8, 0.09);
                let rate = if self.noise.chance(0.5) { 0.0 } else { rate };
                self.host.steer(now_ns, rate);
                self.seldom(event);
            }
            Event::RestartDaemon => {
                self.restart_daemon(event)?;
                self.seldom(event);
            }
            Event::RestartChronyd => {
                let down_ns = self.noise.ns(1_000_000, 5 * NS_PER_S);
                self.host.restart_chronyd(now_ns, down_ns);
                self.seldom(event);
            }
            Event::Suspend => self.suspend(event)?,
            Event::Pause => self.pause(event)?,
            Event::ResetSources(marker) => {
                self.host.reset_sources();
                if marker == self.marker {
                    self.estimator
                        .sources_were_reset(RawInstant::from_ns(now_ns));
                }
            }
            Event::ComesOrGoes => self.come_or_go(event),
            Event::LeapSecond => self.leap(event),
            Event::Retained(index) => {
                if let Some(estimate) = self.retained[index].take() {
                    self.check(&estimate, now_ns, "retained", event)?;
                }
            }
        }
        Ok(())
    }

    /// The machine sleeps, though not over a leap second.
    fn suspend(&mut self, event: Event) -> Result<(), Lost> {
        let now_ns = self.now_ns;
        let for_ns = self.noise.scale(1e7, 1e13) as i64;
        if self.is_leap_within(for_ns) {
            return Ok(());
        }
        let error_ns = (self.noise.sign() * self.noise.scale(1.0, 1e9)) as i64;
        self.host.suspend(for_ns, error_ns);
        self.retained
            .iter_mut()
            .for_each(|retained| *retained = None);
        let at = self.host.readings(now_ns);
        self.estimator.clocks_read(&at);
        self.publish(&at, event)?;
        self.after(0, Event::LeapSecond);
        self.seldom(event);
        Ok(())
    }

    /// The virtual machine is paused, or restored from a snapshot, though not over a leap second.
    fn pause(&mut self, event: Event) -> Result<(), Lost> {
        let for_ns = self.noise.scale(1e3, 1e13) as i64;
        if self.is_leap_within(for_ns) {
            return Ok(());
        }
        self.disrupt(for_ns);
        let at = self.host.readings(self.now_ns);
        self.estimator.disrupted(self.marker, &at);
        self.publish(&at, event)?;
        if self.noise.chance(0.7) {
            let ns = self.noise.scale(1e5, 1e10) as i64;
            self.after(ns, Event::ResetSources(self.marker));
        }
        self.after(0, Event::LeapSecond);
        if self.noise.chance(0.3) {
            self.seldom(event);
        }
        Ok(())
    }

    /// True time goes on by so many ns, and no clock of the machine shows it. What was published is
    /// void for readers, who compare the marker.
    pub fn disrupt(&mut self, for_ns: i64) {
        self.host.pause(for_ns);
        self.marker += 1;
        self.retained
            .iter_mut()
            .for_each(|retained| *retained = None);
    }

    fn is_leap_within(&self, ns: i64) -> bool {
        let left_ns = self.leaps_at_ns - self.host.utc.at(self.now_ns);
        (0..=ns + 10 * NS_PER_S).contains(&left_ns)
    }

    /// A source is added or removed.
    fn come_or_go(&mut self, event: Event) {
        let n = self.noise.below(self.host.servers.len());
        let server = &mut self.host.servers[n];
        server.listed = !server.listed;
        server.last = None;
        if self.noise.chance(0.3) {
            server.address += 0x100;
        }
        self.seldom(event);
    }

    /// The leap second happens when it is due; or it does not, or not in the kernel.
    fn leap(&mut self, event: Event) {
        let left_ns = self.leaps_at_ns - self.host.utc.at(self.now_ns);
        if self.leaps_at_ns == 0 {
            return;
        }
        if left_ns > 0 {
            self.after(left_ns - left_ns / 1_000, event);
            return;
        }
        let by_ns = if self.host.leap == Leap::InsertSecond {
            -NS_PER_S
        } else {
            NS_PER_S
        };
        if self.noise.chance(0.8) {
            self.host.utc.value_ns += by_ns;
        }
        if self.noise.chance(0.7) {
            self.host.set(by_ns);
        }
        self.host.leap = Leap::Normal;
        self.leaps_at_ns = 0;
    }

    /// An exchange with a server is over; chronyd may correct its clock.
    fn end_exchange(&mut self, n: usize) {
        let now_ns = self.now_ns;
        let leap_is_close = {
            let midnight_ns = 86_400 * NS_PER_S;
            let utc_ns = self.host.utc.at(now_ns);
            self.config.has("leap")
                && (utc_ns + midnight_ns / 2)
                    .rem_euclid(midnight_ns)
                    .abs_diff(midnight_ns / 2)
                    < 5_000_000_000
        };
        let fails = self.config.has("failed-polls");
        let taken = match () {
            () if leap_is_close
                || now_ns < self.host.down_until_ns
                || !self.host.servers[n].listed =>
            {
                None
            }
            () if fails && self.noise.chance(0.1) => self.noise.chance(0.5).then_some(false),
            () => Some(true),
        };
        self.host.end_exchange(n, now_ns, taken);
        if taken == Some(true) {
            self.report.measurements += 1;
            let (reselects, wrong) = (
                self.config.has("reselects"),
                self.config.has("wrong-frequency"),
            );
            let any = self.settings.falsetickers > 0;
            let before_ns = self.host.realtime.at(now_ns);
            let ends = self.host.update(n, now_ns, reselects, wrong, |server| {
                any || server.is_honest
            });
            if let Some(ends_ns) = ends {
                self.after(ends_ns - now_ns, Event::SlewEnds);
            }
            if self.host.realtime.at(now_ns) != before_ns {
                // chronyd has stepped the clock.
                self.after(500_000, Event::Noticed);
            }
        }
        self.exchanges += 1;
        self.schedule_exchange(n);
    }
}
