//! Tests of the option parser, as tables of command lines.

use std::os::unix::ffi::OsStringExt;

use super::values::*;
use super::*;

fn parse(words: &[&str]) -> Result<Options, EarlyExit> {
    Options::parse(std::iter::once("clockbound").chain(words.iter().copied()))
}

/// The message of a command line that is refused with [`Exit::Usage`], in one line.
fn refused(words: &[&str]) -> String {
    message_of(parse(words), words)
}

fn message_of(parsed: Result<Options, EarlyExit>, words: &[&str]) -> String {
    match parsed {
        Err(EarlyExit::Error { message, exit }) => {
            assert_eq!(exit, Exit::Usage, "{words:?}");
            assert!(!message.chars().any(char::is_control), "{message:?}");
            assert!(!message.contains("Usage: clockbound"), "{message:?}");
            message
        }
        other => panic!("{words:?} gave {other:?}"),
    }
}

#[test]
fn an_empty_command_line_gives_the_defaults_and_marks_the_drift_rate_as_defaulted() {
    let expected = Options {
        max_drift_ppb: 1_000,
        max_wander_ppb_per_s: None,
        falsetickers: 0,
        drift_was_defaulted: true,
        json_output: false,
        phc: None,
        chrony_socket: "/var/run/chrony/chronyd.sock".into(),
        segments: SegmentPaths {
            v1: Some("/var/run/clockbound/shm".into()),
            v2: Some("/var/run/clockbound/shm0".into()),
            v3: Some("/var/run/clockbound/shm1".into()),
            native: Some("/var/run/clockbound/native".into()),
            diagnostics: Some("/var/run/clockbound/diagnostics".into()),
        },
        poll_interval: Duration::from_millis(100),
        chrony_grace: Duration::from_secs(2),
        holdover: Duration::from_secs(1000),
        max_bound: None,
        allow_local_reference: false,
        disruptions: Disruptions {
            vmclock: Some("/dev/vmclock0".into()),
            is_required: false,
        },
        log_level: Level::Info,
        #[cfg(feature = "fault-injection")]
        faults: FaultOptions::default(),
    };
    assert_eq!(parse(&[]), Ok(expected));
}

#[test]
fn each_layout_can_be_moved_and_switched_off() {
    let off = parse(&[
        "--shm-path",
        "off",
        "--shm0-path=/x/y",
        "--shm1-path=/x/3",
        "--native-path=off",
        "--diagnostics-path=off",
    ]);
    let paths = SegmentPaths {
        v1: None,
        v2: Some("/x/y".into()),
        v3: Some("/x/3".into()),
        native: None,
        diagnostics: None,
    };
    assert_eq!(off.map(|options| options.segments), Ok(paths));
    let only_v1_off = parse(&["--shm-path=off"]).expect("options").segments;
    assert_eq!(only_v1_off.v2, Some("/var/run/clockbound/shm0".into()));
    let nothing = refused(&[
        "--shm-path=off",
        "--shm0-path=off",
        "--shm1-path=off",
        "--native-path=off",
        "--diagnostics-path=/d",
    ]);
    assert!(nothing.contains("nothing to publish"), "{nothing}");
    assert!(refused(&["--shm0-path", "shm0"]).contains("absolute"));
    assert!(refused(&["--native-path", "/x/"]).contains("directory"));
}

