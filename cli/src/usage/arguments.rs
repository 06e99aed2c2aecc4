//! The arguments of the program.

use clap::Parser;

use crate::args::global::Global;
use crate::commands::Command;

/// Yore keeps the past of your files, encrypted, and shows it as a drive.
#[derive(Debug, Parser)]
#[command(name = "yore", version, max_term_width = 100)]
pub struct Arguments {
    /// Options that every command knows.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[cfg(test)]
mod tests;
