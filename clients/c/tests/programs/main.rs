//! Compiles C and C++ programs, old and new, and runs them with the built library.

mod conformance;
mod sanitizers;
mod simulate;
mod support;

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;

use clockbound_client::diagnostics;
use shm_layout::{ClockStatus, Reason};
use support::{S, TestDirectory, check_disruption, libraries, now_ns, run};

#[test]
fn programs_for_the_1_x_and_2_x_headers_run_on_every_layout() {
    let directory = TestDirectory::with_segments();
    for arguments in [&[][..], &["-DV2"]] {
        let program = directory.compile("cc", "tests/field/old_program.c", arguments);
        for name in ["shm", "shm0", "native"] {
            let before_ns = now_ns();
            let text = run(&program, &[directory.path(name)]);
            let numbers: Vec<i64> = text
                .split_whitespace()
                .map(|number| number.parse().expect(&text))
                .collect();
            let [earliest_s, earliest_ns, latest_s, latest_ns, status] = numbers[..] else {
                panic!("{name}: {text}");
            };
            assert!(earliest_s * S + earliest_ns <= now_ns(), "{name}: {text}");
            assert!(before_ns <= latest_s * S + latest_ns, "{name}: {text}");
            assert_eq!(status, 1);
        }
    }
}

#[test]
fn programs_for_the_2_x_headers_get_the_errors_of_those_headers() {
    let directory = TestDirectory::with_segments();
    let program = directory.compile("cc", "tests/field/old_program.c", &["-DV2"]);
    let with = |at: usize, bytes: &[u8]| {
        let mut segment = fs::read(directory.path("shm")).expect("a segment");
        segment[at..at + bytes.len()].copy_from_slice(bytes);
        segment
    };
    let future = with(16, &(1i64 << 33).to_ne_bytes());
    for (segment, expected) in [
        (with(14, &[0, 0]), "error 2 0\n"),
        (with(12, &[9, 0]), "error 5 0\n"),
        (with(0, b"oops"), "error 3 0\n"),
        (with(56, &[0xff; 4]), "error 3 0\n"),
        (with(64, &[7, 0, 0, 0]), "error 3 0\n"),
        (with(14, &[3, 0]), "error 2 0\n"),
        (future, "error 4 0\n"),
        (with(0, b"")[..40].to_vec(), "error 3 0\n"),
    ] {
        fs::write(directory.path("bad"), segment).expect("written");
        assert_eq!(run(&program, &[directory.path("bad")]), expected);
    }
    assert_eq!(run(&program, &[directory.path("none")]), "error 1 2\n");
}

#[test]
fn threads_share_one_context() {
    let directory = TestDirectory::with_segments();
    let program = directory.compile("cc", "tests/field/threads.c", &[]);
    for name in ["shm", "native"] {
        assert_eq!(run(&program, &[directory.path(name)]), "0\n");
    }
}

#[test]
fn the_extensions_work() {
    let directory = TestDirectory::with_segments();
    let program = directory.compile("cc", "tests/field/extensions.c", &["-std=gnu11"]);
    run(&program, &[&directory]);
}

#[test]
fn the_diagnostics_are_explained_in_a_buffer_of_any_size() {
    let directory = TestDirectory::new();
    directory.publish_diagnostics();
    let program = directory.compile("cc", "tests/field/explain.c", &["-std=gnu11"]);
    let none = TestDirectory::new();
    let text = run(&program, &[&directory, &none]);
    let read = diagnostics::read(directory.path("diagnostics").as_path()).expect("diagnostics");
    let status = &diagnostics::explain(&read)[0];
    assert!(text.contains(&status.text[..20]), "{text}");
}

#[test]
fn intervals_are_ordered_only_if_both_are_trusted() {
    let trusted = TestDirectory::with_segments();
    let unknown = TestDirectory::new();
    unknown.publish(ClockStatus::Unknown, 0);
    let program = trusted.compile("cc", "tests/field/order.c", &[]);
    for name in ["native", "shm0", "shm"] {
        run(&program, &[trusted.path(name), unknown.path(name)]);
    }
}

