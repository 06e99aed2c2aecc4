//! Reading files that never change.

use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::OnceLock;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::linux::stat;
use crate::metadata::Kind;
use crate::read::buffer::{ALIGNMENT, AlignedBuf};

/// From so many bytes on, a range is read past the page cache.
///
/// What is large is not compressible, and who reads it from here keeps it elsewhere; copying it out
/// of the cache, and the memory that it takes there, cost more than reading it.
const LARGE: usize = 256 << 10;

/// An open file that is read in pieces, by any number of threads.
#[derive(Debug)]
pub struct ObjectFile {
    file: OwnedFd,
    /// The same past the page cache, once it was wanted; `None` where the file system can't.
    direct: OnceLock<Option<OwnedFd>>,
    len: u64,
}

impl ObjectFile {
    /// Opens a regular file; anything else there is an error, never waited for.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = rustix::fs::open(path, flags, Mode::empty())?;
        let found = stat::open(file.as_fd())?;
        match found.kind {
            Kind::File => Ok(Self { file, direct: OnceLock::new(), len: found.size }),
            Kind::Directory => Err(io::ErrorKind::IsADirectory.into()),
            Kind::Symlink | Kind::Fifo | Kind::Socket | Kind::CharDevice | Kind::BlockDevice => {
                Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
            }
        }
    }

    /// Its length when it was opened.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it was empty when it was opened.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Replaces the content of `buffer` by bytes that end with a range of the file, in the memory that it has
    /// where that suffices; tells where in `buffer` the range begins. With room for two pages more, a large
    /// range is read past the page cache, where whole pages land.
    ///
    /// A range that reaches past the length at opening is an error (`UnexpectedEof`) before any
    /// memory is taken.
    pub fn read_range(&self, range: Range<u64>, buffer: &mut AlignedBuf) -> io::Result<usize> {
        if range.end > self.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let len = range.end.saturating_sub(range.start);
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
        buffer.fit(len);
        if len >= LARGE
            && let Some(at) = self.read_direct(range.start, len, buffer)
        {
            return Ok(at);
        }
        buffer.set_len(len);
        let mut done = 0;
        while done < len {
            match rustix::io::pread(&self.file, &mut buffer[done..], range.start + done as u64) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => done += read,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(0)
    }

    /// Fills a buffer past the page cache if it has room for the whole pages around the range; tells where in
    /// it the range begins.
    ///
    /// `None` where that can't be done; the page cache then tells why, if it can't either.
    fn read_direct(&self, start: u64, len: usize, buffer: &mut AlignedBuf) -> Option<usize> {
        let skew = (start % ALIGNMENT as u64) as usize;
        let pages = (skew + len).next_multiple_of(ALIGNMENT);
        if buffer.capacity() < pages {
            return None;
        }
        buffer.set_len(pages);
        let direct = self.direct.get_or_init(|| self.open_direct().ok()).as_ref()?;
        let read = rustix::io::pread(direct, &mut **buffer, start - skew as u64).ok()?;
        // A file that ends before: the page cache says so.
        if read < skew + len {
            return None;
        }
        buffer.set_len(skew + len);
        Some(skew)
    }

    fn open_direct(&self) -> io::Result<OwnedFd> {
        let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::DIRECT;
        Ok(rustix::fs::open(path, flags, Mode::empty())?)
    }
}
