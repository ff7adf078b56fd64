//! The published C library of the 3.x generation, `clock-bound-ffi`, loaded from its shared object.
//!
//! The crate has no Rust interface, and its library has the file name and function names of this
//! project's C library. It is therefore built apart, and loaded with dlopen(3) where its names do
//! not replace others.
#![expect(unsafe_code, reason = "calls a C library")]

use std::env;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem::{MaybeUninit, transmute};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::ptr;
use std::sync::OnceLock;

use super::layout::{Layout, Read};
use super::reading::{Reading, Status};
use crate::host::sandbox::vmclock_path;

/// The 3.x segment, read by the published C library. [`build`] has to be called once before.
pub const V3_C: Layout = Layout {
    name: "v3 C",
    on_realtime: false,
    compares_marker: true,
    open: |path| open(&path.with_file_name("shm1"), &vmclock_path(path)),
};

/// `clockbound_err` of the library's header.
#[repr(C)]
struct Failure {
    kind: c_int,
    number: c_int,
    detail: [c_char; 128],
}

/// `clockbound_now_result` of the library's header.
#[repr(C)]
struct Window {
    earliest: libc::timespec,
    latest: libc::timespec,
    status: c_int,
}

type OpenWith = unsafe extern "C" fn(*const c_char, *const c_char, *mut Failure) -> *mut c_void;
type Now = unsafe extern "C" fn(*mut c_void, *mut Window, *mut Failure) -> *const Failure;
type Close = unsafe extern "C" fn(*mut c_void, *mut Failure) -> *const Failure;

/// The functions of the library, which stays loaded.
#[derive(Clone, Copy)]
struct Library {
    open_with: OpenWith,
    now: Now,
    close: Close,
}

/// An open context of the library.
struct Context {
    library: Library,
    context: *mut c_void,
}

/// Builds the library, if it is not built yet.
///
/// # Panics
/// If cargo fails.
pub fn build() {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args([
        "build",
        "--quiet",
        "--locked",
        "--package",
        "clock-bound-ffi",
    ]);
    cargo.arg("--manifest-path");
    cargo.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("published-c/Cargo.toml"));
    cargo.arg("--target-dir").arg(target());
    let output = cargo.output().expect("cargo is installed");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{cargo:?}: {complaint}");
}

/// The library's target directory. This test is in TARGET/PROFILE/deps.
fn target() -> PathBuf {
    let own = env::current_exe().expect("this test has a path");
    let target = own.ancestors().nth(3).expect("a target directory");
    target.join("published-c")
}

/// Opens a segment; the returned function reads it.
///
/// # Errors
/// What the library reports.
fn open(segment: &Path, vmclock: &Path) -> Result<Read, String> {
    let library = *library()?;
    let [segment, vmclock] =
        [segment, vmclock].map(|path| CString::new(path.as_os_str().as_bytes()).expect("a path"));
    let mut failure = Failure::none();
    // SAFETY: both paths are C strings, and the failure is one of the header.
    let context =
        unsafe { (library.open_with)(segment.as_ptr(), vmclock.as_ptr(), &raw mut failure) };
    if context.is_null() {
        return Err(failure.text());
    }
    let context = Context { library, context };
    Ok(Box::new(move || context.now()))
}

impl Context {
    fn now(&self) -> Result<Reading, String> {
        let mut failure = Failure::none();
        let mut window = MaybeUninit::<Window>::uninit();
        // SAFETY: the context is open, and the others are structures of the header.
        let failed =
            unsafe { (self.library.now)(self.context, window.as_mut_ptr(), &raw mut failure) };
        if !failed.is_null() {
            return Err(failure.text());
        }
        // SAFETY: the library has written it, because it reports no failure.
        let window = unsafe { window.assume_init() };
        let ns = |time: libc::timespec| time.tv_sec * 1_000_000_000 + time.tv_nsec;
        Ok(Reading {
            earliest_ns: ns(window.earliest),
            latest_ns: ns(window.latest),
            status: match window.status {
                0 => Status::Unknown,
                1 => Status::Synchronized,
                2 => Status::FreeRunning,
                3 => Status::Disrupted,
                other => return Err(format!("status {other}")),
            },
        })
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: the context is open and not used afterwards; a null failure is allowed.
        unsafe { (self.library.close)(self.context, ptr::null_mut()) };
    }
}

impl Failure {
    fn none() -> Failure {
        Failure {
            kind: 0,
            number: 0,
            detail: [0; 128],
        }
    }

    fn text(&self) -> String {
        // SAFETY: the library terminates the text, which was zeroed before.
        let detail = unsafe { CStr::from_ptr(self.detail.as_ptr()) };
        let (kind, number) = (self.kind, self.number);
        format!("kind {kind}, errno {number}: {}", detail.to_string_lossy())
    }
}

/// Loads the library at the first call.
fn library() -> Result<&'static Library, String> {
    static LIBRARY: OnceLock<Result<Library, String>> = OnceLock::new();
    LIBRARY.get_or_init(load).as_ref().map_err(Clone::clone)
}

fn load() -> Result<Library, String> {
    let path = target().join("debug/libclockbound.so");
    let name = CString::new(path.as_os_str().as_bytes()).expect("a path");
    // SAFETY: the library's initialisers are those of a Rust program.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if handle.is_null() {
        return Err(format!("{} cannot be loaded", path.display()));
    }
    let symbol = |name: &CStr| {
        // SAFETY: the library is loaded, and stays loaded.
        let address = unsafe { libc::dlsym(handle, name.as_ptr()) };
        (!address.is_null())
            .then_some(address)
            .ok_or(format!("no function {name:?}"))
    };
    // SAFETY: the types of the three functions are those of the library's header.
    unsafe {
        Ok(Library {
            open_with: transmute::<*mut c_void, OpenWith>(symbol(c"clockbound_open_with")?),
            now: transmute::<*mut c_void, Now>(symbol(c"clockbound_now")?),
            close: transmute::<*mut c_void, Close>(symbol(c"clockbound_close")?),
        })
    }
}
