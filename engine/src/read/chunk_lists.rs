//! The lists that long contents consist of, decoded.
//!
//! Random reads of a long file need another list each time.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use lru::LruCache;

use crate::error::{Error, Result};
use crate::format::content::LONGEST_LIST;
use crate::format::id::BlobId;
use crate::format::tree::ListRef;
use crate::read::reader::{Reader, lock};

/// The number of lists in the cache: of some 400 chunks each, so of 25 GB, and of 80 KiB at most.
const LISTS: usize = 128;

/// A cache of the lists that were used last.
pub(crate) struct ListCache {
    /// Guards the lists, by name and depth.
    lists: Mutex<LruCache<(BlobId, u8), Arc<OffsetTable>>>,
}

impl ListCache {
    pub(crate) fn new() -> Self {
        let capacity = NonZeroUsize::new(LISTS).expect("more than none");
        Self { lists: Mutex::new(LruCache::new(capacity)) }
    }

    /// Returns a list that lies at `depth`; reads it through `reader` if it is not in the cache.
    pub(crate) fn get(&self, reader: &Reader, id: BlobId, depth: u8) -> Result<Arc<OffsetTable>> {
        if let Some(table) = lock(&self.lists).get(&(id, depth)) {
            return Ok(Arc::clone(table));
        }
        let lists = reader.list(&id, depth)?;
        let overflow = || Error::damaged(format!("blob {id}"), "it is impossibly long");
        let table = Arc::new(OffsetTable::new(lists.iter().copied()).ok_or_else(overflow)?);
        // No writer makes longer lists; a hostile one must not fill the memory.
        if lists.len() <= LONGEST_LIST {
            lock(&self.lists).put((id, depth), Arc::clone(&table));
        }
        Ok(table)
    }
}

/// A chunk or list, and the bytes that it covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkSpan {
    /// Its blob.
    pub id: BlobId,
    /// The offsets of its first byte and past its last one.
    pub range: Range<u64>,
}

/// Blobs in a row with the offset of each; `starts` has one more for the end.
pub(crate) struct OffsetTable {
    starts: Vec<u64>,
    ids: Vec<BlobId>,
}

impl OffsetTable {
    /// Adds up lengths; returns `None` when the sum is longer than any file.
    pub(crate) fn new(blobs: impl IntoIterator<Item = ListRef>) -> Option<Self> {
        let (mut starts, mut ids, mut end) = (vec![0], Vec::new(), 0u64);
        for ListRef { id, length } in blobs {
            end = end.checked_add(length)?;
            starts.push(end);
            ids.push(id);
        }
        Some(Self { starts, ids })
    }

    /// Returns the length of all blobs together.
    pub(crate) fn end(&self) -> u64 {
        self.starts.last().copied().unwrap_or(0)
    }

    /// Finds the blob that holds `offset`.
    pub(crate) fn locate(&self, offset: u64) -> Option<ChunkSpan> {
        let n = self.starts.partition_point(|&start| start <= offset).checked_sub(1)?;
        let range = *self.starts.get(n)?..*self.starts.get(n + 1)?;
        Some(ChunkSpan { id: *self.ids.get(n)?, range })
    }
}
