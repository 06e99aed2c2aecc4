//! Digests of shards, by which damaged ones are located.

use sha2::{Digest, Sha256};
use yore_platform::{MultiSha256, SHA256_INITIAL_STATE, Sha256Prefix};

use super::code::threads;

/// The bytes of SHA-256 that are kept: enough to find damage, and parity proves nothing anyway.
pub(super) const DIGEST: usize = 16;

/// The shards that are hashed side by side.
const BATCH: usize = 32;

/// Returns the digests of shards, in their order, computed by several threads.
pub(super) fn all(shards: &[&[u8]]) -> Vec<[u8; DIGEST]> {
    let share = shards.len().div_ceil(threads()).next_multiple_of(BATCH).max(BATCH);
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            shards.chunks(share).map(|share| scope.spawn(move || of_share(share))).collect();
        let joined = threads.into_iter().flat_map(|thread| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        joined.collect()
    })
}

fn of_share(shards: &[&[u8]]) -> Vec<[u8; DIGEST]> {
    let several = MultiSha256::detect();
    let start = Sha256Prefix { state: &SHA256_INITIAL_STATE, bytes: 0, head: &[] };
    let digests = shards.chunks(BATCH).flat_map(|batch| {
        several
            .and_then(|several| several.sha256(start, batch))
            .unwrap_or_else(|| batch.iter().map(|shard| Sha256::digest(shard).into()).collect())
    });
    digests.map(shortened).collect()
}

/// Returns the digest of one shard.
pub(super) fn one(shard: &[u8]) -> [u8; DIGEST] {
    shortened(Sha256::digest(shard).into())
}

fn shortened(digest: [u8; 32]) -> [u8; DIGEST] {
    let (kept, _) = digest.split_first_chunk().expect("a digest has 32 bytes");
    *kept
}
