//! The state in a file that every process of a test maps.
//!
//! ```text
//!   magic u32 | turn u32 | state 0 .. state 15      current state: the lowest four bits of turn
//! ```
//!
//! A writer locks the file; the kernel releases the lock of a killed writer. It overwrites the
//! oldest state and then increments `turn`, so an incomplete state of a killed writer is never
//! read. Readers take no lock. The earlier states are used to convert timestamps of the kernel that
//! a program reads late.
#![expect(unsafe_code, reason = "maps a file that other processes write to")]

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::mem::size_of;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::ptr::{self, NonNull};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering, fence};
use std::time::Duration;

use crate::state::{Line, State, WORDS};

const MAGIC: u32 = 0x6362_7632;

/// How many states are kept: a power of two.
const STATES: u32 = 16;

/// The longest time from the instant of a change to its publication, ns; readers use the previous
/// state until then. Exceeded only if the writer is interrupted in each of [`ATTEMPTS`].
const PROMPT_NS: i64 = 2_000;

const ATTEMPTS: u32 = 100;

#[repr(C)]
struct Page {
    magic: AtomicU32,
    turn: AtomicU32,
    states: [[AtomicI64; WORDS]; STATES as usize],
}

/// The clock that a file holds.
#[derive(Debug)]
pub struct SharedClock {
    path: PathBuf,
    page: NonNull<Page>,
    writing: Mutex<()>,
}

// SAFETY: the page is only used through atomics, and is mapped until the value is dropped.
unsafe impl Send for SharedClock {}
// SAFETY: as above.
unsafe impl Sync for SharedClock {}

impl SharedClock {
    /// Creates the file of a clock whose time is `realtime_ns` now; every account may change it.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(path: &Path, realtime_ns: i64) -> io::Result<SharedClock> {
        let words = State::new(raw_ns(), realtime_ns).to_words();
        let mut bytes = [MAGIC.to_ne_bytes(), 0_u32.to_ne_bytes()].concat();
        bytes.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
        bytes.resize(size_of::<Page>(), 0);
        let mut file = File::create_new(path)?;
        file.write_all(&bytes)?;
        file.set_permissions(Permissions::from_mode(0o666))?;
        SharedClock::open(path)
    }

    /// Maps a file that [`SharedClock::create`] created.
    ///
    /// # Errors
    /// When it cannot be opened for writing, or is another kind of file.
    pub fn open(path: &Path) -> io::Result<SharedClock> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        if file.metadata()?.len() != size_of::<Page>() as u64 {
            return Err(not_a_clock(path));
        }
        // SAFETY: a new mapping of a file that is as long as the mapping.
        let mapped = unsafe {
            libc::mmap(
                ptr::null_mut(),
                size_of::<Page>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            )
        };
        if mapped == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let page = NonNull::new(mapped.cast()).ok_or_else(|| not_a_clock(path))?;
        let clock = SharedClock {
            path: path.to_owned(),
            page,
            writing: Mutex::new(()),
        };
        if clock.page().magic.load(Ordering::Relaxed) != MAGIC {
            return Err(not_a_clock(path));
        }
        Ok(clock)
    }

    /// The clock's time at `raw()`, which reads CLOCK_MONOTONIC_RAW in ns; it is called again if
    /// the clock was changed during the reading.
    pub fn at(&self, raw: impl Fn() -> i64) -> i64 {
        loop {
            let turn = self.turn();
            let line = Line::from_words(self.words(turn));
            let realtime_ns = line.at(raw());
            fence(Ordering::Acquire);
            if self.page().turn.load(Ordering::Relaxed) == turn {
                return realtime_ns;
            }
        }
    }

    /// Its time now, ns since 1970.
    pub fn now_ns(&self) -> i64 {
        self.at(raw_ns)
    }

    /// Its time at `raw_ns`, which may be before the last changes.
    pub fn at_past(&self, raw_ns: i64) -> i64 {
        loop {
            let turn = self.turn();
            let mut state = self.load(turn);
            // A writer may be overwriting the oldest one.
            for back in 1..=turn.min(STATES - 2) {
                if raw_ns >= state.line.raw_ns {
                    break;
                }
                state = self.load(turn - back);
            }
            fence(Ordering::Acquire);
            if self.page().turn.load(Ordering::Relaxed) == turn {
                return state.at(raw_ns);
            }
        }
    }

    /// The current state.
    pub fn state(&self) -> State {
        loop {
            let turn = self.turn();
            let state = self.load(turn);
            fence(Ordering::Acquire);
            if self.page().turn.load(Ordering::Relaxed) == turn {
                return state;
            }
        }
    }

    /// Changes the clock. `change` receives the instant, ns of CLOCK_MONOTONIC_RAW; it is called
    /// again if the process was interrupted before the publication.
    ///
    /// # Errors
    /// When the file cannot be locked.
    ///
    /// # Panics
    /// If an earlier change has panicked.
    pub fn update<T>(&self, mut change: impl FnMut(&mut State, i64) -> T) -> io::Result<T> {
        let _one_thread = self.writing.lock().expect("no change has panicked");
        let file = OpenOptions::new().write(true).open(&self.path)?;
        lock(&file)?;
        let turn = self.turn();
        let before = self.load(turn);
        fence(Ordering::SeqCst);
        let next = turn.wrapping_add(1);
        let words = &self.page().states[(next % STATES) as usize];
        let mut attempt = 0;
        let result = loop {
            let at_ns = raw_ns();
            let mut state = before;
            let result = change(&mut state, at_ns);
            for (word, value) in words.iter().zip(state.to_words()) {
                word.store(value, Ordering::Relaxed);
            }
            attempt += 1;
            if raw_ns() - at_ns <= PROMPT_NS || attempt == ATTEMPTS {
                break result;
            }
        };
        self.page().turn.store(next, Ordering::Release);
        // SAFETY: a futex in a mapping that outlives the call.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                self.page().turn.as_ptr(),
                libc::FUTEX_WAKE,
                i32::MAX,
            )
        };
        Ok(result)
    }

    /// Steps the clock by this many ns.
    ///
    /// # Errors
    /// As [`SharedClock::update`].
    pub fn step(&self, by_ns: i64) -> io::Result<()> {
        self.update(|state, raw_ns| state.step(raw_ns, by_ns))
    }

    /// How often the clock was changed.
    pub fn turn(&self) -> u32 {
        self.page().turn.load(Ordering::Acquire)
    }

    /// Waits until [`SharedClock::turn`] differs from `turn`, for at most `limit`; may return
    /// early.
    pub fn wait(&self, turn: u32, limit: Duration) {
        let limit = libc::timespec {
            tv_sec: limit.as_secs().min(1 << 30).cast_signed(),
            tv_nsec: limit.subsec_nanos().into(),
        };
        // SAFETY: a futex in a mapping that outlives the call, and a limit that does.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                self.page().turn.as_ptr(),
                libc::FUTEX_WAIT,
                turn,
                &raw const limit,
            )
        };
    }

    fn words<const N: usize>(&self, turn: u32) -> [i64; N] {
        let words = &self.page().states[(turn % STATES) as usize];
        std::array::from_fn(|index| words[index].load(Ordering::Relaxed))
    }

    fn load(&self, turn: u32) -> State {
        State::from_words(&self.words(turn))
    }

    fn page(&self) -> &Page {
        // SAFETY: mapped until the value is dropped; every bit pattern is valid for its atomics.
        unsafe { self.page.as_ref() }
    }
}

