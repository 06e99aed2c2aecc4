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
    if prints_as_its_job(command) {
        yore_platform::restore_sigpipe();
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

/// Tells whether what a command prints is all that it is for, so that it ends when nobody listens any
/// more. The others do work that nobody has to watch: a closed pipe must not end a backup.
fn prints_as_its_job(command: &Command) -> bool {
    match command {
        Command::Snapshots(_)
        | Command::Ls(_)
        | Command::Cat(_)
        | Command::Log(_)
        | Command::Diff(_)
        | Command::Find(_)
        | Command::Check(_)
        | Command::Status(_)
        | Command::Stats(_) => true,
        Command::Try(_)
        | Command::Init(_)
        | Command::Backup(_)
        | Command::Restore(_)
        | Command::Mount(_)
        | Command::Serve(_)
        | Command::Desktop(_)
        | Command::Umount(_)
        | Command::Forget(_) => false,
    }
}
