//! Runs the kernel's requests on the volume.
//!
//! A panic of the volume is returned as damage, so that one request can't end the drive.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use fuser::{Errno, FileAttr, Generation, INodeNo, ReplyEntry};

use super::encode::{attributes, errno};
use super::inode_numbers::Numbers;
use crate::metadata::{DeviceNumber, Kind, Owner, Timestamp};
use crate::volume::{Attr, Entry, Ino, ListControl, Listed, Volume, VolumeError};

/// Positions that `.` and `..` take before those of the volume.
const DOTS: u64 = 2;

/// The volume, and what was agreed with the kernel.
pub(super) struct Adapter {
    volume: Arc<dyn Volume>,
    pub(super) numbers: Arc<Numbers>,
    pub(super) enforce_acls: EnforceAcls,
    pub(super) opening: Opening,
}

/// The use of ACLs in the kernel's checks of permissions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum EnforceAcls {
    /// The kernel checks ACLs along with mode and owner: for drives that other users may enter.
    Yes,
    /// The owner of the drive may read everything. ACLs can be read all the same.
    No,
}

/// The answers to opening files and directories.
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
    /// Each time, keeping nothing.
    AnsweredUncached,
    /// Once, with ENOSYS, after which the kernel opens by itself, keeping what is cached.
    LeftToKernel,
}

impl Adapter {
    pub(super) fn new(
        volume: Arc<dyn Volume>,
        numbers: Arc<Numbers>,
        enforce_acls: EnforceAcls,
    ) -> Adapter {
        Adapter { volume, numbers, enforce_acls, opening: Opening::default() }
    }

    /// Runs a request on the file that the kernel knows by a number.
    pub(super) fn run_on<T>(
        &self,
        number: INodeNo,
        request: impl FnOnce(&dyn Volume, Ino) -> Result<T, VolumeError>,
    ) -> Result<T, Errno> {
        let ino = self.numbers.ino(number)?;
        self.run(|volume| request(volume, ino))
    }

    /// Finds a name; the kernel asks for `.` and `..` for a program that has only a handle.
    pub(super) fn find(&self, parent: INodeNo, name: &[u8]) -> Result<Entry, Errno> {
        let ino = self.numbers.ino(parent)?;
        self.run(|volume| match name {
            b"." => volume.attr(ino),
            b".." => volume.attr(volume.parent(ino)?),
            _ => volume.lookup(ino, name),
        })
    }

    /// Counts a reference that the kernel gets; returns the attributes in its terms, with its number.
    pub(super) fn hold(&self, attr: &Attr) -> Result<(FileAttr, Generation), Errno> {
        self.run(|volume| volume.hold(attr.ino))?;
        let (number, generation) = self.numbers.hold(attr.ino);
        Ok((FileAttr { ino: number, ..attributes(attr) }, generation))
    }

    /// Removes references that the kernel forgot.
    pub(super) fn forget(&self, number: INodeNo, times: u64) {
        if let Some(ino) = self.numbers.forget(number, times) {
            // A panic loses what was to be forgotten.
            let _ = self.run(|volume| {
                volume.forget(ino, times);
                Ok(())
            });
        }
    }

    /// Returns the attributes of a file to which the kernel gets no reference.
    pub(super) fn attributes_of(&self, attr: &Attr) -> FileAttr {
        FileAttr { ino: self.numbers.mention(attr.ino), ..attributes(attr) }
    }

    /// Runs a request on the volume.
    pub(super) fn run<T>(
        &self,
        request: impl FnOnce(&dyn Volume) -> Result<T, VolumeError>,
    ) -> Result<T, Errno> {
        let volume = &*self.volume;
        // A panic poisons the volume's own locks; nothing here is left half done.
        catch_unwind(AssertUnwindSafe(|| request(volume)))
            .unwrap_or(Err(VolumeError::Damaged))
            .map_err(errno)
    }

    /// Lists a directory from the kernel's `offset`, `.` and `..` first; `each` tells whether it is full.
    ///
    /// An error after the first names is returned by the next call, which begins at it.
    pub(super) fn list(
        &self,
        number: INodeNo,
        offset: u64,
        each: &mut dyn FnMut(u64, Listed<'_>) -> Full,
    ) -> Result<(), Errno> {
        let ino = self.numbers.ino(number)?;
        let mut from = offset.saturating_sub(DOTS);
        if offset < DOTS {
            let own = self.run(|volume| volume.attr(ino))?;
            if own.attr.kind != Kind::Directory {
                return Err(Errno::ENOTDIR);
            }
            let above = self.run(|volume| volume.attr(volume.parent(ino)?))?;
            for (name, next, entry) in [(&b"."[..], 1, own), (&b".."[..], DOTS, above)] {
                let full = next > offset && each(next, Listed { name, next, entry }) == Full::Yes;
                if full {
                    return Ok(());
                }
            }
            from = 0;
        }
        let mut listed = Listing::Nothing;
        let answer = self.run(|volume| {
            volume.list(ino, from, &mut |name| {
                let full = each(name.next.saturating_add(DOTS), name);
                listed = Listing::Something;
                match full {
                    Full::Yes => ListControl::Stop,
                    Full::No => ListControl::Continue,
                }
            })
        });
        match listed {
            Listing::Something => Ok(()),
            Listing::Nothing => answer,
        }
    }

    /// Answers that `parent` has no such name, for as long as `parent` stays as it is.
    pub(super) fn no_such_name(&self, parent: INodeNo, reply: ReplyEntry) {
        match self.run_on(parent, |volume, ino| volume.attr(ino)) {
            Ok(entry) if !entry.ttl.is_zero() => {
                // Number 0 is the kernel's sign for a name that is known not to be.
                reply.entry(&entry.ttl, &attributes(&ABSENT), Generation(0));
            }
            _ => reply.error(Errno::ENOENT),
        }
    }
}

/// Tells whether an answer has no room for more.
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

/// The attributes of a name that is known not to be there.
const ABSENT: Attr = Attr {
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
