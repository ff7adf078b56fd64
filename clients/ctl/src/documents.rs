//! Checks that the options of the man page and of the shell completions are those of `--help`.
//!
//! `UPDATE_DOCUMENTS=1 cargo test -p clockboundctl documents` generates the files again.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::CommandLine;

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

fn assert_current(name: &str, generated: &[u8]) {
    let path = docs().join(name);
    if env::var_os("UPDATE_DOCUMENTS").is_some() {
        fs::write(&path, generated).expect("write the document");
    }
    let committed = fs::read(&path).unwrap_or_default();
    assert!(
        committed == generated,
        "docs/{name} is outdated; run: UPDATE_DOCUMENTS=1 cargo test -p clockboundctl documents"
    );
}

/// A part of a man page.
fn part(render: impl Fn(&mut Vec<u8>) -> io::Result<()>) -> String {
    let mut roff = Vec::new();
    render(&mut roff).expect("a vector takes everything");
    String::from_utf8(roff).expect("UTF-8")
}

/// The page of a command without the heading of the page.
fn without_preamble(page: &str) -> &str {
    // The page begins with lines about the apostrophe.
    page.find(".SH").map_or(page, |at| &page[at..])
}

/// The verbs with their descriptions and their own options, as subsections.
fn verbs(command: &Command) -> String {
    let verbs = command
        .get_subcommands()
        .filter(|verb| verb.get_name() != "help");
    let sections = verbs.map(|verb| {
        let own = without_globals(verb);
        let man = Man::new(own.clone());
        let synopsis = part(|roff| man.render_synopsis_section(roff));
        let synopsis = without_preamble(&synopsis).replace(".SH SYNOPSIS\n", "");
        let has_options = own.get_arguments().any(|it| it.get_id() != "help");
        let options = if has_options {
            let options = part(|roff| man.render_options_section(roff));
            without_preamble(&options).replace(".SH OPTIONS\n", "")
        } else {
            String::new()
        };
        let about = verb
            .get_about()
            .map(ToString::to_string)
            .unwrap_or_default();
        format!(
            ".SS {}\n{about}.\n.PP\n{synopsis}{options}",
            verb.get_name()
        )
    });
    sections.collect()
}

/// A verb as it is called, without the options of every verb.
fn without_globals(verb: &Command) -> Command {
    let name = format!("clockboundctl {}", verb.get_name());
    let verb = verb.clone().bin_name(name.clone()).display_name(name);
    verb.disable_help_flag(true).disable_version_flag(true)
}

#[test]
fn the_man_page_contains_every_verb_with_its_options() {
    let command = CommandLine::command();
    let man = Man::new(command.clone());
    let page = fs::read_to_string(docs().join("man/clockboundctl.1.in")).expect("the template");
    let page = page
        .replace("@VERSION@", env!("CARGO_PKG_VERSION"))
        .replace("@NAME@\n", &part(|roff| man.render_name_section(roff)))
        .replace(
            "@SYNOPSIS@\n",
            &part(|roff| man.render_synopsis_section(roff)),
        )
        .replace(
            "@OPTIONS@\n",
            &part(|roff| man.render_options_section(roff)),
        )
        .replace("@VERBS@\n", &verbs(&command));
    for verb in command.get_subcommands() {
        let name = verb.get_name();
        assert!(page.contains(&format!(".SS {name}\n")), "{name}");
        for option in verb.get_arguments().filter_map(|it| it.get_long()) {
            let escaped = option.replace('-', "\\-");
            assert!(
                page.contains(&format!("\\-\\-{escaped}")),
                "{name} --{option}"
            );
        }
    }
    assert_current("man/clockboundctl.1", page.as_bytes());
}

#[test]
fn the_completions_contain_every_verb_with_its_options() {
    for (shell, name) in [
        (Shell::Bash, "completions/clockboundctl.bash"),
        (Shell::Zsh, "completions/_clockboundctl"),
        (Shell::Fish, "completions/clockboundctl.fish"),
    ] {
        let mut script = Vec::new();
        let mut command = CommandLine::command();
        clap_complete::generate(shell, &mut command, "clockboundctl", &mut script);
        assert_current(name, &script);
    }
}
