//! `yore completions` and `yore man`: what a package installs besides the program.

use std::path::PathBuf;

use clap::{Args, Command};
use clap_complete::Shell;

use crate::context::Context;
use crate::failure::{Done, Failure, Outcome};

/// The options of `completions`.
#[derive(Debug, Args)]
pub struct CompletionOptions {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

/// The options of `man`.
#[derive(Debug, Args)]
pub struct ManOptions {
    /// The folder, which is made if it is not there
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Prints the completions of a shell.
pub fn completions(
    context: &Context,
    options: &CompletionOptions,
    mut program: Command,
) -> Outcome {
    let mut text = Vec::new();
    clap_complete::generate(options.shell, &mut program, "yore", &mut text);
    String::from_utf8_lossy(&text).lines().for_each(|line| context.screen.literal(line));
    Ok(Done::Whole)
}

/// Writes the manual pages: one of the program, and one of each command.
pub fn man(context: &Context, options: &ManOptions, program: Command) -> Outcome {
    let local = |error| Failure::local(&options.folder, error);
    std::fs::create_dir_all(&options.folder).map_err(local)?;
    clap_mangen::generate_to(program, &options.folder).map_err(local)?;
    context.screen.info(format!("The pages are in {}.", options.folder.display()));
    Ok(Done::Whole)
}
