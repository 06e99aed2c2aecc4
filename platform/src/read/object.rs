//! Reading files that never change.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::OnceLock;

use super::buffer::ReadBuffer;
use crate::sys::{DIRECT_ALIGNMENT, PositionedFile};

/// The length from which on a range is read past the page cache.
///
/// A large range did not compress, and its reader keeps the content elsewhere; copying it out of the
/// cache, and the memory that it takes there, cost more than reading it.
const LARGE: usize = 256 << 10;

/// An open file that is read in pieces, by any number of threads.
#[derive(Debug)]
pub struct ObjectFile {
    file: PositionedFile,
    /// The same file past the page cache, once a large range was read; `None` where the file system can't.
    direct: OnceLock<Option<PositionedFile>>,
    len: u64,
}

impl ObjectFile {
    /// Opens a regular file; anything else there is an error, never waited for.
    pub fn open(path: &Path) -> io::Result<Self> {
        let (file, len) = PositionedFile::open(path)?;
        Ok(Self { file, direct: OnceLock::new(), len })
    }

    /// Returns its length when it was opened.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Tells whether it was empty when it was opened.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Replaces what is visible of `buffer` by a range of the file, in the memory that it has where that
    /// suffices. With room for [`ReadBuffer::MARGIN`] more, a large range is read past the page cache.
    ///
    /// A range that reaches past the length at opening is an error (`UnexpectedEof`) before any
    /// memory is taken.
    pub fn read_into(&self, range: Range<u64>, buffer: &mut ReadBuffer) -> io::Result<()> {
        if range.end > self.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let len = range.end.saturating_sub(range.start);
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
        buffer.fit(len);
        if len >= LARGE && self.read_direct(range.start, len, buffer).is_some() {
            return Ok(());
        }
        let mut done = 0;
        while done < len {
            match self.file.read_at(&mut buffer[done..], range.start + done as u64)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => done += read,
            }
        }
        Ok(())
    }

    /// Fills a buffer past the page cache if it has room for the whole pages around the range, and shows the
    /// range.
    ///
    /// `None` where that can't be done, and nothing is changed but content; the page cache then tells why,
    /// if it can't either.
    fn read_direct(&self, start: u64, len: usize, buffer: &mut ReadBuffer) -> Option<()> {
        let skew = (start % DIRECT_ALIGNMENT as u64) as usize;
        let pages = (skew + len).next_multiple_of(DIRECT_ALIGNMENT);
        let memory = buffer.memory_mut().get_mut(..pages)?;
        let direct = self.direct.get_or_init(|| self.file.open_direct().ok()).as_ref()?;
        let read = direct.read_at(memory, start - skew as u64).ok()?;
        // A file that ends before: reading through the page cache reports it.
        (read >= skew + len).then(|| buffer.show(skew..skew + len))
    }
}

#[cfg(test)]
mod tests;
