//! What the kernel's requests ask of the volume.
//!
//! A panic of the volume is answered as damage, so that one request can't take the drive down.

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
    /// Each time, keeping nothing.
    AnsweredUncached,
    /// With ENOSYS, after which the kernel opens by itself, keeping what is cached.
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

    /// Asks the volume about what the kernel knows by a number.
    pub(super) fn ask_of<T>(
        &self,
        number: INodeNo,
        question: impl FnOnce(&dyn Volume, Ino) -> Result<T, VolumeError>,
    ) -> Result<T, Errno> {
        let ino = self.numbers.ino(number)?;
        self.ask(|volume| question(volume, ino))
    }

    /// Finds a name; `.` and `..` are what the kernel asks for who has only a handle.
    pub(super) fn find(&self, parent: INodeNo, name: &[u8]) -> Result<Entry, Errno> {
        let ino = self.numbers.ino(parent)?;
        self.ask(|volume| match name {
            b"." => volume.attr(ino),
            b".." => volume.attr(volume.parent(ino)?),
            _ => volume.lookup(ino, name),
        })
    }

    /// Takes what the kernel is about to hold; the attributes are in the kernel's terms, with its number.
    pub(super) fn hold(&self, attr: &Attr) -> Result<(FileAttr, Generation), Errno> {
        self.ask(|volume| volume.hold(attr.ino))?;
        let (number, generation) = self.numbers.hold(attr.ino);
        Ok((FileAttr { ino: number, ..attributes(attr) }, generation))
    }

    /// Lets go of what the kernel forgets.
    pub(super) fn let_go(&self, number: INodeNo, times: u64) {
        if let Some(ino) = self.numbers.forget(number, times) {
            // A panic loses what was to be forgotten.
            let _ = self.ask(|volume| {
                volume.forget(ino, times);
                Ok(())
            });
        }
    }

    /// The attributes of what is told and not held.
    pub(super) fn told(&self, attr: &Attr) -> FileAttr {
        FileAttr { ino: self.numbers.tell(attr.ino), ..attributes(attr) }
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

    /// Lists a directory from the kernel's `offset`, `.` and `..` first; `each` tells whether it is full.
    ///
    /// An error after the first names is told by the next call, which begins at it.
    pub(super) fn list(
        &self,
        number: INodeNo,
        offset: u64,
        each: &mut dyn FnMut(u64, Listed<'_>) -> Full,
    ) -> Result<(), Errno> {
        let ino = self.numbers.ino(number)?;
        let mut from = offset.saturating_sub(DOTS);
        if offset < DOTS {
            let own = self.ask(|volume| volume.attr(ino))?;
            if own.attr.kind != Kind::Directory {
                return Err(Errno::ENOTDIR);
            }
            let above = self.ask(|volume| volume.attr(volume.parent(ino)?))?;
            for (name, next, entry) in [(&b"."[..], 1, own), (&b".."[..], DOTS, above)] {
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
        match self.ask_of(parent, |volume, ino| volume.attr(ino)) {
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
