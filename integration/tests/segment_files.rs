//! The files of the segments: existing, shared, damaged, deleted or without permission.

mod published;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{DirEntryExt, FileExt, chown, symlink};
use std::path::Path;
use std::time::Duration;

use integration::fakes::candm::Report;
use integration::fakes::chronyd::FakeChronyd;
use integration::host::sandbox::{Sandbox, mode_of};
use integration::host::user::UserAccount;
use integration::host::wait;
use integration::observe::layout::Layout;
use integration::observe::reader::Reader;
use integration::observe::reading::Status;
use integration::observe::segment::Segment;
use integration::programs::daemon::Launch;
use integration::setup::testbed::{Testbed, shm_path};
use integration::time::truth::Truth;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

const BIN: &str = env!("CARGO_BIN_EXE_clockbound");

/// A launch with a synchronised fake chronyd, which starts faster than a real one.
fn launch(sandbox: &Sandbox) -> (FakeChronyd, Launch) {
    let fake = FakeChronyd::reporting(&sandbox.chrony_dir("chrony"), Report::healthy);
    let launch = Launch::new(BIN, fake.socket(), &shm_path(sandbox));
    (fake, launch)
}

/// Expects the daemon to exit with an error of one line that names the path.
#[track_caller]
fn assert_rejected(launch: &Launch, path: &Path) {
    let (exit, log) = launch.run();
    assert!(
        exit.code.is_some_and(|code| (64..=78).contains(&code)),
        "{exit:?} {log:?}"
    );
    let [line] = &log[..] else {
        panic!("one line, not {log:#?}")
    };
    assert!(
        line.contains(&*path.to_string_lossy()),
        "names {}: {line}",
        path.display()
    );
}

#[test]
fn a_damaged_segment_is_repaired_under_its_readers() {
    // Offset and bytes, as a crash or another program may leave them; the size is never touched.
    let damages: [(u64, &[u8]); 6] = [
        (0, &[0; 4]),
        (8, &[0xff; 4]),
        (8, &[16, 0, 0, 0]),
        (12, &[2, 0]),
        (12, &[0; 4]),
        (48, &[0xff; 8]),
    ];
    for (offset, bytes) in damages {
        let sandbox = Sandbox::new();
        let (_fake, launch) = launch(&sandbox);
        let shm = shm_path(&sandbox);
        let mut daemon = launch.start();
        Segment::wait_for_status(&shm, Status::Synchronized);
        let readers = published::readers(&shm, &Truth::default());
        for _ in 0..3 {
            daemon.kill();
            let file = fs::OpenOptions::new()
                .write(true)
                .open(&shm)
                .expect("open the segment");
            file.write_all_at(bytes, offset).expect("damage it");
            daemon = launch.start();
            // The damaged record can have this status, too.
            Segment::wait_for_writes(&shm, 2);
            Segment::wait_for_status(&shm, Status::Synchronized);
            // A truncated mapping would kill this process.
            readers.iter().for_each(|reader| reader.wait_for_reads(50));
        }
        let reader = Reader::start(&shm, &Truth::default());
        reader.wait_for_reads(200);
        reader.finish().assert_valid_with_one_status();
    }
}

#[test]
fn a_file_that_is_not_a_segment_is_replaced() {
    for content in [
        &b""[..],
        b"x",
        &[0; 40],
        &[0; 72],
        &[0xff; 72],
        &[0; 100_000],
    ] {
        let sandbox = Sandbox::new();
        let (_fake, launch) = launch(&sandbox);
        let shm = sandbox.write("clockbound/shm", content);
        let _daemon = launch.start();
        Segment::wait_for_status(&shm, Status::Synchronized);
    }
}

#[test]
fn directories_links_and_pipes_are_rejected() {
    let sandbox = Sandbox::new();
    let (_fake, launch) = launch(&sandbox);
    let shm = shm_path(&sandbox);
    sandbox.dir("clockbound", 0o755);

    fs::create_dir(&shm).expect("make a directory");
    assert_rejected(&launch, &shm);
    fs::remove_dir(&shm).expect("it is still one");

    let target = sandbox.write("target", "precious");
    symlink(&target, &shm).expect("make a link");
    assert_rejected(&launch, &shm);
    assert_eq!(fs::read(&target).expect("read the target"), b"precious");
    fs::remove_file(&shm).expect("it is still a link");

    mkfifo(&shm, Mode::S_IRWXU).expect("make a pipe");
    assert_rejected(&launch, &shm);
}

