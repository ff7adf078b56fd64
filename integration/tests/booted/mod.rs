//! A container of this machine's root file system with the packages of the project.

use integration::host::container::{Container, Root};
use integration::host::wait;
use integration::observe::publications::Publications;
use integration::observe::reader::{Observations, Reader};
use integration::observe::reading::Status;
use integration::observe::segment::Segment;
use integration::setup::packages;
use integration::time::truth::Truth;
use serde_json::Value;

use crate::published;

/// The unit.
pub const UNIT: &str = "clockbound.service";
/// The directory of the segments.
pub const SEGMENTS: &str = "run/clockbound";
/// The v1 segment.
pub const SHM: &str = "run/clockbound/shm";
/// The VMClock device, here a file.
pub const VMCLOCK: &str = "dev/vmclock0";

const FAULTY: &str = env!("CARGO_BIN_EXE_clockbound");

/// The booted host.
pub struct Host {
    /// The publications in the v1 segment.
    pub publications: Publications,
    /// The container.
    pub container: Container,
    /// True time.
    pub truth: Truth,
}

/// Copies packages and programs into `root`, and installs the previous package.
pub fn install_before_boot(root: &Root) {
    for (dir, name, file) in [
        ("previous", "clockbound", "previous"),
        ("", "clockbound", "new"),
        ("", "libclockbound1", "library"),
        ("", "libclockbound-dev", "dev"),
    ] {
        let package = std::fs::read(packages::deb(dir, name)).expect("read the package");
        root.write(&format!("opt/{file}.deb"), package);
    }
    std::fs::copy(FAULTY, root.path("opt/faulty")).expect("copy the daemon");
    for (name, content) in [
        (
            "clockbound-pre-235.service",
            include_str!("../../../systemd/clockbound-pre-235.service"),
        ),
        (
            "interval.c",
            include_str!("../../../clients/c/examples/interval.c"),
        ),
    ] {
        root.write(&format!("opt/{name}"), content);
    }
    // As in an image, without a running systemd.
    root.run(&["dpkg", "--install", "/opt/previous.deb"]);
}

impl Host {
    /// Readers of this project and the published ones.
    pub fn readers(&self) -> Vec<Reader> {
        published::readers(&self.container.path(SHM), &self.truth)
    }

    /// Waits for a status of the v1 segment; shows the journal if it does not appear.
    #[track_caller]
    pub fn wait_for_status(&self, status: Status) {
        let shm = self.container.path(SHM);
        let is = |shm: Segment| shm.is_valid() && shm.status() == status;
        let became = wait::within(wait::PATIENCE, || {
            Segment::read(&shm).is_ok_and(is).then_some(())
        });
        if became.is_none() {
            let (_, journal) = self.container.try_run(&["journalctl", "--lines", "50"]);
            panic!("the status does not become {status:?}:\n{journal}");
        }
    }

    /// Runs `act` beside readers; prints the longest gap between publications, returns the
    /// observations.
    pub fn watched(&self, what: &str, act: impl FnOnce()) -> Vec<Observations> {
        let readers = self.readers();
        let gap = self.publications.longest_gap(act);
        // The readers observe the effect.
        readers.iter().for_each(|reader| reader.wait_for_reads(100));
        let seen: Vec<_> = readers.into_iter().map(Reader::finish).collect();
        println!(
            "{what}: longest gap {} ms, statuses {:?}",
            gap.as_millis(),
            seen[0].statuses
        );
        seen.iter().for_each(Observations::assert_valid);
        seen
    }

    /// Runs `act`, which must not change the status that readers see.
    pub fn without_effect_on_readers(&self, what: &str, act: impl FnOnce()) {
        for seen in self.watched(what, act) {
            assert_eq!(seen.statuses, [Status::Synchronized], "{what}");
        }
    }

    /// The output of systemctl.
    pub fn systemctl(&self, words: &[&str]) -> String {
        self.container.run(&[&["systemctl"], words].concat())
    }

    /// The unit's journal.
    pub fn journal(&self, words: &[&str]) -> String {
        self.container.run(&["journalctl", "--sync"]);
        let words = [&["journalctl", "--no-pager", "--unit", UNIT], words].concat();
        self.container.run(&words)
    }

    /// The same, each event an object of its fields.
    pub fn events(&self, words: &[&str]) -> Vec<Value> {
        let text = self.journal(&[&["--output", "json"], words].concat());
        text.lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }

    /// Number of the unit's restarts by systemd.
    pub fn restarts(&self) -> u32 {
        self.container
            .property(UNIT, "NRestarts")
            .parse()
            .expect("a number")
    }
}