#[test]
fn a_context_that_does_not_follow_works_in_a_signal_handler() {
    let directory = TestDirectory::with_overdue_segments();
    let program = directory.compile("cc", "tests/field/signal_handler.c", &[]);
    for name in ["native", "shm0", "shm"] {
        run(&program, &[directory.path(name)]);
    }
    // The program notices what it looks for: a context that follows allocates memory.
    let follows = directory.compile("cc", "tests/field/signal_handler.c", &["-DFLAGS=0"]);
    let status = Command::new(&follows)
        .arg(directory.path("native"))
        .status();
    assert_eq!(status.expect("runs").code(), Some(2));
}

#[test]
fn a_context_that_does_not_follow_works_under_a_strict_seccomp_filter() {
    let directory = TestDirectory::with_overdue_segments();
    let program = directory.compile("cc", "tests/field/seccomp.c", &[]);
    for name in ["native", "shm0", "shm"] {
        let text = run(&program, &[directory.path(name)]);
        if text.starts_with("skipped: ") {
            let _ = writeln!(io::stdout(), "{text}");
            return;
        }
    }
    // The filter is effective: a context that follows makes a system call.
    let follows = directory.compile("cc", "tests/field/seccomp.c", &["-DFLAGS=0"]);
    let status = Command::new(&follows)
        .arg(directory.path("native"))
        .status();
    assert_eq!(status.expect("runs").code(), Some(9));
}

/// The default path is absolute, so the program has a directory of its own in place of `/run`.
#[test]
fn the_default_path_is_that_of_the_2_x_layout_and_falls_back_to_1_x() {
    let directory = TestDirectory::new();
    let program = directory.compile("cc", "tests/field/default_path.c", &[]);
    let segments = TestDirectory::with_segments();
    let published = directory.path("clockbound");
    fs::create_dir(&published).expect("a directory");
    let run_beside = |files: &[&str], removed: &[&str]| {
        for name in removed {
            let _ = fs::remove_file(published.join(name));
        }
        for name in files {
            fs::copy(segments.path(name), published.join(name)).expect("copied");
        }
        let mut command = Command::new("unshare");
        command.args(["--mount", "--map-root-user", "sh", "-c"]);
        command
            .arg(r#"mount --bind "$1" /run && exec "$2""#)
            .arg("sh");
        command.arg(&directory).arg(&program);
        command.output().expect("unshare is installed")
    };
    let output = run_beside(&["shm"], &[]);
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        let _ = writeln!(
            io::stdout(),
            "skipped: the_default_path: no namespace: {why}"
        );
        return;
    }
    let layout =
        |output: std::process::Output| String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(layout(output), "1\n");
    assert_eq!(layout(run_beside(&["shm", "shm0"], &[])), "2\n");
    // Dead, and live beside it.
    let dead = published.join("shm0");
    let mut bytes = fs::read(&dead).expect("a segment");
    bytes[16..24].copy_from_slice(&1_i64.to_ne_bytes());
    fs::write(&dead, bytes).expect("written");
    assert_eq!(layout(run_beside(&[], &[])), "1\n");
    assert_eq!(layout(run_beside(&[], &["shm", "shm0"])), "error 1 2\n");
}

#[test]
fn a_context_reports_a_disruption_and_a_missing_page() {
    let directory = TestDirectory::new();
    let program = directory.compile("cc", "tests/field/disruption.c", &["-std=c99"]);
    for name in ["native", "shm0", ""] {
        check_disruption(|| Command::new(&program), &directory, name);
    }
}

#[test]
fn the_header_and_the_examples_compile_in_every_standard() {
    let directory = TestDirectory::with_segments();
    for standard in ["c99", "gnu99", "c11", "gnu11", "c17", "gnu17"] {
        let standard = format!("-std={standard}");
        let interval = directory.compile("cc", "examples/interval.c", &[&standard]);
        let text = run(
            &interval,
            &[directory.path("native").as_os_str(), "1".as_ref()],
        );
        assert!(text.contains("synchronized, tracking"), "{text}");
    }
    for standard in ["c++98", "gnu++98", "c++11", "c++14", "c++17", "c++20"] {
        let options = ["-x", "c++", &format!("-std={standard}")];
        let interval = directory.compile("c++", "examples/interval.c", &options);
        run(
            &interval,
            &[directory.path("native").as_os_str(), "1".as_ref()],
        );
    }
    for standard in ["c++11", "c++14", "c++17", "c++20", "c++23"] {
        let standard = format!("-std={standard}");
        let commit_wait = directory.compile("c++", "examples/commit_wait.cpp", &[&standard]);
        let text = run(&commit_wait, &[&directory]);
        assert!(text.contains("has passed: true"), "{text}");
    }
}

