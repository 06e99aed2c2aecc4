//! What a volume did since it was opened, for whoever wonders what pulls at a destination.

use std::sync::atomic::{AtomicU64, Ordering};

use yore_engine::Fetched;

use crate::inode::tables::TableSizes;

/// The attribute of the drive's top that tells the counters.
pub const COUNTERS: &[u8] = b"user.yore.counters";

/// The attribute of the drive's top that tells the id of its repository.
pub const REPOSITORY: &[u8] = b"user.yore.repository";

/// Counts what programs ask.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) lookups: AtomicU64,
    pub(crate) listings: AtomicU64,
    pub(crate) reads: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) errors: AtomicU64,
}

/// Adds to a counter.
pub(crate) fn add(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

impl Counters {
    /// The numbers as a JSON object.
    pub(crate) fn json(&self, fetched: Fetched, sizes: TableSizes) -> String {
        let remembered = sizes.places + sizes.trees + sizes.links;
        let told = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        format!(
            "{{\"lookups\":{},\"listings\":{},\"reads\":{},\"bytes_read\":{},\"errors\":{},\
             \"requests_fetched\":{},\"bytes_fetched\":{},\"failed_fetches\":{},\
             \"remembered\":{remembered}}}",
            told(&self.lookups),
            told(&self.listings),
            told(&self.reads),
            told(&self.bytes),
            told(&self.errors),
            fetched.requests,
            fetched.bytes,
            fetched.failures
        )
    }
}
