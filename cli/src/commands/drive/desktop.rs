//! `yore desktop`: "Previous versions" in the menus of file managers.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::context::Context;
use crate::failure::Outcome;
use crate::json::{self, DesktopPath};

mod dialog;
mod install;
mod open;
mod quoting;

pub use install::menu_files;

/// The options of `desktop`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Add "Previous versions" to the menus of Nautilus and Dolphin, for you
    Install,
    /// Take that away again
    Remove,
    /// Open what the mounted drives have of a file or folder
    Open {
        /// The file or folder, as it is or was
        #[arg(value_name = "PATH")]
        path: PathBuf,
    },
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    match &options.action {
        Action::Install => install::install(context),
        Action::Remove => install::remove(context),
        Action::Open { path } => {
            let opened = open::open(context, path);
            if let Err(failure) = &opened
                && !io::stderr().is_terminal()
            {
                dialog::show(failure);
            }
            opened
        }
    }
}

/// Prints what was done to a path.
fn print(context: &Context, what: &str, path: &Path, field: fn(String) -> DesktopPath) {
    let path = path.display().to_string();
    context.screen.info(format!("{what} {path}"));
    context.screen.object(&json::Desktop { path: field(path) });
}
