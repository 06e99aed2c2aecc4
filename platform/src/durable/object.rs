//! Reading files that never change.

use std::io;
use std::num::NonZeroUsize;
use std::ops::{Deref, Range};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::ptr::NonNull;

use rustix::fs::{Advice, Mode, OFlags};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags};

use crate::source::advise;
use crate::{Kind, look};

/// An open file that is read in pieces, by any number of threads.
#[derive(Debug)]
pub struct ObjectFile {
    file: OwnedFd,
    len: u64,
}

impl ObjectFile {
    /// Opens a regular file; anything else there is an error, never waited for.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = rustix::fs::open(path, flags, Mode::empty())?;
        let found = look::open(file.as_fd())?;
        match found.kind {
            Kind::File => Ok(Self { file, len: found.size }),
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

    /// Fills `buffer` from `offset`; a file that ends before is an error (`UnexpectedEof`).
    pub fn read_exact_at(&self, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            match rustix::io::pread(&self.file, &mut *buffer, offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    buffer = &mut buffer[read..];
                    offset += read as u64;
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Replaces the content of `buffer` with a range of the file, keeping its memory.
    ///
    /// A range that reaches past the length at opening is an error (`UnexpectedEof`) before any
    /// memory is taken.
    pub fn read_range(&self, range: Range<u64>, buffer: &mut Vec<u8>) -> io::Result<()> {
        buffer.clear();
        if range.end > self.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let len = range.end.saturating_sub(range.start);
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
        buffer.try_reserve_exact(len)?;
        while buffer.len() < len {
            let at = range.start + buffer.len() as u64;
            let missing = len - buffer.len();
            let space = &mut buffer.spare_capacity_mut()[..missing];
            let read = match rustix::io::pread(&self.file, space, at) {
                Ok(([], _)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok((read, _)) => read.len(),
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            // SAFETY: the kernel has initialized `read` more bytes, within the capacity.
            unsafe { buffer.set_len(buffer.len() + read) };
        }
        Ok(())
    }

    /// Tells the system that reads will not be in order; a hint.
    pub fn advise_random(&self) {
        advise(self.file.as_fd(), 0..u64::MAX, Advice::Random);
    }

    /// Tells the system that the file will be read from start to end; a hint.
    pub fn advise_sequential(&self) {
        advise(self.file.as_fd(), 0..u64::MAX, Advice::Sequential);
    }

    /// Asks the system to read a stretch ahead of need; a hint.
    pub fn read_ahead(&self, range: Range<u64>) {
        advise(self.file.as_fd(), range, Advice::WillNeed);
    }

    /// Tells the system that a stretch need not stay in memory; a hint.
    pub fn drop_cache(&self, range: Range<u64>) {
        advise(self.file.as_fd(), range, Advice::DontNeed);
    }
}

/// Replaces the content of `buffer` with a range of the file at `path`.
///
/// A file that ends before the range does is an error (`UnexpectedEof`).
pub fn read_range(path: &Path, range: Range<u64>, buffer: &mut Vec<u8>) -> io::Result<()> {
    ObjectFile::open(path)?.read_range(range, buffer)
}

/// A file mapped into memory, to be read as a slice.
///
/// Meant for files of the caller's own that nobody changes once they are published: a file that is
/// cut short while it is mapped kills the process that reads past its new end.
#[derive(Debug)]
pub struct Map {
    /// `None` for an empty file, which can't be mapped.
    memory: Option<(NonNull<u8>, NonZeroUsize)>,
}

// SAFETY: the mapping is read-only and belongs to the value, not to a thread.
unsafe impl Send for Map {}
// SAFETY: shared access only reads.
unsafe impl Sync for Map {}

impl Map {
    /// Maps a regular file that never changes.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = ObjectFile::open(path)?;
        let len = usize::try_from(file.len()).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let Some(len) = NonZeroUsize::new(len) else { return Ok(Self { memory: None }) };
        // SAFETY: a new mapping at a place of the kernel's choice; it outlives the descriptor.
        let start = unsafe {
            let anywhere = std::ptr::null_mut();
            rustix::mm::mmap(anywhere, len.get(), ProtFlags::READ, MapFlags::SHARED, &file.file, 0)?
        };
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { memory: Some((start, len)) })
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self.memory {
            // SAFETY: mapped for `len` bytes until dropped; the file does not change, as agreed.
            Some((start, len)) => unsafe { std::slice::from_raw_parts(start.as_ptr(), len.get()) },
            None => &[],
        }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        if let Some((start, len)) = self.memory {
            // SAFETY: mapped in `open` with this length, and nothing borrows from it any more.
            let _ = unsafe { rustix::mm::munmap(start.as_ptr().cast(), len.get()) };
        }
    }
}
