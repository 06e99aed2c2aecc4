//! The view of `yore try` on the first backup: the drive, or the repository where there is no FUSE.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use yore_engine::read::{Lookup, find};
use yore_engine::{Error, TreePath};
use yore_platform::{name_bytes, snapshot_path, system_path};

use crate::commands::try_out::demo::Demo;
use crate::commands::try_out::demo::tree::{self, Limits};
use crate::failure::{Failure, Outcome};
use crate::moment::content::copy_out;
use crate::moment::state::MomentState;

/// Returns the limits of the trees that are drawn: each day, only the name of each snapshot, and not the
/// whole tree again for each machine, tag and example of a time.
fn limits(demo: &Demo) -> Limits {
    let closed = |name: &str| {
        let is_snapshot = name.len() >= 17 && name.as_bytes().get(10) == Some(&b'T');
        is_snapshot || ["at", "hosts", "tags"].contains(&name)
    };
    Limits { depth: if demo.is_sample() { 4 } else { 3 }, width: 9, closed }
}

/// The source of what `yore try` shows.
pub enum DemoView {
    /// The drive, mounted there.
    Drive(PathBuf),
    /// The repository as it was at the first backup.
    Repository(Box<MomentState>),
}

impl DemoView {
    /// Returns the path of the source in the first backup, as far as it has one.
    pub fn state(&self, demo: &Demo) -> PathBuf {
        match self {
            DemoView::Drive(drive) => {
                let inside = system_path(&snapshot_path(demo.source()));
                let below = inside.strip_prefix("/").unwrap_or(&inside);
                drive.join("snapshots").join(demo.then()).join(below)
            }
            DemoView::Repository(_) => demo.source().to_owned(),
        }
    }

    /// Draws what there is.
    pub fn tree(&self, demo: &Demo) -> Outcome<Vec<String>> {
        let branch = match self {
            DemoView::Drive(drive) => tree::of_folder(drive, limits(demo))
                .map_err(|error| Failure::local(drive, error))?,
            DemoView::Repository(state) => {
                tree::of_snapshot(demo.then(), &state.reader, state.root.clone(), limits(demo))?
            }
        };
        Ok(tree::draw(&branch))
    }

    /// Copies a file of the source as it was then, and returns where it was.
    pub fn copy_out(&self, demo: &Demo, path: &Path, copy: &Path) -> Outcome<String> {
        let local = |error| Failure::local(copy, error);
        if let Some(folder) = copy.parent() {
            std::fs::create_dir_all(folder).map_err(local)?;
        }
        match self {
            DemoView::Drive(_) => {
                let from = self.state(demo).join(path);
                std::fs::copy(&from, copy).map_err(|error| Failure::local(&from, error))?;
                Ok(from.display().to_string())
            }
            DemoView::Repository(state) => {
                let inside = snapshot_path(&demo.source_file(path));
                let Some(Lookup::Node(seen)) =
                    find(&state.reader, &state.root, TreePath::new(&inside))?
                else {
                    let shown = crate::text::escape::name(name_bytes(path.as_os_str()));
                    return Err(Error::NotFound { what: format!("{shown} is not there") }.into());
                };
                let mut file = File::create(copy).map_err(local)?;
                let mut written = Ok(());
                copy_out(&state.reader, &seen.node, &mut |bytes| {
                    written = file.write_all(bytes);
                    written.is_ok()
                })?;
                written.map_err(local)?;
                Ok(format!("{}:{}", demo.then(), crate::text::escape::path(&inside)))
            }
        }
    }
}
