//! Ids of blobs: HMAC-SHA-256, one by one or in batches.
//!
//! Every byte of every backup is hashed here: batches side by side in vector lanes where the
//! machine has them, else one by one with `ring`.

use yore_platform::{MultiSha256, SHA256_INITIAL_STATE, Sha256Prefix, sha256_compress};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// The length of SHA-256's blocks.
const BLOCK: usize = 64;

/// The size of a full batch: two blobs for each lane of the widest vectors, so that a short one is
/// followed by another while long ones go on.
pub(crate) const HASH_BATCH: usize = 32;

/// The key of blob ids, prepared for hashing.
pub(crate) struct BlobHasher {
    one: ring::hmac::Key,
    many: Midstates,
    lanes: Option<MultiSha256>,
}

/// The states of SHA-256 after the inner and the outer padded key (RFC 2104).
#[derive(Zeroize, ZeroizeOnDrop)]
struct Midstates {
    inner: [u32; 8],
    outer: [u32; 8],
}

impl Midstates {
    fn of(key: &[u8; 32]) -> Self {
        let after = |pad: u8| {
            let mut block = Zeroizing::new([pad; BLOCK]);
            block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
            sha256_compress(&SHA256_INITIAL_STATE, &block)
        };
        Self { inner: after(0x36), outer: after(0x5c) }
    }
}

impl BlobHasher {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        let one = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key);
        Self { one, many: Midstates::of(key), lanes: MultiSha256::detect() }
    }

    /// Returns the HMAC of a byte and those after it.
    pub(crate) fn one(&self, first: u8, rest: &[u8]) -> [u8; 32] {
        let mut mac = ring::hmac::Context::with_key(&self.one);
        mac.update(&[first]);
        mac.update(rest);
        mac.sign().as_ref().try_into().expect("HMAC-SHA-256 has 32 bytes")
    }

    /// Returns the HMACs of a byte and each of `rests`, in their order.
    pub(crate) fn many(&self, first: u8, rests: &[&[u8]]) -> Vec<[u8; 32]> {
        self.in_lanes(first, rests)
            .unwrap_or_else(|| rests.iter().map(|rest| self.one(first, rest)).collect())
    }

    /// Returns the number of blobs from which a batch is much faster than one by one.
    pub(crate) fn hash_batch(&self) -> usize {
        self.lanes.map_or(1, MultiSha256::min_batch)
    }

    fn in_lanes(&self, first: u8, rests: &[&[u8]]) -> Option<Vec<[u8; 32]>> {
        let lanes = self.lanes?;
        let (bytes, head) = (BLOCK as u64, [first]);
        let inner = Sha256Prefix { state: &self.many.inner, bytes, head: &head };
        let digests = lanes.sha256(inner, rests)?;
        let digests: Vec<&[u8]> = digests.iter().map(<[u8; 32]>::as_slice).collect();
        lanes.sha256(Sha256Prefix { state: &self.many.outer, bytes, head: &[] }, &digests)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_the_ids_that_each_blob_has_by_itself() {
        let hasher = BlobHasher::new(&[0xa5; 32]);
        let bytes: Vec<u8> = (0..5000u32).map(|n| ((n * n) >> 3) as u8).collect();
        for count in [0, 1, 3, 4, 17, 60] {
            let rests: Vec<&[u8]> = (0..count).map(|n| &bytes[n..n * 81 + n]).collect();
            let alone: Vec<_> = rests.iter().map(|rest| hasher.one(2, rest)).collect();
            assert_eq!(hasher.many(2, &rests), alone);
        }
    }
}
