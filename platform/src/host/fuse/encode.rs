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

/// The largest size that the kernel takes; it answers EIO for a file with a larger one.
const LARGEST: u64 = i64::MAX as u64;

/// Encodes what a file is; what the kernel has no number for becomes the nearest that it has.
pub(super) fn attributes(attr: &Attr) -> FileAttr {
    FileAttr {
        ino: INodeNo(attr.ino.0),
        size: attr.size.min(LARGEST),
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
///
/// A number that needs more bits, as other systems have them, becomes 0:0, which is no device.
fn device(number: DeviceNumber) -> u32 {
    match number {
        DeviceNumber { major: major @ 0..=0xfff, minor: minor @ 0..=0xf_ffff } => {
            (minor & 0xff) | (major << 8) | ((minor & 0xf_ff00) << 12)
        }
        DeviceNumber { .. } => 0,
    }
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
    use proptest::prelude::*;

    use super::*;
    use crate::metadata::Owner;
    use crate::volume::Ino;

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

    /// Returns what `time` is as the kernel's seconds and nanoseconds, as `fuser` encodes it.
    fn kernel_time(time: SystemTime) -> (i128, u32) {
        let since = |time: SystemTime| time.duration_since(UNIX_EPOCH);
        match since(time) {
            Ok(after) => (i128::from(after.as_secs()), after.subsec_nanos()),
            Err(before) => match (before.duration().as_secs(), before.duration().subsec_nanos()) {
                (seconds, 0) => (-i128::from(seconds), 0),
                (seconds, nanos) => (-i128::from(seconds) - 1, 1_000_000_000 - nanos),
            },
        }
    }

    proptest! {
        #[test]
        fn every_time_reaches_the_kernel_as_it_is(seconds: i64, nanos in 0..1_000_000_000_u32) {
            let told = kernel_time(time(Timestamp { seconds, nanos }));
            prop_assert_eq!(told, (i128::from(seconds), nanos));
        }

        #[test]
        fn no_attribute_is_out_of_the_kernels_range(
            (size, allocated, mode, links) in any::<(u64, u64, u32, u32)>(),
            (seconds, nanos, major, minor) in any::<(i64, u32, u32, u32)>(),
        ) {
            let instant = Timestamp { seconds, nanos };
            let told = attributes(&Attr {
                ino: Ino(2),
                kind: Kind::BlockDevice,
                mode,
                owner: Owner { uid: 1, gid: 1 },
                size,
                allocated,
                modified: instant,
                changed: instant,
                born: instant,
                links,
                device_number: DeviceNumber { major, minor },
            });
            prop_assert!(i64::try_from(told.size).is_ok());
            prop_assert!(told.size == size || i64::try_from(size).is_err());
            prop_assert_eq!(u32::from(told.perm), mode & 0o7777);
            let wide = u64::from(told.rdev);
            let device = (libc::major(wide), libc::minor(wide));
            prop_assert!(device == (major, minor) || device == (0, 0));
        }
    }
}
