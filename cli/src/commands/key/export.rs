//! `yore key export`: a new key file, for another machine or a safe place.

use std::path::PathBuf;

use clap::Args;

use super::add;
use crate::context::Context;
use crate::failure::Outcome;

/// The options of `key export`.
#[derive(Debug, Args)]
pub struct Options {
    /// The file, which must not exist yet
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Words that tell it from others in `key list`
    #[arg(long, value_name = "TEXT", default_value = "export")]
    label: String,
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    add::key_file(context, &options.file, &options.label)
}
