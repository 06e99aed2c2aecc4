//! The sources of a job: paths that are named, and lists of paths.

use std::collections::HashSet;
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};

use yore_platform::name_from_bytes;

use super::containers;
use crate::args::files::FileArgs;
use crate::config::DockerVolumes;
use crate::failure::{Failure, Outcome};
use crate::screen::Screen;

/// The files and folders that are saved.
#[derive(Debug, Default)]
pub struct Sources {
    /// The paths that they get in the snapshot: absolute, without links, each once.
    pub paths: Vec<PathBuf>,
    /// The paths where they are; those of volumes are others.
    pub live: Vec<PathBuf>,
    /// The number of paths of lists that are not there; each was reported.
    pub missing: u64,
}

/// Finds everything that is named. What is typed must be there; what a list names may have gone since.
pub fn find(args: &FileArgs, screen: &Screen) -> Outcome<Sources> {
    let mut sources = Sources::default();
    let mut known = HashSet::new();
    let mut add = |path: PathBuf| {
        if known.insert(path.clone()) {
            sources.paths.push(path);
        }
    };
    for path in &args.paths {
        add(std::fs::canonicalize(path).map_err(|error| not_there(path, error))?);
    }
    let lists = args.files_from.iter().map(|list| (list, b'\n'));
    let lists = lists.chain(args.files_from0.iter().map(|list| (list, b'\0')));
    for (list, separator) in lists {
        for path in read_list(list, separator)? {
            match std::fs::canonicalize(&path) {
                Ok(path) => add(path),
                Err(error) => {
                    let failure = Failure::local(Path::new(&path), error);
                    screen.problem("", &failure.what);
                    sources.missing += 1;
                }
            }
        }
    }
    sources.live.clone_from(&sources.paths);
    match sources.paths.is_empty() {
        false => Ok(sources),
        true => Err(Failure::usage(
            "there is nothing to back up: the list names nothing that is there",
            "one path a line, as `find` prints them; with --files-from0, a zero byte behind each",
        )),
    }
}

/// Finds the folders of volumes; in the snapshot, each is in the folder of the source's name.
pub fn of_volumes(source: &str, docker: &DockerVolumes) -> Outcome<Sources> {
    let mut sources = Sources::default();
    for volume in &docker.volumes {
        let path = Path::new("/").join(source).join(volume);
        if sources.paths.contains(&path) {
            continue;
        }
        let folder = containers::folder_of(docker, volume)?;
        let folder = std::fs::canonicalize(&folder).map_err(|error| not_there(&folder, error))?;
        sources.paths.push(path);
        sources.live.push(folder);
    }
    Ok(sources)
}

fn not_there(path: &Path, error: std::io::Error) -> Failure {
    let mut failure = Failure::local(path, error);
    let hint = failure.hint.as_deref().unwrap_or("check the path");
    failure.hint = Some(format!("nothing was backed up; {hint}"));
    failure
}

fn read_list(list: &Path, separator: u8) -> Outcome<Vec<OsString>> {
    let mut bytes = Vec::new();
    let read = match list == Path::new("-") {
        true => std::io::stdin().read_to_end(&mut bytes).map(drop),
        false => std::fs::read(list).map(|read| bytes = read),
    };
    read.map_err(|error| Failure::local(list, error))?;
    let names = bytes.split(|byte| *byte == separator).filter(|name| !name.is_empty());
    Ok(names.map(name_from_bytes).collect())
}
