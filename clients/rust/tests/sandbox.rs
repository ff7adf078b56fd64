//! What a client does besides reading memory and clocks: system calls, allocations, and whether it
//! can be used in a signal handler. Each test runs in a process of its own.

mod segments;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::env;
use std::fs;
use std::hint::black_box;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, chroot};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clockbound_client::{Client, Error, OpenOptions, Status};
use shm_layout::Disruption;
use shm_layout::native::NativeRecord;

use segments::{DEADLINE, HALF_NS, S, SegmentDirectory, VmClockPage, native, silent, v1};

/// In the environment of a process that runs one of these tests.
const IN_CHILD: &str = "CLOCKBOUND_CLIENT_TEST_CHILD";

/// Counts the allocations of each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: `System` does everything.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the contract is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the contract is the same.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs the test `name` in another process. Returns `None` there, and the exit status here.
fn in_child(name: &str) -> Option<ExitStatus> {
    if env::var_os(IN_CHILD).is_some() {
        return None;
    }
    let mut command = Command::new(env::current_exe().expect("this program"));
    command.args([name, "--exact", "--nocapture", "--test-threads=1"]);
    let child = command.env(IN_CHILD, "1").spawn();
    Some(child.expect("a process").wait().expect("a status"))
}

/// Runs the rest of a test in another process, in which it has to pass.
macro_rules! run_in_child {
    ($name:literal) => {
        if let Some(status) = in_child($name) {
            assert!(status.success(), "{status}");
            return;
        }
    };
}

fn is_root() -> bool {
    // SAFETY: it only returns a number.
    unsafe { libc::geteuid() == 0 }
}

fn skip(test: &str, reason: &str) {
    writeln!(std::io::stdout(), "skipped: {test}: {reason}").expect("standard output");
}

fn not_following(directory: &SegmentDirectory) -> Client {
    let options = OpenOptions::new().path(&directory.0).follow(false);
    options.open().expect("a client")
}

/// Calls every function that reads, except those that sleep.
fn read_all(client: &Client) -> [bool; 4] {
    [
        client.now().is_ok(),
        client.interval_at(black_box(1)).is_ok(),
        client.interval_at_realtime(black_box(1)).is_ok(),
        client.record().is_ok(),
    ]
}

#[test]
fn a_client_that_does_not_follow_allocates_nothing_after_open() {
    let directory = SegmentDirectory::new();
    let segment = directory.publish_native(&native(Status::Synchronized, HALF_NS));
    let client = not_following(&directory);
    let allocated = || {
        let before = ALLOCATIONS.with(Cell::get);
        let reads = read_all(&client);
        (ALLOCATIONS.with(Cell::get) - before, reads[0])
    };
    assert_eq!(allocated(), (0, true));
    let ahead = native(Status::Synchronized, HALF_NS);
    for (record, is_read) in [
        (native(Status::Unknown, HALF_NS), true),
        (silent(native(Status::Synchronized, HALF_NS)), true),
        (
            NativeRecord {
                as_of_ns: ahead.as_of_ns + 1_000 * S,
                ..ahead
            },
            false,
        ),
        (
            NativeRecord {
                earliest_ns: ahead.latest_ns + 1,
                ..ahead
            },
            false,
        ),
    ] {
        segment.publish(&record);
        assert_eq!(allocated(), (0, is_read), "{record:?}");
    }
    // The same with an unfinished write, in a file that was opened so.
    let path = directory.path("native");
    drop(segment);
    let mut bytes = fs::read(&path).expect("a segment");
    bytes[64..72].copy_from_slice(&9_u64.to_ne_bytes());
    fs::write(&path, bytes).expect("written");
    let unfinished = not_following(&directory);
    let before = ALLOCATIONS.with(Cell::get);
    assert_eq!(read_all(&unfinished), [false; 4]);
    assert_eq!(ALLOCATIONS.with(Cell::get), before);
}

