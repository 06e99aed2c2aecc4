//! The watched folders, and the paths of what happens on their file systems.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, StatxFlags};
use rustix::io::Errno;

use super::FileSystemChange;
use super::event::{Event, FileSystemId, events};
use super::group::{OF_CONTENT, OF_NAMES};
use super::handle::{FileHandle, path_of};

/// A folder or a file that is watched.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) folder: PathBuf,
    /// The folder itself, or the one that holds the file: it is opened to look up others on its file system.
    ///
    /// Only for as long as that takes: an open folder would keep a disk from being unmounted.
    opened_at: PathBuf,
    file_system: FileSystemId,
    /// Set when the folder was not there while something happened on its file system.
    pub(super) was_absent: bool,
}

/// An open folder of a mount, by which others of its file system are opened.
#[derive(Debug)]
pub(super) struct Anchor {
    pub(super) folder: OwnedFd,
    file_system: FileSystemId,
    /// The number of the mount. Paths are those of the mount by which a folder is opened.
    mount: Option<u64>,
}

impl Place {
    /// Prepares the watch of a folder or a file.
    ///
    /// # Errors
    /// Folders of its file system can't be opened by their handles, or their paths can't be found out.
    pub(super) fn new(folder: &Path) -> io::Result<(Self, Anchor)> {
        let stat = rustix::fs::lstat(folder)?;
        let is_folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        let holder = folder.parent().filter(|_| !is_folder).unwrap_or(folder);
        let anchor = Anchor::open(holder)?;
        // A single file may be mounted over another one.
        let is_beside = rustix::fs::fstat(&anchor.folder)?.st_dev == stat.st_dev;
        let found = FileHandle::of(anchor.folder.as_fd())?.open(anchor.folder.as_fd())?;
        if !is_beside || path_of(&found)?.as_deref() != Some(holder) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let place = Self {
            folder: folder.to_owned(),
            opened_at: holder.to_owned(),
            file_system: anchor.file_system,
            was_absent: false,
        };
        Ok((place, anchor))
    }
}

impl Anchor {
    fn open(folder: &Path) -> Result<Self, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = rustix::fs::open(folder, flags, Mode::empty())?;
        let told = rustix::fs::statx(&folder, c"", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)?;
        let has_mount = StatxFlags::from_bits_retain(told.stx_mask).contains(StatxFlags::MNT_ID);
        let mount = has_mount.then_some(told.stx_mnt_id);
        Ok(Self { file_system: file_system_of(folder.as_fd())?, folder, mount })
    }

    /// Opens the folder of a place; `Errno::STALE` where another file system is there.
    pub(super) fn of(place: &Place) -> Result<Self, Errno> {
        let anchor = Self::open(&place.opened_at)?;
        match anchor.file_system == place.file_system {
            true => Ok(anchor),
            false => Err(Errno::STALE),
        }
    }
}

/// Returns the changes below watched folders of which the events of one read tell.
pub(super) fn changes(places: &mut [Place], read: &[u8]) -> Vec<FileSystemChange> {
    let told: Vec<Option<Event<'_>>> = events(read).collect();
    let mut found = Found::default();
    let mut mounts = mounts(places, &told, &mut found);
    for event in told {
        let Some(event) = event else {
            found.is_lost = true;
            continue;
        };
        for mount in mounts.iter_mut().filter(|mount| mount.is_of(&event.file_system)) {
            mount.find(&event, places, &mut found);
        }
    }
    found.changes.extend(found.is_lost.then_some(FileSystemChange::Unknown));
    found.changes
}

#[derive(Default)]
struct Found {
    changes: Vec<FileSystemChange>,
    is_lost: bool,
}

/// A mount of a file system on which something happened.
struct Mount {
    anchor: Anchor,
    /// The positions of the watched folders on it.
    places: Vec<usize>,
    located: HashMap<FileHandle, Located>,
}

/// The place of a folder that an event names.
enum Located {
    At(PathBuf),
    Deleted,
    Unknown,
}

