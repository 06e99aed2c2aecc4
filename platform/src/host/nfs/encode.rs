//! Attributes and errors of the volume in the terms of NFS.

use nfsserve::nfs::{fattr3, ftype3, nfsstat3, nfstime3, specdata3};

use crate::metadata::{Kind, Timestamp};
use crate::volume::{Attr, VolumeError};

/// The largest size; clients keep sizes in signed numbers.
pub(super) const MAX_FILE_SIZE: u64 = i64::MAX as u64;

pub(super) fn status(error: VolumeError) -> nfsstat3 {
    match error {
        VolumeError::NotFound => nfsstat3::NFS3ERR_NOENT,
        VolumeError::Stale => nfsstat3::NFS3ERR_STALE,
        VolumeError::IsDirectory => nfsstat3::NFS3ERR_ISDIR,
        VolumeError::NotDirectory => nfsstat3::NFS3ERR_NOTDIR,
        VolumeError::NotSymlink | VolumeError::NoAttribute | VolumeError::BeyondEnd => {
            nfsstat3::NFS3ERR_INVAL
        }
        VolumeError::NameTooLong => nfsstat3::NFS3ERR_NAMETOOLONG,
        VolumeError::Damaged => nfsstat3::NFS3ERR_IO,
    }
}

pub(super) fn attributes(attr: &Attr) -> fattr3 {
    let device = attr.device_number;
    fattr3 {
        ftype: match attr.kind {
            Kind::File => ftype3::NF3REG,
            Kind::Directory => ftype3::NF3DIR,
            Kind::Symlink => ftype3::NF3LNK,
            Kind::Fifo => ftype3::NF3FIFO,
            Kind::Socket => ftype3::NF3SOCK,
            Kind::CharDevice => ftype3::NF3CHR,
            Kind::BlockDevice => ftype3::NF3BLK,
        },
        mode: attr.mode & 0o7777,
        nlink: attr.links,
        uid: attr.owner.uid,
        gid: attr.owner.gid,
        size: size(attr.size),
        used: size(attr.allocated),
        rdev: specdata3 { specdata1: device.major, specdata2: device.minor },
        fsid: 0,
        fileid: attr.ino.0,
        atime: time(attr.modified),
        mtime: time(attr.modified),
        ctime: time(attr.changed),
    }
}

/// Returns the size, or the largest that is promised (`maxfilesize` of FSINFO).
fn size(size: u64) -> u64 {
    size.min(MAX_FILE_SIZE)
}

/// NFS counts seconds from 1970 to 2106; what lies outside becomes the nearest of them.
fn time(time: Timestamp) -> nfstime3 {
    match u32::try_from(time.seconds) {
        Ok(seconds) => nfstime3 { seconds, nseconds: time.nanos.min(999_999_999) },
        Err(_) if time.seconds < 0 => nfstime3 { seconds: 0, nseconds: 0 },
        Err(_) => nfstime3 { seconds: u32::MAX, nseconds: 999_999_999 },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_outside_of_those_that_nfs_has_are_the_nearest() {
        let told = |seconds| {
            let time = time(Timestamp { seconds, nanos: 5 });
            (time.seconds, time.nseconds)
        };
        assert_eq!(told(7), (7, 5));
        assert_eq!(told(-1), (0, 0));
        assert_eq!(told(1 << 32), (u32::MAX, 999_999_999));
    }

    proptest! {
        #[test]
        fn no_time_comes_before_an_earlier_one(one in any::<(i64, u32)>(), other in any::<(i64, u32)>()) {
            let told = |(seconds, nanos)| {
                let time = time(Timestamp { seconds, nanos });
                (time.seconds, time.nseconds)
            };
            let (earlier, later) = (told(one.min(other)), told(one.max(other)));
            prop_assert!(earlier <= later);
            prop_assert!(later.1 < 1_000_000_000);
        }

        #[test]
        fn every_size_fits_a_signed_number(bytes: u64) {
            prop_assert!(i64::try_from(size(bytes)).is_ok());
            prop_assert!(size(bytes) == bytes || i64::try_from(bytes).is_err());
        }
    }
}
