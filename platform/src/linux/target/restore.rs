//! Sets the metadata of restored files, in the one order in which no step undoes an earlier one.
//!
//! The owner first, since changing it clears set-user-ID bits and capabilities. Then the `user.`
//! attributes, which need write permission; then the mode, which may take that away; then the
//! other attributes: ACLs refine the mode, and `security.capability` must follow the owner. The time last.

#![allow(unsafe_code)]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::fs::{AtFlags, Gid, Mode, Timespec, Timestamps, UTIME_OMIT, Uid};
use rustix::io::Errno;

use crate::linux::stat;
use crate::linux::xattr::{self, FileRef};
use crate::metadata::{Kind, Metadata, Owner, Timestamp, Xattrs};
use crate::wanted_metadata::{MetadataPart, OtherXattrs, RefusedMetadata, WantedMetadata};

/// Applies `restore`; `inherited` tells that the file may have attributes of its directory.
///
/// Only what differs is set: a file that is as wanted keeps the time of its last change.
pub(super) fn apply(
    file: FileRef<'_>,
    restore: &WantedMetadata<'_>,
    inherited: bool,
) -> Vec<RefusedMetadata> {
    let now = match stat_of(file) {
        Ok(now) => now,
        Err(error) => return vec![RefusedMetadata { part: MetadataPart::All, error }],
    };
    if now.kind != restore.kind {
        let error = io::Error::new(io::ErrorKind::InvalidInput, "is of another kind by now");
        return vec![RefusedMetadata { part: MetadataPart::All, error }];
    }
    let mut refused = Vec::new();
    let (in_force, changed) = set_owner(file, &now, restore.owner, &mut refused);
    let removes = inherited && restore.others == OtherXattrs::Removed;
    let removed = removes && remove_others(file, restore.xattrs, &mut refused);
    set_xattrs(file, restore.xattrs, Order::BeforeMode, &mut refused);
    if let Some(mode) = restore.mode
        && restore.kind != Kind::Symlink
    {
        let mode = trusted_bits(mode & 0o7777, restore, in_force, &mut refused);
        // Changing the owner clears bits; an ACL removed may have, too.
        if changed || removed || now.mode != Some(mode) {
            collect(&mut refused, || MetadataPart::Mode, set_mode(file, mode));
        }
    }
    set_xattrs(file, restore.xattrs, Order::AfterMode, &mut refused);
    if now.modified != restore.modified {
        collect(&mut refused, || MetadataPart::Modified, set_modified(file, restore.modified));
    }
    refused
}

fn collect(
    refused: &mut Vec<RefusedMetadata>,
    part: impl FnOnce() -> MetadataPart,
    done: io::Result<()>,
) {
    if let Err(error) = done {
        refused.push(RefusedMetadata { part: part(), error });
    }
}

fn stat_of(file: FileRef<'_>) -> io::Result<Metadata> {
    match file {
        FileRef::Open(file) => stat::open(file),
        FileRef::Child(dir, name) => stat::child(dir, name),
    }
}

/// Sets what differs; returns the owner now in force and whether it was changed.
fn set_owner(
    file: FileRef<'_>,
    now: &Metadata,
    wanted: Option<Owner>,
    refused: &mut Vec<RefusedMetadata>,
) -> (Option<Owner>, bool) {
    let (Some(wanted), Some(now)) = (wanted, now.owner) else { return (now.owner, false) };
    if wanted == now {
        return (Some(now), false);
    }
    // All ones mean "leave it" to the kernel: from a hostile tree, they are no owner.
    if wanted.uid == u32::MAX || wanted.gid == u32::MAX {
        let error = io::Error::new(io::ErrorKind::InvalidData, "not the number of an owner");
        refused.push(RefusedMetadata { part: MetadataPart::Owner, error });
        return (Some(now), false);
    }
    let Err(error) = change_owner(file, Some(wanted.uid), wanted.gid) else {
        return (Some(wanted), true);
    };
    refused.push(RefusedMetadata { part: MetadataPart::Owner, error: error.into() });
    // Without privileges, a file can still be given to another group of one's own.
    if wanted.gid != now.gid && change_owner(file, None, wanted.gid).is_ok() {
        return (Some(Owner { uid: now.uid, gid: wanted.gid }), true);
    }
    (Some(now), false)
}