#[test]
fn a_directory_without_write_permission_is_rejected() {
    let sandbox = Sandbox::new();
    let dir = sandbox.dir("clockbound", 0o755);
    let program = integration::programs::daemon::copy_for_everyone(BIN.as_ref(), &sandbox.path(""));
    let nobody = UserAccount::named("nobody").expect("the account nobody");
    let launch = Launch::new(program, &sandbox.path("chronyd.sock"), &dir.join("shm"));
    assert_rejected(&launch.account(&nobody), &dir);
}

#[test]
fn a_second_daemon_on_the_same_path_is_rejected() {
    let sandbox = Sandbox::new();
    let (_fake, launch) = launch(&sandbox);
    let shm = shm_path(&sandbox);
    let mut first = launch.start();
    Segment::wait_for_status(&shm, Status::Synchronized);
    let reader = Reader::start(&shm, &Truth::default());
    for _ in 0..3 {
        // Which segment is opened first depends on the clocksource.
        assert_rejected(&launch, shm.parent().expect("a directory"));
    }
    Segment::wait_for_writes(&shm, 3);
    assert!(first.is_running());
    reader.finish().assert_valid_with_one_status();
    // The lock is released when its holder exits, also by a signal.
    first.kill();
    let _second = launch.start();
    Segment::wait_for_writes(&shm, 3);
}

#[test]
fn file_modes_do_not_depend_on_the_umask() {
    for umask in [0o000, 0o022, 0o077] {
        let sandbox = Sandbox::new();
        let (_fake, launch) = launch(&sandbox);
        let shm = shm_path(&sandbox);
        let _daemon = launch.umask(umask).start();
        // All segments exist then.
        Segment::wait_for_writes(&shm, 2);
        assert_eq!(mode_of(&shm), 0o644, "umask {umask:03o}");
        assert_eq!(
            mode_of(shm.parent().expect("a directory")),
            0o755,
            "umask {umask:03o}"
        );
        for name in integration::host::sandbox::names_in(shm.parent().expect("a directory")) {
            let mode = mode_of(&shm.with_file_name(&name));
            assert_eq!(
                mode & 0o022,
                0,
                "{name} may be written by others: {mode:03o}"
            );
        }
    }
}

#[test]
fn readers_are_unaffected_by_twenty_killed_daemons() {
    let testbed = Testbed::new();
    let mut daemon = testbed.start(BIN);
    let readers = published::readers(&testbed.shm(), &testbed.truth);
    for _ in 0..20 {
        daemon.kill();
        daemon = testbed.launch(BIN).start();
        Segment::wait_for_writes(&testbed.shm(), 2);
    }
    for reader in readers {
        let seen = reader.finish();
        seen.assert_valid_with_one_status();
        assert_eq!(seen.statuses, [Status::Synchronized]);
    }
}

#[test]
fn a_daemon_restarted_without_chronyd_resumes_the_last_bound() {
    let mut testbed = Testbed::new();
    let mut daemon = testbed.start(BIN);
    let reader = Reader::start(&testbed.shm(), &testbed.truth);
    testbed.chronyd.stop();
    let held = Segment::wait_for_status(&testbed.shm(), Status::FreeRunning);
    for _ in 0..2 {
        daemon.terminate();
        daemon = testbed.launch(BIN).start();
        let kept = Segment::wait_for_writes(&testbed.shm(), 2);
        assert_eq!(kept.status(), Status::FreeRunning);
        // The bound is that of now and has grown; its end of validity has not changed.
        let grown_ns = kept.bound_ns() - held.bound_ns();
        let elapsed_ns = kept.as_of_ns() - held.as_of_ns();
        let grown_by_ns = elapsed_ns * i64::from(held.max_drift_ppb()) / 1_000_000_000;
        assert!(
            (grown_by_ns / 2..grown_by_ns * 2 + 100_000).contains(&grown_ns),
            "{grown_ns} in {elapsed_ns}"
        );
        assert_eq!(kept.void_after_ns(), held.void_after_ns());
    }
    reader.finish().assert_valid();
}

