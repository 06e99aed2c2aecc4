//! Through what `yore try` looks at the past: the drive, or the repository where there is no FUSE.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use yore_engine::{Error, Lookup, TreePath, find};
use yore_platform::{name_bytes, snapshot_path, system_path};

use crate::demo::Stage;
use crate::demo::tree::{self, Limits};
use crate::failure::{Failure, Outcome};
use crate::past::content::copy_out;
use crate::past::place::Past;

/// How much of the trees is drawn: each day, of each single snapshot the name, and not the whole tree
/// again for each machine, tag and example of a time.
fn limits(stage: &Stage) -> Limits {
    let closed = |name: &str| {
        let is_snapshot = name.len() >= 17 && name.as_bytes().get(10) == Some(&b'T');
        is_snapshot || ["at", "hosts", "tags"].contains(&name)
    };
    Limits { depth: if stage.is_sample() { 4 } else { 3 }, width: 9, closed }
}

/// Through what the past is seen.
pub enum Window {
    /// The drive, mounted there.
    Drive(PathBuf),
    /// The repository as it was at the first backup.
    Repository(Box<Past>),
}

impl Window {
    /// Where the source is in the first state, as far as there is a path.
    pub fn state(&self, stage: &Stage) -> PathBuf {
        match self {
            Window::Drive(drive) => {
                let inside = system_path(&snapshot_path(stage.source()));
                let below = inside.strip_prefix("/").unwrap_or(&inside);
                drive.join("snapshots").join(stage.then()).join(below)
            }
            Window::Repository(_) => stage.source().to_owned(),
        }
    }

    /// Draws what there is.
    pub fn tree(&self, stage: &Stage) -> Outcome<Vec<String>> {
        let branch = match self {
            Window::Drive(drive) => tree::of_folder(drive, limits(stage))
                .map_err(|error| Failure::local(drive, error))?,
            Window::Repository(past) => {
                tree::of_snapshot(stage.then(), &past.reader, past.root.clone(), limits(stage))?
            }
        };
        Ok(tree::draw(&branch))
    }

    /// Copies a file of the source as it was then, and tells from where.
    pub fn copy_out(&self, stage: &Stage, path: &Path, copy: &Path) -> Outcome<String> {
        let local = |error| Failure::local(copy, error);
        if let Some(folder) = copy.parent() {
            std::fs::create_dir_all(folder).map_err(local)?;
        }
        match self {
            Window::Drive(_) => {
                let from = self.state(stage).join(path);
                std::fs::copy(&from, copy).map_err(|error| Failure::local(&from, error))?;
                Ok(from.display().to_string())
            }
            Window::Repository(past) => {
                let inside = snapshot_path(&stage.source_file(path));
                let Some(Lookup::Node(seen)) =
                    find(&past.reader, &past.root, TreePath::new(&inside))?
                else {
                    let shown = crate::text::escape::name(name_bytes(path.as_os_str()));
                    return Err(Error::NotFound { what: format!("{shown} is not there") }.into());
                };
                let mut file = File::create(copy).map_err(local)?;
                let mut written = Ok(());
                copy_out(&past.reader, &seen.node, &mut |bytes| {
                    written = file.write_all(bytes);
                    written.is_ok()
                })?;
                written.map_err(local)?;
                Ok(format!("{}:{}", stage.then(), crate::text::escape::path(&inside)))
            }
        }
    }
}
