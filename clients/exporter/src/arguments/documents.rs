//! Checks that the options of the man page and of the shell completions are those of `--help`.
//!
//! `UPDATE_DOCUMENTS=1 cargo test -p clockbound-exporter documents` generates the files again.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;

use super::Arguments;

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

fn assert_current(name: &str, generated: &[u8]) {
    let path = docs().join(name);
    if env::var_os("UPDATE_DOCUMENTS").is_some() {
        fs::write(&path, generated).unwrap();
    }
    let committed = fs::read(&path).unwrap_or_default();
    assert!(
        committed == generated,
        "docs/{name} is outdated; run: \
         UPDATE_DOCUMENTS=1 cargo test -p clockbound-exporter documents"
    );
}

#[test]
fn the_man_page_contains_the_options_of_help() {
    let man = Man::new(Arguments::command());
    let part = |render: &dyn Fn(&mut Vec<u8>) -> io::Result<()>| {
        let mut roff = Vec::new();
        render(&mut roff).unwrap();
        String::from_utf8(roff).unwrap()
    };
    let page = fs::read_to_string(docs().join("man/clockbound-exporter.8.in")).unwrap();
    let page = page
        .replace("@VERSION@", env!("CARGO_PKG_VERSION"))
        .replace("@NAME@\n", &part(&|roff| man.render_name_section(roff)))
        .replace(
            "@SYNOPSIS@\n",
            &part(&|roff| man.render_synopsis_section(roff)),
        )
        .replace(
            "@OPTIONS@\n",
            &part(&|roff| man.render_options_section(roff)),
        );
    assert_current("man/clockbound-exporter.8", page.as_bytes());
}

#[test]
fn the_completions_contain_the_options_of_help() {
    for (shell, name) in [
        (Shell::Bash, "completions/clockbound-exporter.bash"),
        (Shell::Zsh, "completions/_clockbound-exporter"),
        (Shell::Fish, "completions/clockbound-exporter.fish"),
    ] {
        let mut script = Vec::new();
        clap_complete::generate(
            shell,
            &mut Arguments::command(),
            "clockbound-exporter",
            &mut script,
        );
        assert_current(name, &script);
    }
}
