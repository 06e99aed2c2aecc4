//! One file of a target while it is written.

use std::io;
use std::ops::Deref;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rustix::fs::{AtFlags, FallocateFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::leftover::Temporary;
use super::{TargetDir, leftover, restore};
use crate::file_options::Replace;
use crate::linux::durable::flush;
use crate::linux::stat::{self, component};
use crate::linux::tmpfile;
use crate::linux::xattr::FileRef;
use crate::metadata::Metadata;
use crate::wanted_metadata::{RefusedMetadata, WantedMetadata};

/// A new file of a target, open for writing.
#[derive(Debug)]
pub struct TargetFile {
    file: OwnedFd,
    /// It inherited an ACL from its directory.
    inherited: bool,
}

impl TargetFile {
    pub(super) fn create(dir: &TargetDir, name: &[u8], size_hint: u64) -> io::Result<Self> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&dir.dir, name, flags, Mode::RUSR | Mode::WUSR)?;
        let file = Self { file, inherited: dir.inherits() };
        if let Err(error) = file.reserve(size_hint) {
            let _ = rustix::fs::unlinkat(&dir.dir, name, AtFlags::empty());
            return Err(error);
        }
        Ok(file)
    }

    fn reserve(&self, size: u64) -> io::Result<()> {
        /// Below this, allocation as the kernel writes back is as good, and one call cheaper.
        const MIN_RESERVED: u64 = 16 << 20;
        if size < MIN_RESERVED {
            return Ok(());
        }
        // Asked for more than there is, some file systems first give all there is, and take it back
        // again: meanwhile no other program has any.
        if let Ok(room) = rustix::fs::fstatvfs(&self.file)
            && room.f_blocks > 0
            && room.f_bfree.saturating_mul(room.f_frsize) < size
        {
            return Err(Errno::NOSPC.into());
        }
        match rustix::fs::fallocate(&self.file, FallocateFlags::KEEP_SIZE, 0, size) {
            Err(error @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG)) => Err(error.into()),
            // Not every file system can; writing will show.
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Writes all of `bytes` at `offset`; what is skipped over stays a hole.
    pub fn write_at(&self, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            match rustix::io::pwrite(&self.file, bytes, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    bytes = &bytes[written..];
                    offset += written as u64;
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Sets the length, for a file that ends in a hole.
    pub fn set_len(&self, len: u64) -> io::Result<()> {
        Ok(rustix::fs::ftruncate(&self.file, len)?)
    }

    /// Returns the file's metadata.
    pub fn metadata(&self) -> io::Result<Metadata> {
        stat::open(self.file.as_fd())
    }

    /// Sets the file's metadata; last, since writing changes it.
    ///
    /// Returns what could not be applied.
    pub fn set_metadata(&self, restore: &WantedMetadata<'_>) -> Vec<RefusedMetadata> {
        restore::apply(FileRef::Open(self.file.as_fd()), restore, self.inherited)
    }

    /// Waits until content and metadata are durable, as far as the file system can; the name is so once its
    /// directory is.
    pub fn sync(&self) -> io::Result<()> {
        flush(&self.file).map(drop)
    }
}

/// A file that gets its name, or takes the place of another, when it is complete.
///
/// Dropped without that, nothing remains. Until then it has no name at all; where the file system
/// can't do that, and for the instant in which it takes the place of another, it has a temporary
/// one, which a killed process leaves and [`TargetDir::remove_leftovers`] takes away.
#[derive(Debug)]
pub struct TemporaryFile {
    file: TargetFile,
    dir: Arc<OwnedFd>,
    /// The temporary name, while it has one.
    name: Option<Vec<u8>>,
}

impl Deref for TemporaryFile {
    type Target = TargetFile;

    fn deref(&self) -> &TargetFile {
        &self.file
    }
}

impl TemporaryFile {
    pub(super) fn create(dir: &TargetDir, size_hint: u64) -> io::Result<Self> {
        if !dir.lacks_tmpfile.load(Ordering::Relaxed) {
            if let Some(file) = tmpfile::create(&dir.dir, OFlags::WRONLY)? {
                let file = TargetFile { file, inherited: dir.inherits() };
                file.reserve(size_hint)?;
                return Ok(Self { file, dir: Arc::clone(&dir.dir), name: None });
            }
            dir.lacks_tmpfile.store(true, Ordering::Relaxed);
        }
        Self::create_named(dir, size_hint)
    }

    pub(super) fn create_named(dir: &TargetDir, size_hint: u64) -> io::Result<Self> {
        let (file, name) = leftover::unused_name(&dir.dir, Temporary::Written, |name| {
            let file = TargetFile::create(dir, name, size_hint)?;
            leftover::lock_named(&file.file)?;
            Ok(file)
        })?;
        Ok(Self { file, dir: Arc::clone(&dir.dir), name: Some(name) })
    }

    /// Gives the file its name; set its metadata before.
    pub fn publish(mut self, name: &[u8], replace: Replace) -> io::Result<()> {
        let name = component(name)?;
        if self.name.is_none() {
            match (tmpfile::link(&self.file.file, &self.dir, name), replace) {
                (Err(Errno::EXIST), Replace::Always) => self.take_name()?,
                (linked, _) => return Ok(linked?),
            }
        }
        let Some(own) = self.name.as_deref() else { return Ok(()) };
        match replace {
            Replace::Always => rustix::fs::renameat(&self.dir, own, &self.dir, name)?,
            Replace::Never => rename_new(&self.dir, own, name)?,
        }
        self.name = None;
        Ok(())
    }

    /// Takes a temporary name: only renaming replaces in one step.
    fn take_name(&mut self) -> io::Result<()> {
        leftover::lock_unnamed(&self.file.file);
        let ((), name) = leftover::unused_name(&self.dir, Temporary::Written, |name| {
            Ok(tmpfile::link(&self.file.file, &self.dir, name)?)
        })?;
        self.name = Some(name);
        Ok(())
    }
}

/// Renames within a directory unless the new name is taken.
///
/// On file systems that can neither rename so nor link, the check before the rename is not one step
/// with it.
fn rename_new(dir: &OwnedFd, from: &[u8], to: &[u8]) -> io::Result<()> {
    match rustix::fs::renameat_with(dir, from, dir, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
        renamed => return Ok(renamed?),
    }
    match rustix::fs::linkat(dir, from, dir, to, AtFlags::empty()) {
        Ok(()) => {
            let _ = rustix::fs::unlinkat(dir, from, AtFlags::empty());
            return Ok(());
        }
        // rclone answers EIO to what it can't do.
        Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK | Errno::IO) => {}
        Err(error) => return Err(error.into()),
    }
    match stat::child(dir.as_fd(), to) {
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Ok(rustix::fs::renameat(dir, from, dir, to)?)
        }
        Err(error) => Err(error),
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            let _ = rustix::fs::unlinkat(&self.dir, name, AtFlags::empty());
        }
    }
}
