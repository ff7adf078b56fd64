//! A thread that polls chronyd for its own error bound, for comparison.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::host::background::Background;
use crate::programs::chronyd::tracking_at;

const POLL_INTERVAL: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(20);

/// Runs `chronyc tracking` once a second, until finished or dropped.
#[derive(Debug)]
pub(super) struct DeclaredBound(Background<Vec<i64>>);

impl DeclaredBound {
    /// Polls the chronyd with this command socket.
    pub(super) fn start(socket: &Path) -> DeclaredBound {
        let socket = socket.to_owned();
        DeclaredBound(Background::start(move |stop| poll(&socket, stop)))
    }

    /// Stops; returns twice the root distance (root delay / 2 + root dispersion), ns, of each
    /// report of a synchronised chronyd.
    pub(super) fn finish(self) -> Vec<i64> {
        self.0.finish()
    }
}

fn poll(socket: &Path, stop: &AtomicBool) -> Vec<i64> {
    let mut widths_ns = Vec::new();
    let mut next = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        if Instant::now() < next {
            thread::sleep(TICK);
            continue;
        }
        next += POLL_INTERVAL;
        let tracking = tracking_at(socket).filter(|tracking| tracking.is_synchronised());
        widths_ns.extend(tracking.map(|tracking| tracking.root_distance_width_ns()));
    }
    widths_ns
}
