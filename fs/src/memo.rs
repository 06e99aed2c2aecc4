//! What was worked out about paths, kept for the next who asks; as long as the list of snapshots
//! is the same.

use std::hash::Hash;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;

/// Values by key, each good for one generation of the lists; the ones used longest ago are dropped.
pub(crate) struct Memo<K: Hash + Eq, V> {
    /// Guards the values.
    values: Mutex<LruCache<K, (u32, Arc<V>)>>,
    /// How much memory all but the last may take, in bytes, and how much one takes.
    most: usize,
    size: fn(&V) -> usize,
}

impl<K: Hash + Eq, V> Memo<K, V> {
    pub(crate) fn new(entries: usize) -> Self {
        Self::bounded(entries, usize::MAX, |_| 0)
    }

    /// Keeps no more than `most` bytes, by the sizes that `size` tells, or one value.
    pub(crate) fn bounded(entries: usize, most: usize, size: fn(&V) -> usize) -> Self {
        let entries = NonZeroUsize::new(entries).expect("more than none");
        Self { values: Mutex::new(LruCache::new(entries)), most, size }
    }

    /// Returns what is known for this generation.
    pub(crate) fn get(&self, key: &K, generation: u32) -> Option<Arc<V>> {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        values.get(key).filter(|(of, _)| *of == generation).map(|(_, value)| Arc::clone(value))
    }

    /// Keeps a value.
    pub(crate) fn keep(&self, key: K, generation: u32, value: V) -> Arc<V> {
        let value = Arc::new(value);
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        let mut dropped = Vec::from_iter(values.push(key, (generation, Arc::clone(&value))));
        let size = |values: &LruCache<K, (u32, Arc<V>)>| -> usize {
            values.iter().map(|(_, (_, value))| (self.size)(value)).sum()
        };
        while values.len() > 1 && size(&values) > self.most {
            dropped.extend(values.pop_lru());
        }
        drop(values);
        drop(dropped);
        value
    }

    /// Returns what is known, or works it out.
    pub(crate) fn get_or<E>(
        &self,
        key: K,
        generation: u32,
        work_out: impl FnOnce() -> Result<V, E>,
    ) -> Result<Arc<V>, E> {
        match self.get(&key, generation) {
            Some(value) => Ok(value),
            None => Ok(self.keep(key, generation, work_out()?)),
        }
    }
}
