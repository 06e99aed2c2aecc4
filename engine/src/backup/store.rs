//! Storing blobs: gathered into frames, compressed, sealed, verified and written as packs.
//!
//! One thread adds blobs, several compress and seal, one writes. A frame gets its place in a pack
//! after it is compressed, so that packs fill exactly; it is opened and compared with its blobs
//! before its bytes are handed to the destination. Everything is bounded: who is ahead waits.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::backup::buffers::{Buffer, FrameBuffers};
use crate::backup::slice::Slice;
use crate::error::{Error, Result};
use crate::format::id::BlobId;
use crate::format::keys::BlobKind;
use crate::format::pack::{FrameInfo, MAX_FRAME, PackInfo, PackKey, PackKind};
use crate::index::BlobIndex;
use crate::repository::Repository;

mod sealer;
mod writer;

pub(super) use sealer::Sealer;
pub(super) use writer::PackWriter;

/// Blobs after which an index object is saved while the backup still runs.
const BLOBS_PER_INDEX: usize = 200_000;
/// Bytes of a pack's end for each blob and frame, about.
const END_PER_BLOB: u64 = 37;
const END_PER_FRAME: u64 = 14;
/// Buffers that a frame which is being gathered may keep alive.
const HELD: usize = 8;
/// Unused buffers of sealed frames that are kept.
const SPARE_SEALED: usize = 16;

/// A frame to be made.
pub(super) struct FrameJob {
    kind: PackKind,
    blobs: Vec<(BlobId, Slice)>,
    raw: usize,
    /// Buffers that the blobs keep alive, about.
    held: usize,
}

impl FrameJob {
    fn new(kind: PackKind) -> Self {
        Self { kind, blobs: Vec::new(), raw: 0, held: 0 }
    }

    /// Adds a blob. Where most of what is read is known already, a frame gathers few bytes of each
    /// of many buffers; those are copied together, or a frame would hold hundreds of buffers.
    fn push(&mut self, id: BlobId, bytes: Slice) {
        self.raw += bytes.len();
        let is_other = self.blobs.last().is_none_or(|(_, last)| !last.shares_with(&bytes));
        self.held += usize::from(is_other && bytes.is_pooled());
        self.blobs.push((id, bytes));
        if self.held > HELD {
            let slices = self.blobs.iter_mut().map(|(_, slice)| slice);
            Slice::compact(slices.filter(|slice| slice.is_pooled()));
            self.held = 0;
        }
    }

    /// Puts the bytes of all blobs together in `gathered`, and lets their buffers go; hands back a
    /// blob that is alone, instead of copying it.
    fn into_raw(mut self, gathered: &mut Vec<u8>) -> Option<Slice> {
        gathered.clear();
        if self.blobs.len() == 1 {
            return self.blobs.pop().map(|(_, only)| only);
        }
        self.blobs.iter().for_each(|(_, slice)| gathered.extend_from_slice(slice));
        None
    }
}

/// A message to the thread that writes.
enum Write {
    /// The next frame of the pack of its kind, sealed soon.
    Frame {
        key: Arc<PackKey>,
        kind: PackKind,
        blobs: Vec<(BlobId, u32)>,
        info: FrameInfo,
        sealed: Receiver<Buffer>,
    },
    /// The pack of this kind is full.
    Close(PackKind),
}

/// The pack that frames of one kind are given places in.
#[derive(Default)]
struct Filling {
    key: Option<Arc<PackKey>>,
    frames: u32,
    /// Bytes that the pack will have, its end estimated.
    size: u64,
}

