//! The lists that long contents consist of, decoded.
//!
//! Who reads here and there in a long file wants another list each time.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use lru::LruCache;

use crate::error::{Error, Result};
use crate::format::content::MAX_ITEMS;
use crate::format::id::BlobId;
use crate::format::tree::ListRef;
use crate::read::reader::{Reader, lock};

/// How many lists are kept: of some 400 chunks each, so of 25 GB, and of 40 KiB at most.
const LISTS: usize = 128;

/// The lists that were used last.
pub(crate) struct Lists {
    /// Guards the lists, by name and depth.
    kept: Mutex<LruCache<(BlobId, u8), Arc<Level>>>,
}

impl Lists {
    pub(crate) fn new() -> Self {
        let capacity = NonZeroUsize::new(LISTS).expect("more than none");
        Self { kept: Mutex::new(LruCache::new(capacity)) }
    }

    /// Returns a list that lies at `depth`; reads it through `reader` if it is not kept.
    pub(crate) fn get(&self, reader: &Reader, id: BlobId, depth: u8) -> Result<Arc<Level>> {
        if let Some(level) = lock(&self.kept).get(&(id, depth)) {
            return Ok(Arc::clone(level));
        }
        let lists = reader.list(&id, depth)?;
        let overflow = || Error::damaged(format!("blob {id}"), "it is impossibly long");
        let level = Arc::new(Level::of_lists(&lists).ok_or_else(overflow)?);
        // No writer makes longer ones; whoever does must not fill the memory.
        if lists.len() <= MAX_ITEMS {
            lock(&self.kept).put((id, depth), Arc::clone(&level));
        }
        Ok(level)
    }
}

/// Blobs in a row, and where each begins; `starts` has one more for the end.
pub(crate) struct Level {
    starts: Vec<u64>,
    ids: Vec<BlobId>,
}

impl Level {
    /// `None` when they are longer than any file.
    pub(crate) fn new(items: impl IntoIterator<Item = (BlobId, u64)>) -> Option<Self> {
        let (mut starts, mut ids, mut end) = (vec![0], Vec::new(), 0u64);
        for (id, length) in items {
            end = end.checked_add(length)?;
            starts.push(end);
            ids.push(id);
        }
        Some(Self { starts, ids })
    }

    pub(crate) fn of_lists(lists: &[ListRef]) -> Option<Self> {
        Self::new(lists.iter().map(|list| (list.id, list.length)))
    }

    pub(crate) fn end(&self) -> u64 {
        self.starts.last().copied().unwrap_or(0)
    }

    /// Finds the blob that holds `offset`, and where it begins and ends.
    pub(crate) fn locate(&self, offset: u64) -> Option<(BlobId, Range<u64>)> {
        let n = self.starts.partition_point(|&start| start <= offset).checked_sub(1)?;
        Some((*self.ids.get(n)?, *self.starts.get(n)?..*self.starts.get(n + 1)?))
    }
}