#[test]
fn a_comparison_with_the_page_allocates_nothing_and_neither_does_its_error() {
    let directory = SegmentDirectory::new();
    let page = VmClockPage::new(directory.path("vmclock"), 7);
    let plain = native(Status::Synchronized, HALF_NS);
    let segment = directory.publish_native(&plain);
    let [with_page, without_page] = ["vmclock", "nothing"].map(|name| {
        let options = OpenOptions::new().path(&directory.0).follow(false);
        options.vmclock(directory.path(name)).open().expect("open")
    });
    let read = |client: &Client| {
        let before = ALLOCATIONS.with(Cell::get);
        let status = client.now().map(|now| now.status()).ok();
        read_all(client);
        (ALLOCATIONS.with(Cell::get) - before, status)
    };
    let trusted = (0, Some(Status::Synchronized));
    assert_eq!([read(&with_page), read(&without_page)], [trusted; 2]);
    segment.publish(&NativeRecord {
        disruption: Disruption {
            marker: 7,
            supported: true,
        },
        ..native(Status::Synchronized, HALF_NS)
    });
    for _ in 0..2 {
        assert_eq!(
            [read(&with_page), read(&without_page)],
            [trusted, (0, None)]
        );
    }
    page.set_marker(8);
    assert_eq!(read(&with_page), (0, Some(Status::Disrupted)));
}

#[test]
fn a_child_process_of_a_fork_compares_the_page_under_a_strict_seccomp_filter() {
    let name = "a_child_process_of_a_fork_compares_the_page_under_a_strict_seccomp_filter";
    run_in_child!("a_child_process_of_a_fork_compares_the_page_under_a_strict_seccomp_filter");
    let directory = SegmentDirectory::new();
    let page = VmClockPage::new(directory.path("vmclock"), 7);
    let record = silent(native(Status::Synchronized, HALF_NS));
    let segment = directory.publish_native(&NativeRecord {
        disruption: Disruption {
            marker: 7,
            supported: true,
        },
        ..record
    });
    let options = OpenOptions::new().path(&directory.0).vmclock(&page.0);
    let client = options.follow(false).open().expect("a client");
    // The child process reports a trusted status, and waits for the disruption.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    // SAFETY: the child process only calls functions that are async-signal-safe.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        let is_permitted = permit_only(
            &[libc::SYS_write, libc::SYS_exit],
            libc::SECCOMP_RET_KILL_PROCESS,
        );
        let status = || client.now().map_or(Status::Unknown, |now| now.status());
        let mut code = if is_permitted { 1 } else { 77 };
        if is_permitted && status().is_trusted() {
            let byte = [0_u8];
            // SAFETY: the pointer is to one byte.
            unsafe { libc::write(writer.as_raw_fd(), byte.as_ptr().cast(), 1) };
            while status().is_trusted() {
                std::hint::spin_loop();
            }
            code = if status() == Status::Disrupted { 0 } else { 2 };
        }
        // SAFETY: it ends the process, which has one thread.
        unsafe { libc::syscall(libc::SYS_exit, code) };
    }
    drop(writer);
    let mut byte = [0];
    let _ = std::io::Read::read(&mut &reader, &mut byte).expect("read");
    page.set_marker(8);
    let mut status = 0;
    // SAFETY: the pointer is to a number.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    let status = ExitStatus::from_raw(status);
    drop(segment);
    if status.code() == Some(77) {
        return skip(name, "seccomp(2) is not available");
    }
    assert!(status.success(), "{status}");
}

