//! The files that put an entry into the menus.

use std::path::{Path, PathBuf};
use std::{fs, io};

use directories::BaseDirs;
use yore_platform::write_program;

use super::print;
use super::quoting::Quoting;
use crate::context::Context;
use crate::failure::{Done, Exit, Failure, Outcome};
use crate::json::DesktopPath;

/// The placeholder for this program in the files that are installed.
const PROGRAM: &str = "@YORE@";

/// The files that are installed: the path below the folder of a person's data, the content, and the
/// quoting of the program in it.
const FILES: [(&str, &str, Quoting); 2] = [
    (
        "nautilus-python/extensions/yore_previous_versions.py",
        include_str!("nautilus.py"),
        Quoting::Python,
    ),
    (
        "kio/servicemenus/yore-previous-versions.desktop",
        include_str!("dolphin.desktop"),
        Quoting::DesktopEntry,
    ),
];

fn data_folder() -> Outcome<PathBuf> {
    BaseDirs::new().map(|folders| folders.data_dir().to_owned()).ok_or_else(|| {
        Failure::new(
            Exit::Failed,
            "there is no home folder to install into",
            "set HOME, or XDG_DATA_HOME",
        )
    })
}

/// Returns the files for everybody of a machine: the path below a prefix as `/usr`, and the content.
pub fn menu_files(program: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let file = |(name, content, quoting): (&str, &str, Quoting)| {
        let content = content.replace(PROGRAM, &quoting.quote(program));
        (Path::new("share").join(name), content.into_bytes())
    };
    FILES.map(file).into()
}

/// Installs the files for this user.
pub(super) fn install(context: &Context) -> Outcome {
    let program = std::env::current_exe().map_err(|e| Failure::local(Path::new("yore"), e))?;
    let Some(program) = program.to_str().filter(|path| !path.contains('\n')) else {
        return Err(Failure::new(
            Exit::Failed,
            format!("{} is no path that can be written into a menu", program.display()),
            "move the program to a folder whose name is text",
        ));
    };
    let data = data_folder()?;
    for (name, content, quoting) in FILES {
        let path = data.join(name);
        let content = content.replace(PROGRAM, &quoting.quote(program));
        let folder = path.parent().unwrap_or(&data);
        fs::create_dir_all(folder).map_err(|error| Failure::local(folder, error))?;
        write_program(&path, content.as_bytes()).map_err(|e| Failure::local(&path, e))?;
        print(context, "installed", &path, DesktopPath::Installed);
    }
    context.screen.info(
        "\"Previous versions\" is in the menus of files and folders when Nautilus (with the package \
         python3-nautilus) or Dolphin is started the next time. It opens the mounted drive.",
    );
    Ok(Done::Whole)
}

/// Removes the files of this user.
pub(super) fn remove(context: &Context) -> Outcome {
    let data = data_folder()?;
    for (name, ..) in FILES {
        let path = data.join(name);
        match fs::remove_file(&path) {
            Ok(()) => print(context, "removed", &path, DesktopPath::Removed),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Failure::local(&path, error)),
        }
        remove_compiled(&path);
    }
    Ok(Done::Whole)
}

/// Removes the byte code that Python made of an extension; nothing would load it any more.
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
