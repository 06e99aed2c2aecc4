//! The commands, one file each.

pub mod backup;
pub mod cat;
pub mod help;
pub mod init;
pub mod ls;
pub mod snapshots;
pub mod umount;

use crate::arguments::Command;
use crate::context::Context;
use crate::failure::Outcome;

/// Runs a command.
pub fn run(context: &Context, command: &Command) -> Outcome {
    match command {
        _ => yore_platform::restore_sigpipe(),
    }
    match command {
        Command::Init(options) => init::run(context, options),
        Command::Backup(options) => backup::run(context, options),
        Command::Snapshots(options) => snapshots::run(context, options),
        Command::Ls(options) => ls::run(context, options),
        Command::Cat(options) => cat::run(context, options),
        Command::Umount(options) => umount::run(context, options),
    }
}
