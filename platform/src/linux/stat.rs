//! Metadata of files without opening them, and the names that may be handed to the kernel.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Statx, StatxFlags};

use crate::metadata::{DeviceNumber, Kind, Metadata, Owner, Timestamp};

/// Refuses a name that is not a single component below a directory.
///
/// Every name handed to the kernel relative to a directory passes through here, so that a hostile
/// tree can neither climb (`..`) nor descend (`/`).
pub(crate) fn component(name: &[u8]) -> io::Result<&[u8]> {
    let why = match name {
        b"" => "a name is empty",
        b"." | b".." => "a name is that of a directory itself or of its parent",
        _ if name.contains(&b'/') => "a name contains a slash",
        _ if name.contains(&0) => "a name contains a zero byte",
        _ => return Ok(name),
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, why))
}

/// Returns the metadata of `name` in `dir`, never following a link nor mounting anything.
pub(crate) fn child(dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<Metadata> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    convert(&rustix::fs::statx(dir, component(name)?, flags, WANTED)?)
}

/// Returns the metadata of a path, without following a link at its end.
pub(crate) fn path(path: &std::path::Path) -> io::Result<Metadata> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    convert(&rustix::fs::statx(rustix::fs::CWD, path, flags, WANTED)?)
}

/// Returns the metadata of an open file.
pub(crate) fn open(file: BorrowedFd<'_>) -> io::Result<Metadata> {
    convert(&rustix::fs::statx(file, c"", AtFlags::EMPTY_PATH, WANTED)?)
}

const WANTED: StatxFlags = StatxFlags::TYPE
    .union(StatxFlags::MODE)
    .union(StatxFlags::NLINK)
    .union(StatxFlags::UID)
    .union(StatxFlags::GID)
    .union(StatxFlags::MTIME)
    .union(StatxFlags::CTIME)
    .union(StatxFlags::INO)
    .union(StatxFlags::SIZE)
    .union(StatxFlags::BLOCKS)
    .union(StatxFlags::BTIME);

fn convert(found: &Statx) -> io::Result<Metadata> {
    let known = StatxFlags::from_bits_retain(found.stx_mask);
    let raw = u32::from(found.stx_mode);
    let kind = kind(FileType::from_raw_mode(raw))
        .ok_or_else(|| io::Error::new(io::ErrorKind::Unsupported, "a file of an unknown kind"))?;
    let instant =
        |time: rustix::fs::StatxTimestamp| Timestamp { seconds: time.tv_sec, nanos: time.tv_nsec };
    Ok(Metadata {
        kind,
        mode: Some(Mode::from_raw_mode(raw).bits() & 0o7777),
        owner: Some(Owner { uid: found.stx_uid, gid: found.stx_gid }),
        size: found.stx_size,
        modified: instant(found.stx_mtime),
        changed: known.contains(StatxFlags::CTIME).then(|| instant(found.stx_ctime)),
        born: known.contains(StatxFlags::BTIME).then(|| instant(found.stx_btime)),
        inode: found.stx_ino,
        device: rustix::fs::makedev(found.stx_dev_major, found.stx_dev_minor),
        links: u64::from(found.stx_nlink),
        device_number: DeviceNumber { major: found.stx_rdev_major, minor: found.stx_rdev_minor },
        allocated: found.stx_blocks.saturating_mul(512),
    })
}

/// Converts the kernel's kind of a file; `None` where it does not say.
pub(crate) fn kind(raw: FileType) -> Option<Kind> {
    match raw {
        FileType::RegularFile => Some(Kind::File),
        FileType::Directory => Some(Kind::Directory),
        FileType::Symlink => Some(Kind::Symlink),
        FileType::Fifo => Some(Kind::Fifo),
        FileType::Socket => Some(Kind::Socket),
        FileType::CharacterDevice => Some(Kind::CharDevice),
        FileType::BlockDevice => Some(Kind::BlockDevice),
        _ => None,
    }
}

/// Opens `name` in `dir` for reading, leaving its access time alone where that is allowed.
///
/// Only the owner and root may use `O_NOATIME`; others get `EPERM`.
pub(crate) fn open_quietly(
    dir: BorrowedFd<'_>,
    name: &[u8],
    flags: OFlags,
) -> rustix::io::Result<std::os::fd::OwnedFd> {
    let flags = flags | OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    match rustix::fs::openat(dir, name, flags | OFlags::NOATIME, Mode::empty()) {
        Err(rustix::io::Errno::PERM) => rustix::fs::openat(dir, name, flags, Mode::empty()),
        opened => opened,
    }
}
