//! Regular files that are read at offsets, through the page cache or past it.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use crate::linux::stat;
use crate::metadata::Kind;

/// A regular file, open for reading at offsets by any number of threads.
#[derive(Debug)]
pub(crate) struct PositionedFile(OwnedFd);

impl PositionedFile {
    /// Opens a regular file and returns its length too; anything else there is an error, never waited for.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, u64)> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = rustix::fs::open(path, flags, Mode::empty())?;
        let found = stat::open(file.as_fd())?;
        match found.kind {
            Kind::File => Ok((Self(file), found.size)),
            Kind::Directory => Err(io::ErrorKind::IsADirectory.into()),
            Kind::Symlink | Kind::Fifo | Kind::Socket | Kind::CharDevice | Kind::BlockDevice => {
                Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
            }
        }
    }

    /// Opens the same file once more, past the page cache: then memory, offset and length of each read
    /// must be multiples of `DIRECT_ALIGNMENT`.
    ///
    /// # Errors
    /// The file system can't read so.
    pub(crate) fn open_direct(&self) -> io::Result<Self> {
        let path = format!("/proc/self/fd/{}", self.0.as_raw_fd());
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::DIRECT;
        Ok(Self(rustix::fs::open(path, flags, Mode::empty())?))
    }

    /// Reads at most the length of `bytes` at `offset`; returns how many there were, 0 at the end.
    pub(crate) fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        Ok(rustix::io::retry_on_intr(|| rustix::io::pread(&self.0, &mut *bytes, offset))?)
    }
}
