//! The folders in which the paths of a snapshot are read.

use std::path::PathBuf;

use yore_platform::system_path;

use crate::path::{TreePath, TreePathBuf};

/// The folders in which the paths of a snapshot are read: their own, or one that shows another state of them.
#[derive(Default)]
pub(super) struct Places {
    /// A path of the snapshot, and the folder in which it and everything below it is read.
    elsewhere: Option<(TreePathBuf, PathBuf)>,
}

impl Places {
    /// Reads `path` and everything below it in `folder`.
    pub(super) fn elsewhere(path: TreePathBuf, folder: PathBuf) -> Self {
        Self { elsewhere: Some((path, folder)) }
    }

    /// Returns whether paths are read in another folder than their own.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.elsewhere.is_some()
    }

    /// Returns the place of a path of the snapshot on this system.
    pub(super) fn of(&self, path: &[u8]) -> PathBuf {
        let moved =
            self.elsewhere.as_ref().and_then(|(top, folder)| {
                let rest = TreePath::new(path).strip_prefix(top.as_path())?;
                let names = rest.components();
                Some(names.fold(folder.clone(), |path, name| {
                    path.join(yore_platform::name_from_bytes(name))
                }))
            });
        moved.unwrap_or_else(|| system_path(path))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_path_below_the_moved_one_is_read_in_the_other_folder() {
        let own = Places::default();
        assert_eq!(own.of(b"home/me"), Path::new("/home/me"));
        let places = Places::elsewhere(TreePath::new(b"home/me").into(), "/mnt/1".into());
        assert_eq!(places.of(b"home/me"), Path::new("/mnt/1"));
        assert_eq!(places.of(b"home/me/a/b"), Path::new("/mnt/1/a/b"));
        assert_eq!(places.of(b"home/meadow"), Path::new("/home/meadow"));
        let root = Places::elsewhere(TreePath::ROOT.into(), "/mnt/1".into());
        assert_eq!((root.of(b""), root.of(b"etc")), ("/mnt/1".into(), "/mnt/1/etc".into()));
    }
}
