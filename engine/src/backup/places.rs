//! The folders in which the paths of a snapshot are read.
//!
//! A path that is said nothing of is read where it is. Of several places, the one nearest above a path counts:
//!
//! ```text
//! home          is read in  /home/.yore-snapshot…     a snapshot of the file system
//! home/me/disk  is read in  /home/me/disk             another file system, of which there is none
//! ```

use std::io;
use std::path::{Path, PathBuf};

use yore_platform::{Metadata, SourceDir, Timestamp, name_from_bytes, path_metadata};
use yore_platform::{snapshot_path, system_path};

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

/// The folders in which the paths of a snapshot are read: their own, or others that show them at one moment.
#[derive(Debug, Default)]
pub struct Places {
    /// The nearest above a path is the last that holds it.
    list: Vec<Known>,
    /// The moment from which what is read may be.
    moment: Option<Timestamp>,
}

#[derive(Debug)]
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
        Ok(Self { list, moment })
    }

    /// Reads `path` and everything below it in `folder`, which messages name.
    pub(super) fn elsewhere(path: TreePathBuf, folder: PathBuf) -> Self {
        let known = Known { path, live: folder.clone(), folder, device: None };
        Self { list: vec![known], moment: None }
    }

    /// Returns the moment from which what is read may be, if that is earlier than the reading.
    pub(super) fn moment(&self) -> Option<Timestamp> {
        self.moment
    }

    /// Returns where a path of the snapshot is read.
    pub(super) fn of(&self, path: &[u8]) -> PathBuf {
        self.nearest(path)
            .map_or_else(|| system_path(path), |(known, rest)| below(&known.folder, rest))
    }

    /// Returns the live path of a path of the snapshot.
    pub(super) fn live(&self, path: &[u8]) -> PathBuf {
        self.nearest(path)
            .map_or_else(|| system_path(path), |(known, rest)| below(&known.live, rest))
    }

    /// Tells whether a path of the snapshot is read in another place than in the folder above it.
    pub(super) fn begins_at(&self, path: &[u8]) -> bool {
        self.list.iter().any(|known| *known.path == *path)
    }

    /// Tells whether a folder is only a name above paths that are read elsewhere, which may not be there itself.
    pub(super) fn is_name_only(&self, path: &[u8]) -> bool {
        let path = TreePath::new(path);
        self.nearest(path.as_bytes()).is_none()
            && self.list.iter().any(|known| {
                known.path.as_path().starts_with(path) && known.live != system_path(&known.path)
            })
    }

    /// Opens the folder in which a path of the snapshot is read.
    pub(super) fn open(&self, path: &[u8]) -> io::Result<SourceDir> {
        self.opened(path, &self.of(path))
    }

    /// Opens the folder above that in which a path of the snapshot is read.
    pub(super) fn open_above(&self, path: &[u8]) -> io::Result<SourceDir> {
        let place = self.of(path);
        self.opened(path, place.parent().unwrap_or(&place))
    }

    fn opened(&self, path: &[u8], folder: &Path) -> io::Result<SourceDir> {
        let dir = SourceDir::open(folder)?;
        Ok(match self.device(path) {
            Some(device) => dir.as_if_on(device),
            None => dir,
        })
    }

    /// Returns the metadata of a path of the snapshot.
    pub(super) fn metadata(&self, path: &[u8]) -> io::Result<Metadata> {
        let metadata = path_metadata(&self.of(path))?;
        Ok(Metadata { device: self.device(path).unwrap_or(metadata.device), ..metadata })
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
