//! The places in which the paths of a snapshot are read.
//!
//! A path that is said nothing of is read where it is. Of several places, the one nearest above a path counts:
//!
//! ```text
//! home          is read in  /home/.yore-snapshot…     a snapshot of the file system
//! home/me/disk  is read in  /home/me/disk             another file system, of which there is none
//! ```

use std::io;
use std::path::{Path, PathBuf};

use yore_platform::{Metadata, MountKind, Mounts, Timestamp, path_metadata};
use yore_platform::{name_from_bytes, snapshot_path, system_path};

use super::Dir;
#[cfg(feature = "sftp")]
use super::server::OfServer;
use crate::error::Error;
use crate::path::{TreePath, TreePathBuf};

/// A path of a snapshot that is read in another folder than its own, with everything below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The path that it gets in the snapshot, as one of this system.
    pub path: PathBuf,
    /// The folder as people know it, which messages name.
    pub live: PathBuf,
    /// The folder in which it is read.
    pub folder: PathBuf,
}

/// The places in which the paths of a snapshot are read: their own on this system, folders that show them at one moment
/// or in an earlier state, or a server.
#[derive(Default)]
pub struct Places {
    /// The nearest above a path is the last that holds it.
    list: Vec<Known>,
    /// The moment from which what is read may be.
    moment: Option<Timestamp>,
    #[cfg(feature = "sftp")]
    server: Option<OfServer>,
}

struct Known {
    path: TreePathBuf,
    live: PathBuf,
    folder: PathBuf,
    /// The number of the live folder's file system, which that of a snapshot does not have.
    device: Option<u64>,
}

impl Places {
    /// Takes the places, and the moment at which the file systems were as they are read.
    ///
    /// # Errors
    /// A live folder is not there.
    pub fn new(places: &[Place], moment: Option<Timestamp>) -> io::Result<Self> {
        let known = |place: &Place| {
            let Place { path, live, folder } = place.clone();
            let device = (live != folder).then(|| path_metadata(&live)).transpose()?;
            let device = device.map(|metadata| metadata.device);
            let path = TreePath::new(&snapshot_path(&path)).into();
            Ok(Known { path, live, folder, device })
        };
        let mut list = places.iter().map(known).collect::<io::Result<Vec<Known>>>()?;
        list.sort_by_key(|known| known.path.len());
        Ok(Self { list, moment, ..Self::default() })
    }