#[test]
fn reserved_fields_and_padding_are_zero() {
    let sandbox = Sandbox::new();
    let (_fake, launch) = launch(&sandbox);
    let _daemon = launch.start();
    for _ in 0..5 {
        assert!(Segment::wait_for_writes(&shm_path(&sandbox), 1).padding_is_zero());
    }
}

#[test]
fn a_segment_of_another_boot_is_not_resumed() {
    integration::host::namespace::private(|host| {
        let sandbox = Sandbox::new();
        let (fake, launch) = launch(&sandbox);
        let shm = shm_path(&sandbox);
        let mut daemon = launch.start();
        let earlier = Segment::wait_for_status(&shm, Status::Synchronized);
        daemon.kill();
        fake.set(|_| Vec::new());
        // Only the boot id differs: the clocks continue.
        host.boot_id(&sandbox, "00000000-0000-4000-8000-000000000001");
        let _daemon = launch.start();
        let now = Segment::wait_for_status(&shm, Status::Unknown);
        assert_eq!(
            now.inode, earlier.inode,
            "readers that opened it earlier read Unknown, too"
        );
    });
}

#[test]
fn a_segment_with_future_instants_is_not_resumed() {
    let sandbox = Sandbox::new();
    let (fake, launch) = launch(&sandbox);
    let shm = shm_path(&sandbox);
    let mut daemon = launch
        .clone()
        .uptime(Duration::from_secs(10_000_000))
        .start();
    Segment::wait_for_status(&shm, Status::Synchronized);
    daemon.kill();
    fake.set(|_| Vec::new());
    let _daemon = launch.start();
    Segment::wait_for_status(&shm, Status::Unknown);
}

/// The files of the segment's directory with their inodes.
fn files_beside(shm: &Path) -> BTreeMap<OsString, u64> {
    let entries = fs::read_dir(shm.parent().expect("a directory"));
    let entries = entries.into_iter().flatten().flatten();
    entries
        .map(|entry| (entry.file_name(), entry.ino()))
        .collect()
}

/// Deletes files with `delete`, and expects that readers continue, from the new files if they can.
fn assert_created_again(delete: impl Fn(&Path)) {
    let sandbox = Sandbox::new();
    let (_fake, launch) = launch(&sandbox);
    let shm = shm_path(&sandbox);
    let mut daemon = launch.start();
    Segment::wait_for_status(&shm, Status::Synchronized);
    let old = published::readers(&shm, &Truth::default());
    let before = files_beside(&shm);
    assert_eq!(
        before.len(),
        10,
        "five segments, each with a lock: {before:?}"
    );

    delete(&shm);
    daemon.wait_until("all files are created again", || {
        let now = files_beside(&shm);
        now.keys().eq(before.keys()) && now.iter().all(|(name, inode)| before[name] != *inode)
    });
    daemon.wait_for_log("recreated a deleted segment file");
    assert_eq!(mode_of(shm.parent().expect("a directory")), 0o755);
    Segment::wait_for_status(&shm, Status::Synchronized);
    assert_rejected(&launch, shm.parent().expect("a directory"));
    let fresh = published::readers(&shm, &Truth::default());
    for reader in fresh {
        reader.wait_for_reads(200);
        reader.finish().assert_valid_with_one_status();
    }
    Segment::wait_for_writes(&shm, 15);
    assert_eq!(
        daemon.count_log("failed to recreate"),
        0,
        "{:#?}",
        daemon.log()
    );
    for reader in &old {
        reader.wait_for_reads(50);
        let seen = reader.seen();
        let violations = seen.errors + seen.inverted + seen.violations;
        assert_eq!(
            (violations, &seen.statuses[..]),
            (0, &[Status::Synchronized][..]),
            "{seen:#?}"
        );
    }
    // The next daemon writes the new files only; the project's client opens them.
    daemon.kill();
    old[0].wait_for(Status::FreeRunning);
    let _daemon = launch.start();
    old[0].wait_for(Status::Synchronized);
}

#[test]
fn files_that_are_deleted_under_the_daemon_are_created_again() {
    assert_created_again(|shm| {
        for (name, _) in files_beside(shm) {
            fs::remove_file(shm.with_file_name(name)).expect("delete it");
        }
    });
}