#[test]
fn short_and_long_options_are_equivalent() {
    let expected = Options {
        max_drift_ppb: 50_000,
        max_wander_ppb_per_s: None,
        falsetickers: 0,
        drift_was_defaulted: false,
        json_output: true,
        phc: Some(PhcOptions {
            ref_id: 0x5048_4330,
            interface: "eth0".to_owned(),
        }),
        chrony_socket: "/c".into(),
        segments: SegmentPaths {
            v1: Some("/s".into()),
            v2: Some("/shm0".into()),
            v3: Some("/shm1".into()),
            native: Some("/native".into()),
            diagnostics: Some("/diagnostics".into()),
        },
        poll_interval: Duration::from_secs(1),
        chrony_grace: Duration::from_secs(2),
        holdover: Duration::from_secs(1000),
        max_bound: None,
        allow_local_reference: false,
        disruptions: Disruptions {
            vmclock: Some("/dev/vmclock0".into()),
            is_required: false,
        },
        log_level: Level::Debug,
        #[cfg(feature = "fault-injection")]
        faults: FaultOptions::default(),
    };
    let rest = "--chrony-socket /c --shm-path=/s --poll-interval 1s --log-level debug";
    for first in [
        "-m 50 -j -r PHC0 -i eth0",
        "-jm50 -rPHC0 -ieth0",
        "--max-drift-rate 50 --json-output --phc-ref-id PHC0 --phc-interface eth0",
        "--phc-interface=eth0 --phc-ref-id=PHC0 --json-output --max-drift-rate=50",
    ] {
        let line = format!("{first} {rest}");
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(parse(&words), Ok(expected.clone()), "{line}");
    }
}

#[test]
fn disruptions_are_detected_unless_that_is_disabled() {
    let disruptions = |words: &[&str]| parse(words).expect("options").disruptions;
    for words in [["-d"], ["--disable-clock-disruption-support"]] {
        assert_eq!(disruptions(&words).vmclock, None);
    }
    let required = disruptions(&["--vmclock=/x", "--require-vmclock"]);
    assert_eq!(required.vmclock, Some("/x".into()));
    assert!(required.is_required);
    assert!(refused(&["-d", "--require-vmclock"]).contains("--require-vmclock"));
    assert!(refused(&["--vmclock", "vmclock0"]).contains("absolute"));
}

#[test]
fn max_wander_and_falsetickers_are_off_by_default() {
    let options = parse(&["--max-wander", "0.02", "--falsetickers", "2"]).expect("options");
    assert_eq!(options.max_wander_ppb_per_s, Some(20));
    assert_eq!(options.falsetickers, 2);
    assert!(refused(&["--max-wander", "0"]).contains("--max-wander"));
    assert!(refused(&["--falsetickers", "16"]).contains("--falsetickers"));
    assert!(refused(&["--falsetickers", "-1"]).contains("-1"));
}

#[test]
fn drift_rates_are_rounded_up_to_parts_per_billion() {
    for (text, ppb) in [
        ("1", 1_000),
        ("50", 50_000),
        ("+50", 50_000),
        ("1e3", 1_000_000),
        ("0.5", 500),
        (".5", 500),
        ("0.001", 1),
        ("0.07", 70),
        ("0.29", 290),
        ("1.1", 1_100),
        ("16.1", 16_100),
        ("0.0011", 2),
        ("0.0001", 1),
        ("1e-300", 1),
        ("50.0000001", 50_001),
        ("4294.967", 4_294_967),
        ("999999.999", 999_999_999),
    ] {
        let options = parse(&["-m", text]).unwrap();
        assert_eq!(options.max_drift_ppb, ppb, "{text}");
        assert!(!options.drift_was_defaulted);
    }
    for thousandths in 1..=200_000_u32 {
        let text = format!("{}.{:03}", thousandths / 1_000, thousandths % 1_000);
        assert_eq!(drift_ppb(&text), Ok(thousandths), "{text}");
    }
}

#[test]
fn drift_rates_out_of_range_are_refused_with_the_option_and_the_range() {
    for text in [
        "0",
        "-0",
        "0.0",
        "-5",
        "-0.5",
        "1000000",
        "999999.9999999",
        "4294968",
        "5000000",
        "1e6",
        "1e999",
        "-1e999",
        "1e-400",
        "inf",
        "-inf",
        "infinity",
        "nan",
        "NaN",
        "-nan",
        "",
        "abc",
        "5ppm",
        "5,0",
        "0x10",
        "1 000",
        "-j",
        "--json-output",
        "\u{0665}",
    ] {
        for words in [
            &["-m", text] as &[&str],
            &["--max-drift-rate", text],
            &[&format!("--max-drift-rate={text}")],
        ] {
            let message = refused(words);
            assert!(message.contains("--max-drift-rate <PPM>"), "{message}");
            assert!(message.contains("1000000"), "{message}");
        }
    }
}