    /// Reads `path` and everything below it in `folder`, which messages name.
    pub(in crate::backup) fn elsewhere(path: TreePathBuf, folder: PathBuf) -> Self {
        let known = Known { path, live: folder.clone(), folder, device: None };
        Self { list: vec![known], ..Self::default() }
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

    /// Returns the moment from which what is read may be, if that is earlier than the reading.
    pub(in crate::backup) fn moment(&self) -> Option<Timestamp> {
        self.moment
    }

    /// Opens the folder of a path of the snapshot.
    pub(in crate::backup) fn open(&self, path: &[u8]) -> io::Result<Dir> {
        #[cfg(feature = "sftp")]
        if let Some(server) = &self.server {
            return server.files.open(path).map(Dir::Remote);
        }
        self.opened(path, &self.of(path))
    }

    /// Opens the folder that holds a path of the snapshot; returns it and its own path.
    pub(in crate::backup) fn open_parent(&self, path: &[u8]) -> Result<(Dir, Vec<u8>), Error> {
        let parent = TreePath::new(path).parent().as_bytes().to_vec();
        let dir = match self.machine() {
            Some(_) => self.open(&parent),
            // The path may be read elsewhere, the folder that holds it in the snapshot not.
            None => {
                let place = self.of(path);
                self.opened(path, place.parent().unwrap_or(&place))
            }
        };
        let dir = dir.map_err(|error| Error::local(self.live(&parent), error))?;
        Ok((dir, parent))
    }

    fn opened(&self, path: &[u8], folder: &Path) -> io::Result<Dir> {
        let dir = Dir::open_local(folder)?;
        Ok(match self.device(path) {
            Some(device) => dir.on_device(device),
            None => dir,
        })
    }

    /// Returns the metadata of a path of the snapshot.
    pub(in crate::backup) fn metadata(&self, path: &[u8]) -> io::Result<Metadata> {
        #[cfg(feature = "sftp")]
        if let Some(server) = &self.server {
            return server.files.metadata(path);
        }
        let metadata = path_metadata(&self.of(path))?;
        Ok(Metadata { device: self.device(path).unwrap_or(metadata.device), ..metadata })
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
        mounts.on(&self.live(path))
    }

    /// Tells whether a path of the snapshot is read in another place than in the folder above it.
    pub(in crate::backup) fn begins_at(&self, path: &[u8]) -> bool {
        self.list.iter().any(|known| *known.path == *path)
    }

    /// Tells whether a folder is only a name above paths that are read elsewhere, which may not be there itself.
    pub(in crate::backup) fn is_name_only(&self, path: &[u8]) -> bool {
        let path = TreePath::new(path);
        self.nearest(path.as_bytes()).is_none()
            && self.list.iter().any(|known| {
                known.path.as_path().starts_with(path) && known.live != system_path(&known.path)
            })
    }

    /// Returns a path of the snapshot as messages show it: where it is on this system, or on a server.
    pub(in crate::backup) fn live(&self, path: &[u8]) -> PathBuf {
        #[cfg(feature = "sftp")]
        if let Some(server) = &self.server {
            return server.files.shown(path);
        }
        self.nearest(path)
            .map_or_else(|| system_path(path), |(known, rest)| below(&known.live, rest))
    }

    /// Returns where a path of the snapshot is read on this system.
    fn of(&self, path: &[u8]) -> PathBuf {
        self.nearest(path)
            .map_or_else(|| system_path(path), |(known, rest)| below(&known.folder, rest))
    }

    fn device(&self, path: &[u8]) -> Option<u64> {
        self.nearest(path)?.0.device
    }

    /// Returns the nearest place at or above a path, and the path below it.
    fn nearest<'p>(&self, path: &'p [u8]) -> Option<(&Known, TreePath<'p>)> {
        self.list.iter().rev().find_map(|known| {
            Some((known, TreePath::new(path).strip_prefix(known.path.as_path())?))
        })
    }
}

fn below(folder: &Path, rest: TreePath<'_>) -> PathBuf {
    rest.components().fold(folder.to_owned(), |path, name| path.join(name_from_bytes(name)))
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn the_nearest_of_several_places_counts() {
        let place = |path: &str, live: &str, folder: &str| Place {
            path: path.into(),
            live: live.into(),
            folder: folder.into(),
        };
        let list = [
            place("/etc/ssl", "/etc/ssl", "/etc/ssl"),
            place("/etc", "/etc", "/proc/self"),
            place("/app/data", "/etc", "/etc"),
        ];
        let places = Places::new(&list, None).expect("they are there");
        assert_eq!(places.of(b"etc/ssl/a"), Path::new("/etc/ssl/a"));
        assert_eq!(places.of(b"etc/a"), Path::new("/proc/self/a"));
        assert_eq!(places.live(b"etc/a"), Path::new("/etc/a"));
        assert_eq!(
            (places.of(b"app/data/a"), places.live(b"app/data/a")),
            ("/etc/a".into(), "/etc/a".into())
        );
        assert!(places.begins_at(b"etc/ssl") && !places.begins_at(b"etc/ssl/a"));
        assert!(places.is_name_only(b"app") && !places.is_name_only(b"etc"));
        assert!(!places.is_name_only(b"app/data") && !places.is_name_only(b"usr"));
        let of_live = path_metadata(Path::new("/etc")).expect("it is there").device;
        assert_eq!(places.metadata(b"etc").expect("it is there").device, of_live);
        assert_eq!(
            places.open(b"etc").and_then(|dir| dir.metadata()).expect("a folder").device,
            of_live
        );
        let absent = [place("/x", "/no/such", "/etc")];
        assert!(Places::new(&absent, None).is_err());
    }
}
