//! One open file of a source.

use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{IFlags, Mode, OFlags, SeekFrom};
use rustix::io::Errno;

use super::on_device;
use crate::file_options::ReadMode;
use crate::linux::pages::{AlignedBlock, DIRECT_ALIGNMENT};
use crate::linux::stat;
use crate::linux::xattr::{self, FileRef};
use crate::metadata::{FoundXattrs, Kind, Metadata};

/// A regular file of a source, open for reading.
#[derive(Debug)]
pub struct SourceFile {
    file: OwnedFd,
    opened: Metadata,
    direct: AtomicBool,
    /// The number of the file system that it gets, if not that on which it is.
    device: Option<u64>,
}

impl SourceFile {
    pub(super) fn open(
        dir: BorrowedFd<'_>,
        name: &[u8],
        how: ReadMode,
        device: Option<u64>,
    ) -> io::Result<Self> {
        let mut direct = how == ReadMode::Direct;
        let wanted = if direct { OFlags::DIRECT } else { OFlags::empty() };
        let file = match stat::open_quietly(dir, name, wanted) {
            Err(Errno::INVAL) if direct => {
                direct = false;
                stat::open_quietly(dir, name, OFlags::empty())?
            }
            // Another program holds a lease: the kernel has asked it to let go, and waiting is safe
            // once the file is known to be a regular one.
            Err(Errno::AGAIN) => {
                direct = false;
                open_waiting(dir, name)?
            }
            opened => opened?,
        };
        let opened = on_device(regular(file.as_fd())?, device);
        Ok(Self { file, opened, direct: AtomicBool::new(direct), device })
    }

    /// Returns true for a file that is never copied on write (`chattr +C`).
    pub(super) fn is_never_copied(&self) -> bool {
        let flags = rustix::fs::ioctl_getflags(&self.file);
        flags.is_ok_and(|flags| flags.contains(IFlags::NOCOW))
    }

    /// Makes `copy`, an empty file of the same file system, share the blocks of this one (`FICLONE`).
    pub(super) fn clone_into(&self, copy: OwnedFd) -> io::Result<Self> {
        rustix::fs::ioctl_ficlone(&copy, &self.file)?;
        let opened = on_device(regular(copy.as_fd())?, self.device);
        Ok(Self { file: copy, opened, direct: AtomicBool::new(false), device: self.device })
    }

    /// Returns the metadata that the file had when it was opened; costs nothing.
    #[must_use]
    pub fn opened(&self) -> &Metadata {
        &self.opened
    }

    /// Returns the metadata that the file has now.
    pub fn metadata(&self) -> io::Result<Metadata> {
        Ok(on_device(stat::open(self.file.as_fd())?, self.device))
    }

    /// Reads the extended attributes, as [`SourceDir::xattrs`](crate::SourceDir::xattrs) does.
    pub fn xattrs(&self) -> FoundXattrs {
        xattr::read(FileRef::Open(self.file.as_fd()))
    }

    /// Fills `buffer` from `offset`; returns the number of bytes that there were.
    ///
    /// Fewer than the buffer's length means that the file ends there, or did when it was opened: reading
    /// on to find out would cost each small file a call.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            let at = offset + done as u64;
            match self.read_some(&mut buffer[done..], at) {
                Ok(0) => break,
                Ok(read) => {
                    done += read;
                    if at + read as u64 == self.opened.size {
                        break;
                    }
                }
                Err(Errno::INTR) => {}
                Err(Errno::INVAL) if self.direct.load(Ordering::Relaxed) => self.go_buffered()?,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(done)
    }

    /// Tells whether there are bytes at `offset`, where the file should end.
    ///
    /// Returns `false` past the page cache, where only whole blocks are read: file systems that can do that
    /// know their sizes.
    pub fn has_more(&self, offset: u64) -> io::Result<bool> {
        loop {
            match rustix::io::pread(&self.file, &mut [0][..], offset) {
                Err(Errno::INTR) => {}
                Err(Errno::INVAL) if self.direct.load(Ordering::Relaxed) => return Ok(false),
                read => return Ok(read? > 0),
            }
        }
    }

    fn read_some(&self, buffer: &mut [u8], offset: u64) -> Result<usize, Errno> {
        if !self.direct.load(Ordering::Relaxed) {
            return rustix::io::pread(&self.file, buffer, offset);
        }
        if !offset.is_multiple_of(DIRECT_ALIGNMENT as u64) {
            // The end of the file, or a caller that does not align.
            self.go_buffered()?;
            return rustix::io::pread(&self.file, buffer, offset);
        }
        if buffer.len() < DIRECT_ALIGNMENT {
            let mut block = AlignedBlock::new();
            let read = rustix::io::pread(&self.file, block.bytes(), offset)?.min(buffer.len());
            buffer[..read].copy_from_slice(&block.bytes()[..read]);
            return Ok(read);
        }
        let whole = buffer.len() - buffer.len() % DIRECT_ALIGNMENT;
        rustix::io::pread(&self.file, &mut buffer[..whole], offset)
    }

    /// Gives up `O_DIRECT` for the rest of the file's life.
    fn go_buffered(&self) -> Result<(), Errno> {
        let flags = rustix::fs::fcntl_getfl(&self.file)?;
        rustix::fs::fcntl_setfl(&self.file, flags.difference(OFlags::DIRECT))?;
        self.direct.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Finds the next stretch at or after `from` that is not a hole; `None` when only a hole is left.
    ///
    /// Costs two calls: worth asking only where `allocated` is less than `size`. Where the file
    /// system does not tell, everything is data.
    pub fn next_data(&self, from: u64) -> io::Result<Option<Range<u64>>> {
        let start = match rustix::fs::seek(&self.file, SeekFrom::Data(from)) {
            Ok(start) => start,
            Err(Errno::NXIO) => return Ok(None),
            Err(Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS) => return self.all_after(from),
            Err(error) => return Err(error.into()),
        };
        match rustix::fs::seek(&self.file, SeekFrom::Hole(start)) {
            Ok(end) if end > start => Ok(Some(start..end)),
            // Cut short between the two calls.
            Ok(_) | Err(Errno::NXIO) => Ok(None),
            Err(Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS) => self.all_after(start),
            Err(error) => Err(error.into()),
        }
    }

    fn all_after(&self, from: u64) -> io::Result<Option<Range<u64>>> {
        let size = self.metadata()?.size;
        Ok((from < size).then_some(from..size))
    }
}

fn regular(file: BorrowedFd<'_>) -> io::Result<Metadata> {
    let found = stat::open(file)?;
    if found.kind == Kind::File {
        Ok(found)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file any more"))
    }
}

/// Opens a file on which another program holds a lease, waiting until that is broken.
fn open_waiting(dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let pinned = rustix::fs::openat(dir, name, flags, Mode::empty())?;
    regular(pinned.as_fd())?;
    let path = format!("/proc/self/fd/{}", pinned.as_raw_fd());
    Ok(rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
}
