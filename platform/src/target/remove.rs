//! Removing a tree of any depth with two open directories.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, RenameFlags};
use rustix::io::Errno;

use super::open_beneath;
use crate::random::unused_name;
use crate::{Kind, Listing};

/// Removes what `name` stands for in `dir`, never following a link.
///
/// Rather than descending, it lifts every directory that is not empty to the top of the tree being
/// removed, so that depth costs neither descriptors nor stack, and a directory that somebody
/// moves meanwhile can't lead the removal out of the tree.
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
    let top = open_beneath(dir, name)?;
    let mut listing = Listing::new();
    loop {
        list(&top, &mut listing)?;
        if listing.is_empty() {
            return Ok(rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR)?);
        }
        let mut inner = Listing::new();
        for entry in listing.iter() {
            if clear(&top, entry.name, entry.kind)? == Cleared::Gone {
                continue;
            }
            let child = open_beneath(&top, entry.name)?;
            list(&child, &mut inner)?;
            for entry in inner.iter() {
                if clear(&child, entry.name, entry.kind)? == Cleared::Full {
                    lift(&child, entry.name, &top)?;
                }
            }
            rustix::fs::unlinkat(&top, entry.name, AtFlags::REMOVEDIR)?;
        }
    }
}

fn list(dir: &OwnedFd, listing: &mut Listing) -> io::Result<()> {
    rustix::fs::seek(dir, rustix::fs::SeekFrom::Start(0))?;
    listing.fill(dir.as_fd())
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
        Err(error) => Err(error.into()),
    }
}

fn lift(from: &OwnedFd, name: &[u8], top: &OwnedFd) -> io::Result<()> {
    unused_name(b".yore-", b".removed", |unused| {
        match rustix::fs::renameat_with(from, name, top, unused, RenameFlags::NOREPLACE) {
            // 64 random bits do not meet a name that is taken.
            Err(Errno::INVAL | Errno::NOSYS) => Ok(rustix::fs::renameat(from, name, top, unused)?),
            lifted => Ok(lifted?),
        }
    })?;
    Ok(())
}
