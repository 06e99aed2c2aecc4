//! A decoded frame, and its blobs that are verified: compared with their names.
//!
//! No blob is handed out before it is verified. A thread that prepares several frames reserves
//! them, so that their blobs are hashed in one batch; a reader of one of those blobs waits for the
//! reservation to end instead of hashing it too.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};

use yore_platform::ReadBuffer;

use crate::format::id::BlobId;
use crate::format::keys::{BlobKind, Keys};
use crate::index::{FrameBlob, FrameBlobs};

/// A blob's place in a frame, as an index has it; to be verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct BlobRef {
    pub(crate) kind: BlobKind,
    pub(crate) id: BlobId,
    pub(crate) at: u32,
    pub(crate) length: u32,
}

impl BlobRef {
    pub(crate) fn range(&self) -> Range<usize> {
        self.at as usize..self.at as usize + self.length as usize
    }
}

/// A decoded frame.
pub(crate) struct Frame {
    bytes: ReadBuffer,
    /// Guards the verified blobs, and whether a thread has reserved the frame.
    state: Mutex<State>,
    /// Notified when a reservation ends.
    released: Condvar,
    /// Set once all chunks have been verified.
    all_verified: OnceLock<()>,
}

#[derive(Default)]
struct State {
    verified: HashSet<BlobRef>,
    is_reserved: bool,
}

impl Frame {
    pub(crate) fn new(bytes: ReadBuffer) -> Self {
        Self {
            bytes,
            state: Mutex::default(),
            released: Condvar::new(),
            all_verified: OnceLock::new(),
        }
    }

    /// Returns all of its bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn part(&self, blob: &BlobRef) -> Option<&[u8]> {
        self.bytes.get(blob.range())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A verified blob stays verified, even after a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Verifies a blob: reports whether it is where the index says; `None` where the frame is too
    /// short. The lock is held meanwhile: a second thread waits instead of hashing the blob too.
    pub(crate) fn verify(&self, keys: &Keys, blob: &BlobRef) -> Option<bool> {
        let bytes = self.part(blob)?;
        let state = self.released.wait_while(self.lock(), |state| state.is_reserved);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        if state.verified.contains(blob) {
            return Some(true);
        }
        let is_right = keys.blob_id(blob.kind, bytes) == blob.id;
        if is_right {
            state.verified.insert(*blob);
        }
        Some(is_right)
    }

    /// Verifies all chunks, once. Damage is reported by the reads that meet it.
    pub(crate) fn verify_all(
        self: &Arc<Self>,
        keys: &Keys,
        find: impl FnOnce() -> Option<FrameBlobs>,
    ) {
        self.all_verified.get_or_init(|| {
            let Some(mut reservation) = HashReservation::take(self) else { return };
            for blob in find().map_or_else(Vec::new, |found| found.blobs) {
                let FrameBlob { id, at, length } = blob;
                reservation.add(BlobRef { kind: BlobKind::Data, id, at, length });
            }
            HashReservation::verify(&[reservation], keys);
        });
    }
}

/// The right to hash the blobs of a frame, so that no other thread does; ends when it is dropped.
pub(crate) struct HashReservation {
    frame: Arc<Frame>,
    blobs: Vec<BlobRef>,
}

impl HashReservation {
    /// Reserves a frame; returns `None` when another thread is at it.
    pub(crate) fn take(frame: &Arc<Frame>) -> Option<Self> {
        let mut state = match frame.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        if state.is_reserved {
            return None;
        }
        state.is_reserved = true;
        drop(state);
        Some(Self { frame: Arc::clone(frame), blobs: Vec::new() })
    }

    pub(crate) fn is_of(&self, frame: &Arc<Frame>) -> bool {
        Arc::ptr_eq(&self.frame, frame)
    }

    /// Adds a blob to hash, unless it is verified already.
    pub(crate) fn add(&mut self, blob: BlobRef) {
        if self.frame.part(&blob).is_some() && !self.frame.lock().verified.contains(&blob) {
            self.blobs.push(blob);
        }
    }

    /// Hashes the blobs of all reservations in one batch, and keeps those that are right.
    pub(crate) fn verify(all: &[Self], keys: &Keys) {
        let blobs: Vec<(&Frame, &BlobRef, &[u8])> = all
            .iter()
            .flat_map(|reservation| {
                reservation.blobs.iter().map(|blob| (&*reservation.frame, blob))
            })
            .filter_map(|(frame, blob)| Some((frame, blob, frame.part(blob)?)))
            .collect();
        let bytes: Vec<&[u8]> = blobs.iter().map(|(.., bytes)| *bytes).collect();
        let names = keys.blob_ids(BlobKind::Data, &bytes);
        for ((frame, blob, _), name) in blobs.into_iter().zip(names) {
            if blob.kind == BlobKind::Data && blob.id == name {
                frame.lock().verified.insert(*blob);
            }
        }
    }
}

impl Drop for HashReservation {
    fn drop(&mut self) {
        self.frame.lock().is_reserved = false;
        self.frame.released.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::id::RepositoryId;
    use crate::format::keys::MasterSecret;

    #[test]
    fn a_reader_waits_for_a_blob_that_is_being_hashed() {
        let keys = Keys::derive(&MasterSecret::from_bytes([1; 32]), RepositoryId([2; 32]));
        let mut bytes = ReadBuffer::new(6);
        bytes.set_len(6);
        bytes.copy_from_slice(b"onetwo");
        let frame = Arc::new(Frame::new(bytes));
        let blob = |text: &[u8], at| {
            let id = keys.blob_id(BlobKind::Data, text);
            BlobRef { kind: BlobKind::Data, id, at, length: text.len() as u32 }
        };
        let mut reservation = HashReservation::take(&frame).expect("no other reservation");
        assert!(HashReservation::take(&frame).is_none());
        for wanted in [blob(b"one", 0), blob(b"owt", 3), blob(b"beyond", 1)] {
            reservation.add(wanted);
        }
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| frame.verify(&keys, &blob(b"one", 0)));
            std::thread::sleep(std::time::Duration::from_millis(50));
            assert!(!waits.is_finished());
            HashReservation::verify(&[reservation], &keys);
            assert_eq!(waits.join().expect("an answer"), Some(true));
        });
        assert_eq!(frame.lock().verified, HashSet::from([blob(b"one", 0)]));
        assert_eq!(frame.verify(&keys, &blob(b"two", 3)), Some(true));
        assert_eq!(frame.verify(&keys, &blob(b"owt", 3)), Some(false));
        assert_eq!(frame.verify(&keys, &blob(b"beyond", 1)), None);
    }
}
