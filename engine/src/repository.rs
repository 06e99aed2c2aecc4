//! An open repository: its keys, its header, and the destinations that hold it.
//!
//! A reader uses the nearest destination that has an object whole. A writer opens a session on each destination that
//! lacks nothing, writes every object to each, and commits on each; the others are behind until `sync` copies what they
//! lack.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use crate::backend::{self, Backend, Mirrors, Published};
use crate::error::{Error, Refusal, Result};
use crate::format::header::{Header, MAX_PARITY};
use crate::format::id::{ObjectId, RepositoryId};
use crate::format::keys::{InboxKeys, Keys};
use crate::format::object::{Area, Kind, ObjectName};
use crate::format::seal::{self, MAX_OBJECT};
use crate::index;
use crate::read::frame_cache::FrameCache;
use crate::read::reader::Reader;

mod coverage;
mod create;
mod destination;
pub(crate) mod forget;
mod known;
mod listing;
mod mirror_writer;
mod open;
mod records;
pub(crate) mod session;
mod slots;
mod snapshots;
pub(crate) mod stats;
mod suspects;
#[cfg(test)]
mod tests;
mod tombstones;

pub(crate) use coverage::Coverage;
pub use coverage::{DestinationStatus, Lacking};
pub use create::adopt_copy::{adopt_copy, restore_header};
pub use forget::{ForgetReport, forget, forget_missing, missing_snapshots};
pub use session::Writer;
pub use slots::{
    AddReport, KnownSlot, KnownSlots, MAX_MACHINE_NAME, Machine, NewMachine, NewSlot, Remaining,
    Removal, RemoveReport, RotateReport, add_machine, add_slot, draw_machine, known_slots,
    machines, open_inbox, remove_slots, rotate,
};
pub(crate) use slots::{delete_removed, removed_somewhere};
pub use snapshots::annotations::{AnnotateReport, annotate};
pub use snapshots::newest_seen::RolledBack;
pub use stats::{Stats, stats};

pub use create::{CreateOptions, create, create_copy};
pub use destination::Destination;
pub(crate) use destination::Sessions;
pub use known::KnownSnapshots;
pub(crate) use listing::Listing;
pub(crate) use mirror_writer::targets::{Targets, WriterIndex};
pub use mirror_writer::{Behind, BehindCause};
pub(crate) use mirror_writer::{MirrorWriter, UnfinishedObject};
pub(crate) use open::load_header;
pub use open::open;
pub(crate) use session::heartbeat::Pulse;
pub use snapshots::Snapshots;
pub(crate) use snapshots::State;
use snapshots::VANISHED;
pub(crate) use tombstones::{TombstoneObject, decode as decode_tombstones};

/// An open repository at one or more destinations.
pub struct Repository {
    pub(crate) keys: Arc<Keys>,
    pub(crate) header: Header,
    /// The destinations, at least one.
    destinations: Vec<Destination>,
    /// The same destinations, for readers.
    pub(crate) mirrors: Arc<Mirrors>,
    /// The folder for segments of the index, records and fetched frames; `None` keeps them in memory.
    pub(crate) cache: Option<PathBuf>,
    /// The most bytes of fetched frames in that folder.
    frames_budget: u64,
    /// The fetched frames, once they are needed.
    frames: OnceLock<Option<Arc<FrameCache>>>,
    /// The key slot with which it was opened; `None` just after it was created.
    slot: Option<ObjectId>,
    /// The parity of new packs in per cent; 0 for none.
    parity: u32,
}

/// The default of the most bytes of fetched frames in the cache folder.
pub const FRAMES_BUDGET: u64 = 1 << 30;

/// The errors of objects that exist but could not be read; the operation continues without them.
pub type Problems = Vec<Error>;

pub(crate) fn load_sealed(
    backend: &dyn Backend,
    keys: &Keys,
    kind: Kind,
    name: &ObjectName,
) -> Result<Vec<u8>> {
    let mut object = backend::load(backend, name, MAX_OBJECT as u64)?;
    seal::open_whole(keys, kind, name, &mut object)
}

/// Seals and saves a record whose name is not its salt.
pub(crate) fn save_sealed(
    backend: &dyn Backend,
    keys: &Keys,
    kind: Kind,
    name: &ObjectName,
    content: &[u8],
) -> Result<Published> {
    let object = seal::seal_whole(keys, kind, name, keys.draw_salt(content), content)?;
    backend::save(backend, name, &object)
}

impl Repository {
    /// Returns the id of the repository.
    pub fn id(&self) -> RepositoryId {
        self.header.repository
    }

    /// Returns true if it is an inbox that was opened with the key of its write-only machine.
    pub fn is_write_only(&self) -> bool {
        self.keys.inbox().is_some_and(InboxKeys::is_write_only)
    }

    /// Fails where only the owner of an inbox may go on.
    ///
    /// # Errors
    /// [`Refusal::WriteOnly`]
    pub(crate) fn must_be_own(&self) -> Result<()> {
        if self.is_write_only() { Err(Refusal::WriteOnly.into()) } else { Ok(()) }
    }

    /// Fails where this program may read and not write.
    ///
    /// # Errors
    /// [`Error::Unsupported`]
    pub(crate) fn must_be_writable(&self) -> Result<()> {
        let Some(feature) = &self.header.unknown_to_writers else { return Ok(()) };
        let (location, feature) = (self.location(), format!("the feature {feature:?}"));
        Err(Error::Unsupported { location, feature })
    }

