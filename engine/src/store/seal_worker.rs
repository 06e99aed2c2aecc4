//! A seal worker: seals frames, and computes the ids of chunks of large files.

use crossbeam_channel::{Receiver, Sender, never, select};

use super::{FrameJob, Sealer, WriteJob};
use crate::format::blob_hasher::HASH_BATCH;
use crate::format::keys::{BlobKind, Keys};
use crate::store::HashJob;

/// The ends of channels that a seal worker holds.
#[derive(Clone)]
pub(crate) struct SealWorkerEnds {
    pub(crate) frames: Receiver<FrameJob>,
    pub(crate) hash_jobs: Receiver<HashJob>,
    pub(crate) writes: Sender<WriteJob>,
}

/// Seals frames and hashes chunks until no more of either can come.
pub(crate) fn seal_worker(mut sealer: Sealer<'_, '_>, keys: &Keys, ends: SealWorkerEnds) {
    let SealWorkerEnds { mut frames, mut hash_jobs, writes } = ends;
    let (mut sealing, mut hashing) = (true, true);
    while sealing || hashing {
        // Sealing first: meanwhile more chunks come together, and many are hashed faster than few.
        let at_once = if hash_jobs.len() < HASH_BATCH { frames.try_recv().ok() } else { None };
        let frame = match at_once {
            Some(frame) => Some(frame),
            None => select! {
                recv(hash_jobs) -> job => {
                    match job {
                        Ok(job) => hash_batch(keys, job, &hash_jobs),
                        Err(_) => (hash_jobs, hashing) = (never(), false),
                    }
                    continue;
                },
                recv(frames) -> frame => frame.ok(),
            },
        };
        let sealed = frame.map(|frame| sealer.run(frame, &writes));
        if !matches!(sealed, Some(Ok(()))) {
            // A worker that fails to seal goes on hashing: others wait for ids before they see that it is over.
            (frames, sealing) = (never(), false);
        }
        if let Some(Err(error)) = sealed {
            sealer.fail(error);
        }
    }
}

/// Computes the id of a chunk, and of others that wait with it.
fn hash_batch(keys: &Keys, first: HashJob, more: &Receiver<HashJob>) {
    let jobs: Vec<HashJob> =
        std::iter::once(first).chain(more.try_iter().take(HASH_BATCH - 1)).collect();
    let chunks: Vec<&[u8]> = jobs.iter().map(|job| &*job.bytes).collect();
    for (job, id) in jobs.iter().zip(keys.blob_ids(BlobKind::Data, &chunks)) {
        // The assembler may have ended.
        let _ = job.id.send(id);
    }
}