/// Opens the mounts of watched folders on whose file systems something happened.
fn mounts(places: &mut [Place], told: &[Option<Event<'_>>], found: &mut Found) -> Vec<Mount> {
    let mut mounts: Vec<Mount> = Vec::new();
    let mut seen: Vec<FileSystemId> = Vec::new();
    for event in told.iter().flatten() {
        if seen.last() != Some(&event.file_system) && !seen.contains(&event.file_system) {
            seen.push(event.file_system);
        }
    }
    let concerned = |(_, place): &(usize, &mut Place)| seen.contains(&place.file_system);
    for (number, place) in places.iter_mut().enumerate().filter(concerned) {
        match Anchor::of(place) {
            Ok(anchor) => match mounts.iter_mut().find(|mount| mount.has(&anchor)) {
                Some(mount) => mount.places.push(number),
                None => mounts.push(Mount::new(anchor, number)),
            },
            Err(Errno::NOENT | Errno::NOTDIR | Errno::STALE) => place.was_absent = true,
            Err(_) => found.is_lost = true,
        }
    }
    mounts
}

impl Mount {
    fn new(anchor: Anchor, place: usize) -> Self {
        Self { anchor, places: vec![place], located: HashMap::new() }
    }

    fn has(&self, anchor: &Anchor) -> bool {
        self.is_of(&anchor.file_system)
            && anchor.mount.is_some()
            && self.anchor.mount == anchor.mount
    }

    fn is_of(&self, file_system: &FileSystemId) -> bool {
        self.anchor.file_system == *file_system
    }

    /// Finds the change of which an event tells, if it is in a watched folder of this mount.
    fn find(&mut self, event: &Event<'_>, places: &[Place], found: &mut Found) {
        let anchor = self.anchor.folder.as_fd();
        let located = self.located.entry(event.folder);
        let folder = match located.or_insert_with(|| locate(&event.folder, anchor)) {
            Located::At(folder) => folder,
            Located::Deleted => return,
            Located::Unknown => {
                found.is_lost = true;
                return;
            }
        };
        let path = match event.name {
            b"." => folder.clone(),
            name => folder.join(OsStr::from_bytes(name)),
        };
        let watched = || self.places.iter().filter_map(|number| places.get(*number));
        let is_of_names = event.mask & OF_NAMES != 0;
        if watched().any(|place| path.starts_with(&place.folder)) {
            let changes = &mut found.changes;
            if is_of_names {
                changes.push(FileSystemChange::Name(path.clone()));
            }
            match event.mask & OF_CONTENT != 0 {
                true => changes.push(FileSystemChange::Content(path)),
                false if !is_of_names => changes.push(FileSystemChange::Closed(path)),
                false => {}
            }
        } else if is_of_names {
            // A folder above a watched one was renamed.
            let below = watched().filter(|place| place.folder.starts_with(&path));
            let whole = below.map(|place| FileSystemChange::Name(place.folder.clone()));
            found.changes.extend(whole);
        }
    }
}

fn locate(handle: &FileHandle, anchor: BorrowedFd<'_>) -> Located {
    let path = handle.open(anchor).and_then(|folder| path_of(&folder));
    match path {
        Ok(Some(path)) => Located::At(path),
        Ok(None) | Err(Errno::STALE | Errno::NOENT) => Located::Deleted,
        Err(_) => Located::Unknown,
    }
}

/// Returns the number of the file system that holds an open folder, in the bytes of an event.
fn file_system_of(folder: BorrowedFd<'_>) -> Result<FileSystemId, Errno> {
    let mut told = MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: `told` has room for the answer.
    let status = unsafe { libc::fstatfs(folder.as_raw_fd(), told.as_mut_ptr()) };
    if status != 0 {
        return Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO));
    }
    // SAFETY: the kernel has filled it, and numbers have no invalid values; `fsid_t` is two numbers of 32 bits, as in
    // an event, which the C library hides.
    Ok(unsafe { std::mem::transmute::<libc::fsid_t, FileSystemId>(told.assume_init().f_fsid) })
}
