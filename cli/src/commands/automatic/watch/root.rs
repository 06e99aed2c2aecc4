//! A folder of a source as it is now: what tells it from another one in its place, and what is mounted below it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use yore_platform::{MountKind, MountedFileSystem, Mounts};

/// A folder, or a file, that a source names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Root {
    /// The path without links, as a backup has it.
    pub path: PathBuf,
    /// The numbers of the file system and of the folder; `None` where there is none.
    identity: Option<(u64, u64)>,
    /// The file systems below it that a backup enters, by their mountpoints.
    mounts: BTreeMap<PathBuf, Option<MountedFileSystem>>,
}

impl Root {
    /// Finds a path before anything is known of it.
    pub fn unknown(given: &Path) -> Self {
        Self { path: real(given), ..Self::default() }
    }

    /// Looks at what is there now.
    pub fn look(given: &Path, mounts: &Mounts, is_one_file_system: bool) -> Self {
        let path = real(given);
        let identity = identity(&path);
        let below = mounts.below(&path).filter(|point| {
            identity.is_some() && !is_one_file_system && is_entered(mounts, &path, point)
        });
        let of = |point: &Path| mounts.holding(point).filter(|on| on.point == point).cloned();
        let mounts = below.map(|point| (point.to_owned(), of(point))).collect();
        Self { path, identity, mounts }
    }

    /// Returns the folders of which each begins a file system of its own: the mountpoints, behind the folder itself.
    pub fn places(&self) -> impl Iterator<Item = &PathBuf> {
        let itself = self.identity.is_some().then_some(&self.path);
        itself.into_iter().chain(self.mounts.keys())
    }
}

/// Returns a path without links.
fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = yore_platform::path_metadata(path).ok()?;
    Some((metadata.device, metadata.inode))
}

/// Tells whether a backup of a folder enters what is mounted below it.
fn is_entered(mounts: &Mounts, folder: &Path, point: &Path) -> bool {
    let above = point.ancestors().take_while(|above| *above != folder);
    let mut kinds = above.filter_map(|above| mounts.on(above));
    kinds.all(|kind| matches!(kind, MountKind::Files | MountKind::Fuse(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_has_the_file_systems_of_files_below_it() {
        let mounts = Mounts::read().expect("/proc is mounted");
        let root = Root::look(Path::new("/"), &mounts, false);
        assert_eq!(root.places().next(), Some(&PathBuf::from("/")));
        assert!(
            root.places().all(|place| !place.starts_with("/proc") && !place.starts_with("/sys"))
        );
        let alone = Root::look(Path::new("/"), &mounts, true);
        assert_eq!(alone.places().count(), 1);
        let absent = Root::look(Path::new("/no/such/folder"), &mounts, false);
        assert_eq!((absent.places().count(), &absent), (0, &Root::unknown(&absent.path)));
    }
}