#[test]
fn reference_ids_are_packed_as_chronyd_packs_them() {
    for (text, ref_id) in [
        ("PHC0", 0x5048_4330),
        ("PHC", 0x5048_4300),
        ("P", 0x5000_0000),
        ("GPS1", 0x4750_5331),
        ("~!-/", 0x7e21_2d2f),
    ] {
        let phc = parse(&["-i", "eth0", "-r", text]).unwrap().phc.unwrap();
        assert_eq!(phc.ref_id, ref_id, "{text}");
    }
    for text in [
        "", "PHC00", "PH\u{e9}", "\u{e9}", "P C", " ", "P\n", "P\x7f", "50484330",
    ] {
        let message = refused(&["-i", "eth0", &format!("--phc-ref-id={text}")]);
        assert!(message.contains("--phc-ref-id"), "{message}");
    }
}

#[test]
fn interface_names_that_the_kernel_does_not_allow_are_refused() {
    for text in [
        "",
        ".",
        "..",
        "a/b",
        "/eth0",
        "a b",
        "a:1",
        "abcdefghijklmnop",
        "e\n",
    ] {
        let message = refused(&["-r", "PHC0", "-i", text]);
        assert!(message.contains("--phc-interface"), "{text}: {message}");
    }
}

#[test]
fn one_phc_option_without_the_other_is_refused_and_the_missing_one_named() {
    assert!(refused(&["-r", "PHC0"]).contains("--phc-interface <NAME>"));
    assert!(refused(&["-i", "eth0"]).contains("--phc-ref-id <ID>"));
}

#[test]
fn poll_intervals_out_of_range_are_refused() {
    for (text, millis) in [
        ("10ms", 10),
        ("100ms", 100),
        ("0.1s", 100),
        ("1s", 1_000),
        ("1s 500ms", 1_500),
        ("2s", 2_000),
    ] {
        let interval = parse(&["--poll-interval", text]).unwrap().poll_interval;
        assert_eq!(interval, Duration::from_millis(millis), "{text}");
    }
    for text in [
        "0",
        "0s",
        "0ms",
        "1ns",
        "9ms",
        "9999999ns",
        "2001ms",
        "2s 1ns",
        "5s",
        "1h",
        "-1s",
        "100",
        "ms",
        "",
        "soon",
        "99999999999999999999s",
        "500000000000y",
    ] {
        let message = refused(&["--poll-interval", text]);
        assert!(
            message.contains("--poll-interval <TIME>"),
            "{text}: {message}"
        );
        assert!(message.contains("10ms to 2s"), "{text}: {message}");
    }
}

#[test]
fn log_levels_are_parsed_by_name() {
    for (text, level) in [
        ("trace", Level::Trace),
        ("debug", Level::Debug),
        ("info", Level::Info),
        ("warn", Level::Warning),
        ("warning", Level::Warning),
        ("error", Level::Error),
        ("critical", Level::Critical),
    ] {
        assert_eq!(parse(&["--log-level", text]).unwrap().log_level, level);
    }
    for text in ["", "INFO", "verbose", "off", "3"] {
        let message = refused(&["--log-level", text]);
        assert!(message.contains("--log-level <LEVEL>"), "{text}: {message}");
    }
}

