//! `yore desktop`: "Previous versions" in the menus of file managers.

use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use clap::{Args, Subcommand};
use directories::BaseDirs;
use yore_platform::{drive_attribute, drives, write_program};

use crate::context::Context;
use crate::failure::engine_error::reason;
use crate::failure::{Done, Exit, Failure, Outcome};
use crate::json::{self, DesktopPath};

/// The time in which a drive must answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The placeholder for this program in the files that are installed.
const PROGRAM: &str = "@YORE@";

/// The files that are installed: where, below the folder of a person's data, and what.
const FILES: [(&str, &str, Quoting); 2] = [
    (
        "nautilus-python/extensions/yore_previous_versions.py",
        include_str!("desktop/nautilus.py"),
        Quoting::Python,
    ),
    (
        "kio/servicemenus/yore-previous-versions.desktop",
        include_str!("desktop/dolphin.desktop"),
        Quoting::DesktopEntry,
    ),
];

/// The programs that can show a message on a desktop, with what comes before the message.
const MESSENGERS: [(&str, &[&str]); 3] = [
    ("zenity", &["--error", "--no-markup", "--text"]),
    ("kdialog", &["--error"]),
    ("notify-send", &["Yore"]),
];

#[derive(Clone, Copy)]
enum Quoting {
    Python,
    DesktopEntry,
}

impl Quoting {
    fn quote(self, text: &str) -> String {
        let mut quoted = String::from("\"");
        for character in text.chars() {
            match (self, character) {
                // A string value doubles its backslashes, an argument in quotes doubles them before.
                (Quoting::DesktopEntry, '\\') => quoted.push_str("\\\\\\\\"),
                (Quoting::DesktopEntry, '"' | '`' | '$') => {
                    quoted.push_str("\\\\");
                    quoted.push(character);
                }
                (Quoting::DesktopEntry, '%') => quoted.push_str("%%"),
                (Quoting::Python, '\\' | '"') => {
                    quoted.push('\\');
                    quoted.push(character);
                }
                _ => quoted.push(character),
            }
        }
        quoted.push('"');
        quoted
    }
}

/// The options of `desktop`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
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
    match &options.what {
        What::Install => install(context),
        What::Remove => remove(context),
        What::Open { path } => {
            let opened = open(context, path);
            if let Err(failure) = &opened
                && !io::stderr().is_terminal()
            {
                show(failure);
            }
            opened
        }
    }
}

fn data_folder() -> Outcome<PathBuf> {
    BaseDirs::new().map(|folders| folders.data_dir().to_owned()).ok_or_else(|| {
        Failure::new(
            Exit::Failed,
            "there is no home folder to install into",
            "set HOME, or XDG_DATA_HOME",
        )
    })
}

fn install(context: &Context) -> Outcome {
    let program = std::env::current_exe().map_err(|e| Failure::local(Path::new("yore"), e))?;
    let Some(program) = program.to_str().filter(|path| !path.contains('\n')) else {
        return Err(Failure::new(
            Exit::Failed,
            format!("{} is no path that can be written into a menu", program.display()),
            "move the program to a folder machine name is text",
        ));
    };
    let data = data_folder()?;
    for (name, content, quoting) in FILES {
        let path = data.join(name);
        let content = content.replace(PROGRAM, &quoting.quote(program));
        let folder = path.parent().unwrap_or(&data);
        fs::create_dir_all(folder).map_err(|error| Failure::local(folder, error))?;
        write_program(&path, content.as_bytes()).map_err(|e| Failure::local(&path, e))?;
        tell(context, "installed", &path, DesktopPath::Installed);
    }
    context.screen.info(
        "\"Previous versions\" is in the menus of files and folders when Nautilus (with the package \
         python3-nautilus) or Dolphin is started the next time. It opens the mounted drive.",
    );
    Ok(Done::Whole)
}

fn remove(context: &Context) -> Outcome {
    let data = data_folder()?;
    for (name, ..) in FILES {
        let path = data.join(name);
        match fs::remove_file(&path) {
            Ok(()) => tell(context, "removed", &path, DesktopPath::Removed),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Failure::local(&path, error)),
        }
        remove_compiled(&path);
    }
    Ok(Done::Whole)
}

