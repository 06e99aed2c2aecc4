//! Opening the versions of a path on a mounted drive.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use yore_platform::{drive_attribute, drives};

use super::print;
use crate::context::Context;
use crate::failure::engine_error::reason;
use crate::failure::{Done, Exit, Failure, Outcome};
use crate::json::DesktopPath;

/// The time in which a drive must answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The programs that open a folder in the preferred file manager. Outside of the large desktops the first
/// of them asks the program `file`, which may be missing, for the type of a folder.
const OPENERS: [&[&str]; 2] = [&["xdg-open"], &["gio", "open"]];

/// Opens the versions of a path in the desktop's file manager.
pub(super) fn open(context: &Context, path: &Path) -> Outcome {
    let versions = find(path)?;
    print(context, "opened", &versions, DesktopPath::Opened);
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

/// Returns the path without links in its folders, as backups name it; the file itself may be deleted.
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

/// Returns the live path that a path in a drive shows; other paths as they are.
fn live(drive: &Path, path: &Path) -> PathBuf {
    let Ok(inside) = path.strip_prefix(drive) else { return path.to_owned() };
    let mut names = inside.components();
    let top = names.next().map(|top| top.as_os_str().to_owned()).unwrap_or_default();
    if top == "snapshots" || top == "at" {
        names.next();
    }
    Path::new("/").join(names.as_path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_in_a_drive_is_a_live_path_again() {
        let live = |path: &str| live(Path::new("/past"), Path::new(path)).display().to_string();
        assert_eq!(live("/past/snapshots/2026-01-15/home/me/a"), "/home/me/a");
        assert_eq!(live("/past/latest/home/me/a"), "/home/me/a");
        assert_eq!(live("/past/at/yesterday/home"), "/home");
        assert_eq!(live("/past"), "/");
        assert_eq!(live("/home/me/a"), "/home/me/a");
    }
}
