//! Answers of a volume in the kernel's terms.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{Errno, FileAttr, FileType, INodeNo};

use crate::metadata::{DeviceNumber, Kind, Timestamp};
use crate::volume::{Attr, VolumeError};

/// Returns the error number of each error.
pub(super) fn errno(error: VolumeError) -> Errno {
    match error {
        VolumeError::NotFound => Errno::ENOENT,
        VolumeError::Stale => Errno::ESTALE,
        VolumeError::IsDirectory => Errno::EISDIR,
        VolumeError::NotDirectory => Errno::ENOTDIR,
        VolumeError::NotSymlink => Errno::EINVAL,
        VolumeError::NoAttribute => Errno::ENODATA,
        VolumeError::BeyondEnd => Errno::ENXIO,
        VolumeError::NameTooLong => Errno::ENAMETOOLONG,
        VolumeError::Damaged => Errno::EIO,
    }
}

pub(super) fn attributes(attr: &Attr) -> FileAttr {
    FileAttr {
        ino: INodeNo(attr.ino.0),
        size: attr.size,
        blocks: attr.allocated.div_ceil(512),
        atime: time(attr.modified),
        mtime: time(attr.modified),
        ctime: time(attr.changed),
        crtime: time(attr.born),
        kind: file_type(attr.kind),
        // Twelve bits: they fit.
        perm: (attr.mode & 0o7777) as u16,
        nlink: attr.links,
        uid: attr.owner.uid,
        gid: attr.owner.gid,
        rdev: device(attr.device_number),
        blksize: 4096,
        flags: 0,
    }
}

pub(super) fn file_type(kind: Kind) -> FileType {
    match kind {
        Kind::File => FileType::RegularFile,
        Kind::Directory => FileType::Directory,
        Kind::Symlink => FileType::Symlink,
        Kind::Fifo => FileType::NamedPipe,
        Kind::Socket => FileType::Socket,
        Kind::CharDevice => FileType::CharDevice,
        Kind::BlockDevice => FileType::BlockDevice,
    }
}

/// Encodes a device's number as the kernel's `new_encode_dev`: minor's low byte, 12 bits of major,
/// the rest of minor.
fn device(number: DeviceNumber) -> u32 {
    let DeviceNumber { major, minor } = number;
    (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & 0xf_ff00) << 12)
}

/// Returns the instant as the standard library has it, which on Linux holds every `Timestamp`.
fn time(timestamp: Timestamp) -> SystemTime {
    let whole = Duration::from_secs(timestamp.seconds.unsigned_abs());
    let second = if timestamp.seconds < 0 {
        UNIX_EPOCH.checked_sub(whole)
    } else {
        UNIX_EPOCH.checked_add(whole)
    };
    let nanos = Duration::from_nanos(u64::from(timestamp.nanos.min(999_999_999)));
    second.and_then(|second| second.checked_add(nanos)).unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_own_number() {
        let table = [
            (VolumeError::NotFound, libc::ENOENT),
            (VolumeError::Stale, libc::ESTALE),
            (VolumeError::IsDirectory, libc::EISDIR),
            (VolumeError::NotDirectory, libc::ENOTDIR),
            (VolumeError::NotSymlink, libc::EINVAL),
            (VolumeError::NoAttribute, libc::ENODATA),
            (VolumeError::BeyondEnd, libc::ENXIO),
            (VolumeError::NameTooLong, libc::ENAMETOOLONG),
            (VolumeError::Damaged, libc::EIO),
        ];
        for (error, number) in table {
            assert_eq!(errno(error).code(), number, "{error:?}");
        }
    }

    #[test]
    fn a_device_number_is_encoded_as_the_c_library_reads_it() {
        for (major, minor) in [(8, 1), (259, 65_537), (4095, 1_048_575), (0, 0)] {
            let number = DeviceNumber { major, minor };
            let wide = u64::from(device(number));
            assert_eq!((libc::major(wide), libc::minor(wide)), (major, minor));
        }
    }

    #[test]
    fn times_before_1970_and_at_the_ends_of_time_are_kept() {
        let before = Timestamp { seconds: -2, nanos: 250_000_000 };
        let expected = UNIX_EPOCH - Duration::from_millis(1750);
        assert_eq!(time(before), expected);
        for seconds in [i64::MIN, i64::MAX] {
            let end = time(Timestamp { seconds, nanos: 7 });
            assert_ne!(end, UNIX_EPOCH);
        }
    }
}