/// Removes what Python made of an extension when it was loaded; it would be loaded no more.
fn remove_compiled(extension: &Path) {
    let (Some(folder), Some(stem)) = (extension.parent(), extension.file_stem()) else { return };
    let Ok(compiled) = fs::read_dir(folder.join("__pycache__")) else { return };
    let prefix = format!("{}.", stem.to_string_lossy());
    for entry in compiled.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(&prefix) && name.ends_with(".pyc") {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Tells what was done to a path.
fn tell(context: &Context, what: &str, path: &Path, field: fn(String) -> DesktopPath) {
    let path = path.display().to_string();
    context.screen.info(format!("{what} {path}"));
    context.screen.object(&json::Desktop { path: field(path) });
}

/// What opens a folder in the file manager that somebody likes best. Outside of the large desktops the
/// first of them asks the program `file`, which may be missing, what a folder is.
const OPENERS: [&[&str]; 2] = [&["xdg-open"], &["gio", "open"]];

/// Opens the past of a path in the desktop's file manager.
fn open(context: &Context, path: &Path) -> Outcome {
    let versions = find(path)?;
    tell(context, "opened", &versions, DesktopPath::Opened);
    let mut why = Vec::new();
    for words in OPENERS {
        let started = Command::new(words[0])
            .args(&words[1..])
            .arg(&versions)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .status();
        match started {
            Ok(status) if status.success() => return Ok(Done::Whole),
            Ok(status) => why.push(format!("{} ended with {status}", words.join(" "))),
            Err(error) => why.push(format!("{}: {}", words.join(" "), reason(&error))),
        }
    }
    Err(Failure::new(
        Exit::Failed,
        format!("no file manager could be started: {}", why.join("; ")),
        format!("open {} yourself (xdg-open is in the package xdg-utils)", versions.display()),
    ))
}

/// Finds the versions of a path on a mounted drive.
fn find(path: &Path) -> Outcome<PathBuf> {
    let drives = drives().map_err(|e| Failure::local(Path::new("/proc/self/mountinfo"), e))?;
    let absolute = std::path::absolute(path).map_err(|error| Failure::local(path, error))?;
    let mut wanted = vec![resolved(&absolute)];
    if wanted[0] != absolute {
        wanted.push(absolute.clone());
    }
    let alive = |drive: &&PathBuf| drive_attribute(drive, "user.yore.counters", PATIENCE).is_ok();
    let drives: Vec<&PathBuf> = drives.iter().filter(alive).collect();
    for drive in &drives {
        for path in &wanted {
            let path = live(drive, path);
            let versions = drive.join("versions").join(path.strip_prefix("/").unwrap_or(&path));
            if versions.symlink_metadata().is_ok() {
                return Ok(versions);
            }
        }
    }
    Err(match drives.is_empty() {
        true => {
            Failure::new(Exit::Failed, "no drive is mounted", "mount one: yore mount --detach DIR")
        }
        false => Failure::new(
            Exit::Failed,
            format!("no backup on the mounted drives holds {}", absolute.display()),
            "check its spelling; `yore find NAME` looks for a name in all snapshots",
        ),
    })
}

/// The path without links in its folders, as backups name it; the file itself may be gone.
fn resolved(absolute: &Path) -> PathBuf {
    let mut below = PathBuf::new();
    for folder in absolute.ancestors() {
        let Some(name) = folder.file_name() else { break };
        below =
            if below.as_os_str().is_empty() { name.into() } else { Path::new(name).join(below) };
        if let Some(Ok(parent)) = folder.parent().map(fs::canonicalize) {
            return parent.join(below);
        }
    }
    absolute.to_owned()
}

/// The live path of what a drive shows of the past; other paths as they are.
fn live(drive: &Path, path: &Path) -> PathBuf {
    let Ok(inside) = path.strip_prefix(drive) else { return path.to_owned() };
    let mut names = inside.components();
    let top = names.next().map(|top| top.as_os_str().to_owned()).unwrap_or_default();
    if top == "snapshots" || top == "at" {
        names.next();
    }
    Path::new("/").join(names.as_path())
}

/// Shows what went wrong to somebody who clicked.
fn show(failure: &Failure) {
    let text = format!("{}\n{}", failure.what, failure.hint.as_deref().unwrap_or_default());
    for (program, arguments) in MESSENGERS {
        let mut command = Command::new(program);
        command.args(arguments).arg(&text).stdin(Stdio::null()).stdout(Stdio::null());
        // One that is not there, or can't show anything: the next one may.
        if command.stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_the_past_is_a_live_path_again() {
        let live = |path: &str| live(Path::new("/past"), Path::new(path)).display().to_string();
        assert_eq!(live("/past/snapshots/2026-01-15/home/me/a"), "/home/me/a");
        assert_eq!(live("/past/latest/home/me/a"), "/home/me/a");
        assert_eq!(live("/past/at/yesterday/home"), "/home");
        assert_eq!(live("/past"), "/");
        assert_eq!(live("/home/me/a"), "/home/me/a");
    }

    #[test]
    fn a_path_is_quoted_as_each_file_wants_it() {
        assert_eq!(Quoting::Python.quote("/a \"b\\"), "\"/a \\\"b\\\\\"");
        assert_eq!(Quoting::DesktopEntry.quote("/a b"), "\"/a b\"");
        assert_eq!(Quoting::DesktopEntry.quote("/100% $x"), "\"/100%% \\\\$x\"");
    }
}
