//! `yore key`: which secrets open the repository, and adding and removing them.

use clap::{Args, Subcommand};

use crate::context::Context;
use crate::failure::Outcome;

mod add;
mod change;
mod export;
mod list;
mod machine;
mod passwd;
mod recovery;
mod remove;
mod rotate;

/// The options of `key`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List what opens the repository
    List,
    /// Add a passphrase, a key file or a write-only machine
    Add(add::Options),
    /// Remove passphrases, key files or recovery keys
    Remove(remove::Options),
    /// Replace a passphrase by a new one
    Passwd(passwd::Options),
    /// Make a new recovery key, and show it once
    Recovery(recovery::Options),
    /// Change the keys: what is written from now on is sealed under new ones
    Rotate(rotate::Options),
    /// Write a new key file, for another machine or a safe place
    Export(export::Options),
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    match &options.command {
        Command::List => list::run(context),
        Command::Add(options) => add::run(context, options),
        Command::Remove(options) => remove::run(context, options),
        Command::Passwd(options) => passwd::run(context, options),
        Command::Recovery(options) => recovery::run(context, options),
        Command::Rotate(options) => rotate::run(context, options),
        Command::Export(options) => export::run(context, options),
    }
}
