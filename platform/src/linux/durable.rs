//! Files that are written completely and durably, or not at all.
//!
//! A file is written without a name (`O_TMPFILE`) or under a temporary one, flushed, given its name
//! without clobbering, and its folder is flushed. A crash before that leaves nothing under the name;
//! an error before that leaves nothing at all.

#![allow(unsafe_code)]

mod folder;
mod leftover;
mod map;
mod permissions;
mod scratch;
#[cfg(test)]
mod tests;

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::{Errno, ReadWriteFlags, retry_on_intr};

pub use folder::{
    create_dir_durable, create_private_dir, create_private_file, free_space, remove_beneath,
    remove_durable, write_program,
};
pub use leftover::is_abandoned;
pub use map::MappedFile;
pub use scratch::create_scratch_file;

use crate::file_options::{Flushed, Published};
use crate::linux::stat::component;
use crate::linux::tmpfile;

use folder::{open_folder, sync_folder};
use leftover::create_named;

/// A new file that has no name until it is published; dropped before that, nothing of it remains.
///
/// Without `O_TMPFILE` in the file system, a killed process leaves a file that [`is_abandoned`] recognises.
/// The permissions are 0600, unless [`share_as_folder`](Self::share_as_folder) opens it to a group.
#[derive(Debug)]
pub struct DurableFile {
    file: OwnedFd,
    folder: OwnedFd,
    name: String,
    /// The name until it is published; `None` where it has none.
    temporary: Option<Vec<u8>>,
    /// Bytes appended and not written yet.
    pending: Vec<u8>,
    written: u64,
    /// The number of written bytes whose write-back was started.
    started: u64,
    caching: Caching,
    /// Writing failed half-way.
    torn: bool,
}

/// The treatment of the page cache while writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caching {
    /// `RWF_DONTCACHE`: written back at once, then dropped.
    Uncached,
    /// Write-back is started as soon as there is a stretch worth it.
    EarlyWriteback,
}