#[test]
fn a_client_that_does_not_follow_reads_in_a_signal_handler() {
    run_in_child!("a_client_that_does_not_follow_reads_in_a_signal_handler");
    const SIGNALS: u32 = 100_000;
    static CLIENT: OnceLock<Client> = OnceLock::new();
    static HANDLED: AtomicU32 = AtomicU32::new(0);
    static READ: AtomicU32 = AtomicU32::new(0);
    static TIMER: AtomicUsize = AtomicUsize::new(0);
    /// Interrupts this thread in 20 us.
    fn interrupt_later() {
        // SAFETY: the timer exists, and the kernel copies the numbers.
        unsafe {
            let mut at: libc::itimerspec = std::mem::zeroed();
            at.it_value.tv_nsec = 20_000;
            let timer = TIMER.load(Ordering::Relaxed) as libc::timer_t;
            libc::timer_settime(timer, 0, &raw const at, std::ptr::null_mut());
        }
    }
    extern "C" fn handle(_signal: libc::c_int) {
        let client = CLIENT.get().expect("opened");
        if client.now().is_ok_and(|now| now.status().is_trusted()) {
            READ.fetch_add(1, Ordering::Relaxed);
        }
        if HANDLED.fetch_add(1, Ordering::Relaxed) < SIGNALS {
            interrupt_later();
        }
    }
    // A client that follows would look at the path for each of these records.
    let directory = SegmentDirectory::new();
    let segment = directory.publish_native(&silent(native(Status::Synchronized, HALF_NS)));
    let client = CLIENT.get_or_init(|| not_following(&directory));
    // SAFETY: the handler only calls functions that are async-signal-safe. The structures are of
    // numbers, and the kernel copies them. The timer signals this thread.
    unsafe {
        let before = libc::signal(libc::SIGALRM, handle as extern "C" fn(_) as usize);
        assert_ne!(before, libc::SIG_ERR);
        let mut event: libc::sigevent = std::mem::zeroed();
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_signo = libc::SIGALRM;
        event.sigev_notify_thread_id = libc::gettid();
        let mut timer = std::mem::zeroed();
        let created = libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer);
        assert_eq!(created, 0);
        TIMER.store(timer as usize, Ordering::Relaxed);
    }
    interrupt_later();
    let begun = Instant::now();
    let mut round = 0_u32;
    while HANDLED.load(Ordering::Relaxed) <= SIGNALS {
        // Interrupted in the allocator, and in the functions of the client.
        drop(black_box(Vec::<u8>::with_capacity(black_box(100))));
        black_box(client.now().expect("an interval"));
        round = round.wrapping_add(1);
        if round.is_multiple_of(16) {
            segment.publish(&silent(native(Status::Synchronized, HALF_NS)));
            black_box(client.record().expect("a record"));
            assert!(begun.elapsed() < 10 * DEADLINE, "{HANDLED:?} signals");
        }
    }
    assert_eq!(
        READ.load(Ordering::Relaxed),
        HANDLED.load(Ordering::Relaxed)
    );
}

/// Permits these system calls to the calling thread; any other has the effect `otherwise`.
/// Allocates nothing.
fn permit_only(permitted: &[libc::c_long], otherwise: u32) -> bool {
    let statement = |code: u32, k: u32| libc::sock_filter {
        code: code.try_into().expect("16 bits"),
        jt: 0,
        jf: 0,
        k,
    };
    let mut filter = [statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW); 8];
    // The first word of `struct seccomp_data` is the number of the system call.
    filter[0] = statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0);
    let count = permitted.len();
    for (n, &number) in permitted.iter().enumerate() {
        filter[1 + n] = libc::sock_filter {
            // To the statement after the one that returns `otherwise`.
            jt: (count - n).try_into().expect("few"),
            ..statement(
                libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
                number.try_into().expect("a number"),
            )
        };
    }
    filter[1 + count] = statement(libc::BPF_RET | libc::BPF_K, otherwise);
    let program = libc::sock_fprog {
        len: filter.len().try_into().expect("few"),
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: it changes the rights of this thread; the pointer is to a program.
    unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(
                libc::PR_SET_SECCOMP,
                libc::SECCOMP_MODE_FILTER,
                &raw const program,
            ) == 0
    }
}

/// Returns how a process ends that may only write, exit and return from a signal handler, and calls
/// every function of `client`. (The strict mode of seccomp(2) also forbids reading the counter of
/// the processor, so that no clock can be read in it.)
fn status_in_strict_sandbox(client: &Client, published: &AtomicBool) -> ExitStatus {
    // SAFETY: the child process only calls functions that are async-signal-safe.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        let permitted = [libc::SYS_write, libc::SYS_exit, libc::SYS_rt_sigreturn];
        let mut code = 77;
        if permit_only(&permitted, libc::SECCOMP_RET_KILL_PROCESS) {
            let mut reads = [true; 4];
            for _ in 0..100_000 {
                for (all, one) in reads.iter_mut().zip(read_all(client)) {
                    *all &= one;
                }
            }
            code = if reads == [true, false, false, true] {
                0
            } else {
                1
            };
        }
        // SAFETY: it ends the process, which has one thread.
        unsafe { libc::syscall(libc::SYS_exit, code) };
    }
    published.store(true, Ordering::Relaxed);
    let mut status = 0;
    // SAFETY: the pointer is to a number.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    ExitStatus::from_raw(status)
}

