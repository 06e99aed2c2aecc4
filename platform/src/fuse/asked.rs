//! What the kernel's requests ask of the volume.
//!
//! A panic of the volume is answered as damage, so that one request can't take the drive down.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use fuser::{Errno, Generation, INodeNo, ReplyEntry};

use super::encode::{attributes, errno};
use crate::metadata::{DeviceNumber, Kind, Owner, Timestamp};
use crate::volume::{Attr, Ino, Listed, More, Volume, VolumeError};

/// Positions that `.` and `..` take before those of the volume.
const DOTS: u64 = 2;

/// The volume, and what was agreed with the kernel.
pub(super) struct Adapter {
    volume: Arc<dyn Volume>,
    pub(super) enforce_acls: EnforceAcls,
    pub(super) opening: Opening,
}

/// Whether the kernel checks permissions by ACLs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum EnforceAcls {
    /// It does, along with mode and owner: for drives that other users may enter.
    Yes,
    /// Its owner may read everything. ACLs can be read all the same.
    No,
}

/// How opening a file or a directory is answered.
#[derive(Clone, Copy, Default)]
pub(super) struct Opening {
    pub(super) file: Open,
    pub(super) directory: Open,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Open {
    /// Each time, keeping what is cached.
    #[default]
    Answered,
    /// With ENOSYS, after which the kernel opens by itself, keeping what is cached.
    LeftToKernel,
}

impl Adapter {
    pub(super) fn new(volume: Arc<dyn Volume>, enforce_acls: EnforceAcls) -> Adapter {
        Adapter { volume, enforce_acls, opening: Opening::default() }
    }

    /// Asks the volume.
    pub(super) fn ask<T>(
        &self,
        question: impl FnOnce(&dyn Volume) -> Result<T, VolumeError>,
    ) -> Result<T, Errno> {
        let volume = &*self.volume;
        // What a panic leaves half done belongs to the volume, whose own locks tell it so.
        catch_unwind(AssertUnwindSafe(|| question(volume)))
            .unwrap_or(Err(VolumeError::Damaged))
            .map_err(errno)
    }

    /// Lists `ino` from the kernel's `offset`, `.` and `..` first; `each` tells whether it is full.
    ///
    /// An error after the first names is told by the next call, which begins at it.
    pub(super) fn list(
        &self,
        ino: INodeNo,
        offset: u64,
        each: &mut dyn FnMut(u64, Listed<'_>) -> Full,
    ) -> Result<(), Errno> {
        let ino = Ino(ino.0);
        let mut from = offset.saturating_sub(DOTS);
        if offset < DOTS {
            let own = self.ask(|volume| volume.attr(ino))?;
            if own.attr.kind != Kind::Directory {
                return Err(Errno::ENOTDIR);
            }
            for (name, next) in [(&b"."[..], 1), (&b".."[..], DOTS)] {
                let entry = own;
                let full = next > offset && each(next, Listed { name, next, entry }) == Full::Yes;
                if full {
                    return Ok(());
                }
            }
            from = 0;
        }
        let mut listed = Listing::Nothing;
        let answer = self.ask(|volume| {
            volume.list(ino, from, &mut |name| {
                let full = each(name.next.saturating_add(DOTS), name);
                listed = Listing::Something;
                match full {
                    Full::Yes => More::Stop,
                    Full::No => More::Wanted,
                }
            })
        });
        match listed {
            Listing::Something => Ok(()),
            Listing::Nothing => answer,
        }
    }

    /// Answers that `parent` has no such name, for as long as `parent` stays as it is.
    pub(super) fn no_such_name(&self, parent: Ino, reply: ReplyEntry) {
        match self.ask(|volume| volume.attr(parent)) {
            Ok(entry) if !entry.ttl.is_zero() => {
                // Number 0 is the kernel's sign for a name that is known not to be.
                reply.entry(&entry.ttl, &attributes(&NOTHING), Generation(0));
            }
            _ => reply.error(Errno::ENOENT),
        }
    }
}

/// Whether an answer has no room for more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    Yes,
    No,
}

impl From<bool> for Full {
    fn from(full: bool) -> Full {
        if full { Full::Yes } else { Full::No }
    }
}

enum Listing {
    Nothing,
    Something,
}

/// What a name stands for that is known not to be there.
const NOTHING: Attr = Attr {
    ino: Ino(0),
    kind: Kind::File,
    mode: 0,
    owner: Owner { uid: 0, gid: 0 },
    size: 0,
    allocated: 0,
    modified: Timestamp { seconds: 0, nanos: 0 },
    changed: Timestamp { seconds: 0, nanos: 0 },
    born: Timestamp { seconds: 0, nanos: 0 },
    links: 0,
    device_number: DeviceNumber { major: 0, minor: 0 },
};
