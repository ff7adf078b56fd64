//! The run directory and the segments.

use std::path::Path;

use super::{RESTART, owner_text};
use crate::doctor::facts::files::{FileFacts, Kind};
use crate::doctor::facts::{Fact, Facts, SegmentFacts};
use crate::doctor::finding::{Change, Finding};

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    match &facts.run_directory {
        Fact::Unknown(why) => findings.push(Finding::unknown(
            "run_directory",
            format!("owner and mode of {}", facts.directory.display()),
            why,
        )),
        // The finding about the daemon says that it does not run.
        Fact::Known(None) => return findings,
        Fact::Known(Some(directory)) => {
            findings.push(run_directory(facts, directory));
            findings.push(filesystem(facts));
            findings.extend(segments(facts, directory));
        }
    }
    findings
}

/// The owner that the daemon's files should have.
fn owner(facts: &Facts) -> Option<u32> {
    let of_unit = || facts.user_id(facts.unit.as_ref()?.value("User")?);
    facts.daemon().map(|daemon| daemon.user).or_else(of_unit)
}

fn run_directory(facts: &Facts, directory: &FileFacts) -> Finding {
    const CHECK: &str = "run_directory";
    let at = directory.path.display();
    let what = format!("{at} is {}", owner_text(facts, directory));
    if directory.kind != Kind::Directory {
        return Finding::error(
            CHECK,
            format!("{at} is not a directory"),
            "nothing is published",
        )
        .change(Change::command(format!("rm {at} && {RESTART}")));
    }
    if directory.mode & 0o005 != 0o005 {
        return Finding::warning(
            CHECK,
            what,
            "programs of other users cannot open the segments",
        )
        .change(Change::command(format!("chmod 0755 {at}")));
    }
    if directory.mode & 0o022 != 0 {
        return Finding::warning(
            CHECK,
            what,
            "other users can replace a segment by a wrong one",
        )
        .change(Change::command(format!("chmod 0755 {at}")));
    }
    match owner(facts) {
        Some(owner) if owner != directory.owner && owner != 0 => {
            let name = facts.user_name(owner);
            Finding::warning(
                CHECK,
                what,
                format!("clockbound runs as user {name} and cannot create its files there"),
            )
            .change(Change::command(format!("chown {name}: {at} && {RESTART}")))
        }
        _ => Finding::ok(CHECK, what),
    }
}

fn filesystem(facts: &Facts) -> Finding {
    const CHECK: &str = "run_file_system";
    let at = facts.directory.display();
    match &facts.run_filesystem {
        Fact::Known(kind) if kind == "tmpfs" || kind == "ramfs" => {
            Finding::ok(CHECK, format!("{at} is on {kind}"))
        }
        Fact::Known(kind) => Finding::warning(
            CHECK,
            format!("{at} is on {kind}"),
            "the segments are written to a disk, and remain after a reboot: published clients of \
             the 3.x generation then trust a record of the earlier boot",
        )
        .change(Change::add(
            Path::new("/etc/fstab"),
            format!("tmpfs {at} tmpfs mode=0755 0 0"),
        )),
        Fact::Unknown(why) => Finding::unknown(CHECK, format!("the file system of {at}"), why),
    }
}

fn segments(facts: &Facts, directory: &FileFacts) -> Vec<Finding> {
    let mut present = Vec::new();
    let mut findings = Vec::new();
    for (index, segment) in facts.segments.iter().enumerate() {
        match &segment.file {
            Fact::Unknown(why) => findings.push(Finding::unknown(
                "segment",
                format!("the segment of {}", segment.layout),
                why,
            )),
            Fact::Known(None) => findings.extend(missing(facts, index, segment)),
            Fact::Known(Some(file)) => {
                present.push(segment.layout);
                findings.extend(segment_file(facts, directory, segment, file));
            }
        }
    }
    if findings.is_empty() && !present.is_empty() {
        findings.push(Finding::ok(
            "segment",
            format!("the segments of {} are in place", present.join(", ")),
        ));
    }
    findings
}

/// A file that the daemon writes, and that is not there.
fn missing(facts: &Facts, index: usize, segment: &SegmentFacts) -> Option<Finding> {
    let diagnosed = facts.diagnosed()?;
    let is_written = diagnosed
        .record
        .publications
        .get(index)
        .is_some_and(|count| *count > 0);
    // A program that deleted it just now is not a fault of this host.
    is_written.then(|| {
        Finding::warning(
            "segment",
            format!(
                "clockbound writes {}, and its file is not in {}",
                segment.layout,
                facts.directory.display()
            ),
            "a program that opens it now fails. clockbound creates a deleted file again within \
             about a second; if it is still missing, another path was given for it",
        )
        .change(Change::command(RESTART))
    })
}

fn segment_file(
    facts: &Facts,
    directory: &FileFacts,
    segment: &SegmentFacts,
    file: &FileFacts,
) -> Option<Finding> {
    const CHECK: &str = "segment";
    let at = file.path.display();
    let what = format!("{at} is {}", owner_text(facts, file));
    if let Some(damage) = &segment.damage {
        return Some(
            Finding::error(
                CHECK,
                format!("{at} cannot be read: {damage}"),
                "no program can use it",
            )
            .change(Change::command(RESTART)),
        );
    }
    if file.mode & 0o444 != 0o444 {
        return Some(
            Finding::warning(CHECK, what, "programs of other users cannot open it")
                .change(Change::command(format!("chmod 0644 {at}"))),
        );
    }
    if file.mode & 0o022 != 0 {
        return Some(
            Finding::warning(CHECK, what, "other users can write a wrong interval")
                .change(Change::command(format!("chmod 0644 {at}"))),
        );
    }
    let expected = owner(facts).unwrap_or(directory.owner);
    if file.owner != expected && file.owner != directory.owner {
        return Some(
            Finding::warning(
                CHECK,
                what,
                format!(
                    "its owner is neither that of the directory nor user {}, who runs clockbound: \
                     another program wrote it",
                    facts.user_name(expected)
                ),
            )
            .change(Change::command(format!("rm {at} && {RESTART}"))),
        );
    }
    lock(facts, segment, file)
}

/// The lock file names the daemon.
fn lock(facts: &Facts, segment: &SegmentFacts, file: &FileFacts) -> Option<Finding> {
    let pid = segment.lock_pid?;
    let record = &facts.diagnosed()?.record;
    let written = facts
        .segments
        .iter()
        .position(|other| other.layout == segment.layout)
        .and_then(|index| record.publications.get(index))
        .is_some_and(|count| *count > 0);
    (written && pid != record.pid).then(|| {
        Finding::error(
            "segment",
            format!(
                "{} is locked by process {pid}, and the diagnostics are of process {}",
                file.path.display(),
                record.pid
            ),
            "two daemons publish here, each a part of the segments",
        )
        .change(Change::command(format!("stop both, and {RESTART}")))
    })
}
