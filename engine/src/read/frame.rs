//! A decoded frame, and which of its blobs have been compared with their names.
//!
//! Nothing is handed out before it was compared. Who makes several frames ready takes them, so that
//! their blobs are named together; who wants one of those meanwhile waits instead of naming it too.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};

use yore_platform::AlignedBuf;

use crate::format::id::BlobId;
use crate::format::keys::{BlobKind, Keys};
use crate::index::FrameBlobs;

/// That a blob lies at a place in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Claim {
    pub(crate) kind: BlobKind,
    pub(crate) id: BlobId,
    pub(crate) at: u32,
    pub(crate) length: u32,
}

impl Claim {
    pub(crate) fn place(&self) -> Range<usize> {
        self.at as usize..self.at as usize + self.length as usize
    }
}

/// A decoded frame.
pub(crate) struct Frame {
    bytes: AlignedBuf,
    /// Guards what was found to be so, and whether somebody has taken the frame.
    compared: Mutex<Compared>,
    /// Told when a frame that was taken is given back.
    given_back: Condvar,
    /// Set once all chunks have been compared.
    all_compared: OnceLock<()>,
}

#[derive(Default)]
struct Compared {
    right: HashSet<Claim>,
    taken: bool,
}

impl Frame {
    pub(crate) fn new(bytes: AlignedBuf) -> Self {
        Self {
            bytes,
            compared: Mutex::default(),
            given_back: Condvar::new(),
            all_compared: OnceLock::new(),
        }
    }

    /// All of its bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn part(&self, claim: &Claim) -> Option<&[u8]> {
        self.bytes.get(claim.place())
    }

    fn lock(&self) -> MutexGuard<'_, Compared> {
        // What was found to be so stays so, even after a panic.
        self.compared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whether a claim is right; `None` where the frame ends before the blob would.
    pub(crate) fn compare(&self, keys: &Keys, claim: &Claim) -> Option<bool> {
        let bytes = self.part(claim)?;
        let compared = self.given_back.wait_while(self.lock(), |compared| compared.taken);
        // Who comes second waits for the comparison rather than to make it too.
        let mut compared = compared.unwrap_or_else(PoisonError::into_inner);
        if compared.right.contains(claim) {
            return Some(true);
        }
        let is_right = keys.blob_id(claim.kind, bytes) == claim.id;
        if is_right {
            compared.right.insert(*claim);
        }
        Some(is_right)
    }

    /// Compares all chunks with their names, once.
    ///
    /// What is no chunk, and what is damaged, is left to whoever reads it.
    pub(crate) fn compare_all(
        self: &Arc<Self>,
        keys: &Keys,
        find: impl FnOnce() -> Option<FrameBlobs>,
    ) {
        self.all_compared.get_or_init(|| {
            let Some(mut taken) = Taken::take(self) else { return };
            for (id, at, length) in find().map_or_else(Vec::new, |found| found.blobs) {
                taken.add(Claim { kind: BlobKind::Data, id, at, length });
            }
            Taken::compare(&[taken], keys);
        });
    }
}

/// A frame taken to compare several of its chunks; given back when it is dropped.
pub(crate) struct Taken {
    frame: Arc<Frame>,
    claims: Vec<Claim>,
}

impl Taken {
    /// Takes a frame; `None` when somebody is at it already.
    pub(crate) fn take(frame: &Arc<Frame>) -> Option<Self> {
        let mut compared = match frame.compared.try_lock() {
            Ok(compared) => compared,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        if compared.taken {
            return None;
        }
        compared.taken = true;
        drop(compared);
        Some(Self { frame: Arc::clone(frame), claims: Vec::new() })
    }

    pub(crate) fn is_of(&self, frame: &Arc<Frame>) -> bool {
        Arc::ptr_eq(&self.frame, frame)
    }

    /// Adds what is to be compared, unless that was done.
    pub(crate) fn add(&mut self, claim: Claim) {
        if self.frame.part(&claim).is_some() && !self.frame.lock().right.contains(&claim) {
            self.claims.push(claim);
        }
    }

    /// Names what was added to any of them, all together.
    pub(crate) fn compare(all: &[Self], keys: &Keys) {
        let claims: Vec<(&Frame, &Claim, &[u8])> = all
            .iter()
            .flat_map(|taken| taken.claims.iter().map(|claim| (&*taken.frame, claim)))
            .filter_map(|(frame, claim)| Some((frame, claim, frame.part(claim)?)))
            .collect();
        let bytes: Vec<&[u8]> = claims.iter().map(|(.., bytes)| *bytes).collect();
        let names = keys.blob_ids(BlobKind::Data, &bytes);
        for ((frame, claim, _), name) in claims.into_iter().zip(names) {
            if claim.kind == BlobKind::Data && claim.id == name {
                frame.lock().right.insert(*claim);
            }
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.frame.lock().taken = false;
        self.frame.given_back.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::id::RepositoryId;
    use crate::format::keys::MasterSecret;

    #[test]
    fn who_wants_what_is_being_compared_waits_for_it() {
        let keys = Keys::derive(&MasterSecret::from_bytes([1; 32]), RepositoryId([2; 32]));
        let mut bytes = AlignedBuf::new(6);
        bytes.set_len(6);
        bytes.copy_from_slice(b"onetwo");
        let frame = Arc::new(Frame::new(bytes));
        let claim = |text: &[u8], at| {
            let id = keys.blob_id(BlobKind::Data, text);
            Claim { kind: BlobKind::Data, id, at, length: text.len() as u32 }
        };
        let mut taken = Taken::take(&frame).expect("nobody has it");
        assert!(Taken::take(&frame).is_none());
        for wanted in [claim(b"one", 0), claim(b"owt", 3), claim(b"beyond", 1)] {
            taken.add(wanted);
        }
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| frame.compare(&keys, &claim(b"one", 0)));
            std::thread::sleep(std::time::Duration::from_millis(50));
            assert!(!waits.is_finished());
            Taken::compare(&[taken], &keys);
            assert_eq!(waits.join().expect("an answer"), Some(true));
        });
        assert_eq!(frame.lock().right, HashSet::from([claim(b"one", 0)]));
        assert_eq!(frame.compare(&keys, &claim(b"two", 3)), Some(true));
        assert_eq!(frame.compare(&keys, &claim(b"owt", 3)), Some(false));
        assert_eq!(frame.compare(&keys, &claim(b"beyond", 1)), None);
    }
}
