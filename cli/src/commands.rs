//! The commands, one file each, and their names.

pub mod automatic;
pub mod backup;
pub mod browse;
pub mod configure;
pub mod drive;
pub mod help;
pub mod key;
pub mod repository;
pub mod restore;
pub mod try_out;

use std::time::Instant;

use clap::Subcommand;

use crate::context::Context;
use crate::failure::{Done, Exit, Failure, Outcome};

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// See the whole thing work, on throw-away data
    Try(try_out::Options),
    /// Make a repository
    Init(repository::init::Options),
    /// Back up files and folders
    Backup(backup::Options),
    /// Back up soon after files change
    Watch(automatic::watch::Options),
    /// Back up at fixed times, by a timer of the system
    Schedule(automatic::schedule::Options),
    /// Restore a sample and compare it: proof that a restore works
    Drill(automatic::drill::Options),
    /// Show the runs of this machine
    History(automatic::history::Options),
    /// Who is told when something is wrong: try the way, look now
    Alert(automatic::alert::Options),
    /// List the snapshots
    Snapshots(browse::snapshots::Options),
    /// List what a snapshot holds
    Ls(browse::ls::Options),
    /// Print a file of a snapshot
    Cat(browse::cat::Options),
    /// List every version that a file or folder had
    Log(browse::log::Options),
    /// Look for names in all snapshots
    Find(browse::find::Options),
    /// Show what changed between two moments
    Diff(browse::diff::Options),
    /// Copy files out of a snapshot
    Restore(restore::Options),
    /// Show the snapshots as a drive
    Mount(drive::mount::Options),
    /// Take a drive away
    Umount(drive::umount::Options),
    /// Show the snapshots to programs that need no drive
    Serve(drive::serve::Options),
    /// "Previous versions" in the menus of file managers
    Desktop(drive::desktop::Options),
    /// Verify that the repository is whole
    Check(repository::check::Options),
    /// Heal what is damaged, and put aside what can't be healed
    Repair(repository::repair::Options),
    /// Show how old the last backups are, what destinations miss, what is wrong, and what mounted drives do
    Status(repository::status::Options),
    /// Tell what the repository holds, and what it saves
    Stats(repository::stats::Options),
    /// What opens the repository: passphrases, key files, recovery keys
    Key(key::Options),
    /// Where copies are kept: add, list, remove
    Destination(configure::destination::Options),
    /// What is backed up: add, list, remove
    Source(configure::source::Options),
    /// Show and change the configuration
    Config(configure::settings::Options),
    /// Secrets in the keyring of the desktop: set, remove
    Secret(configure::secret::Options),
    /// Copy to every destination what it lacks, and heal what is damaged
    Sync(repository::sync::Options),
    /// Forget snapshots
    Forget(repository::forget::Options),
    /// Keep snapshots whatever a policy says
    Pin(repository::annotate::Pin),
    /// Let a policy forget snapshots again
    Unpin(repository::annotate::Pin),
    /// Add words to snapshots, or remove them
    Tag(repository::annotate::Tag),
    /// Take suspicious changes for right, so that old snapshots may be forgotten again
    Acknowledge(repository::annotate::Acknowledge),
    /// Take over what write-only machines have backed up
    Collect(repository::collect::Options),
    /// Bring snapshots of another repository into this one
    Copy(repository::copy::Options),
    /// Make snapshots of dated folders that another tool keeps
    Import(repository::import::Options),
    /// Remove paths from snapshots that exist
    Rewrite(repository::rewrite::Options),
    /// Free the space of what no snapshot needs
    Prune(repository::prune::Options),
    /// Print the completions of a shell
    Completions(automatic::papers::CompletionOptions),
    /// Write the manual pages
    Man(automatic::papers::ManOptions),
    /// Write what a package installs besides the program
    PackageFiles(automatic::papers::PackageOptions),
}

/// Runs a command, and logs its begin and its end; nothing that was typed.
pub fn run_logged(
    context: &Context,
    name: &str,
    command: &Command,
    program: fn() -> clap::Command,
) -> Outcome {
    let (began, is_look) = (Instant::now(), prints_as_its_job(command));
    match is_look {
        true => tracing::debug!(command = name, "command begins"),
        false => tracing::info!(command = name, "command begins"),
    }
    let outcome = run(context, command, program);
    let seconds = began.elapsed().as_secs_f64();
    match &outcome {
        Ok(Done::Whole) if is_look => {
            tracing::debug!(command = name, exit = 0, seconds, "command ends");
        }
        Ok(Done::Whole) => tracing::info!(command = name, exit = 0, seconds, "command ends"),
        Ok(done) => tracing::warn!(command = name, exit = done.code(), seconds, "command ends"),
        // Such a message repeats what was typed.
        Err(failure) if failure.exit == Exit::Usage => {
            tracing::warn!(command = name, exit = 2, seconds, "command ends");
        }
        Err(Failure { exit, what, .. }) => {
            let exit = exit.code(None);
            tracing::error!(command = name, exit, seconds, error = what.as_str(), "command ends");
        }
    }
    outcome
}

