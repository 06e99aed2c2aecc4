//! The state that the threads of a store share, and the assignment of frames to packs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::error::{Error, Result};
use crate::format::id::BlobId;
use crate::format::pack::{FrameInfo, PackInfo, PackKey, PackKind};
use crate::repository::{MirrorWriter, Repository};
use crate::store::buffers::{Buffer, FrameBuffers};

/// The estimated bytes of a pack's end for each blob and frame.
const END_PER_BLOB: u64 = 37;
const END_PER_FRAME: u64 = 14;
/// The most unused buffers of sealed frames that are kept.
const SPARE_SEALED: usize = 16;

/// A message from a seal worker to the pack writer.
pub(crate) enum WriteJob {
    /// The next frame of the pack of its kind; its bytes come when it is sealed.
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

/// The pack to which frames of one kind are assigned.
#[derive(Default)]
struct OpenPack {
    key: Option<Arc<PackKey>>,
    frames: u32,
    /// The size in bytes that the pack will have; its end is estimated.
    size: u64,
}

/// The state that the assembler, the seal workers and the pack writer share.
pub(crate) struct StoreState<'r> {
    pub(super) repository: &'r Repository,
    /// The destinations; `None` in a dry run.
    writer: Option<&'r MirrorWriter<'r>>,
    /// Guards the packs to which frames are assigned: chunks, trees.
    open_packs: [Mutex<OpenPack>; 2],
    /// Guards the packs that are durable and in no index yet.
    pub(super) finished: Mutex<Vec<PackInfo>>,
    /// Guards the first error; a thread that has one stops.
    pub(super) failure: Mutex<Option<Error>>,
    /// The bytes of sealed frames.
    pub(super) stored: AtomicU64,
    /// The packs that are durable.
    pub(super) packs: AtomicU64,
    /// Buffers of sealed frames.
    pub(super) buffers: FrameBuffers,
}

/// Locks a mutex, also after a panic of another thread.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'r> StoreState<'r> {
    /// Begins without packs.
    pub(crate) fn new(repository: &'r Repository, writer: Option<&'r MirrorWriter<'r>>) -> Self {
        Self {
            repository,
            writer,
            open_packs: Default::default(),
            finished: Mutex::default(),
            failure: Mutex::default(),
            stored: AtomicU64::new(0),
            packs: AtomicU64::new(0),
            buffers: FrameBuffers::new(SPARE_SEALED),
        }
    }

    /// Returns the number of packs that are durable.
    pub(crate) fn written_packs(&self) -> u64 {
        self.packs.load(Ordering::Relaxed)
    }

    /// Returns the writer to the destinations.
    pub(super) fn writer(&self) -> Result<&'r MirrorWriter<'r>> {
        // A dry run seals no frames, and so writes nothing.
        self.writer.ok_or(Error::Interrupted)
    }

    /// Keeps the first error that is a cause; that a thread stopped because of another ([`Error::Interrupted`])
    /// counts only while there is no such error.
    pub(crate) fn fail(&self, error: Error) {
        let mut failure = lock(&self.failure);
        match &*failure {
            None | Some(Error::Interrupted) => *failure = Some(error),
            Some(_) => {}
        }
    }

    fn open_pack(&self, kind: PackKind) -> MutexGuard<'_, OpenPack> {
        lock(match kind {
            PackKind::Data => &self.open_packs[0],
            PackKind::Tree => &self.open_packs[1],
        })
    }

    /// Assigns a frame to a pack, as the next that is written there; returns the pack's key, the frame's number, and
    /// where its sealed bytes are to be sent.
    pub(super) fn assign(
        &self,
        kind: PackKind,
        blobs: Vec<(BlobId, u32)>,
        info: FrameInfo,
        writes: &Sender<WriteJob>,
    ) -> Result<(Arc<PackKey>, u32, Sender<Buffer>)> {
        let repository = self.repository;
        let (ready, sealed) = bounded(1);
        let added = u64::from(info.sealed) + END_PER_FRAME + END_PER_BLOB * blobs.len() as u64;
        let mut pack = self.open_pack(kind);
        if pack.key.is_some() && pack.size + added > repository.header.parameters.pack {
            writes.send(WriteJob::Close(kind)).map_err(|_| Error::Interrupted)?;
            *pack = OpenPack::default();
        }
        let key = Arc::clone(pack.key.get_or_insert_with(|| {
            let first: Vec<u8> = blobs.iter().flat_map(|(id, _)| id.0).collect();
            Arc::new(PackKey::draw(&repository.keys, kind, &first))
        }));
        if pack.frames == 0 {
            pack.size = 256;
        }
        let number = pack.frames;
        pack.frames += 1;
        pack.size += added;
        let write = WriteJob::Frame { key: Arc::clone(&key), kind, blobs, info, sealed };
        writes.send(write).map_err(|_| Error::Interrupted)?;
        Ok((key, number, ready))
    }
}
