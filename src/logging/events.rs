//! The message and the `MESSAGE_ID` of every event from level info on. An id never changes its
//! meaning.
//!
//! `systemd/clockbound.catalog` explains each event, for `journalctl -x`.

/// Message and `MESSAGE_ID`, sorted by message.
const EVENTS: [(&str, &str); 55] = [
    (
        "3.x segment is not published",
        "f984f12c54b2459aaf9e8fb775117142",
    ),
    (
        "actor crashed, restarting it",
        "18083ce0ab8146cba911211db0962959",
    ),
    (
        "actor exceeded its crash budget",
        "d85814a272cb4acf9ec4a34de0a16271",
    ),
    (
        "all sources are usable again",
        "2c95633108bf4502800c461b7ac1beb3",
    ),
    (
        "another program slews the system clock",
        "0cf65203bd8f41d686b297536170e540",
    ),
    (
        "chronyd refused to reset its sources",
        "3f2188f7b0574ccd94a6e156e13fe9a9",
    ),
    ("chronyd responds again", "b97ca9c77fc0453181fa6074e41eedb7"),
    ("clock status changed", "0d1a9270d1e847068bfc8ac516c4a16c"),
    (
        "clock was disrupted, discarding all measurements",
        "515110b91d714d4aa7b8e7e879e4f1d5",
    ),
    (
        "clockbound exiting, actor crashed too often",
        "7e4e8dc834ff4efd94ce72375febe4cc",
    ),
    (
        "clockbound exiting, actor exited unexpectedly",
        "6672708f1ceb449eb6b891d8a5a58e77",
    ),
    ("clockbound starting", "bc9b09119d4b4013b8f8c75f00af964c"),
    ("clockbound stopped", "d47afd7c055e4503b4aacfd5aaad545c"),
    ("contradiction resolved", "3f7a6da1c3d64839815b253fe76f0575"),
    (
        "disruption drill is over",
        "fadcfdc497544fc0af210d3d8b8756ce",
    ),
    (
        "disruption support is disabled, ignoring the signal",
        "12300cf3c92e474292a88b484a2efb7a",
    ),
    (
        "drill of a reason is over",
        "c6c9deaca02c4d5cb3d705c6fc18a108",
    ),
    (
        "drill of a reason, the published status is not that of the clock",
        "bcbc328cd3d44724917d63071fc3a64f",
    ),
    (
        "exiting without waiting for an actor that hangs",
        "96e77d3d70f54dbb8ee964e287c80cea",
    ),
    (
        "failed to create the clock step timer, retrying",
        "9e30331358cc4a7e9bc89408277fd7d6",
    ),
    (
        "failed to create the poll timer, retrying",
        "6e4851de921249439c21cc38ff9f7ac9",
    ),
    (
        "failed to listen for vm generation changes",
        "22c44f40389d4f8ebcdf954723410151",
    ),
    (
        "failed to notify the service manager",
        "631e93174d0041eb8f79e1ccefe2a894",
    ),
    (
        "failed to open the service manager's socket",
        "d81be6d552264cc5ba863bd2757df806",
    ),
    (
        "failed to query chronyd",
        "fa529d9b84ac4e16bfe5daa098fd744b",
    ),
    (
        "failed to read the kernel's clock frequency",
        "d566d5a5bcde4024ab69e13e7103d9c1",
    ),
    (
        "failed to read the phc error bound",
        "d878e0921e914b1fb9fb49da8b49bf44",
    ),
    (
        "failed to recreate a deleted segment file",
        "4b3fa9dade8a401ea4d76491f0beab76",
    ),
    (
        "failed to reset the sources of chronyd, retrying",
        "c77b86aa35354fd494be1c29e2cadf78",
    ),
    (
        "failed to start the actors",
        "0363e64d18f24d9d955756e6d93b0395",
    ),
    (
        "host announces a clock disruption",
        "7363b0a686b240ffbbd1cebd00c1c87f",
    ),
    (
        "host reports another leap second or tai offset",
        "1dec4c3f3b05436e9e4032a18cbe856d",
    ),
    (
        "kernel events lost, a vm generation change can be among them",
        "9821baabe42c440cba60f37edfba0ea7",
    ),
    ("leap second is over", "ffb9ed63de6441e996acb6e1b4b82d81"),
    ("log events dropped", "84e2fb5bb0254636bb4fb3fd04833c4e"),
    (
        "measured rates contradict --max-drift-rate",
        "84739d5221ab4d679ea2f549f169e271",
    ),
    (
        "measured rates contradict --max-wander, ignoring it for one holdover",
        "8658f78180c549ed9dfa5997d2725219",
    ),
    (
        "measurement is disjoint from the held interval, publishing their hull",
        "db2e543eca92419dbf9d7ecbbe5a4ccd",
    ),
    (
        "no drift rate given, assuming 1 ppm",
        "bbd57308d5f0410cab7bf7d02f452bd8",
    ),
    (
        "no drill has this value, ignoring the signal",
        "bd4a7849a4014fc5ad50c0cca1c33078",
    ),
    (
        "no vmclock, a restored or moved virtual machine may not be detected",
        "94c6a917f57a48089a8a6240a4140290",
    ),
    (
        "phc error bound is available again",
        "891f966f18f34faf8a41e54d6192559a",
    ),
    (
        "processor's counter is invalid, the 3.x segment claims nothing",
        "bacb3d1e48fb46f99132b6d1fdfe75a8",
    ),
    (
        "processor's counter is valid again",
        "261292c5711441adaecc9afa02ed8a8c",
    ),
    (
        "readers of v2 do not detect disruptions, the file was made without",
        "ca9dc875594a4b2abc20ff370ab0c64b",
    ),
    (
        "recreated a deleted segment file",
        "87f2b8739be746b0909986e93a16a80f",
    ),
    (
        "reference clock has no declared error",
        "7f123d504b6643009ef971e78906c78a",
    ),
    ("segment retired", "0f4c3546c2954360a45cf43c70fc46fa"),
    (
        "some sources are unusable",
        "3a3df081ecf14d4f8130dad2922fe119",
    ),
    (
        "sources disagree, publishing the hull with the majority's interval",
        "92d1f6c2a2cd4258a53346636a47a192",
    ),
    (
        "sources of chronyd were reset",
        "2936276903fe4fedbc5cb4ae9e2e1011",
    ),
    ("stopping", "e5b7cf029b1f473b89a9e92e5249f49e"),
    (
        "support for clock disruptions is disabled",
        "f925b06d47824b74af5cf1669f2643eb",
    ),
    ("system clock was set", "e9ff6243dfa94ee99f8a8f67be3d2ff9"),
    ("thread panicked", "048b8ee568a34568ae1245ee8edbe954"),
];

