//! The threads of a backup, and the bounded channels between them.
//!
//! ```text
//! feed ──────────── WalkStep ────────────► assembler ── FrameJob ──► seal workers
//!  │                                        ▲     ▲                   │    ▲   │
//!  └─ ReadBatch ─► readers ─ BatchResults ──┘     └────── BlobId ─────┘    │   │
//!                     │                                                    │   WriteJob
//!                     └────────────────────── HashJob ─────────────────────┘   ▼
//!                                                                         pack writer
//! ```
//! The assembler is the calling thread; a batch and a chunk to be hashed have channels of their own for the answer.
//!
//! A thread ends when the other side of its input or output has ended. So each end of a channel is moved into
//! its thread, and a receiver either drops what waits in it, with the channels for the answers, or serves until every
//! sender is dropped (DECISIONS.md, "Channels whose messages carry answers").

use std::sync::mpsc::{self, sync_channel};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::backup::assemble::{Saved, TreeAssembler};
use crate::backup::messages::{FeedEnds, WalkStep};
use crate::backup::read::budget::LiftOnDrop;
use crate::backup::read::{self, ReadContext, ReaderEnds};
use crate::error::{Error, Result};
use crate::format::blob_hasher::HASH_BATCH;
use crate::index::BlobIndex;
use crate::operation::run::Run;
use crate::store::{
    self, BlobStore, FrameJob, PackWriter, SealWorkerEnds, Sealer, StoreState, WriteJob,
};

/// Threads that read: what is cold on a disk arrives sooner when several wait for it.
const READERS: usize = 8;
/// Batches that wait for a reader, and steps that wait for the assembler.
const BATCHES: usize = 64;
const STEPS: usize = 512;

/// The ends of the channels, by the thread that holds them.
struct PipelineEnds {
    feed: FeedEnds,
    reader: ReaderEnds,
    steps: mpsc::Receiver<WalkStep>,
    frames: Sender<FrameJob>,
    seal_worker: SealWorkerEnds,
    writes: Receiver<WriteJob>,
}

impl PipelineEnds {
    fn new(seal_workers: usize) -> Self {
        let (batches, batches_out) = bounded(BATCHES);
        // Of the standard library: it drops what waits when the receiver is dropped, those of `crossbeam` don't.
        let (steps, steps_out) = sync_channel(STEPS);
        let (hash_jobs, hash_jobs_out) = bounded(2 * HASH_BATCH);
        let (frames, frames_out) = bounded(seal_workers * 2);
        let (writes, writes_out) = bounded(seal_workers * 4);
        Self {
            feed: FeedEnds { batches, steps, hash_jobs: hash_jobs.clone() },
            reader: ReaderEnds { batches: batches_out, hash_jobs },
            steps: steps_out,
            frames,
            seal_worker: SealWorkerEnds { frames: frames_out, hash_jobs: hash_jobs_out, writes },
            writes: writes_out,
        }
    }
}

/// Runs the threads until everything that `feed` sends is stored.
///
/// # Errors
/// The first that says what is wrong, of any thread; the packs that were completed are in an index all the same.
pub(super) fn run(
    context: &ReadContext<'_>,
    state: &StoreState<'_>,
    index: BlobIndex,
    feed: impl FnOnce(FeedEnds) -> Result<()> + Send,
) -> Result<Saved> {
    let seal_workers = std::thread::available_parallelism().map_or(2, usize::from);
    let sealers = (0..seal_workers).map(|_| Sealer::new(state)).collect::<Result<Vec<_>>>()?;
    let ends = PipelineEnds::new(seal_workers);
    let (assembled, mut store) = std::thread::scope(|scope| {
        // Owned here, so that a panic drops them, and the threads that wait for more end.
        let PipelineEnds { feed: feed_ends, reader, steps, frames, seal_worker, writes } = ends;
        let frames = (context.options.run == Run::Real).then_some(frames);
        let mut store = BlobStore::new(state, frames, index);
        let feeder = scope.spawn(|| feed(feed_ends));
        for _ in 0..READERS {
            let ends = reader.clone();
            scope.spawn(move || read::run(context, &ends));
        }
        drop(reader);
        for sealer in sealers {
            let ends = seal_worker.clone();
            scope.spawn(move || store::seal_worker(sealer, context.keys, ends));
        }
        drop(seal_worker);
        let writer = PackWriter::new(writes);
        scope.spawn(move || writer.run(state).unwrap_or_else(|error| state.fail(error)));
        let lift = LiftOnDrop(&context.budget);
        let assembled = TreeAssembler::new(context, &mut store).run(&steps);
        drop((steps, lift));
        let fed = feeder.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let whole = both(fed, assembled).and_then(|((), saved)| store.flush().map(|()| saved));
        if whole.is_err() {
            store.abandon();
        }
        (whole, store)
    });
    let (stored_bytes, mut saved) = both(store.finish(), assembled)?;
    saved.totals.stored_bytes = stored_bytes;
    saved.totals.new_bytes = store.new_bytes;
    saved.totals.unreadable = context.counters.unreadable_so_far();
    Ok(saved)
}

/// Puts two outcomes together; of two errors, keeps the one that is the cause of the other.
pub(super) fn both<A, B>(first: Result<A>, second: Result<B>) -> Result<(A, B)> {
    match (first, second) {
        (Ok(first), Ok(second)) => Ok((first, second)),
        // A thread that was interrupted may have been so because another failed.
        (Err(Error::Interrupted), Err(error)) | (Err(error), _) | (_, Err(error)) => Err(error),
    }
}
