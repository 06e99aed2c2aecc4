//! Reading what is backed up.
//!
//! A tree is read by directory handle and single names, never by path below its root: depth beyond
//! `PATH_MAX` works, a link is never followed, and a directory moved meanwhile can't lead elsewhere.
//! Reading leaves access times alone where the system allows it.

mod file;
pub(crate) mod fill;
#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{Mode, OFlags, SeekFrom};

pub use file::SourceFile;
use fill::fill;

use crate::file_options::ReadMode;
use crate::linux::stat::{self, component};
use crate::linux::tmpfile;
use crate::linux::xattr::{self, FileRef};
use crate::listing::Listing;
use crate::metadata::{FoundXattrs, Metadata};

/// The types, as statfs(2) has them, of file systems that may number a file anew each time they are mounted:
/// served over a network (9P, AFS, Ceph, Coda, NFS, SMB 1, SMB 2 and 3, VirtualBox's folders), served by programs
/// (FUSE, virtiofs among them), laid over others (overlay), and without numbers of their own (FAT, exFAT).
const UNSTABLE_INODES: [u64; 13] = [
    0x0102_1997,
    0x5346_414f,
    0x6b41_4653,
    0x00c3_6400,
    0x7375_7245,
    0x6969,
    0xff53_4d42,
    0xfe53_4d42,
    0x786f_4256,
    0x6573_5546,
    0x794c_7630,
    0x4d44,
    0x2011_bab0,
];

/// An open directory of a source.
///
/// Holds one file descriptor; a walk that keeps one per level needs
/// [`raise_open_file_limit`](crate::raise_open_file_limit) for trees deeper than a thousand.
#[derive(Debug)]
pub struct SourceDir {
    dir: OwnedFd,
    listed: AtomicBool,
    /// The number of the file system that everything in it gets, if not that on which it is.
    device: Option<u64>,
}

impl SourceDir {
    /// Opens the root of a source; the only place where a path, and links in it, are followed.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::open(path, flags | OFlags::NOATIME, Mode::empty()) {
            Err(rustix::io::Errno::PERM) => {
                Ok(Self::new(rustix::fs::open(path, flags, Mode::empty())?))
            }
            opened => Ok(Self::new(opened?)),
        }
    }

    /// Gives the directory, and everything that is opened through it, the number of another file system: that of
    /// which it is a snapshot.
    #[must_use]
    pub fn as_if_on(self, device: u64) -> Self {
        Self { device: Some(device), ..self }
    }

    /// Opens a directory in this one; a link in its place is an error.
    pub fn open_child(&self, name: &[u8]) -> io::Result<Self> {
        let dir = stat::open_quietly(self.dir.as_fd(), component(name)?, OFlags::DIRECTORY)?;
        Ok(Self { device: self.device, ..Self::new(dir) })
    }

    /// Opens the directory `dir` once more.
    pub(crate) fn of(dir: BorrowedFd<'_>) -> io::Result<Self> {
        Ok(Self::new(stat::open_quietly(dir, b".", OFlags::DIRECTORY)?))
    }

    fn new(dir: OwnedFd) -> Self {
        Self { dir, listed: AtomicBool::new(false), device: None }
    }

    /// Returns the metadata of the directory itself.
    pub fn metadata(&self) -> io::Result<Metadata> {
        Ok(on_device(stat::open(self.dir.as_fd())?, self.device))
    }

    /// Tells whether its file system gives a file the same inode number whenever it is mounted.
    ///
    /// # Errors
    /// The file system does not say what it is.
    pub fn keeps_inode_numbers(&self) -> io::Result<bool> {
        let kind = rustix::fs::fstatfs(&self.dir)?.f_type as u64;
        Ok(!UNSTABLE_INODES.contains(&(kind & 0xffff_ffff)))
    }

    /// Returns the metadata of `name`, without following a link.
    pub fn child_metadata(&self, name: &[u8]) -> io::Result<Metadata> {
        Ok(on_device(stat::child(self.dir.as_fd(), name)?, self.device))
    }

    /// Lists the directory into `listing`, sorted by the bytes of the names, without `.` and `..`.
    ///
    /// `listing` is emptied first and keeps its memory; it stays empty when listing fails.
    /// One directory must not be listed by two threads at once: they share a position.
    pub fn list(&self, listing: &mut Listing) -> io::Result<()> {
        if self.listed.swap(true, Ordering::Relaxed) {
            rustix::fs::seek(&self.dir, SeekFrom::Start(0))?;
        }
        fill(listing, self.dir.as_fd())
    }

    /// Lists the directory as it is now, apart from any other listing of it.
    pub fn list_fresh(&self) -> io::Result<Listing> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let again = rustix::fs::openat(&self.dir, ".", flags, Mode::empty())?;
        let mut listing = Listing::new();
        fill(&mut listing, again.as_fd())?;
        Ok(listing)
    }

    /// Reads the text of a link.
    pub fn read_link(&self, name: &[u8]) -> io::Result<Vec<u8>> {
        Ok(rustix::fs::readlinkat(&self.dir, component(name)?, Vec::new())?.into_bytes())
    }

    /// Opens a regular file for reading.
    ///
    /// Anything else in its place, a pipe or a link say, is an error and never waited for.
    pub fn open_file(&self, name: &[u8], how: ReadMode) -> io::Result<SourceFile> {
        SourceFile::open(self.dir.as_fd(), component(name)?, how, self.device)
    }

    /// Copies an open file of this directory as it is at this moment; the copy shares its blocks, has no name and is
    /// gone when it is closed.
    ///
    /// Returns `None` where the file system can't do that (btrfs and XFS can), where nothing may be written in the
    /// directory, and where it would harm the program that writes the file: what it writes meanwhile takes new space,
    /// and a file that is never copied on write (`chattr +C`) would lose its order on the disk.
    #[must_use]
    pub fn freeze(&self, file: &SourceFile) -> Option<SourceFile> {
        let space = rustix::fs::fstatvfs(&self.dir).ok()?;
        let free = space.f_bavail.saturating_mul(space.f_frsize);
        if free < 2 * file.opened().allocated || file.is_never_copied() {
            return None;
        }
        let copy = tmpfile::create(&self.dir, OFlags::RDWR).ok()??;
        file.clone_into(copy).ok()
    }

    /// Reads the extended attributes of the directory itself, POSIX ACLs among them.
    ///
    /// Attributes that the caller may not read are left out, apart from `user.` ones, where that is an
    /// error. A file system that keeps none gives none.
    pub fn xattrs(&self) -> FoundXattrs {
        xattr::read(FileRef::Open(self.dir.as_fd()))
    }

    /// Reads the extended attributes of `name`, without following a link.
    ///
    /// Costs one system call where there are none.
    ///
    /// # Errors
    /// `name` is no name.
    pub fn child_xattrs(&self, name: &[u8]) -> io::Result<FoundXattrs> {
        Ok(xattr::read(FileRef::Child(self.dir.as_fd(), component(name)?)))
    }
}

/// Returns metadata with the number of another file system, if there is one.
fn on_device(metadata: Metadata, device: Option<u64>) -> Metadata {
    Metadata { device: device.unwrap_or(metadata.device), ..metadata }
}

/// Returns the metadata of a path, without following a link at its end.
pub fn path_metadata(path: &Path) -> io::Result<Metadata> {
    stat::path(path)
}
