//! The actors of the clockbound daemon, their supervision, and the pure parts that they call.
//!
//! ```text
//!   chronyd (unix datagram)     PHC error bound (sysfs)     kernel: clock set, resume
//!             | chrony                    | phc                       | os
//!       ChronyPoller                  PhcReader (an arbiter       ClockWatch
//!             |  ChronyPolled             |  of its own)              |  ClockSet
//!             |                           |  PhcPolled                |
//!             +---------------------------+---------------------------+
//!                                         v
//!                             ClockState             calls estimator: measurements -> Estimate
//!                               |  Publish(Estimate)     |  State
//!                               v                        |
//!                             ShmPublisher               |  calls publication::projection:
//!                               |        | rounds        |  Estimate -> a record of each layout
//!                               v        |               v
//!               publication::segments <--|-- the next life resumes from here
//!                               |        v
//!          /run/clockbound/{native,shm1,shm0,shm}  supervision, on the main thread
//!                                                   ^            |
//!                        an actor crashed or exited +            +--> service manager
//! ```
//! Beside ClockWatch, VmClockWatch and GenerationWatch wake ClockState when the host of a virtual
//! machine reports a disruption, and ClockState tells SourceReset to make chronyd measure again.
//! [`daemon::run`] does the wiring, from the bottom of the diagram to its top. The segments are
//! mapped before the actors start and remain mapped until the process exits.
//!
//! The folders, from the highest layer to the lowest. A module imports only from layers below its
//! own, or from its own folder:
//!
//! | folder | contents |
//! |---|---|
//! | [`daemon`] | the wiring of the actors |
//! | [`actors`] | the actors, with their messages |
//! | [`supervision`] | mailboxes that outlive actors, crash budgets, the supervisor's loop |
//! | [`publication`] | projection onto the layouts (pure), the open segments, acknowledged rounds |
//! | [`estimator`] | pure: measurements in, estimate out |
//! | [`chrony`] | chronyd's command protocol: codec and search for sources (pure), client socket |
//! | [`phc`] | the error bound of a PTP hardware clock |
//! | [`vmclock`] | the VMClock page of a virtual machine, compared with what was known (pure) |
//! | [`os`] | reads the clocks and adjtimex; timer and descriptor adapters |
//! | [`counter`] | pure: how long one tick of the processor's counter lasts |
//! | [`time`] | pure: intervals, rate bands, clock readings as data |
//! | [`fail_points`] | places at which tests crash or hang the daemon; empty in release builds |
//!
//! Pure means no actor, clock, IO or log.

#![deny(unsafe_code)]

pub mod actors;
pub mod chrony;
pub mod counter;
pub mod daemon;
pub mod estimator;
pub mod fail_points;
pub mod os;
pub mod phc;
pub mod publication;
pub mod supervision;
pub mod time;
pub mod vmclock;
