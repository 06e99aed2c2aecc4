//! `yore completions`, `yore man` and `yore package-files`: what a package installs besides the program.

use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_complete::Shell;

use crate::commands::automatic::schedule::packaged_units;
use crate::commands::drive::desktop::menu_files;
use crate::context::Context;
use crate::failure::{Done, Failure, Outcome};

/// The shells, and where a package puts the completions of each.
const COMPLETIONS: [(Shell, &str); 3] = [
    (Shell::Bash, "share/bash-completion/completions/yore"),
    (Shell::Zsh, "share/zsh/site-functions/_yore"),
    (Shell::Fish, "share/fish/vendor_completions.d/yore.fish"),
];

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

/// The options of `package-files`.
#[derive(Debug, Args)]
pub struct PackageOptions {
    /// The folder, as /usr/local, which is made if it is not there
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Where the program will be, for units and menus (default: where it is)
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// Prints the completions of a shell.
pub fn completions(
    context: &Context,
    options: &CompletionOptions,
    mut program: Command,
) -> Outcome {
    let text = completions_of(options.shell, &mut program);
    String::from_utf8_lossy(&text).lines().for_each(|line| context.screen.literal(line));
    Ok(Done::Whole)
}

fn completions_of(shell: Shell, program: &mut Command) -> Vec<u8> {
    let mut text = Vec::new();
    clap_complete::generate(shell, program, "yore", &mut text);
    text
}

/// Writes the manual pages: one of the program, and one of each command.
pub fn man(context: &Context, options: &ManOptions, program: Command) -> Outcome {
    write_pages(&options.folder, program)?;
    context.screen.info(format!("The pages are in {}.", options.folder.display()));
    Ok(Done::Whole)
}

fn write_pages(folder: &Path, program: Command) -> Outcome<()> {
    let local = |error| Failure::local(folder, error);
    std::fs::create_dir_all(folder).map_err(local)?;
    clap_mangen::generate_to(program, folder).map_err(local)
}

/// Writes manual pages, completions, units of systemd and menus of file managers to where a package has them.
pub fn package_files(context: &Context, options: &PackageOptions, mut program: Command) -> Outcome {
    let path = match &options.program {
        Some(path) => path.clone(),
        None => std::env::current_exe().map_err(|e| Failure::local(Path::new("yore"), e))?,
    };
    let is_plain = |text: &&str| path.is_absolute() && !text.contains(char::is_control);
    let Some(path) = path.to_str().filter(is_plain) else {
        return Err(Failure::usage(
            format!("{} is no path that can be written into a unit", path.display()),
            "name the program by its full path, as in --program /usr/bin/yore",
        ));
    };
    // Completions add commands of help to the program, which have no pages.
    write_pages(&options.folder.join("share/man/man1"), program.clone())?;
    let mut files = menu_files(path);
    let completions = COMPLETIONS.map(|(shell, to)| (to, completions_of(shell, &mut program)));
    files.extend(completions.map(|(to, text)| (PathBuf::from(to), text)));
    for (name, text) in packaged_units(path) {
        files.push((Path::new("lib/systemd/system").join(name), text.into_bytes()));
    }
    for (name, content) in &files {
        let to = options.folder.join(name);
        let folder = to.parent().unwrap_or(&options.folder);
        std::fs::create_dir_all(folder).map_err(|error| Failure::local(folder, error))?;
        std::fs::write(&to, content).map_err(|error| Failure::local(&to, error))?;
    }
    context.screen.info(format!("The files are in {}.", options.folder.display()));
    Ok(Done::Whole)
}
