//! Storing blobs: gathered into frames, compressed, sealed, verified and written as packs.
//!
//! One thread adds blobs, several compress and seal, one writes. A frame is assigned to a pack after it is
//! compressed, so that packs fill exactly; it is opened and compared with its blobs before its bytes are written to
//! the destination. The channels between the threads are bounded.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use crossbeam_channel::{Sender, bounded};

use crate::error::{Error, Refusal, Result};
use crate::format::id::BlobId;
use crate::format::keys::BlobKind;
use crate::format::pack::{MAX_FRAME, PackInfo, PackKind};
use crate::index::BlobIndex;
use crate::store::buffers::blob_bytes::BlobBytes;

pub(crate) mod buffers;
pub(crate) mod parity;
mod seal_worker;
mod sealer;
mod state;
mod writer;

pub(crate) use seal_worker::{SealWorkerEnds, seal_worker};
pub(crate) use sealer::Sealer;
pub(crate) use state::{StoreState, WriteJob};
pub(crate) use writer::PackWriter;

use state::lock;

/// Blobs after which an index object is saved while the backup still runs.
const BLOBS_PER_INDEX: usize = 200_000;
/// The most buffers that a frame which is being gathered keeps alive.
const HELD: usize = 8;

/// A chunk whose id a seal worker computes together with others, from a reader or a stream.
pub(crate) struct HashJob {
    pub(crate) bytes: BlobBytes,
    pub(crate) id: Sender<BlobId>,
}

/// A frame to be sealed.
pub(crate) struct FrameJob {
    kind: PackKind,
    blobs: Vec<(BlobId, BlobBytes)>,
    raw: usize,
    /// An estimate of the buffers that the blobs keep alive.
    held: usize,
}

impl FrameJob {
    fn new(kind: PackKind) -> Self {
        Self { kind, blobs: Vec::new(), raw: 0, held: 0 }
    }

    /// Adds a blob.
    ///
    /// Where the repository has most of what is read, a frame gathers few bytes of each of many buffers; those are
    /// copied together, or a frame would hold hundreds of buffers.
    fn push(&mut self, id: BlobId, bytes: BlobBytes) {
        self.raw += bytes.len();
        let is_other = self.blobs.last().is_none_or(|(_, last)| !last.shares_with(&bytes));
        self.held += usize::from(is_other && bytes.is_pooled());
        self.blobs.push((id, bytes));
        if self.held > HELD {
            let blobs = self.blobs.iter_mut().map(|(_, bytes)| bytes);
            BlobBytes::compact(blobs.filter(|bytes| bytes.is_pooled()));
            self.held = 0;
        }
    }

    /// Puts the bytes of all blobs together in `gathered` and drops their buffers; returns a single blob as it is,
    /// instead of copying it.
    fn into_raw(mut self, gathered: &mut Vec<u8>) -> Option<BlobBytes> {
        gathered.clear();
        if self.blobs.len() == 1 {
            return self.blobs.pop().map(|(_, only)| only);
        }
        self.blobs.iter().for_each(|(_, bytes)| gathered.extend_from_slice(bytes));
        None
    }
}

