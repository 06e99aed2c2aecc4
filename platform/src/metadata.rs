//! The metadata of files, in terms that every system can fill in.

use std::io;

/// The kind of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A named pipe.
    Fifo,
    /// A Unix domain socket.
    Socket,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
}

/// An instant: seconds since 1970-01-01T00:00:00Z, which may be negative, and nanoseconds after it.
///
/// Wider than an `i64` of nanoseconds, because file systems hold times past the year 2262.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp {
    /// Whole seconds since the epoch, rounded down.
    pub seconds: i64,
    /// Nanoseconds after `seconds`, below 1,000,000,000.
    pub nanos: u32,
}

/// The owner of a file, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
}

/// A device's number in its two parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct DeviceNumber {
    /// Names the driver.
    pub major: u32,
    /// Names the device among the driver's.
    pub minor: u32,
}

/// The metadata of a file, as one `stat` returns it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metadata {
    /// The kind of the file.
    pub kind: Kind,
    /// Permission bits (`0o7777`); `None` where the system has none.
    pub mode: Option<u32>,
    /// The owner; `None` where the system has no numbers for it.
    pub owner: Option<Owner>,
    /// Length in bytes; of a link, that of its text.
    pub size: u64,
    /// The time of the last change of the content.
    pub modified: Timestamp,
    /// The time of the last change of content or metadata; `None` where the system does not say.
    pub changed: Option<Timestamp>,
    /// The time at which the file was created; `None` where the system does not say.
    pub born: Option<Timestamp>,
    /// The number of the file in its file system.
    pub inode: u64,
    /// The number of the file system that holds it.
    pub device: u64,
    /// The number of its names (hard links).
    pub links: u64,
    /// The number of the device that it stands for, if it is one.
    pub device_number: DeviceNumber,
    /// The bytes that it occupies; less than `size` for a sparse file.
    pub allocated: u64,
}

/// Extended attributes, sorted by name: name and value.
pub type Xattrs = Vec<(Vec<u8>, Vec<u8>)>;

/// The extended attributes of a file, as far as they could be read.
#[derive(Debug, Default)]
pub struct FoundXattrs {
    /// The attributes that were read.
    pub readable: Xattrs,
    /// The names of those that were not, and the errors; an empty name stands for the list itself.
    pub failed: Vec<(Vec<u8>, io::Error)>,
}

impl FoundXattrs {
    /// Returns all of them.
    ///
    /// # Errors
    /// The first that could not be read.
    pub fn all(mut self) -> io::Result<Xattrs> {
        match self.failed.pop() {
            None => Ok(self.readable),
            Some((_, error)) => Err(error),
        }
    }
}
