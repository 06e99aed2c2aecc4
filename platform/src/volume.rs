//! The seam between a tree of files and the code that mounts it.
//!
//! A [`Volume`] returns what a read-only tree holds, by inode number; a host (FUSE, WinFsp, WebDAV)
//! translates the requests of its clients into these calls and the answers back, and holds no logic
//! of its own. Every call may come from several threads at once.

use std::time::Duration;

use crate::metadata::{DeviceNumber, Kind, Owner, Timestamp};

/// The number of a file or directory within a mounted volume; it is the handle of every call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ino(pub u64);

impl Ino {
    /// The top of every volume.
    pub const ROOT: Ino = Ino(1);
}

/// The attributes of one file or directory of a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attr {
    /// The inode number. Two names with the same number are one file (hard links).
    pub ino: Ino,
    /// The kind of the file.
    pub kind: Kind,
    /// Permission bits (`0o7777`). Every system's hosts get them; WINDOWS.md tells what they mean there.
    pub mode: u32,
    /// The owner, by the numbers of the machine that mounts.
    pub owner: Owner,
    /// The length in bytes.
    pub size: u64,
    /// The bytes that it occupies; less than `size` for a sparse file.
    pub allocated: u64,
    /// The time of the last change of the content.
    pub modified: Timestamp,
    /// The time of the last change of content or metadata.
    pub changed: Timestamp,
    /// The time at which the file was created.
    pub born: Timestamp,
    /// The number of its names (hard links).
    pub links: u32,
    /// The number of the device that it stands for, if it is one.
    pub device_number: DeviceNumber,
}

/// The answer to a lookup: the attributes, and how long name and attributes may be cached.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The attributes of the file.
    pub attr: Attr,
    /// The time for which the answer stays true; [`FOREVER`] for what is immutable.
    ///
    /// A directory's `ttl` is also the time for which an absent name may be cached as absent, so
    /// one whose names are made when they are looked up is not immutable. When the listing of a
    /// directory changes, its `modified` time must change too.
    pub ttl: Duration,
}

/// The time for which an immutable answer may be cached: a year, which every host can represent.
pub const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// One name of a directory's listing.
#[derive(Debug, Clone, Copy)]
pub struct Listed<'a> {
    /// The name, in the system's own bytes (no `/`, no NUL).
    pub name: &'a [u8],
    /// The position after this name: the `from` of a later [`Volume::list`].
    pub next: u64,
    /// The answer that [`Volume::lookup`] would return. Where its `ttl` is zero, the
    /// attributes may be incomplete; [`Volume::attr`] returns them.
    pub entry: Entry,
}

/// The answer of the receiver of a listing to each name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListControl {
    /// Go on with the next name.
    Continue,
    /// This name did not fit or was the last wanted: stop. A name that did not fit is listed again
    /// by a call with the position before it.
    Stop,
}

/// The end of a stretch of data that [`Volume::seek`] finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seek {
    /// The first byte at or after the offset that is not in a hole.
    Data,
    /// The first hole at or after the offset; the end of the file counts as one.
    Hole,
}

/// Sizes of the whole volume, for `df`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Space {
    /// Bytes in all.
    pub total: u64,
    /// Bytes free.
    pub free: u64,
    /// Files in all; 0 where it is not known.
    pub files: u64,
}

/// An error of a volume. Each host maps every variant to its system's own number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VolumeError {
    /// There is no such name.
    #[error("no such file or directory")]
    NotFound,
    /// The number was valid once; its snapshot is deleted.
    #[error("the snapshot is no longer there")]
    Stale,
    /// The call needs a file, and this is a directory.
    #[error("is a directory")]
    IsDirectory,
    /// The call needs a directory, and this is none.
    #[error("is not a directory")]
    NotDirectory,
    /// The call needs a symbolic link, and this is none.
    #[error("is not a symbolic link")]
    NotSymlink,
    /// The file has no extended attribute of that name.
    #[error("no such attribute")]
    NoAttribute,
    /// The offset of [`Volume::seek`] is beyond the last data or the end of the file.
    #[error("beyond the end")]
    BeyondEnd,
    /// The name can't exist: it is too long.
    #[error("name too long")]
    NameTooLong,
    /// The data is damaged or can't be fetched; a volume never returns wrong bytes.
    #[error("damaged or unreachable")]
    Damaged,
}

/// A read-only tree of files that a host can mount.
///
/// Mutations have no method here: every host answers them with its system's "read-only" error.
pub trait Volume: Send + Sync {
    /// Returns the entry of `name` in the directory `parent`.
    fn lookup(&self, parent: Ino, name: &[u8]) -> Result<Entry, VolumeError>;

    /// Returns the entry of a number that the host has seen.
    fn attr(&self, ino: Ino) -> Result<Entry, VolumeError>;

    /// Lists the directory `ino` (without `.` and `..`) in a fixed order, beginning at position
    /// `from`: 0, or the `next` of a name listed before.
    fn list(
        &self,
        ino: Ino,
        from: u64,
        each: &mut dyn FnMut(Listed<'_>) -> ListControl,
    ) -> Result<(), VolumeError>;

    /// Reads up to `size` bytes at `offset` and hands them to `reply` in one piece; fewer than
    /// `size` only at the end of the file.
    fn read(
        &self,
        ino: Ino,
        offset: u64,
        size: u32,
        reply: &mut dyn FnMut(&[u8]),
    ) -> Result<(), VolumeError>;

    /// Returns the text of a symbolic link.
    fn read_link(&self, ino: Ino) -> Result<Vec<u8>, VolumeError>;

    /// Returns the value of an extended attribute, or [`VolumeError::NoAttribute`].
    fn xattr(&self, ino: Ino, name: &[u8]) -> Result<Vec<u8>, VolumeError>;

    /// Returns the names of all extended attributes.
    fn xattr_names(&self, ino: Ino) -> Result<Vec<Vec<u8>>, VolumeError>;

    /// Finds the next data or hole at or after `offset`.
    fn seek(&self, ino: Ino, offset: u64, whence: Seek) -> Result<u64, VolumeError>;

    /// Returns the directory above the directory `ino`; the top has itself.
    fn parent(&self, ino: Ino) -> Result<Ino, VolumeError>;

    /// Counts one more reference of the host to a number: the volume keeps it until the host forgets it.
    /// Numbers without references are kept for a while, and return [`VolumeError::Stale`] after it.
    ///
    /// # Errors
    /// [`VolumeError::Stale`] when the number is not known any more: the host must not hand it out.
    fn hold(&self, ino: Ino) -> Result<(), VolumeError>;

    /// Removes `times` of the host's references to a number.
    fn forget(&self, ino: Ino, times: u64);

    /// Returns the volume's sizes.
    fn space(&self) -> Result<Space, VolumeError>;
}
