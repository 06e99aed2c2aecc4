//! What is typed: the options that every command knows, and the commands.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{ArgAction, Args, Parser, Subcommand};

use crate::commands::browse::{cat, diff, find, log, ls, snapshots};
use crate::commands::drive::{desktop, mount, serve, umount};
use crate::commands::repository::{check, forget, init, stats, status};
use crate::commands::{backup, restore, try_out};

/// Yore keeps the past of your files, encrypted, and shows it as a drive.
#[derive(Debug, Parser)]
#[command(name = "yore", version, max_term_width = 100)]
pub struct Arguments {
    /// Options that every command knows.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Options that every command knows.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The repository: /path or file:///path (a name with a colon: ./a:b)
    #[arg(long, global = true, value_name = "URL", env = "YORE_REPO", hide_env_values = true)]
    pub repo: Option<OsString>,
    /// A key file that opens the repository (init: that is made)
    #[arg(long, global = true, value_name = "FILE", env = "YORE_KEY_FILE", hide_env_values = true, value_parser = path())]
    pub key_file: Option<PathBuf>,
    /// A file that holds the passphrase
    #[arg(long, global = true, value_name = "FILE", env = "YORE_PASSWORD_FILE", hide_env_values = true, value_parser = path())]
    pub password_file: Option<PathBuf>,
    /// A command that prints the passphrase
    #[arg(
        long,
        global = true,
        value_name = "CMD",
        env = "YORE_PASSWORD_COMMAND",
        hide_env_values = true
    )]
    pub password_command: Option<OsString>,
    /// Print results as JSON, one object a line (errors too, on standard error)
    #[arg(long, global = true)]
    pub json: bool,
    /// Print nothing on success but what was asked for
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Tell more of what is done, and what happens to each file
    #[arg(long, short, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Show no progress
    #[arg(long, global = true)]
    pub no_progress: bool,
}

/// Takes any path, an empty one too: an empty variable counts as none.
fn path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// See the whole thing work, on throw-away data
    Try(try_out::Options),
    /// Make a repository
    Init(init::Options),
    /// Back up files and folders
    Backup(backup::Options),
    /// List the snapshots
    Snapshots(snapshots::Options),
    /// List what a snapshot holds
    Ls(ls::Options),
    /// Print a file of a snapshot
    Cat(cat::Options),
    /// List every version that a file or folder had
    Log(log::Options),
    /// Look for names in all snapshots
    Find(find::Options),
    /// Show what changed between two moments
    Diff(diff::Options),
    /// Copy files out of a snapshot
    Restore(restore::Options),
    /// Show the snapshots as a drive
    Mount(mount::Options),
    /// Take a drive away
    Umount(umount::Options),
    /// Show the snapshots to programs that need no drive
    Serve(serve::Options),
    /// "Previous versions" in the menus of file managers
    Desktop(desktop::Options),
    /// Verify that the repository is whole
    Check(check::Options),
    /// Show how old the last backups are, and what mounted drives do
    Status(status::Options),
    /// Tell what the repository holds, and what it saves
    Stats(stats::Options),
    /// Forget snapshots
    Forget(forget::Options),
}

#[cfg(test)]
mod tests;