#[test]
fn paths_must_be_absolute_and_must_not_be_directories() {
    let longest = format!("/{}", "s".repeat(106));
    assert!(parse(&["--chrony-socket", &longest]).is_ok());
    assert!(parse(&["--shm-path", &format!("{longest}{longest}")]).is_ok());
    let message = refused(&["--chrony-socket", &format!("{longest}s")]);
    assert!(message.contains("107"), "{message}");
    for option in ["--chrony-socket", "--shm-path"] {
        for text in ["", "shm", "./shm", "../shm", "/", "/run/", "/run/..", "\n"] {
            let message = refused(&[option, text]);
            assert!(message.contains(option), "{text}: {message}");
        }
    }
    let odd = OsString::from_vec(b"/run/\xff".to_vec());
    let words = ["clockbound".into(), "--shm-path".into(), odd.clone()];
    assert_eq!(
        Options::parse(words).unwrap().segments.v1,
        Some(PathBuf::from(odd))
    );
}

#[test]
fn invalid_arguments_are_refused_in_one_line() {
    for (words, part) in [
        (&["--nonsense"] as &[&str], "'--nonsense'"),
        (&["-x"], "'-x'"),
        (&["stray"], "'stray'"),
        (&["--json-output=yes"], "'yes'"),
        (&["-m"], "'--max-drift-rate <PPM>'"),
        (&["--shm-path"], "'--shm-path <PATH>'"),
        (&["-m", "1", "-m", "2"], "multiple times"),
        (&["--max-drift", "1"], "'--max-drift-rate'"),
        (&["--a\nb\u{9b}c"], r"'--a b\u{9b}c'"),
        (&["--a\x1b[31mb"], "--a"),
        (&["--log-level", "a\n\nUsage: b"], "--log-level"),
    ] {
        let message = refused(words);
        assert!(message.contains(part), "{message}");
    }
    let words = ["clockbound".into(), OsString::from_vec(b"-r\xff".to_vec())];
    message_of(Options::parse(words), &[]);
}

#[test]
fn help_and_version_are_printed() {
    for help in ["-h", "--help"] {
        let Err(EarlyExit::Output(text)) = parse(&[help]) else {
            panic!("{help}")
        };
        for part in [
            "--max-drift-rate <PPM>",
            "parts per million",
            "--json-output",
            "--phc-ref-id <ID>",
            "--phc-interface <NAME>",
            "[default: /var/run/chrony/chronyd.sock]",
            "[default: /var/run/clockbound/shm]",
            "[default: 100ms]",
            "[default: info]",
            "--version",
        ] {
            assert!(text.contains(part), "{help} lacks {part}: {text}");
        }
    }
    for version in ["-V", "--version"] {
        let text = format!("clockbound {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(parse(&[version]), Err(EarlyExit::Output(text)));
    }
}

#[test]
fn the_interface_must_exist_and_be_a_pci_device() {
    let sys = std::env::temp_dir().join(format!("clockbound-options-{}", std::process::id()));
    for (name, uevent) in [("eth0", "PCI_SLOT_NAME=0000:00:05.0\n"), ("veth0", "")] {
        let device = sys.join("class/net").join(name).join("device");
        std::fs::create_dir_all(&device).unwrap();
        std::fs::write(device.join("uevent"), uevent).unwrap();
    }
    let check = |interface: &str| {
        let (ref_id, interface) = (1, interface.to_owned());
        PhcOptions { ref_id, interface }.check(&sys)
    };
    let seen = ["eth0", "eth1", "veth0"].map(check);
    std::fs::remove_dir_all(&sys).unwrap();
    assert_eq!(seen[0], Ok(()));
    let refused = [(Exit::NoInput, "eth1"), (Exit::Config, "veth0")];
    for (exit_early, (code, name)) in seen[1..].iter().zip(refused) {
        let Err(EarlyExit::Error { message, exit }) = exit_early else {
            panic!("{exit_early:?}")
        };
        assert_eq!(*exit, code);
        assert!(message.contains(name), "{message}");
        assert_eq!(message.lines().count(), 1);
    }
}