/// Runs a command; `program` describes all of them.
fn run(context: &Context, command: &Command, program: fn() -> clap::Command) -> Outcome {
    if needs_full_key(command) {
        context.need_full_key();
    }
    if prints_as_its_job(command) {
        yore_platform::restore_sigpipe();
    }
    match command {
        Command::Try(options) => try_out::run(context, options),
        Command::Init(options) => repository::init::run(context, options),
        Command::Backup(options) => backup::run(context, options),
        Command::Watch(options) => automatic::watch::run(context, options),
        Command::Schedule(options) => automatic::schedule::run(context, options),
        Command::Drill(options) => automatic::drill::run(context, options),
        Command::History(options) => automatic::history::run(context, options),
        Command::Alert(options) => automatic::alert::run(context, options),
        Command::Completions(options) => {
            automatic::papers::completions(context, options, program())
        }
        Command::Man(options) => automatic::papers::man(context, options, program()),
        Command::PackageFiles(options) => {
            automatic::papers::package_files(context, options, program())
        }
        Command::Snapshots(options) => browse::snapshots::run(context, options),
        Command::Ls(options) => browse::ls::run(context, options),
        Command::Cat(options) => browse::cat::run(context, options),
        Command::Log(options) => browse::log::run(context, options),
        Command::Diff(options) => browse::diff::run(context, options),
        Command::Find(options) => browse::find::run(context, options),
        Command::Restore(options) => restore::run(context, options),
        Command::Mount(options) => drive::mount::run(context, options),
        Command::Serve(options) => drive::serve::run(context, options),
        Command::Desktop(options) => drive::desktop::run(context, options),
        Command::Umount(options) => drive::umount::run(context, options),
        Command::Check(options) => repository::check::run(context, options),
        Command::Repair(options) => repository::repair::run(context, options),
        Command::Status(options) => repository::status::run(context, options),
        Command::Stats(options) => repository::stats::run(context, options),
        Command::Key(options) => key::run(context, options),
        Command::Destination(options) => configure::destination::run(context, options),
        Command::Source(options) => configure::source::run(context, options),
        Command::Config(options) => configure::settings::run(context, options),
        Command::Secret(options) => configure::secret::run(context, options),
        Command::Sync(options) => repository::sync::run(context, options),
        Command::Forget(options) => repository::forget::run(context, options),
        Command::Pin(options) => repository::annotate::pin(context, options),
        Command::Unpin(options) => repository::annotate::unpin(context, options),
        Command::Tag(options) => repository::annotate::tag(context, options),
        Command::Acknowledge(options) => repository::annotate::acknowledge(context, options),
        Command::Collect(options) => repository::collect::run(context, options),
        Command::Copy(options) => repository::copy::run(context, options),
        Command::Import(options) => repository::import::run(context, options),
        Command::Rewrite(options) => repository::rewrite::run(context, options),
        Command::Prune(options) => repository::prune::run(context, options),
    }
}

/// Reports whether a command reads contents or changes what is there, which the key of a write-only machine can't do.
fn needs_full_key(command: &Command) -> bool {
    match command {
        Command::Cat(_)
        | Command::Drill(_)
        | Command::Restore(_)
        | Command::Mount(_)
        | Command::Serve(_)
        | Command::Repair(_)
        | Command::Key(_)
        | Command::Sync(_)
        | Command::Forget(_)
        | Command::Pin(_)
        | Command::Unpin(_)
        | Command::Tag(_)
        | Command::Acknowledge(_)
        | Command::Collect(_)
        | Command::Copy(_)
        | Command::Import(_)
        | Command::Rewrite(_)
        | Command::Prune(_) => true,
        Command::Try(_)
        | Command::Init(_)
        | Command::Backup(_)
        | Command::Watch(_)
        | Command::Schedule(_)
        | Command::History(_)
        | Command::Alert(_)
        | Command::Completions(_)
        | Command::Man(_)
        | Command::PackageFiles(_)
        | Command::Snapshots(_)
        | Command::Ls(_)
        | Command::Log(_)
        | Command::Find(_)
        | Command::Diff(_)
        | Command::Umount(_)
        | Command::Desktop(_)
        | Command::Check(_)
        | Command::Status(_)
        | Command::Stats(_)
        | Command::Destination(_)
        | Command::Source(_)
        | Command::Config(_)
        | Command::Secret(_) => false,
    }
}

/// Reports whether a command leaves nothing behind, not even a log.
pub fn leaves_nothing(command: &Command) -> bool {
    matches!(command, Command::Try(_) | Command::Completions(_) | Command::Man(_))
}

/// Reports whether a command does nothing but print, so that it ends when its reader does.
///
/// The others do work that needs no reader: a closed pipe must not end a backup.
fn prints_as_its_job(command: &Command) -> bool {
    match command {
        Command::Snapshots(_)
        | Command::Ls(_)
        | Command::Cat(_)
        | Command::Log(_)
        | Command::Diff(_)
        | Command::Find(_)
        | Command::Check(_)
        | Command::History(_)
        | Command::Completions(_)
        | Command::Status(_)
        | Command::Stats(_) => true,
        Command::Watch(_)
        | Command::Schedule(_)
        | Command::Drill(_)
        | Command::Alert(_)
        | Command::Man(_)
        | Command::PackageFiles(_)
        | Command::Try(_)
        | Command::Init(_)
        | Command::Backup(_)
        | Command::Restore(_)
        | Command::Mount(_)
        | Command::Serve(_)
        | Command::Desktop(_)
        | Command::Umount(_)
        | Command::Key(_)
        | Command::Destination(_)
        | Command::Source(_)
        | Command::Config(_)
        | Command::Secret(_)
        | Command::Sync(_)
        | Command::Forget(_)
        | Command::Prune(_)
        | Command::Repair(_)
        | Command::Collect(_)
        | Command::Copy(_)
        | Command::Import(_)
        | Command::Rewrite(_)
        | Command::Pin(_)
        | Command::Unpin(_)
        | Command::Acknowledge(_)
        | Command::Tag(_) => false,
    }
}