#[test]
fn a_client_that_does_not_follow_reads_under_a_strict_seccomp_filter() {
    let name = "a_client_that_does_not_follow_reads_under_a_strict_seccomp_filter";
    run_in_child!("a_client_that_does_not_follow_reads_under_a_strict_seccomp_filter");
    let directory = SegmentDirectory::new();
    let segment = directory.publish_native(&silent(native(Status::Synchronized, HALF_NS)));
    let client = not_following(&directory);
    let following = Client::open_at(&directory.0).expect("a client");
    let (is_forked, is_done) = (AtomicBool::new(false), AtomicBool::new(false));
    let status = thread::scope(|scope| {
        // New records have to be validated in the sandbox.
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                if is_forked.load(Ordering::Relaxed) {
                    segment.publish(&silent(native(Status::Synchronized, HALF_NS)));
                }
                thread::sleep(Duration::from_millis(1));
            }
        });
        let status = status_in_strict_sandbox(&client, &is_forked);
        is_done.store(true, Ordering::Relaxed);
        status
    });
    if status.code() == Some(77) {
        return skip(name, "seccomp(2) is not available");
    }
    assert!(status.success(), "{status}");
    // A client that follows looks at the path, which is not permitted.
    let status = status_in_strict_sandbox(&following, &is_forked);
    assert_eq!(status.signal(), Some(libc::SIGSYS), "{status}");
}

#[test]
fn no_system_call_is_made_while_the_daemon_publishes_on_time() {
    let name = "no_system_call_is_made_while_the_daemon_publishes_on_time";
    run_in_child!("no_system_call_is_made_while_the_daemon_publishes_on_time");
    static TRAPPED: AtomicU32 = AtomicU32::new(0);
    static LAST: AtomicI32 = AtomicI32::new(-1);
    extern "C" fn trap(_signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
        // SAFETY: the kernel passes this pointer. The field is after the address of the call.
        let number = unsafe { info.cast::<i32>().add(6).read() };
        LAST.store(number, Ordering::Relaxed);
        TRAPPED.fetch_add(1, Ordering::Relaxed);
    }
    let directory = SegmentDirectory::new();
    // A daemon publishes every 100 ms. With this interval in the record it may be late by a second,
    // so that a busy machine does not count.
    let record = || NativeRecord {
        publication_interval_us: 1_000_000,
        ..native(Status::Synchronized, HALF_NS)
    };
    let (native, v2, v1_segment) = (
        directory.publish_native(&record()),
        directory.publish_v2(HALF_NS),
        directory.publish_v1(HALF_NS),
    );
    let clients = ["native", "shm0", "shm"]
        .map(|name| Client::open_at(directory.path(name)).expect("a client"));
    // SAFETY: the handler only writes two numbers.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = trap as extern "C" fn(_, _, _) as usize;
        action.sa_flags = libc::SA_SIGINFO;
        assert_eq!(
            libc::sigaction(libc::SIGSYS, &raw const action, std::ptr::null_mut()),
            0
        );
    }
    let (is_permitted, reads) = (AtomicBool::new(true), AtomicU32::new(0));
    let is_started = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let is_trapped = permit_only(&[libc::SYS_rt_sigreturn], libc::SECCOMP_RET_TRAP);
            is_permitted.store(is_trapped, Ordering::Relaxed);
            is_started.store(true, Ordering::Release);
            while is_permitted.load(Ordering::Relaxed) {
                for client in &clients {
                    match client.now() {
                        Ok(now) if now.status().is_trusted() => {}
                        _ => std::process::abort(),
                    }
                }
                reads.fetch_add(1, Ordering::Relaxed);
            }
        });
        while !is_started.load(Ordering::Acquire) {
            thread::yield_now();
        }
        for _ in 0..20 {
            native.publish(&record());
            v2.publish(&v1(HALF_NS).into());
            v1_segment.publish(&v1(HALF_NS));
            thread::sleep(Duration::from_millis(100));
        }
        if !is_permitted.load(Ordering::Relaxed) {
            return skip(name, "seccomp(2) is not available");
        }
        assert!(reads.load(Ordering::Relaxed) > 1_000);
        let trapped = TRAPPED.load(Ordering::Relaxed);
        let last = LAST.load(Ordering::Relaxed);
        assert_eq!(trapped, 0, "system calls, the last of number {last}");
        // A daemon that has stopped is looked for.
        native.publish(&silent(record()));
        let begun = Instant::now();
        while TRAPPED.load(Ordering::Relaxed) == 0 {
            assert!(begun.elapsed() < DEADLINE, "the path is never checked");
            thread::yield_now();
        }
        drop(directory);
        // The reader cannot end its thread without a system call.
        // SAFETY: it does not return.
        unsafe { libc::_exit(0) };
    });
}

