//! A document with commands and what they print.

use std::fmt::Write;

/// Begins a block with commands.
const BEGIN: &str = "```console";
/// Ends it.
const END: &str = "```";

/// Who runs a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    /// The prompt `#`.
    Root,
    /// The prompt `$`: an account without privileges.
    Nobody,
}

/// A part of the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A line outside of the blocks with commands, or the begin or end of one.
    Line(String),
    /// A command, and what it printed.
    Command {
        /// Who runs it.
        account: Account,
        /// The command. It can have several lines, each but the last with a backslash at its end.
        text: String,
        /// What it printed.
        output: String,
    },
}

/// The parts of a document.
///
/// # Panics
/// If a block begins without a command, or does not end.
pub fn parse(document: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        parts.push(Part::Line(line.to_owned()));
        if line == BEGIN {
            block(&mut lines, &mut parts);
        }
    }
    parts
}

/// The commands of a block, and its end.
fn block<'a>(lines: &mut impl Iterator<Item = &'a str>, parts: &mut Vec<Part>) {
    loop {
        let line = lines.next().expect("the block ends");
        if line == END {
            parts.push(Part::Line(END.to_owned()));
            return;
        }
        let account = match line.split_at_checked(2) {
            Some(("# ", _)) => Some(Account::Root),
            Some(("$ ", _)) => Some(Account::Nobody),
            _ => None,
        };
        if let Some(account) = account {
            let mut text = line[2..].to_owned();
            while text.ends_with('\\') {
                text += "\n";
                text += lines.next().expect("the command ends");
            }
            let output = String::new();
            parts.push(Part::Command {
                account,
                text,
                output,
            });
            continue;
        }
        match parts.last_mut() {
            Some(Part::Command { output, .. }) => {
                output.push_str(line);
                output.push('\n');
            }
            _ => panic!("a block begins with a command: {line}"),
        }
    }
}

/// The document with these parts.
pub fn render(parts: &[Part]) -> String {
    let mut text = String::new();
    for part in parts {
        // Writing to a string does not fail.
        let _ = match part {
            Part::Line(line) => writeln!(text, "{line}"),
            Part::Command {
                account,
                text: command,
                output,
            } => {
                let prompt = match account {
                    Account::Root => '#',
                    Account::Nobody => '$',
                };
                write!(text, "{prompt} {command}\n{output}")
            }
        };
    }
    text
}

#[test]
fn a_document_is_the_same_after_parsing() {
    let document = "# Title\n\n```sh\n# no command\n```\n\n```console\n# a \\\n  b\none\n\ntwo\n$ c\n```\n\nEnd\n";
    let parts = parse(document);
    assert_eq!(render(&parts), document);
    let commands: Vec<_> = parts
        .iter()
        .filter_map(|part| match part {
            Part::Command {
                account,
                text,
                output,
            } => Some((*account, text.as_str(), output.as_str())),
            Part::Line(_) => None,
        })
        .collect();
    assert_eq!(
        commands,
        [
            (Account::Root, "a \\\n  b", "one\n\ntwo\n"),
            (Account::Nobody, "c", "")
        ]
    );
}
