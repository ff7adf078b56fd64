//! The verb `report`.

mod chart;
mod columns;
mod histogram;
mod html;
mod input;
mod summary;
mod text;

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use crate::Global;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::print_json;

/// The arguments of `report`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Files of `record`, in any order
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Writes a page that needs no other file, instead of text
    #[arg(long, value_name = "OUT")]
    html: Option<PathBuf>,
    /// Title of the page
    #[arg(long, value_name = "TEXT", default_value = "Clock error bound")]
    title: String,
}

/// Runs the verb.
///
/// # Errors
/// [`Failure`].
pub fn run(arguments: &Arguments, global: &Global) -> Outcome {
    let summary = input::summarize(&arguments.files)?;
    if summary.totals.rows == 0 {
        return Err(Failure::Other(
            Exit::DataError,
            "there are no rows in the files".to_owned(),
        ));
    }
    if let Some(path) = &arguments.html {
        let page = html::page(&summary, &arguments.title);
        fs::write(path, page).map_err(|source| Failure::File {
            path: path.clone(),
            source,
        })?;
    }
    if global.json {
        print_json(&text::Json::from(&summary))?;
    } else if arguments.html.is_none() {
        io::stdout().write_all(text::text(&summary).as_bytes())?;
    }
    Ok(Exit::Success)
}
