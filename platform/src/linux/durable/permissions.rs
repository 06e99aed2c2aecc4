//! The users who may use what is made in a folder: those who may use the folder.
//!
//! In a folder that is shared with a group (group-writable, or with the set-group-ID bit), files are readable by that
//! group, and folders are the group's too. Everywhere else they are their owner's alone. A folder with the
//! sticky bit, as `/tmp`, is shared with everybody and not with a group.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Gid, Mode, Stat};
use rustix::io::Errno;

/// The permissions of a file that is its owner's alone, and what its group gets in a shared folder.
const SHARED_FILE: u32 = 0o640;
/// The permissions of a folder in a shared folder: what is made in it is the group's again.
const SHARED_FOLDER: u32 = 0o2770;

/// Returns the group with which a folder is shared, if it is.
fn group_of(folder: &Stat) -> Option<Gid> {
    let mode = Mode::from_raw_mode(folder.st_mode);
    let is_given_on = mode.contains(Mode::SGID);
    let is_shared = mode.contains(Mode::WGRP) && !mode.contains(Mode::SVTX);
    (is_given_on || is_shared).then(|| Gid::from_raw(folder.st_gid))
}

/// Opens a new file to the group of its folder, if that is shared.
pub(super) fn share_file(file: impl AsFd, folder: &OwnedFd) -> io::Result<()> {
    share(file, folder, SHARED_FILE)
}

/// Opens a new folder to the group of the one above, if that is shared.
pub(super) fn share_folder(new: impl AsFd, above: &OwnedFd) -> io::Result<()> {
    share(new, above, SHARED_FOLDER)
}

fn share(new: impl AsFd, folder: &OwnedFd, mode: u32) -> io::Result<()> {
    let Some(group) = group_of(&rustix::fs::fstat(folder)?) else { return Ok(()) };
    if rustix::fs::fstat(&new)?.st_gid != group.as_raw() {
        match rustix::fs::fchown(&new, None, Some(group)) {
            Ok(()) => {}
            // Whoever is not of the group can't give it anything; file systems without groups refuse as well.
            Err(Errno::PERM | Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
    match rustix::fs::fchmod(&new, Mode::from_raw_mode(mode)) {
        // The permissions of a file system without any are those of its mount.
        Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        changed => Ok(changed?),
    }
}
