//! Reading blobs: fetch a frame, open it, decode it, keep it for its neighbours.
//!
//! A frame is decoded once however many threads need it at the same time. Decoded frames share one
//! budget of bytes. Every blob is verified, compared with its name, before it is handed out.

use std::num::NonZeroUsize;
use std::ops::{Deref, Range};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use lru::LruCache;
use yore_platform::ReadBuffer;

use crate::backend::Mirrors;
use crate::error::{Error, Result};
use crate::format::id::{BlobId, ObjectId};
use crate::format::keys::{BlobKind, Keys};
use crate::format::object::ObjectName;
use crate::format::pack::PackKey;
use crate::index::{BlobIndex, FrameBlobs, Location};
use crate::read::chunk_lists::ListCache;
use crate::read::distant::Distant;
use crate::read::frame::{BlobRef, Frame, HashReservation};
use crate::read::frame_cache::{FrameCache, FrameKey};
use crate::read::frame_memory::FrameMemory;
use crate::read::readahead::Sequences;

/// The number of packs whose keys are cached.
const PACK_KEYS: usize = 256;
/// The share of the budget that a large index takes from the frames.
const INDEX_SHARE: usize = 4;

/// A blob's bytes; holds its frame in memory.
#[derive(Clone)]
pub struct Blob {
    frame: Arc<Frame>,
    range: Range<usize>,
}

impl Deref for Blob {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.frame.bytes()[self.range.clone()]
    }
}

type FrameCell = Arc<OnceLock<std::result::Result<Arc<Frame>, Failure>>>;

/// The error of a failed decoding, for every thread that waited for it.
#[derive(Clone)]
enum Failure {
    Damaged(&'static str),
    Missing,
    Unreachable(String),
}

struct Frames {
    cells: LruCache<FrameKey, FrameCell>,
    /// The bytes that they may take.
    room: usize,
}

/// Reads blobs of one repository. Shared by any number of threads.
pub struct Reader {
    pub(super) mirrors: Arc<Mirrors>,
    keys: Arc<Keys>,
    /// The runs that are fetched where requests cost round trips.
    pub(super) distant: Option<Distant>,
    /// Guards the current index.
    index: RwLock<Arc<BlobIndex>>,
    /// Guards the decoded frames.
    frames: Mutex<Frames>,
    /// Guards the keys of packs.
    pack_keys: Mutex<LruCache<ObjectId, Arc<PackKey>>>,
    budget: usize,
    memory: FrameMemory,
    pub(crate) sequences: Sequences,
    pub(crate) lists: ListCache,
}

impl Reader {
    /// Reads through `index`, keeping up to `budget` bytes of decoded frames and of the index
    /// together; a large index leaves three quarters of them to frames.
    ///
    /// Where requests cost round trips, a part of the budget is for sealed frames, which are also kept in `cache`.
    pub(crate) fn new(
        mirrors: Arc<Mirrors>,
        keys: Arc<Keys>,
        index: BlobIndex,
        budget: usize,
        cache: Option<Arc<FrameCache>>,
    ) -> Self {
        let pack_keys = NonZeroUsize::new(PACK_KEYS).expect("more than none");
        let is_distant = mirrors.are_distant();
        let distant = is_distant.then(|| Distant::new(cache, budget));
        let budget = if is_distant { budget.saturating_sub(Distant::room(budget)) } else { budget };
        Self {
            mirrors,
            keys,
            distant,
            frames: Mutex::new(Frames {
                cells: LruCache::unbounded(),
                room: room_for_frames(budget, &index),
            }),
            index: RwLock::new(Arc::new(index)),
            pack_keys: Mutex::new(LruCache::new(pack_keys)),
            budget,
            memory: FrameMemory::default(),
            sequences: Sequences::new(),
            lists: ListCache::new(),
        }
    }

    /// Returns true if every read costs a round trip, so that several at a time pay.
    pub fn is_distant(&self) -> bool {
        self.distant.is_some()
    }

