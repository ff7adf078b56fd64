//! Text and JSON for standard output.

pub mod diagnostics_json;
pub mod units;

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use clap::builder::styling::{AnsiColor, Style};
use clockbound_client::Status;
use serde::Serialize;

/// When colors are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Color {
    /// Whether standard output gets colors.
    pub fn is_on(self) -> bool {
        match self {
            // An empty NO_COLOR has no effect (no-color.org).
            Self::Auto => {
                io::stdout().is_terminal()
                    && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
            Self::Always => true,
            Self::Never => false,
        }
    }

    /// What colors text for standard output.
    pub fn paint(self) -> Paint {
        Paint {
            is_on: self.is_on(),
        }
    }
}

/// Colors text, or leaves it as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Paint {
    is_on: bool,
}

impl Paint {
    /// Leaves text as it is.
    #[cfg(test)]
    pub const PLAIN: Self = Self { is_on: false };

    /// The text in this style.
    pub fn styled(self, style: Style, text: &str) -> String {
        if self.is_on {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }

    /// The text in the color of this status: green, yellow or red.
    pub fn status(self, status: Status, text: &str) -> String {
        let color = match status {
            Status::Synchronized => AnsiColor::Green,
            Status::FreeRunning => AnsiColor::Yellow,
            Status::Unknown | Status::Disrupted => AnsiColor::Red,
        };
        self.styled(color.on_default().bold(), text)
    }

    /// The text as a heading.
    pub fn heading(self, text: &str) -> String {
        self.styled(Style::new().bold(), text)
    }

    /// The text as something of little importance.
    pub fn faint(self, text: &str) -> String {
        self.styled(Style::new().dimmed(), text)
    }
}

/// Prints text, which ends with a line break, in one write.
///
/// # Errors
/// Those of standard output.
pub fn print_text(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Prints one JSON object on one line.
///
/// # Errors
/// Those of standard output.
pub fn print_json(value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_string(value)?;
    line.push('\n');
    print_text(&line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_gets_escape_sequences_only_if_colors_are_on() {
        let text = "free_running";
        let painted = Color::Always.paint().status(Status::FreeRunning, text);
        assert!(
            painted.starts_with("\u{1b}[") && painted.contains(text),
            "{painted:?}"
        );
        assert_eq!(Color::Never.paint().status(Status::FreeRunning, text), text);
        assert_eq!(Color::Never.paint().heading(text), text);
    }
}
