//! Storing blobs: gathered into frames, compressed, sealed, verified and written as packs.
//!
//! One thread adds blobs, several compress and seal, one writes. A frame is assigned to a pack after it is
//! compressed, so that packs fill exactly; it is opened and compared with its blobs before its bytes are written to
//! the destination. The channels between the threads are bounded.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use crossbeam_channel::Sender;

use crate::backup::buffers::blob_bytes::BlobBytes;
use crate::error::{Error, Refusal, Result};
use crate::format::id::BlobId;
use crate::format::keys::BlobKind;
use crate::format::pack::{MAX_FRAME, PackInfo, PackKind};
use crate::index::BlobIndex;

mod seal_worker;
mod sealer;
mod state;
mod writer;

pub(super) use seal_worker::{SealWorkerEnds, seal_worker};
pub(super) use sealer::Sealer;
pub(super) use state::{StoreState, WriteJob};
pub(super) use writer::PackWriter;

use state::lock;

/// Blobs after which an index object is saved while the backup still runs.
const BLOBS_PER_INDEX: usize = 200_000;
/// The most buffers that a frame which is being gathered keeps alive.
const HELD: usize = 8;

/// A frame to be sealed.
pub(super) struct FrameJob {
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

/// Adds blobs to the repository; belongs to the assembler.
pub(super) struct BlobStore<'s, 'r> {
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
    pub(super) new_bytes: u64,
}

/// The outcome of adding a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Added {
    New,
    Known,
}

impl<'s, 'r> BlobStore<'s, 'r> {
    /// Stores what `index` does not have; without `frames` it only counts.
    pub(super) fn new(
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
    pub(super) fn has(&self, id: &BlobId) -> bool {
        self.seen.contains(id) || self.index.find(id).is_some()
    }

    /// Stores a blob unless it is there.
    pub(super) fn add(&mut self, kind: BlobKind, id: BlobId, bytes: BlobBytes) -> Result<Added> {
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
    pub(super) fn add_metadata(&mut self, kind: BlobKind, bytes: Vec<u8>) -> Result<BlobId> {
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
        let id = repository.save_index(&packs)?;
        for (id, _) in packs.iter().flat_map(|pack| &pack.contents.blobs) {
            self.seen.remove(id);
        }
        self.index.add(&packs, &[id], repository.cache.as_deref());
        Ok(())
    }

    /// Sends the frames that are being gathered; afterwards the other threads end when they are done.
    pub(super) fn flush(&mut self) -> Result<()> {
        self.flush_frame(0)?;
        self.flush_frame(1)?;
        self.frames = None;
        Ok(())
    }

    /// Drops the frames that are being gathered; those that were sent are still written.
    pub(super) fn abandon(&mut self) {
        self.frames = None;
    }

    /// Saves the index of the packs that were completed, after the threads have ended; returns how many bytes the new
    /// blobs take.
    ///
    /// A backup that failed saves it too, for the next one.
    pub(super) fn finish(&mut self) -> Result<u64> {
        let packs = std::mem::take(&mut *lock(&self.state.finished));
        if !packs.is_empty() {
            self.save_index(packs)?;
        }
        match lock(&self.state.failure).take() {
            None => Ok(self.state.stored.load(Ordering::Relaxed)),
            Some(error) => Err(error),
        }
    }
}