    /// Fails at a destination whose key slots do not hold the keys in force: what is sealed under them could not be read
    /// there without another destination.
    ///
    /// # Errors
    /// [`Refusal::OutdatedKeys`]
    pub(crate) fn must_have_keys(&self, destination: &Destination) -> Result<()> {
        match destination.generation() < self.header.generation {
            true => Err(Refusal::OutdatedKeys { location: destination.location() }.into()),
            false => Ok(()),
        }
    }

    /// Returns the header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Returns the key slot with which the repository was opened; `None` just after it was created.
    pub fn opened_with(&self) -> Option<ObjectId> {
        self.slot
    }

    /// Returns the destinations.
    pub fn destinations(&self) -> &[Destination] {
        &self.destinations
    }

    /// Returns the first destination.
    pub(crate) fn primary(&self) -> &Destination {
        self.destinations.first().expect("a repository is opened at a destination")
    }

    /// Returns the repository as one of its destinations has it, without a cache.
    pub(crate) fn only(&self, number: usize) -> Self {
        let destinations = vec![self.destinations[number].clone()];
        let mut only = Self::of(Arc::clone(&self.keys), self.header.clone(), destinations, None);
        only.parity = self.parity;
        only
    }

    /// Returns the parity of new packs, in per cent of their sizes; 0 for none.
    pub fn parity(&self) -> u32 {
        self.parity
    }

    /// Sets the parity of new packs in per cent, at most 100, instead of what the repository says; 0 for none.
    pub fn set_parity(&mut self, percent: u32) {
        self.parity = percent.min(MAX_PARITY);
    }

    /// Returns true if the requests of every destination cost round trips.
    pub fn is_distant(&self) -> bool {
        self.mirrors.are_distant()
    }

    /// Limits the frames in the cache folder to `bytes`; they are fetched ones of destinations whose requests cost
    /// round trips. With few bytes there are none.
    pub fn set_frames_budget(&mut self, bytes: u64) {
        (self.frames_budget, self.frames) = (bytes, OnceLock::new());
    }

    /// Returns the cache of fetched frames; `None` where it would save no round trip.
    pub(crate) fn frame_cache(&self) -> Option<Arc<FrameCache>> {
        let folder = self.cache.as_deref().filter(|_| self.is_distant())?;
        let open = || FrameCache::open(folder, self.frames_budget).map(Arc::new);
        self.frames.get_or_init(open).clone()
    }

    /// Returns the name of the first destination for messages.
    pub fn location(&self) -> String {
        self.primary().location()
    }

    /// Returns the backend of the first destination.
    pub fn backend(&self) -> &Arc<dyn Backend> {
        self.primary().backend()
    }

    /// Opens a reader; returns it with the errors of index objects that could not be read.
    ///
    /// The reader keeps up to `budget` bytes of decoded frames and of the index together; a large index leaves three
    /// quarters of them to frames.
    pub fn reader(&self, budget: usize) -> Result<(Reader, Problems)> {
        let opened = self.open_index()?;
        let (mirrors, keys) = (Arc::clone(&self.mirrors), Arc::clone(&self.keys));
        let reader = Reader::new(mirrors, keys, opened.index, budget, self.frame_cache());
        Ok((reader, opened.damaged))
    }

    /// Loads the index again, so that a reader sees objects written since it was opened.
    pub fn refresh(&self, reader: &Reader) -> Result<Problems> {
        let opened = self.open_index()?;
        reader.set_index(opened.index);
        Ok(opened.damaged)
    }

    /// Removes the temporary files of killed writers in the areas that were listed before.
    ///
    /// A file that can't be removed does no harm; `check` and `stats` report it.
    pub(crate) fn remove_abandoned(&self) {
        for destination in &self.destinations {
            let backend = destination.backend();
            // Writers of parity list it only for this; elsewhere prune does.
            if self.parity > 0 && backend.capabilities().cheap_requests {
                let _ = backend.names(Area::Parity);
            }
            let _ = backend.remove_abandoned();
        }
    }

    /// Loads the ids of the packs that prune has condemned on any destination.
    pub(crate) fn condemned(&self) -> Result<HashSet<ObjectId>> {
        let mut packs = HashSet::new();
        for destination in &self.destinations {
            packs.extend(destination.condemned(&self.keys)?.packs);
        }
        Ok(packs)
    }

    /// Opens the index that all destinations have together.
    ///
    /// Prune puts index objects together: when one is deleted between the list and the load, the list is made again.
    pub(crate) fn open_index(&self) -> Result<index::Opened> {
        let mut attempt = 0;
        loop {
            let names = self.list(&[Area::Index])?.union(Area::Index);
            let opened = self.open_listed_index(&names, HashSet::new())?;
            attempt += 1;
            if !opened.has_vanished() || attempt == VANISHED {
                return Ok(opened);
            }
        }
    }

    /// Opens the index objects of these names.
    pub(crate) fn open_listed_index(
        &self,
        names: &[ObjectName],
        condemned: HashSet<ObjectId>,
    ) -> Result<index::Opened> {
        index::open(&self.mirrors, &self.keys, names, condemned, self.cache.as_deref())
    }
}