#[test]
fn a_relative_path_is_found_after_the_working_directory_has_changed() {
    run_in_child!("a_relative_path_is_found_after_the_working_directory_has_changed");
    let directory = SegmentDirectory::new();
    directory.publish_native(&silent(native(Status::Synchronized, HALF_NS)));
    env::set_current_dir(&directory.0).expect("a directory");
    let clients = [".", "native"].map(|path| Client::open_at(path).expect("a client"));
    env::set_current_dir("/").expect("a directory");
    fs::remove_file(directory.path("native")).expect("removed");
    let _segment = directory.publish_native(&native(Status::Synchronized, HALF_NS));
    for client in clients {
        segments::wait_until("the client reads the new file", || {
            client.now().expect("an interval").status() == Status::Synchronized
        });
    }
}

#[test]
fn a_file_that_may_not_be_read_is_skipped() {
    run_in_child!("a_file_that_may_not_be_read_is_skipped");
    let directory = SegmentDirectory::new();
    directory.publish_native(&native(Status::Synchronized, HALF_NS));
    let forbidden = fs::Permissions::from_mode(0o000);
    fs::set_permissions(directory.path("native"), forbidden).expect("changed");
    // SAFETY: this process does nothing else.
    assert!(!is_root() || unsafe { libc::seteuid(65_534) } == 0);
    let refused = Client::open_at(&directory.0).expect_err("no file that may be read");
    assert!(
        refused.to_string().contains("Permission denied"),
        "{refused}"
    );
    let chain = std::error::Error::source(&refused).expect("a cause");
    assert!(chain.to_string().contains("Permission denied"), "{chain}");
    // SAFETY: as above.
    assert!(unsafe { libc::getuid() } != 0 || unsafe { libc::seteuid(0) } == 0);
    directory.publish_v2(HALF_NS);
    // SAFETY: as above.
    assert!(!is_root() || unsafe { libc::seteuid(65_534) } == 0);
    let client = Client::open_at(&directory.0).expect("the v2 segment");
    let layout = client.record().expect("a record").layout;
    // SAFETY: as above.
    assert!(unsafe { libc::getuid() } != 0 || unsafe { libc::seteuid(0) } == 0);
    assert_eq!(layout, clockbound_client::Layout::V2);
}

#[test]
fn without_proc_the_layouts_are_opened_that_do_not_need_it() {
    let name = "without_proc_the_layouts_are_opened_that_do_not_need_it";
    if !is_root() {
        return skip(name, "chroot(2) needs root");
    }
    run_in_child!("without_proc_the_layouts_are_opened_that_do_not_need_it");
    let directory = SegmentDirectory::new();
    directory.publish_native(&native(Status::Synchronized, HALF_NS));
    let both = SegmentDirectory::new();
    both.publish_native(&native(Status::Synchronized, HALF_NS));
    both.publish_v2(HALF_NS);
    fs::rename(&both.0, directory.path("both")).expect("moved");
    let outside = fs::File::open("/").expect("a directory");
    chroot(&directory.0).expect("permitted");
    let refused = Client::open_at("/").map(|_| ());
    let layout = Client::open_at("/both").map(|client| client.record().expect("a record").layout);
    // Back, to remove the files.
    // SAFETY: this process does nothing else.
    assert_eq!(unsafe { libc::fchdir(outside.as_raw_fd()) }, 0);
    chroot(".").expect("permitted");
    assert!(
        matches!(refused, Err(Error::TimeNamespace(_))),
        "{refused:?}"
    );
    assert_eq!(
        layout.expect("the v2 segment"),
        clockbound_client::Layout::V2
    );
}
