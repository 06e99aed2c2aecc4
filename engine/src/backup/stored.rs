//! What of earlier snapshots may be relied on.

use crate::format::id::BlobId;
use crate::format::tree::{Content, Holes, Node};
use crate::index::BlobIndex;
use crate::read::reader::Reader;

/// Answers whether blobs of earlier snapshots are still stored.
pub(super) struct StoredBlobs<'a> {
    index: BlobIndex,
    reader: &'a Reader,
}

impl<'a> StoredBlobs<'a> {
    pub(super) fn new(index: BlobIndex, reader: &'a Reader) -> Self {
        Self { index, reader }
    }

    /// Whether everything that a file needs is stored.
    pub(super) fn all_of(&self, node: &Node) -> bool {
        let has = |id: &BlobId| self.index.find(id).is_some();
        let holes = match &node.holes {
            Holes::Inline(_) => true,
            Holes::Lists(lists) => lists.iter().all(has),
        };
        holes
            && match &node.content {
                Content::Empty | Content::Inline(_) => true,
                Content::Chunks(chunks) => chunks.iter().all(|chunk| has(&chunk.id)),
                Content::Lists { depth, lists } => {
                    lists.iter().all(|list| self.all_under(&list.id, *depth))
                }
            }
    }

    fn all_under(&self, list: &BlobId, depth: u8) -> bool {
        let listed = self.index.find(list).and_then(|_| self.reader.list(list, depth).ok());
        listed.is_some_and(|items| {
            items.iter().all(|item| match depth.checked_sub(1) {
                None => self.index.find(&item.id).is_some(),
                Some(depth) => self.all_under(&item.id, depth),
            })
        })
    }
}
