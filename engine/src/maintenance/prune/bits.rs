//! A set of numbers as bits, which several threads add to.

use std::sync::atomic::{AtomicU64, Ordering};

/// A set of numbers below a limit.
pub(super) struct Bits(Vec<AtomicU64>);

impl Bits {
    /// Creates an empty set of numbers below `limit`.
    pub(super) fn new(limit: usize) -> Self {
        Self((0..limit.div_ceil(64)).map(|_| AtomicU64::new(0)).collect())
    }

    /// Adds a number; returns true if it was not in the set.
    pub(super) fn insert(&self, number: usize) -> bool {
        let bit = 1 << (number % 64);
        self.0.get(number / 64).is_some_and(|word| word.fetch_or(bit, Ordering::Relaxed) & bit == 0)
    }

    /// Returns true if a number is in the set.
    pub(super) fn contains(&self, number: usize) -> bool {
        let word = self.0.get(number / 64);
        word.is_some_and(|word| word.load(Ordering::Relaxed) & (1 << (number % 64)) != 0)
    }
}
