//! Packs that stay open between reads.
//!
//! They are closed soon: a disk with open files can't be unmounted, and a deleted pack takes space while it
//! is open.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lru::LruCache;

use crate::format::object::ObjectName;

/// The number of packs that stay open: as many as hold a file of 16 GiB.
const MAX_OPEN_PACKS: usize = 256;

/// The time after its last read for which a pack stays open.
const IDLE_LIMIT: Duration = Duration::from_secs(5);

/// The packs of a destination that were read most recently, each as an open file `F`.
pub(super) struct OpenPacks<F> {
    /// Guards the packs, in the order of their last use.
    packs: Mutex<LruCache<ObjectName, OpenPack<F>>>,
}

struct OpenPack<F> {
    file: Arc<F>,
    last_used: Instant,
}

impl<F> OpenPacks<F> {
    pub(super) fn new() -> Self {
        let capacity = NonZeroUsize::new(MAX_OPEN_PACKS).expect("more than none");
        Self { packs: Mutex::new(LruCache::new(capacity)) }
    }

    /// Returns the open pack of this name and marks it as used.
    pub(super) fn get(&self, name: &ObjectName) -> Option<Arc<F>> {
        let mut packs = self.lock();
        let pack = packs.get_mut(name)?;
        pack.last_used = Instant::now();
        Some(Arc::clone(&pack.file))
    }

    /// Adds an open pack; the one used longest ago is closed when there are too many.
    pub(super) fn insert(&self, name: &ObjectName, file: &Arc<F>) {
        let pack = OpenPack { file: Arc::clone(file), last_used: Instant::now() };
        // The replaced pack is closed outside the lock.
        let replaced = self.lock().push(name.clone(), pack);
        drop(replaced);
    }

    /// Closes a pack as soon as no thread reads it.
    pub(super) fn close(&self, name: &ObjectName) {
        let closed = self.lock().pop(name);
        drop(closed);
    }

    /// Closes the packs that were not read for [`IDLE_LIMIT`].
    pub(super) fn close_idle(&self) {
        if let Some(then) = Instant::now().checked_sub(IDLE_LIMIT) {
            self.close_used_before(then);
        }
    }

    fn close_used_before(&self, then: Instant) {
        let mut closed = Vec::new();
        let mut packs = self.lock();
        while packs.peek_lru().is_some_and(|(_, pack)| pack.last_used < then) {
            closed.extend(packs.pop_lru());
        }
        drop(packs);
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<ObjectName, OpenPack<F>>> {
        self.packs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use yore_platform::ObjectFile;

    use super::*;
    use crate::format::id::ObjectId;

    #[test]
    fn idle_packs_are_closed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pack");
        std::fs::write(&path, b"bytes").expect("a file");
        let packs = OpenPacks::new();
        let name = |n: u8| ObjectName::pack(ObjectId([n; 32]));
        let open = || Arc::new(ObjectFile::open(&path).expect("it opens"));
        packs.insert(&name(1), &open());
        packs.insert(&name(2), &open());
        packs.close_idle();
        assert!(packs.get(&name(1)).is_some() && packs.get(&name(2)).is_some());
        let then = Instant::now();
        assert!(packs.get(&name(1)).is_some());
        packs.close_used_before(then);
        assert!(packs.get(&name(1)).is_some());
        assert!(packs.get(&name(2)).is_none());
        packs.close(&name(1));
        assert!(packs.get(&name(1)).is_none());
        (0..=255).for_each(|n| packs.insert(&name(n), &open()));
        assert!(packs.get(&name(0)).is_some());
        packs.insert(&ObjectName::header(), &open());
        assert!(packs.get(&name(1)).is_none());
    }
}
