//! The verb `explain`.

use clap::Args;

use crate::Global;
use crate::exit::{Exit, Failure, Outcome};

/// The arguments of `explain`.
#[derive(Debug, Args)]
pub struct Arguments {}

/// Runs the verb.
///
/// # Errors
/// [`Failure`].
pub fn run(_arguments: &Arguments, _global: &Global) -> Outcome {
    Err(Failure::Other(Exit::Unknown, "not built yet".to_owned()))
}