/// What every thread that stores shares.
pub(super) struct Shared<'r> {
    repository: &'r Repository,
    /// Guards the packs being filled: chunks, trees.
    filling: [Mutex<Filling>; 2],
    /// Guards the packs that are durable and in no index yet.
    finished: Mutex<Vec<PackInfo>>,
    /// Guards the first error; whoever meets one stops.
    failure: Mutex<Option<Error>>,
    stored: AtomicU64,
    /// Buffers of sealed frames.
    buffers: FrameBuffers,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'r> Shared<'r> {
    pub(super) fn new(repository: &'r Repository) -> Self {
        Self {
            repository,
            filling: Default::default(),
            finished: Mutex::default(),
            failure: Mutex::default(),
            stored: AtomicU64::new(0),
            buffers: FrameBuffers::new(SPARE_SEALED),
        }
    }

    /// Keeps the first error that says what is wrong; that somebody stopped because of another
    /// ([`Error::Interrupted`]) counts only while there is no such error.
    pub(super) fn fail(&self, error: Error) {
        let mut failure = lock(&self.failure);
        match &*failure {
            None | Some(Error::Interrupted) => *failure = Some(error),
            Some(_) => {}
        }
    }

    fn filling(&self, kind: PackKind) -> MutexGuard<'_, Filling> {
        lock(match kind {
            PackKind::Data => &self.filling[0],
            PackKind::Tree => &self.filling[1],
        })
    }

    /// Gives a frame its place in a pack, and the writing thread its turn.
    fn place(
        &self,
        kind: PackKind,
        blobs: Vec<(BlobId, u32)>,
        info: FrameInfo,
        writes: &Sender<Write>,
    ) -> Result<(Arc<PackKey>, u32, Sender<Buffer>)> {
        let repository = self.repository;
        let (ready, sealed) = bounded(1);
        let added = u64::from(info.sealed) + END_PER_FRAME + END_PER_BLOB * blobs.len() as u64;
        let mut filling = self.filling(kind);
        if filling.key.is_some() && filling.size + added > repository.header.parameters.pack {
            writes.send(Write::Close(kind)).map_err(|_| Error::Interrupted)?;
            *filling = Filling::default();
        }
        let key = Arc::clone(filling.key.get_or_insert_with(|| {
            let first: Vec<u8> = blobs.iter().flat_map(|(id, _)| id.0).collect();
            Arc::new(PackKey::draw(&repository.keys, kind, &first))
        }));
        if filling.frames == 0 {
            filling.size = 256;
        }
        let number = filling.frames;
        filling.frames += 1;
        filling.size += added;
        let write = Write::Frame { key: Arc::clone(&key), kind, blobs, info, sealed };
        writes.send(write).map_err(|_| Error::Interrupted)?;
        Ok((key, number, ready))
    }
}

/// What each kind of thread holds: who adds, who seals, who writes.
pub(super) type Ends<'s, 'r> =
    (Sender<FrameJob>, Receiver<FrameJob>, PackWriter, Vec<Sealer<'s, 'r>>);

/// The channels between the threads.
pub(super) struct Channels {
    sealers: usize,
    jobs: Sender<FrameJob>,
    jobs_out: Receiver<FrameJob>,
    writes: Sender<Write>,
    writes_out: Receiver<Write>,
}

impl Channels {
    pub(super) fn new(sealers: usize) -> Self {
        let (jobs, jobs_out) = bounded(sealers * 2);
        let (writes, writes_out) = bounded(sealers * 4);
        Self { sealers, jobs, jobs_out, writes, writes_out }
    }

    /// Hands every kind of thread its ends.
    pub(super) fn split<'s, 'r>(self, shared: &'s Shared<'r>) -> Result<Ends<'s, 'r>> {
        let sealer = |_| Sealer::new(shared, self.writes.clone());
        let sealers = (0..self.sealers).map(sealer).collect::<Result<_>>()?;
        let writer = PackWriter::new(self.writes_out);
        Ok((self.jobs, self.jobs_out, writer, sealers))
    }
}

/// Gives blobs to the store; belongs to one thread.
pub(super) struct Store<'s, 'r> {
    shared: &'s Shared<'r>,
    jobs: Option<Sender<FrameJob>>,
    index: BlobIndex,
    /// Blobs of this backup that are in no index yet.
    seen: HashSet<BlobId>,
    pending: [FrameJob; 2],
    frame: usize,
    /// Bytes of blobs that the repository did not have.
    pub(super) new_bytes: u64,
}

/// What adding a blob found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Added {
    New,
    Known,
}