/// Flushes a file, where its file system can.
pub(crate) fn flush(file: impl AsFd) -> io::Result<Flushed> {
    match retry_on_intr(|| rustix::fs::fsync(&file)) {
        Ok(()) => Ok(Flushed::Yes),
        Err(Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(Flushed::Unsupported),
        Err(error) => Err(error.into()),
    }
}

/// Appended bytes are gathered up to this much, then written in whole pages: a page that is written
/// twice past the cache would have to be read back in between.
const WRITE_BATCH: usize = 256 << 10;
const PAGE: usize = 4096;

impl DurableFile {
    /// Begins a file that is to be `name` in `folder`, which must exist.
    pub fn create(folder: &Path, name: &str) -> io::Result<Self> {
        component(name.as_bytes())?;
        let folder = open_folder(folder)?;
        let (file, temporary) = match tmpfile::create(&folder, OFlags::WRONLY)? {
            Some(file) => (file, None),
            None => {
                let (file, name) = create_named(&folder, OFlags::WRONLY)?;
                (file, Some(name))
            }
        };
        Ok(Self {
            file,
            folder,
            name: name.to_owned(),
            temporary,
            pending: Vec::new(),
            written: 0,
            started: 0,
            caching: Caching::Uncached,
            torn: false,
        })
    }

    /// Opens the file to the group of its folder (0640), if that is shared with one.
    pub fn share_as_folder(&self) -> io::Result<()> {
        permissions::share_file(&self.file, &self.folder)
    }

    /// Returns the number of bytes appended so far.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.written + self.pending.len() as u64
    }

    /// Tells whether nothing was appended so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends `bytes`. After an error the file can't be published any more.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let total = self.pending.len() + bytes.len();
        if total < WRITE_BATCH {
            self.pending.extend_from_slice(bytes);
            return Ok(());
        }
        // Less than `WRITE_BATCH` is pending, so that the last whole page ends within `bytes`.
        let (now, later) = bytes.split_at(total - total % PAGE - self.pending.len());
        let mut pending = std::mem::take(&mut self.pending);
        self.write(&pending, now)?;
        pending.clear();
        pending.extend_from_slice(later);
        self.pending = pending;
        self.start_writeback();
        Ok(())
    }

    fn write(&mut self, first: &[u8], second: &[u8]) -> io::Result<()> {
        self.torn = true;
        self.write_all(first, second)?;
        self.torn = false;
        Ok(())
    }

    fn write_all(&mut self, mut first: &[u8], mut second: &[u8]) -> io::Result<()> {
        while !first.is_empty() || !second.is_empty() {
            let both = [IoSlice::new(first), IoSlice::new(second)];
            let written = match self.write_some(&both) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => written,
                Err(Errno::INTR) => continue,
                Err(Errno::OPNOTSUPP | Errno::NOSYS) if self.caching == Caching::Uncached => {
                    self.caching = Caching::EarlyWriteback;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            self.written += written as u64;
            let of_first = written.min(first.len());
            first = &first[of_first..];
            second = &second[written - of_first..];
        }
        Ok(())
    }

    fn write_some(&self, bytes: &[IoSlice<'_>]) -> Result<usize, Errno> {
        const DONTCACHE: ReadWriteFlags =
            ReadWriteFlags::from_bits_retain(libc::RWF_DONTCACHE.cast_unsigned());
        match self.caching {
            Caching::Uncached => rustix::io::pwritev2(&self.file, bytes, self.written, DONTCACHE),
            Caching::EarlyWriteback => rustix::io::pwritev(&self.file, bytes, self.written),
        }
    }

    /// Sends what was written on its way, so that the flush at the end is short.
    fn start_writeback(&mut self) {
        /// Less makes small requests of the disk, more leaves much to the end.
        const MIN_STRETCH: u64 = 8 << 20;
        if self.caching == Caching::Uncached || self.written - self.started < MIN_STRETCH {
            return;
        }
        // SAFETY: takes no pointers; a hint, whose failure the flush will show.
        unsafe {
            libc::sync_file_range(
                self.file.as_raw_fd(),
                self.started.cast_signed(),
                (self.written - self.started).cast_signed(),
                libc::SYNC_FILE_RANGE_WRITE,
            );
        }
        self.started = self.written;
    }

    /// Makes the file durable, as far as its file system can, and gives it its name, unless that is taken.
    ///
    /// On file systems that can neither link nor rename without clobbering (FAT, some network
    /// shares), the name is first reserved with an empty file, which a crash or a power failure may
    /// leave, and which another writer may see.
    pub fn publish(self) -> io::Result<Published> {
        self.publish_flushed().map(|(published, _)| published)
    }

    /// Publishes as [`publish`](Self::publish) does, and tells whether the file system could be asked for
    /// durability.
    pub fn publish_flushed(mut self) -> io::Result<(Published, Flushed)> {
        let flushed = self.flush_pending()?;
        let published = match &self.temporary {
            None => published(tmpfile::link(&self.file, &self.folder, self.name.as_bytes()))?,
            Some(temporary) => rename_new(&self.folder, temporary, &self.name)?,
        };
        if published == Published::Created {
            self.temporary = None;
        }
        sync_folder(&self.folder)?;
        Ok((published, flushed))
    }

    /// Makes the file durable, and gives it its name in place of a file of that name, if there is one.
    ///
    /// A reader finds the old file or the new one, also after a crash; a process that is killed in between may leave a
    /// temporary file that [`is_abandoned`] recognises.
    pub fn replace(mut self) -> io::Result<()> {
        self.flush_pending()?;
        let temporary = match self.temporary.take() {
            Some(temporary) => temporary,
            None => leftover::link_temporary(&self.file, &self.folder)?,
        };
        let rename =
            || rustix::fs::renameat(&self.folder, &temporary, &self.folder, self.name.as_str());
        if let Err(error) = retry_on_intr(rename) {
            let _ = rustix::fs::unlinkat(&self.folder, &temporary, AtFlags::empty());
            return Err(error.into());
        }
        sync_folder(&self.folder)
    }

    /// Writes what is pending and flushes the file.
    fn flush_pending(&mut self) -> io::Result<Flushed> {
        if self.torn {
            return Err(io::Error::other("writing failed before, so that bytes are missing"));
        }
        let pending = std::mem::take(&mut self.pending);
        // Dropping the last page from the cache would only make the flush wait for it.
        self.caching = Caching::EarlyWriteback;
        self.write(&pending, &[])?;
        flush(&self.file)
    }
}

impl Drop for DurableFile {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            let _ = rustix::fs::unlinkat(&self.folder, temporary, AtFlags::empty());
        }
    }
}

/// Gives a file its name in the first way that the file system knows.
fn rename_new(folder: &OwnedFd, temporary: &[u8], name: &str) -> io::Result<Published> {
    match rustix::fs::renameat_with(folder, temporary, folder, name, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
        renamed => return published(renamed),
    }
    // NFS can't rename so, but links.
    match rustix::fs::linkat(folder, temporary, folder, name, AtFlags::empty()) {
        Err(Errno::PERM | Errno::NOSYS | Errno::OPNOTSUPP | Errno::MLINK | Errno::INVAL) => {
            rename_reserved(folder, temporary, name)
        }
        Ok(()) => {
            retry_on_intr(|| rustix::fs::unlinkat(folder, temporary, AtFlags::empty()))?;
            Ok(Published::Created)
        }
        linked => published(linked),
    }
}

fn rename_reserved(folder: &OwnedFd, temporary: &[u8], name: &str) -> io::Result<Published> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let reserved = rustix::fs::openat(folder, name, flags, Mode::RUSR | Mode::WUSR).map(drop);
    if published(reserved)? == Published::Exists {
        return Ok(Published::Exists);
    }
    if let Err(error) = rustix::fs::renameat(folder, temporary, folder, name) {
        let _ = rustix::fs::unlinkat(folder, name, AtFlags::empty());
        return Err(error.into());
    }
    Ok(Published::Created)
}

fn published(done: rustix::io::Result<()>) -> io::Result<Published> {
    match done {
        Ok(()) => Ok(Published::Created),
        Err(Errno::EXIST) => Ok(Published::Exists),
        Err(error) => Err(error.into()),
    }
}