/// The `MESSAGE_ID` of the event with this message.
pub(super) fn message_id(message: &str) -> Option<&'static str> {
    let event = EVENTS.iter().find(|(known, _)| *known == message);
    event.map(|(_, id)| *id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    /// Logged only by builds with fault injection.
    const WITHOUT_ID: [&str; 1] = ["failed to listen for injected faults"];

    /// The messages of all events from info on in the sources below `dir`.
    fn logged_in(dir: &Path, messages: &mut BTreeSet<String>) {
        for entry in fs::read_dir(dir).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                logged_in(&path, messages);
            } else if !is_of_tests(&path) {
                let source = fs::read_to_string(&path).unwrap();
                let tests_start = source.find("#[cfg(test)]\nmod tests {");
                let source = &source[..tests_start.unwrap_or(source.len())];
                for level in ["info!(", "warn!(", "error!(", "crit!("] {
                    messages.extend(source.split(level).skip(1).filter_map(first_literal));
                }
            }
        }
    }

    /// Events of tests need no id: those in `tests.rs` and `*_tests.rs`, and in a file's module `tests`.
    fn is_of_tests(path: &Path) -> bool {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        name == "tests" || name.ends_with("_tests")
    }

    #[test]
    fn events_are_searched_for_in_all_files_but_those_of_tests() {
        for name in ["tests.rs", "chrony/poll_tests.rs"] {
            assert!(is_of_tests(Path::new(name)), "{name}");
        }
        for name in ["clock_state.rs", "contests.rs", "tests/main.rs"] {
            assert!(!is_of_tests(Path::new(name)), "{name}");
        }
    }

    fn first_literal(call: &str) -> Option<String> {
        call.split('"').nth(1).map(str::to_owned)
    }

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR"))
    }

    #[test]
    fn every_logged_message_has_an_id_and_every_id_a_logged_message() {
        let mut logged = BTreeSet::from(["log events dropped".to_owned()]);
        logged_in(&root().join("actors/src"), &mut logged);
        logged_in(&root().join("src"), &mut logged);
        let known = EVENTS.iter().map(|(message, _)| message.to_string());
        let known: BTreeSet<_> = known.chain(WITHOUT_ID.map(str::to_owned)).collect();
        assert_eq!(logged, known);
    }

    #[test]
    fn the_catalog_explains_every_id_and_no_other_id() {
        let catalog = fs::read_to_string(root().join("systemd/clockbound.catalog")).unwrap();
        let explained: Vec<&str> = catalog
            .lines()
            .filter_map(|line| line.strip_prefix("-- "))
            .collect();
        assert_eq!(explained, EVENTS.map(|(_, id)| id), "in the same order");
        for entry in catalog.split("\n-- ").skip(1) {
            let (head, text) = entry.split_once("\n\n").expect("no blank line");
            for key in ["Subject: ", "Defined-By: clockbound", "Documentation: "] {
                assert!(head.contains(key), "{key} in {entry}");
            }
            assert!(text.trim().len() > 40, "no explanation: {entry}");
        }
    }
}