impl<'s, 'r> Store<'s, 'r> {
    /// Stores what `index` does not have; without `jobs` it only counts.
    pub(super) fn new(
        shared: &'s Shared<'r>,
        jobs: Option<Sender<FrameJob>>,
        index: BlobIndex,
    ) -> Self {
        Self {
            shared,
            jobs,
            index,
            seen: HashSet::new(),
            pending: [FrameJob::new(PackKind::Data), FrameJob::new(PackKind::Tree)],
            frame: shared.repository.header.parameters.frame as usize,
            new_bytes: 0,
        }
    }

    /// Whether the repository has a blob that may be relied on, or gets it in this backup.
    pub(super) fn has(&self, id: &BlobId) -> bool {
        self.seen.contains(id) || self.index.find(id).is_some()
    }

    /// Stores a blob unless it is there.
    pub(super) fn add(&mut self, kind: BlobKind, id: BlobId, bytes: Slice) -> Result<Added> {
        if self.has(&id) {
            return Ok(Added::Known);
        }
        if bytes.len() > MAX_FRAME as usize {
            // Nobody could read it, nor the index that names it.
            let what = format!("a part of {} bytes can't be stored", bytes.len());
            return Err(Error::Refused { what });
        }
        self.seen.insert(id);
        self.new_bytes += bytes.len() as u64;
        if self.jobs.is_none() {
            return Ok(Added::New);
        }
        let at = usize::from(kind != BlobKind::Data);
        if self.pending[at].raw + bytes.len() > self.frame {
            self.flush_frame(at)?;
        }
        self.pending[at].push(id, bytes);
        if self.pending[at].raw >= self.frame {
            self.flush_frame(at)?;
        }
        Ok(Added::New)
    }

    /// Names and stores bytes that were made here: a tree, a list.
    pub(super) fn add_made(&mut self, kind: BlobKind, bytes: Vec<u8>) -> Result<BlobId> {
        let id = self.shared.repository.keys.blob_id(kind, &bytes);
        self.add(kind, id, Slice::whole(bytes))?;
        Ok(id)
    }

    fn flush_frame(&mut self, at: usize) -> Result<()> {
        let empty = FrameJob::new(self.pending[at].kind);
        let job = std::mem::replace(&mut self.pending[at], empty);
        if !job.blobs.is_empty()
            && let Some(jobs) = &self.jobs
            && jobs.send(job).is_err()
        {
            // What went wrong is kept where all threads see it.
            return Err(Error::Interrupted);
        }
        self.index_if_many()
    }

    fn index_if_many(&mut self) -> Result<()> {
        let packs = {
            let mut finished = lock(&self.shared.finished);
            let blobs: usize = finished.iter().map(|pack| pack.contents.blobs.len()).sum();
            if blobs < BLOBS_PER_INDEX {
                return Ok(());
            }
            std::mem::take(&mut *finished)
        };
        self.save_index(packs)
    }

    fn save_index(&mut self, packs: Vec<PackInfo>) -> Result<()> {
        let repository = self.shared.repository;
        let id = repository.save_index(&packs)?;
        for (id, _) in packs.iter().flat_map(|pack| &pack.contents.blobs) {
            self.seen.remove(id);
        }
        self.index.add(&packs, &[id], repository.cache.as_deref());
        Ok(())
    }

    /// Sends what is pending on its way; afterwards the threads end when they are done.
    pub(super) fn flush(&mut self) -> Result<()> {
        self.flush_frame(0)?;
        self.flush_frame(1)?;
        self.jobs = None;
        Ok(())
    }

    /// Drops what is pending; what was sent on its way is still completed.
    pub(super) fn abandon(&mut self) {
        self.jobs = None;
    }

    /// Saves the index of the packs that were finished, after the threads have ended; tells how many
    /// bytes the new blobs take.
    ///
    /// A backup that failed also leaves the index of what it finished, for the next one.
    pub(super) fn finish(&mut self) -> Result<u64> {
        let packs = std::mem::take(&mut *lock(&self.shared.finished));
        if !packs.is_empty() {
            self.save_index(packs)?;
        }
        match lock(&self.shared.failure).take() {
            None => Ok(self.shared.stored.load(Ordering::Relaxed)),
            Some(error) => Err(error),
        }
    }
}