impl Drop for SharedClock {
    fn drop(&mut self) {
        // SAFETY: the mapping belongs to this value, and no borrow of it is left.
        unsafe { libc::munmap(self.page.as_ptr().cast(), size_of::<Page>()) };
    }
}

/// CLOCK_MONOTONIC_RAW in ns.
#[must_use]
pub fn raw_ns() -> i64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a timespec that outlives the call. The clock is in every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_RAW, &raw mut time) };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// Waits for the lock of a file; closing the file releases it.
fn lock(file: &File) -> io::Result<()> {
    // SAFETY: no memory is involved.
    while unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX) } < 0 {
        let err = io::Error::last_os_error();
        if err.kind() != io::ErrorKind::Interrupted {
            return Err(err);
        }
    }
    Ok(())
}

fn not_a_clock(path: &Path) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("{} is not a virtual clock", path.display()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;
    use std::time::Instant;

    const S: i64 = 1_000_000_000;

    fn clock() -> (tempfile::TempDir, PathBuf, SharedClock) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("clock");
        let clock = SharedClock::create(&path, 1_000 * S).expect("made");
        (dir, path, clock)
    }

    #[test]
    fn a_change_is_seen_through_every_mapping() {
        let (_dir, path, clock) = clock();
        let other = SharedClock::open(&path).expect("opened");
        assert!((1_000 * S..1_001 * S).contains(&other.now_ns()));
        let before_raw_ns = raw_ns();
        clock.step(-500 * S).expect("stepped");
        assert!((500 * S..502 * S).contains(&other.now_ns()));
        assert_eq!(other.state().sets_at(raw_ns()), 1);
        assert!(other.at_past(before_raw_ns) >= 1_000 * S);
    }

    #[test]
    fn a_waiter_wakes_when_the_clock_changes() {
        let (_dir, path, clock) = clock();
        let turn = clock.turn();
        let waiter = thread::spawn(move || {
            let other = SharedClock::open(&path).expect("opened");
            let began = Instant::now();
            while other.turn() == turn && began.elapsed() < Duration::from_secs(30) {
                other.wait(turn, Duration::from_secs(30));
            }
            other.turn()
        });
        clock.step(1).expect("stepped");
        assert_eq!(waiter.join().expect("no panic"), turn + 1);
    }

    #[test]
    fn writers_take_turns_and_readers_see_whole_states() {
        const STEPS: i64 = 200;
        let (_dir, path, clock) = clock();
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let own = SharedClock::open(&path).expect("opened");
                    for _ in 0..STEPS {
                        own.step(1_000 * S).expect("stepped");
                    }
                });
            }
            for _ in 0..10_000 {
                let state = clock.state();
                let steps = state.sets_at(state.line.raw_ns);
                let expected_ns = 1_000 * S * (1 + steps);
                let late_ns = state.line.realtime_ns - expected_ns;
                assert!((0..600 * S).contains(&late_ns), "{state:?}");
            }
        });
        assert_eq!(clock.state().sets_at(raw_ns()), 2 * STEPS);
    }

    #[test]
    fn another_file_is_refused() {
        let (dir, ..) = clock();
        let path = dir.path().join("other");
        std::fs::write(&path, [0; size_of::<Page>()]).expect("written");
        SharedClock::open(&path).expect_err("no magic");
        std::fs::write(&path, "short").expect("written");
        SharedClock::open(&path).expect_err("too short");
    }

    #[test]
    fn an_instant_before_several_changes_is_on_the_clock_of_that_instant() {
        let (_dir, _path, clock) = clock();
        let (before_raw_ns, before_ns) = (raw_ns(), clock.now_ns());
        for by_ns in 1..=i64::from(STATES - 2) {
            clock.step(by_ns * S).expect("the clock");
            let shown_ns = clock.at_past(before_raw_ns);
            assert!((before_ns - S..=before_ns).contains(&shown_ns), "{by_ns}");
        }
    }
}