    /// Returns the current index.
    pub fn index(&self) -> Arc<BlobIndex> {
        Arc::clone(&self.index.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the index by a newer one.
    pub(crate) fn set_index(&self, index: BlobIndex) {
        lock(&self.frames).room = room_for_frames(self.budget, &index);
        *self.index.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(index);
    }

    /// Reads a blob.
    ///
    /// # Errors
    /// [`Error::Missing`] when no index or destination has it, [`Error::Damaged`] when no copy of
    /// it is whole, [`Error::Backend`] when the destination does not answer.
    pub fn blob(&self, kind: BlobKind, id: &BlobId) -> Result<Blob> {
        let index = self.index();
        let mut first_error = None;
        for location in index.find_all(id) {
            match self.copy(kind, id, &location) {
                Ok(blob) => return Ok(blob),
                Err(error) => drop(first_error.get_or_insert(error)),
            }
        }
        Err(first_error.unwrap_or_else(|| Error::Missing { object: format!("blob {id}") }))
    }

    /// Returns the number of chunks to prefetch at once: a batch is hashed faster than one by one.
    pub fn hash_batch(&self) -> usize {
        self.keys.hash_batch()
    }

    /// Decodes and verifies chunks ahead of their use; an error is left to the read that meets it.
    pub fn prefetch(&self, ids: &[BlobId]) {
        self.fetch_ahead(ids);
        let index = self.index();
        let fetch = |id: &BlobId| {
            let location = index.find(id)?;
            Some((self.frame(&location).ok()?, blob_ref(BlobKind::Data, id, &location)))
        };
        // Reserved once all are decoded: no reader waits for a frame because another one is late.
        let fetched: Vec<_> = ids.iter().filter_map(fetch).collect();
        let mut all: Vec<HashReservation> = Vec::new();
        for (frame, blob) in &fetched {
            if let Some(reservation) = all.iter_mut().find(|reservation| reservation.is_of(frame)) {
                reservation.add(*blob);
            } else if let Some(mut reservation) = HashReservation::take(frame) {
                reservation.add(*blob);
                all.push(reservation);
            }
        }
        HashReservation::verify(&all, &self.keys);
    }

    fn copy(&self, kind: BlobKind, id: &BlobId, location: &Location) -> Result<Blob> {
        let frame = self.frame(location)?;
        let blob = blob_ref(kind, id, location);
        let damaged = |reason| Error::damaged(ObjectName::pack(location.pack).as_str(), reason);
        match frame.verify(&self.keys, &blob) {
            Some(true) => Ok(Blob { range: blob.range(), frame }),
            Some(false) => Err(damaged("it does not hold the blob that it should")),
            None => Err(damaged("a blob exceeds it")),
        }
    }

    /// Verifies all chunks of a decoded frame, once.
    pub(crate) fn verify_all(&self, frame: &Arc<Frame>, find: impl FnOnce() -> Option<FrameBlobs>) {
        frame.verify_all(&self.keys, find);
    }

    pub(crate) fn frame(&self, location: &Location) -> Result<Arc<Frame>> {
        let key = FrameKey { pack: location.pack, number: location.number };
        let cell = {
            let mut frames = lock(&self.frames);
            Arc::clone(frames.cells.get_or_insert(key, FrameCell::default))
        };
        let outcome =
            cell.get_or_init(|| self.decode(location).map(Arc::new).map_err(Failure::from));
        match outcome {
            Ok(frame) => Ok(Arc::clone(frame)),
            Err(failure) => {
                // The next read tries again.
                let mut frames = lock(&self.frames);
                if frames.cells.peek(&key).is_some_and(|kept| Arc::ptr_eq(kept, &cell)) {
                    frames.cells.pop(&key);
                }
                Err(failure.error(location))
            }
        }
    }

    /// Returns true if a frame is decoded, or a thread decodes it.
    pub(super) fn is_decoded(&self, location: &Location) -> bool {
        let key = FrameKey { pack: location.pack, number: location.number };
        lock(&self.frames).cells.peek(&key).is_some()
    }

    /// Takes memory for a frame, dropping those used longest ago where there is none left.
    pub(super) fn buffer(&self, bytes: usize) -> ReadBuffer {
        loop {
            let room = lock(&self.frames).room;
            if let Some(buffer) = self.memory.take(bytes, room) {
                return buffer;
            }
            let mut frames = lock(&self.frames);
            // The one that is left is the frame that the memory is for.
            if frames.cells.len() <= 1 {
                return self.memory.take_beyond(bytes);
            }
            let dropped = frames.cells.pop_lru();
            // The frame is freed without the lock.
            drop(frames);
            drop(dropped);
        }
    }

    pub(super) fn pack_key(&self, location: &Location) -> Result<Arc<PackKey>> {
        let mut keys = lock(&self.pack_keys);
        let derive = || PackKey::derive(&self.keys, location.kind, location.pack).map(Arc::new);
        keys.try_get_or_insert(location.pack, derive).cloned()
    }
}

fn room_for_frames(budget: usize, index: &BlobIndex) -> usize {
    budget - index.memory().min(budget / INDEX_SHARE)
}

fn blob_ref(kind: BlobKind, id: &BlobId, location: &Location) -> BlobRef {
    BlobRef { kind, id: *id, at: location.at, length: location.length }
}

/// Locks a mutex whose content is whole even after a panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Damaged { reason, .. } => Failure::Damaged(reason),
            Error::Missing { .. } => Failure::Missing,
            other => Failure::Unreachable(other.to_string()),
        }
    }
}

impl Failure {
    fn error(&self, location: &Location) -> Error {
        let object = ObjectName::pack(location.pack).to_string();
        match self {
            Failure::Damaged(reason) => Error::Damaged { object, reason },
            Failure::Missing => Error::Missing { object },
            Failure::Unreachable(text) => {
                Error::Backend { object, source: std::io::Error::other(text.clone()) }
            }
        }
    }
}

#[cfg(test)]
mod tests;