#[test]
fn a_deleted_directory_is_created_again() {
    assert_created_again(|shm| {
        fs::remove_dir_all(shm.parent().expect("a directory")).expect("delete it");
    });
}

#[test]
fn a_directory_that_cannot_be_created_is_logged_once_and_readers_continue() {
    let sandbox = Sandbox::new();
    let nobody = UserAccount::named("nobody").expect("the account nobody");
    let [chrony, dir] = ["chrony", "clockbound"].map(|name| {
        let dir = sandbox.dir(name, 0o755);
        chown(&dir, Some(nobody.uid), Some(nobody.gid)).expect("chown");
        dir
    });
    let fake = FakeChronyd::reporting(&chrony, Report::healthy);
    let shm = shm_path(&sandbox);
    let program = integration::programs::daemon::copy_for_everyone(BIN.as_ref(), &sandbox.path(""));
    let launch = Launch::new(program, fake.socket(), &shm).account(&nobody);
    let daemon = launch.start();
    Segment::wait_for_status(&shm, Status::Synchronized);
    let readers = published::readers(&shm, &Truth::default());

    fs::remove_dir_all(&dir).expect("delete it");
    let line = daemon.wait_for_log("failed to recreate");
    assert!(line.contains("nobody"), "names the user: {line}");
    // Longer than a record stays Synchronized without its writer.
    wait::holds(Duration::from_secs(7), "one line", || {
        daemon.count_log("failed to recreate") == 1
    });
    for reader in readers {
        reader.wait_for_reads(50);
        reader.finish().assert_valid_with_one_status();
    }
    fs::create_dir(&dir).expect("make it");
    chown(&dir, Some(nobody.uid), Some(nobody.gid)).expect("chown");
    daemon.wait_for_log("recreated a deleted segment file");
    Segment::wait_for_status(&shm, Status::Synchronized);
}

#[test]
fn a_native_segment_of_revision_0_is_resumed() {
    let sandbox = Sandbox::new();
    let (fake, launch) = launch(&sandbox);
    let shm = shm_path(&sandbox);
    let native = shm.with_file_name("native");
    let mut daemon = launch.start();
    Segment::wait_for_status(&shm, Status::Synchronized);
    daemon.kill();
    fake.set(|_| Vec::new());
    // The segment of an earlier daemon, alone.
    let mut bytes = fs::read(&native).expect("read it");
    bytes.truncate(136);
    bytes[8..12].copy_from_slice(&136_u32.to_ne_bytes());
    bytes[14..16].copy_from_slice(&0_u16.to_ne_bytes());
    fs::write(&native, bytes).expect("write it");
    fs::remove_file(&shm).expect("delete it");
    fs::remove_file(shm.with_file_name("shm0")).expect("delete it");

    let reader = Reader::of(Layout::NATIVE, &shm, &Truth::default());
    let _daemon = launch.start();
    Segment::wait_for_writes(&shm, 3);
    reader.wait_for_reads(50);
    let seen = reader.finish();
    seen.assert_valid();
    let trusted = |status: &Status| [Status::Synchronized, Status::FreeRunning].contains(status);
    assert!(seen.statuses.iter().all(trusted), "{seen:#?}");
    assert_eq!(fs::metadata(&native).expect("it is there").len(), 4_096);
}

#[test]
fn a_client_of_the_directory_leaves_a_segment_that_is_not_published_any_more() {
    let sandbox = Sandbox::new();
    let (_fake, launch) = launch(&sandbox);
    let mut daemon = launch.start();
    Segment::wait_for_status(&shm_path(&sandbox), Status::Synchronized);
    let directory = shm_path(&sandbox).with_file_name("");
    let client = clockbound_client::Client::open_at(&directory).expect("open the segment");
    let layout = || client.record().expect("a record").layout;
    assert_eq!(layout(), clockbound_client::Layout::Native);
    daemon.terminate();
    let launch = launch.args(["--native-path", "off"]);
    let _daemon = launch.start();
    wait::until(wait::PATIENCE, "another layout", || {
        layout() == clockbound_client::Layout::V2
    });
    assert!(client.now().expect("an interval").status().is_trusted());
    assert!(!directory.join("native").exists(), "the file is removed");
}
