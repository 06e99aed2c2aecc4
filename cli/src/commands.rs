//! The commands, one file each.

pub mod backup;
pub mod cat;
pub mod check;
pub mod desktop;
pub mod diff;
pub mod find;
pub mod forget;
pub mod help;
pub mod init;
pub mod log;
pub mod ls;
pub mod mount;
pub mod restore;
pub mod serve;
pub mod snapshots;
pub mod stats;
pub mod status;
pub mod try_out;
pub mod umount;

use crate::arguments::Command;
use crate::context::Context;
use crate::failure::Outcome;

/// Runs a command.
pub fn run(context: &Context, command: &Command) -> Outcome {
    match command {
        // Their pipes must not end them: they have a drive to take away, or clients.
        Command::Mount(_) | Command::Serve(_) | Command::Try(_) => {}
        _ => yore_platform::restore_sigpipe(),
    }
    match command {
        Command::Try(options) => try_out::run(context, options),
        Command::Init(options) => init::run(context, options),
        Command::Backup(options) => backup::run(context, options),
        Command::Snapshots(options) => snapshots::run(context, options),
        Command::Ls(options) => ls::run(context, options),
        Command::Cat(options) => cat::run(context, options),
        Command::Log(options) => log::run(context, options),
        Command::Diff(options) => diff::run(context, options),
        Command::Find(options) => find::run(context, options),
        Command::Restore(options) => restore::run(context, options),
        Command::Mount(options) => mount::run(context, options),
        Command::Serve(options) => serve::run(context, options),
        Command::Desktop(options) => desktop::run(context, options),
        Command::Umount(options) => umount::run(context, options),
        Command::Check(options) => check::run(context, options),
        Command::Status(options) => status::run(context, options),
        Command::Stats(options) => stats::run(context, options),
        Command::Forget(options) => forget::run(context, options),
    }
}
