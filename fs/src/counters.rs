//! Counters of a volume since it was opened, which explain the load on a destination.

use std::sync::atomic::{AtomicU64, Ordering};

use yore_engine::backend::Fetched;

use crate::inode::tables::TableSizes;

/// The attribute of the drive's top that holds the counters.
pub const COUNTERS: &[u8] = b"user.yore.counters";

/// The attribute of the drive's top that holds the id of its repository.
pub const REPOSITORY: &[u8] = b"user.yore.repository";

/// The counters of calls and bytes.
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
    /// Returns the counters as a JSON object.
    pub(crate) fn json(&self, fetched: Fetched, sizes: TableSizes) -> String {
        let remembered = sizes.places + sizes.trees + sizes.links;
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        format!(
            "{{\"lookups\":{},\"listings\":{},\"reads\":{},\"bytes_read\":{},\"errors\":{},\
             \"requests_fetched\":{},\"bytes_fetched\":{},\"failed_fetches\":{},\
             \"remembered\":{remembered}}}",
            value(&self.lookups),
            value(&self.listings),
            value(&self.reads),
            value(&self.bytes),
            value(&self.errors),
            fetched.requests,
            fetched.bytes,
            fetched.failures
        )
    }
}