#[test]
fn the_header_has_every_reason() {
    let header = include_str!("../../include/clockbound.h");
    for reason in Reason::ALL {
        let name = reason.as_str().to_uppercase();
        let line = format!("    CLOCKBOUND_REASON_{name} = {}", reason as u8);
        let is_there = |found: &str| found.trim_end_matches(',') == line;
        assert!(header.lines().any(is_there), "{line}");
    }
}

#[test]
fn a_32_bit_compiler_gets_a_sentence() {
    let header = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/clockbound.h");
    let mut compiler = Command::new("cc");
    // Defined where a pointer has 64 bits.
    let output = compiler
        .args(["-U__LP64__", "-fsyntax-only"])
        .arg(header)
        .output();
    let output = output.expect("a compiler is installed");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{text}");
    assert!(
        text.contains("clockbound supports 64-bit processors only"),
        "{text}"
    );
}

#[test]
fn the_cpp_header_works_in_every_standard() {
    let trusted = TestDirectory::with_segments();
    trusted.publish_diagnostics();
    let unknown = TestDirectory::new();
    unknown.publish(ClockStatus::Unknown, 0);
    for standard in ["c++11", "c++17", "c++20", "c++23"] {
        let standard = format!("-std={standard}");
        let program = trusted.compile("c++", "tests/field/client.cpp", &[&standard]);
        run(&program, &[&trusted, &unknown]);
    }
}

#[test]
fn the_static_library_does_not_need_the_shared_one() {
    let directory = TestDirectory::with_segments();
    let archive = libraries().join("libclockbound.a");
    let archive = archive.to_str().expect("UTF-8");
    let program = directory.link(
        "cc",
        "examples/interval.c",
        &[],
        &[archive, "-lpthread", "-ldl", "-lm"],
    );
    fs::remove_file(directory.path("libclockbound.so.1")).expect("removed");
    let dynamic = Command::new("ldd").arg(&program).output().expect("ldd");
    let dynamic = String::from_utf8_lossy(&dynamic.stdout).into_owned();
    if dynamic.contains("libclockbound") {
        panic!("linked dynamically:\n{dynamic}");
    }
    run(&program, &[directory.as_ref(), Path::new("1").as_os_str()]);
}

#[test]
fn the_shared_library_has_its_soname_and_exports_the_symbols_of_the_header() {
    let library = libraries().join("libclockbound.so");
    let output = |program: &str, option: &str| {
        let output = Command::new(program).arg(option).arg(&library).output();
        String::from_utf8_lossy(&output.expect("binutils").stdout).into_owned()
    };
    assert!(output("readelf", "-d").contains("[libclockbound.so.1]"));
    let symbols = output("nm", "-D");
    let mut exported: Vec<&str> = symbols
        .lines()
        .filter_map(|line| line.split_once(" T ").map(|(_, name)| name))
        .collect();
    exported.sort_unstable();
    let header = include_str!("../../include/clockbound.h");
    let version = format!(
        "#define CLOCKBOUND_VERSION \"{}\"\n",
        env!("CARGO_PKG_VERSION")
    );
    assert!(header.contains(&version), "{version}");
    let mut declared: Vec<&str> = header
        .lines()
        .filter(|line| !line.starts_with([' ', '/', '#']))
        .filter_map(|line| line.split_once('('))
        .filter_map(|(before, _)| before.rsplit([' ', '*']).next())
        .filter(|name| name.starts_with("clockbound_"))
        .collect();
    declared.sort_unstable();
    assert_eq!(exported, declared);
}
