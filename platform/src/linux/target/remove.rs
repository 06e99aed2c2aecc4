//! Removing a tree of any depth with one open directory.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::open_beneath;
use crate::linux::source::fill::fill;
use crate::linux::stat;
use crate::listing::Listing;
use crate::metadata::Kind;

/// Removes `name` in `dir`, a directory with all that is in it, never following a link.
///
/// It descends and comes back by `..`, compared with the directory that it came from, so that depth
/// costs neither descriptors nor stack and a directory that is moved meanwhile can't lead the
/// removal out of the tree. Nothing gets another name: what can't be removed, and whatever had not
/// been removed before it, stays where it was.
pub(super) fn remove(dir: &OwnedFd, name: &[u8]) -> io::Result<()> {
    match rustix::fs::unlinkat(dir, name, AtFlags::empty()) {
        // POSIX says EPERM for a directory, Linux EISDIR.
        Err(Errno::ISDIR | Errno::PERM) => {}
        removed => return Ok(removed?),
    }
    match rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR) {
        Err(Errno::NOTEMPTY | Errno::EXIST) => {}
        // Not a directory: the first answer was meant.
        Err(Errno::NOTDIR) => return Err(Errno::PERM.into()),
        removed => return Ok(removed?),
    }
    let mut here = open_beneath(dir, name)?;
    let mut levels = vec![Level::clear(&here, name)?];
    while let Some(level) = levels.last_mut() {
        if let Some(child) = level.full.pop() {
            here = open_beneath(&here, &child)?;
            levels.push(Level::clear(&here, &child)?);
            continue;
        }
        let Some(done) = levels.pop() else { break };
        if let Some(above) = levels.last() {
            here = open_above(&here, above)?;
            rustix::fs::unlinkat(&here, &done.name, AtFlags::REMOVEDIR)?;
        }
    }
    Ok(rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR)?)
}

/// A directory that is being removed.
struct Level {
    name: Vec<u8>,
    inode: u64,
    device: u64,
    /// The directories in it that are not empty.
    full: Vec<Vec<u8>>,
}

impl Level {
    /// Removes what is in the open directory `dir`, apart from directories that are not empty.
    fn clear(dir: &OwnedFd, name: &[u8]) -> io::Result<Self> {
        let found = stat::open(dir.as_fd())?;
        let mut listing = Listing::new();
        fill(&mut listing, dir.as_fd())?;
        let mut full = Vec::new();
        for entry in listing.iter() {
            if clear(dir, entry.name, entry.kind)? == Cleared::Full {
                full.push(entry.name.to_vec());
            }
        }
        Ok(Self { name: name.to_vec(), inode: found.inode, device: found.device, full })
    }
}

/// Opens the directory above, which must be the one that the removal came from.
fn open_above(dir: &OwnedFd, above: &Level) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(dir, c"..", flags, Mode::empty())?;
    let found = stat::open(opened.as_fd())?;
    if (found.inode, found.device) == (above.inode, above.device) {
        return Ok(opened);
    }
    Err(io::Error::other("a folder in it was moved meanwhile"))
}

#[derive(PartialEq, Eq)]
enum Cleared {
    Gone,
    /// A directory that is not empty.
    Full,
}

fn clear(dir: &OwnedFd, name: &[u8], hint: Option<Kind>) -> io::Result<Cleared> {
    if hint != Some(Kind::Directory) {
        match rustix::fs::unlinkat(dir, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => return Ok(Cleared::Gone),
            Err(Errno::ISDIR | Errno::PERM) => {}
            Err(error) => return Err(error.into()),
        }
    }
    match rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(Cleared::Gone),
        Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(Cleared::Full),
        // Not a directory: the first answer was meant.
        Err(Errno::NOTDIR) => Err(Errno::PERM.into()),
        Err(error) => Err(error.into()),
    }
}
