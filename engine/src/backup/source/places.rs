//! The places in which the paths of a snapshot are read.

use std::io;
use std::path::PathBuf;

use yore_platform::{Metadata, MountKind, Mounts, path_metadata, snapshot_path, system_path};

use super::Dir;
#[cfg(feature = "sftp")]
use super::server::OfServer;
use crate::error::Error;
use crate::path::{TreePath, TreePathBuf};

/// The places in which the paths of a snapshot are read: their own on this system, a folder that shows another state of
/// them, or a server.
#[derive(Default)]
pub(in crate::backup) struct Places {
    /// A path of the snapshot, and the folder in which it and everything below it is read.
    elsewhere: Option<(TreePathBuf, PathBuf)>,
    #[cfg(feature = "sftp")]
    server: Option<OfServer>,
}

impl Places {
    /// Reads `path` and everything below it in `folder`.
    pub(in crate::backup) fn elsewhere(path: TreePathBuf, folder: PathBuf) -> Self {
        Self { elsewhere: Some((path, folder)), ..Self::default() }
    }

    /// Reads all paths on a server.
    #[cfg(feature = "sftp")]
    pub(super) fn of_server(server: OfServer) -> Self {
        Self { server: Some(server), ..Self::default() }
    }

    /// Returns the text by which the server is recognised, if paths are read on one.
    pub(in crate::backup) fn machine(&self) -> Option<&str> {
        #[cfg(feature = "sftp")]
        if let Some(server) = &self.server {
            return Some(&server.machine);
        }
        None
    }

    /// Tells whether the server is out of reach for good.
    pub(in crate::backup) fn is_lost(&self) -> bool {
        #[cfg(feature = "sftp")]
        if let Some(server) = &self.server {
            return server.files.is_lost();
        }
        false
    }

    /// Returns the error that put the server out of reach, if one did, or else `error`.
    pub(in crate::backup) fn cause_of(&self, error: Error) -> Error {
        #[cfg(feature = "sftp")]
        if let Some(cause) = self.server.as_ref().and_then(|server| server.files.take_cause()) {
            return cause;
        }
        error
    }

    /// Opens the folder of a path of the snapshot.
    pub(in crate::backup) fn open(&self, path: &[u8]) -> io::Result<Dir> {
        #[cfg(feature = "sftp")]
        if let Some(server) = &self.server {
            return server.files.open(path).map(Dir::Remote);
        }
        Dir::open_local(&self.of(path))
    }

    /// Opens the folder that holds a path of the snapshot; returns it and its own path.
    pub(in crate::backup) fn open_parent(&self, path: &[u8]) -> Result<(Dir, Vec<u8>), Error> {
        if self.machine().is_some() {
            let parent = TreePath::new(path).parent().as_bytes().to_vec();
            let dir = self.open(&parent).map_err(|error| Error::local(self.of(&parent), error))?;
            return Ok((dir, parent));
        }
        let system = self.of(path);
        let parent = system.parent().unwrap_or(&system);
        let dir = Dir::open_local(parent).map_err(|error| Error::local(parent, error))?;
        Ok((dir, snapshot_path(parent)))
    }

    /// Returns the metadata of a path of the snapshot.
    pub(in crate::backup) fn metadata(&self, path: &[u8]) -> io::Result<Metadata> {
        #[cfg(feature = "sftp")]
        if let Some(server) = &self.server {
            return server.files.metadata(path);
        }
        path_metadata(&self.of(path))
    }

    /// Returns what is mounted at a path of the snapshot. Of a server that is not known, but for the folders that have
    /// no files of their own on any system.
    pub(in crate::backup) fn mounted<'m>(
        &'m self,
        mounts: &'m Mounts,
        path: &[u8],
    ) -> Option<&'m MountKind> {
        #[cfg(feature = "sftp")]
        if let Some(server) = &self.server {
            let mut folders = server.system_folders.iter();
            return folders.find(|(folder, _)| folder == path).map(|(_, kind)| kind);
        }
        mounts.on(&self.of(path))
    }

    /// Returns whether paths are read in another folder than their own.
    pub(in crate::backup) fn is_elsewhere(&self) -> bool {
        self.elsewhere.is_some()
    }

    /// Returns the place of a path of the snapshot on this system; on a server, as messages show it.
    pub(in crate::backup) fn of(&self, path: &[u8]) -> PathBuf {
        #[cfg(feature = "sftp")]
        if let Some(server) = &self.server {
            return server.files.shown(path);
        }
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