fn change_owner(file: FileRef<'_>, uid: Option<u32>, gid: u32) -> Result<(), Errno> {
    let (uid, gid) = (uid.map(Uid::from_raw), Some(Gid::from_raw(gid)));
    match file {
        FileRef::Open(file) => rustix::fs::fchown(file, uid, gid),
        FileRef::Child(dir, name) => {
            rustix::fs::chownat(dir, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
        }
    }
}

/// Leaves out the bits that would grant a file the rights of an owner who did not grant them.
fn trusted_bits(
    mode: u32,
    restore: &WantedMetadata<'_>,
    in_force: Option<Owner>,
    refused: &mut Vec<RefusedMetadata>,
) -> u32 {
    let same = |part: fn(Owner) -> u32| {
        restore.owner.map(part).is_some_and(|wanted| in_force.map(part) == Some(wanted))
    };
    let mut trusted = mode;
    if !same(|owner| owner.uid) {
        trusted &= !0o4000;
    }
    // On a directory, the bit only hands its group down.
    if !same(|owner| owner.gid) && restore.kind != Kind::Directory {
        trusted &= !0o2000;
    }
    if trusted != mode {
        let why = "set-ID bits are left out, since the owner is not the one they were granted by";
        let error = io::Error::new(io::ErrorKind::PermissionDenied, why);
        refused.push(RefusedMetadata { part: MetadataPart::Mode, error });
    }
    trusted
}

fn set_mode(file: FileRef<'_>, mode: u32) -> io::Result<()> {
    match file {
        FileRef::Open(file) => Ok(rustix::fs::fchmod(file, Mode::from_raw_mode(mode))?),
        FileRef::Child(dir, name) => child_mode(dir, name, mode),
    }
}

fn child_mode(dir: BorrowedFd<'_>, name: &[u8], mode: u32) -> io::Result<()> {
    let name = CString::new(name)?;
    // The C library does without following, by fchmodat2 or else by /proc; rustix refuses.
    // SAFETY: `name` is a C string.
    let answer =
        unsafe { libc::fchmodat(dir.as_raw_fd(), name.as_ptr(), mode, libc::AT_SYMLINK_NOFOLLOW) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    BeforeMode,
    AfterMode,
}

fn set_xattrs(file: FileRef<'_>, xattrs: &Xattrs, when: Order, refused: &mut Vec<RefusedMetadata>) {
    for (name, value) in xattrs {
        let due = if name.starts_with(b"user.") { Order::BeforeMode } else { Order::AfterMode };
        if due == when && !xattr::is(file, name, value) {
            let set = xattr::set(file, name, value).map_err(io::Error::from);
            collect(refused, || MetadataPart::Xattr(name.clone()), set);
        }
    }
}

/// Removes ACLs and `user.` attributes that are not wanted; labels and the like are the system's.
/// Returns whether there were any.
fn remove_others(file: FileRef<'_>, wanted: &Xattrs, refused: &mut Vec<RefusedMetadata>) -> bool {
    let mut any = false;
    for name in xattr::names(file).unwrap_or_default() {
        let ours = name.starts_with(b"user.") || name.starts_with(b"system.posix_acl_");
        if ours && !wanted.iter().any(|(wanted, _)| *wanted == name) {
            let removed = xattr::remove(file, &name).map_err(io::Error::from);
            collect(refused, || MetadataPart::Xattr(name), removed);
            any = true;
        }
    }
    any
}

fn set_modified(file: FileRef<'_>, modified: Timestamp) -> io::Result<()> {
    // Larger numbers are commands to the kernel: "now" or "leave it".
    if modified.nanos >= 1_000_000_000 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not a time"));
    }
    let times = Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec {
            tv_sec: modified.seconds,
            tv_nsec: i64::from(modified.nanos),
        },
    };
    match file {
        FileRef::Open(file) => rustix::fs::futimens(file, &times)?,
        FileRef::Child(dir, name) => {
            rustix::fs::utimensat(dir, name, &times, AtFlags::SYMLINK_NOFOLLOW)?;
        }
    }
    // The kernel cuts a time to what the file system can hold, and calls that success.
    // All hold 1980 (FAT) to 2038 (32 bits).
    let everywhere = 315_532_800..=i64::from(i32::MAX);
    if !everywhere.contains(&modified.seconds)
        && stat_of(file)?.modified.seconds != modified.seconds
    {
        let why = "the file system can't hold a time so far off";
        return Err(io::Error::new(io::ErrorKind::Unsupported, why));
    }
    Ok(())
}
