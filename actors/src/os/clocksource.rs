//! The kernel's clocksource, which `CLOCK_MONOTONIC_RAW` is read from, and what the processor
//! guarantees about its counter.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Where the kernel's sysfs is mounted. The paths below are relative to it.
pub const SYS_ROOT: &str = "/sys";

/// Where the kernel's procfs is mounted.
pub const PROC_ROOT: &str = "/proc";

const CURRENT: &str = "devices/system/clocksource/clocksource0/current_clocksource";

/// The longest name, in bytes; the kernel's `CS_NAME_LEN`.
const MAX_NAME_BYTES: usize = 32;

/// The name of a clocksource, such as `tsc`, `kvm-clock` or `arch_sys_counter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocksource {
    /// Padded with zeros.
    name: [u8; MAX_NAME_BYTES],
}

impl Clocksource {
    fn parse(text: &[u8]) -> Option<Self> {
        let text = text.trim_ascii();
        let mut name = [0; MAX_NAME_BYTES];
        name.get_mut(..text.len())?.copy_from_slice(text);
        (!text.is_empty() && text.is_ascii()).then_some(Self { name })
    }

    /// The name as the kernel prints it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let length = self.name.iter().take_while(|&&byte| byte != 0).count();
        str::from_utf8(&self.name[..length]).unwrap_or_default()
    }

    /// Whether it is the counter that [`shm_layout`]'s readers of the v3 layout read: the time-stamp
    /// counter of x86-64, or the virtual counter of aarch64.
    #[must_use]
    pub fn is_readable_counter(&self) -> bool {
        let name = match std::env::consts::ARCH {
            "x86_64" => "tsc",
            "aarch64" => "arch_sys_counter",
            _ => return false,
        };
        self.as_str() == name
    }
}

impl fmt::Display for Clocksource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The open file with the name of the current clocksource. Reading it takes one system call.
#[derive(Debug)]
pub struct CurrentClocksource(File);

impl CurrentClocksource {
    /// Opens the file. `sys_root` is [`SYS_ROOT`], except in tests.
    ///
    /// # Errors
    /// Those of open(2). A container may have no sysfs.
    pub fn open(sys_root: &Path) -> io::Result<Self> {
        File::open(sys_root.join(CURRENT)).map(Self)
    }

    /// The current clocksource. The kernel changes it when its watchdog finds the counter
    /// unstable, and when a program writes another name to the file.
    ///
    /// # Errors
    /// Those of pread(2), and [`io::ErrorKind::InvalidData`] for a name that no kernel has.
    pub fn read(&self) -> io::Result<Clocksource> {
        // One more for the line feed, and one to recognise a name that is too long.
        let mut text = [0; MAX_NAME_BYTES + 2];
        let length = self.0.read_at(&mut text, 0)?;
        Clocksource::parse(&text[..length]).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

/// The current clocksource. `sys_root` is [`SYS_ROOT`], except in tests.
///
/// # Errors
/// Those of [`CurrentClocksource::open`] and [`CurrentClocksource::read`].
pub fn current(sys_root: &Path) -> io::Result<Clocksource> {
    CurrentClocksource::open(sys_root)?.read()
}

/// Whether the processor guarantees that its counter advances at one rate, in every power state:
/// the flags `constant_tsc` and `nonstop_tsc` of every processor on x86, and always on aarch64,
/// whose architecture demands it. `proc_root` is [`PROC_ROOT`], except in tests.
///
/// # Errors
/// Those of reading `cpuinfo`.
pub fn is_counter_invariant(proc_root: &Path) -> io::Result<bool> {
    if cfg!(target_arch = "aarch64") {
        return Ok(true);
    }
    let cpuinfo = fs::read_to_string(proc_root.join("cpuinfo"))?;
    Ok(has_invariant_flags(&cpuinfo))
}

fn has_invariant_flags(cpuinfo: &str) -> bool {
    let mut flags = cpuinfo
        .lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(key, _)| key.trim_end() == "flags")
        .peekable();
    flags.peek().is_some()
        && flags.all(|(_, flags)| {
            let has = |name| flags.split_whitespace().any(|flag| flag == name);
            has("constant_tsc") && has("nonstop_tsc")
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    struct Directory(PathBuf);

    impl Directory {
        fn new(test: &str) -> Self {
            let name = format!("clockbound-clocksource-{test}-{}", std::process::id());
            let root = std::env::temp_dir().join(name);
            let file = root.join(CURRENT);
            fs::create_dir_all(file.parent().expect("a directory")).expect("created");
            Self(root)
        }

        fn write(&self, content: &str) {
            fs::write(self.0.join(CURRENT), content).expect("written");
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_change_of_the_clocksource_is_seen_in_the_open_file() {
        let sys = Directory::new("change");
        sys.write("tsc\n");
        let file = CurrentClocksource::open(&sys.0).expect("opened");
        let before = file.read().expect("a name");
        assert_eq!(before.as_str(), "tsc");
        assert_eq!(file.read().ok(), Some(before));
        sys.write("kvm-clock\n");
        let after = file.read().expect("a name");
        assert_eq!(after.to_string(), "kvm-clock");
        assert_ne!(before, after);
        assert!(!after.is_readable_counter());
    }

    #[test]
    fn names_that_no_kernel_has_are_refused() {
        let sys = Directory::new("refused");
        for content in ["", "\n", "\u{b5}\n", &"s".repeat(MAX_NAME_BYTES + 1)] {
            sys.write(content);
            let err = current(&sys.0).expect_err(content);
            assert_eq!(err.kind(), io::ErrorKind::InvalidData, "{content:?}");
        }
        let longest = "s".repeat(MAX_NAME_BYTES);
        sys.write(&format!("{longest}\n"));
        assert_eq!(current(&sys.0).expect("a name").as_str(), longest);
        let err = current(&sys.0.join("missing")).expect_err("no file");
        assert_eq!(err.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn the_counter_is_invariant_if_every_processor_has_both_flags() {
        let both = "flags\t\t: fpu tsc constant_tsc nonstop_tsc\n";
        for (cpuinfo, invariant) in [
            (both.to_owned(), true),
            (both.repeat(2), true),
            (format!("{both}flags\t\t: fpu constant_tsc\n"), false),
            ("flags\t\t: nonstop_tsc_x constant_tsc\n".to_owned(), false),
            ("vmx flags\t: constant_tsc nonstop_tsc\n".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(has_invariant_flags(&cpuinfo), invariant, "{cpuinfo}");
        }
    }
}
