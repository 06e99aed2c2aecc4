//! Answers about paths, kept for the next caller as long as the list of snapshots is the same.

use std::hash::Hash;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;

/// The bytes that the values of one cache may take; a single value may be larger.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CacheLimit(pub(crate) usize);

/// Values by key, each good for one generation of the lists; the least recently used ones are dropped.
pub(crate) struct Cache<K: Hash + Eq, V: MemorySize> {
    limit: usize,
    /// Guards the values.
    values: Mutex<LruCache<K, (u32, Arc<V>)>>,
}

/// A value whose memory is counted.
pub(crate) trait MemorySize {
    /// Returns the bytes that it takes, near enough.
    fn memory_size(&self) -> usize;
}

impl MemorySize for bool {
    fn memory_size(&self) -> usize {
        size_of::<bool>()
    }
}

impl<K: Hash + Eq, V: MemorySize> Cache<K, V> {
    pub(crate) fn new(entries: usize, limit: CacheLimit) -> Self {
        let entries = NonZeroUsize::new(entries).expect("more than none");
        Self { limit: limit.0, values: Mutex::new(LruCache::new(entries)) }
    }

    /// Returns the value of this generation.
    pub(crate) fn get(&self, key: &K, generation: u32) -> Option<Arc<V>> {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        values.get(key).filter(|(of, _)| *of == generation).map(|(_, value)| Arc::clone(value))
    }

    /// Keeps a value.
    pub(crate) fn keep(&self, key: K, generation: u32, value: V) -> Arc<V> {
        let value = Arc::new(value);
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        let mut dropped = Vec::from_iter(values.push(key, (generation, Arc::clone(&value))));
        // Values grow while they are used.
        let mut taken: usize = values.iter().map(|(_, (_, value))| value.memory_size()).sum();
        while taken > self.limit && values.len() > 1 {
            let last = values.pop_lru();
            taken -= last.as_ref().map_or(0, |(_, (_, value))| value.memory_size()).min(taken);
            dropped.extend(last);
        }
        drop(values);
        drop(dropped);
        value
    }

    /// Returns the value of this generation; `compute` makes it where there is none.
    pub(crate) fn get_or<E>(
        &self,
        key: K,
        generation: u32,
        compute: impl FnOnce() -> Result<V, E>,
    ) -> Result<Arc<V>, E> {
        match self.get(&key, generation) {
            Some(value) => Ok(value),
            None => Ok(self.keep(key, generation, compute()?)),
        }
    }
}

/// A cache is itself alone, so that what refers to one can be compared.
impl<K: Hash + Eq, V: MemorySize> PartialEq for Cache<K, V> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sized(usize);

    impl MemorySize for Sized {
        fn memory_size(&self) -> usize {
            self.0
        }
    }

    #[test]
    fn the_least_recently_used_value_goes_when_there_is_too_much() {
        let limit = 3 << 10;
        let cache = Cache::new(8, CacheLimit(limit));
        let third = limit / 3;
        for key in 0..3 {
            cache.keep(key, 1, Sized(third));
        }
        assert!(cache.get(&0, 1).is_some() && cache.get(&0, 2).is_none());
        cache.keep(3, 1, Sized(third));
        assert!(cache.get(&1, 1).is_none());
        assert!([0, 2, 3].iter().all(|key| cache.get(key, 1).is_some()));
        cache.keep(4, 1, Sized(2 * limit));
        assert!([0, 2, 3].iter().all(|key| cache.get(key, 1).is_none()));
        assert!(cache.get(&4, 1).is_some(), "one is kept, however large");
    }
}