/// Runs the threads that compress, seal and write while `feed` adds blobs, which have their names already.
///
/// Returns what `feed` returns and the bytes that the new blobs take.
pub(crate) fn store_blobs<T>(
    state: &StoreState<'_>,
    index: BlobIndex,
    feed: impl FnOnce(&mut BlobStore<'_, '_>) -> Result<T>,
) -> Result<(T, u64)> {
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let sealers = (0..workers).map(|_| Sealer::new(state)).collect::<Result<Vec<_>>>()?;
    let (frames, frames_out) = bounded(workers * 2);
    let (writes, writes_out) = bounded(workers * 4);
    let mut store = BlobStore::new(state, Some(frames), index);
    let fed = std::thread::scope(|scope| {
        for sealer in sealers {
            let (_, hash_jobs) = bounded(0);
            let (frames, writes) = (frames_out.clone(), writes.clone());
            let ends = SealWorkerEnds { frames, hash_jobs, writes };
            scope.spawn(move || seal_worker(sealer, &state.repository.keys, ends));
        }
        drop((frames_out, writes));
        let writer = PackWriter::new(writes_out);
        scope.spawn(move || writer.run(state).unwrap_or_else(|error| state.fail(error)));
        let fed = feed(&mut store).and_then(|fed| store.flush().map(|()| fed));
        if fed.is_err() {
            store.abandon();
        }
        fed
    });
    match (fed, store.finish()) {
        (Ok(fed), Ok(stored)) => Ok((fed, stored)),
        // A thread that was interrupted may have been so because another failed.
        (Err(Error::Interrupted), Err(error)) | (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

/// Adds blobs to the repository; belongs to the assembler.
pub(crate) struct BlobStore<'s, 'r> {
    state: &'s StoreState<'r>,
    /// `None` in a dry run, and once no frame follows.
    frames: Option<Sender<FrameJob>>,
    index: BlobIndex,
    /// Blobs of this backup that are in no index yet.
    seen: HashSet<BlobId>,
    /// The frames that are being gathered: chunks, trees.
    pending: [FrameJob; 2],
    /// The size in bytes at which a frame is complete.
    frame_size: usize,
    /// Bytes of blobs that the repository did not have.
    pub(crate) new_bytes: u64,
}

/// The outcome of adding a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Added {
    New,
    Known,
}

impl<'s, 'r> BlobStore<'s, 'r> {
    /// Stores what `index` does not have; without `frames` it only counts.
    pub(crate) fn new(
        state: &'s StoreState<'r>,
        frames: Option<Sender<FrameJob>>,
        index: BlobIndex,
    ) -> Self {
        Self {
            state,
            frames,
            index,
            seen: HashSet::new(),
            pending: [FrameJob::new(PackKind::Data), FrameJob::new(PackKind::Tree)],
            frame_size: state.repository.header.parameters.frame as usize,
            new_bytes: 0,
        }
    }

    /// Returns whether the repository has a blob that can be reused, or gets it in this backup.
    pub(crate) fn has(&self, id: &BlobId) -> bool {
        self.seen.contains(id) || self.index.find(id).is_some()
    }

    /// Stores a blob unless it is there.
    pub(crate) fn add(&mut self, kind: BlobKind, id: BlobId, bytes: BlobBytes) -> Result<Added> {
        if self.has(&id) {
            return Ok(Added::Known);
        }
        if bytes.len() > MAX_FRAME as usize {
            // No reader would take it, nor the index that names it.
            return Err(Refusal::BlobTooLarge { bytes: bytes.len() }.into());
        }
        self.seen.insert(id);
        self.new_bytes += bytes.len() as u64;
        if self.frames.is_none() {
            return Ok(Added::New);
        }
        let at = usize::from(kind != BlobKind::Data);
        if self.pending[at].raw + bytes.len() > self.frame_size {
            self.flush_frame(at)?;
        }
        self.pending[at].push(id, bytes);
        if self.pending[at].raw >= self.frame_size {
            self.flush_frame(at)?;
        }
        Ok(Added::New)
    }

    /// Stores a tree or a list, and returns its id.
    pub(crate) fn add_metadata(&mut self, kind: BlobKind, bytes: Vec<u8>) -> Result<BlobId> {
        let id = self.state.repository.keys.blob_id(kind, &bytes);
        self.add(kind, id, BlobBytes::whole(bytes))?;
        Ok(id)
    }

    fn flush_frame(&mut self, at: usize) -> Result<()> {
        let empty = FrameJob::new(self.pending[at].kind);
        let job = std::mem::replace(&mut self.pending[at], empty);
        if !job.blobs.is_empty()
            && let Some(frames) = &self.frames
            && frames.send(job).is_err()
        {
            // The cause is kept in the shared state.
            return Err(Error::Interrupted);
        }
        self.index_if_many()
    }

    fn index_if_many(&mut self) -> Result<()> {
        let packs = {
            let mut finished = lock(&self.state.finished);
            let blobs: usize = finished.iter().map(|pack| pack.contents.blobs.len()).sum();
            if blobs < BLOBS_PER_INDEX {
                return Ok(());
            }
            std::mem::take(&mut *finished)
        };
        self.save_index(packs)
    }

    fn save_index(&mut self, packs: Vec<PackInfo>) -> Result<()> {
        let repository = self.state.repository;
        let id = self.state.writer()?.save_index(&packs)?;
        for (id, _) in packs.iter().flat_map(|pack| &pack.contents.blobs) {
            self.seen.remove(id);
        }
        self.index.add(&packs, &[id], repository.cache.as_deref());
        Ok(())
    }

    /// Sends the frames that are being gathered; afterwards the other threads end when they are done.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.flush_frame(0)?;
        self.flush_frame(1)?;
        self.frames = None;
        Ok(())
    }

    /// Drops the frames that are being gathered; those that were sent are still written.
    pub(crate) fn abandon(&mut self) {
        self.frames = None;
    }

    /// Saves the index of the packs that were completed, after the threads have ended; returns how many bytes the new
    /// blobs take.
    ///
    /// A backup that failed saves it too, for the next one.
    pub(crate) fn finish(&mut self) -> Result<u64> {
        let packs = std::mem::take(&mut *lock(&self.state.finished));
        let indexed = if packs.is_empty() { Ok(()) } else { self.save_index(packs) };
        match lock(&self.state.failure).take() {
            None => indexed.map(|()| self.state.stored.load(Ordering::Relaxed)),
            // It is the cause of what failed after it.
            Some(error) => Err(error),
        }
    }
}
