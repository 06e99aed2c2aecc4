//! What was worked out about paths, kept for the next who asks; as long as the list of snapshots
//! is the same.

use std::hash::Hash;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;

/// How much the values of one memo may take, in bytes, unless it is one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Most(pub(crate) usize);

/// Values by key, each good for one generation of the lists; the ones used longest ago are dropped.
pub(crate) struct Memo<K: Hash + Eq, V: Weigh> {
    most: usize,
    /// Guards the values.
    values: Mutex<LruCache<K, (u32, Arc<V>)>>,
}

/// What takes memory.
pub(crate) trait Weigh {
    /// How much, in bytes, near enough.
    fn weigh(&self) -> usize;
}

impl Weigh for bool {
    fn weigh(&self) -> usize {
        size_of::<bool>()
    }
}

impl<K: Hash + Eq, V: Weigh> Memo<K, V> {
    pub(crate) fn new(entries: usize, most: Most) -> Self {
        let entries = NonZeroUsize::new(entries).expect("more than none");
        Self { most: most.0, values: Mutex::new(LruCache::new(entries)) }
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
        // Values grow while they are used.
        let mut taken: usize = values.iter().map(|(_, (_, value))| value.weigh()).sum();
        while taken > self.most && values.len() > 1 {
            let last = values.pop_lru();
            taken -= last.as_ref().map_or(0, |(_, (_, value))| value.weigh()).min(taken);
            dropped.extend(last);
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

#[cfg(test)]
mod tests {
    use super::*;

    struct Heavy(usize);

    impl Weigh for Heavy {
        fn weigh(&self) -> usize {
            self.0
        }
    }

    #[test]
    fn what_was_used_longest_ago_goes_when_there_is_too_much() {
        let most = 3 << 10;
        let memo = Memo::new(8, Most(most));
        let third = most / 3;
        for key in 0..3 {
            memo.keep(key, 1, Heavy(third));
        }
        assert!(memo.get(&0, 1).is_some() && memo.get(&0, 2).is_none());
        memo.keep(3, 1, Heavy(third));
        assert!(memo.get(&1, 1).is_none());
        assert!([0, 2, 3].iter().all(|key| memo.get(key, 1).is_some()));
        memo.keep(4, 1, Heavy(2 * most));
        assert!([0, 2, 3].iter().all(|key| memo.get(key, 1).is_none()));
        assert!(memo.get(&4, 1).is_some(), "one is kept, however large");
    }
}
