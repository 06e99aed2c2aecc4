//! Long contents: lists of chunks that are themselves stored (FORMAT.md §9).
//!
//! A list ends behind an id that ends in a zero byte, one in 256, but not before 128 items: a new
//! chunk in the middle of a file alters one list or two, and the lists above them.
//!
//! Example: 2,000,000 chunks of 512 KiB, 1 TB. They make some 5,200 lists of depth 0, too many for
//! a node; those make about a dozen lists of depth 1, which the node names. Reading at an offset
//! takes one list of depth 1 and one of depth 0.

use crate::error::Result;
use crate::format::id::BlobId;
use crate::format::tree::{Chunk, Content, Hole, Holes, ListRef, encode_hole_list, encode_list};

/// The most chunks that a node names, and the items at which a list is cut.
const MAX_ITEMS: usize = 1024;
/// The most items of any list: the last one at a depth above 0 is cut late, in `finish`.
pub(crate) const LONGEST_LIST: usize = 2 * MAX_ITEMS + 1;
/// The fewest items of a list that ends by its ids.
const MIN_ITEMS: usize = 128;
/// The most holes that a node has itself (FORMAT.md §8, key 27).
const MAX_HOLES: usize = 2048;
/// The number of holes in a stored list.
const HOLES_PER_LIST: usize = 32_768;

/// Saves a list blob; returns its id.
pub(crate) type SaveList<'a> = dyn FnMut(Vec<u8>) -> Result<BlobId> + 'a;

/// Collects the chunks of one file, however many there are.
#[derive(Default)]
pub(crate) struct ContentBuilder {
    /// Items at each depth that are in no list yet; depth 0 holds chunks.
    pending: Vec<Vec<ListRef>>,
    chunks: usize,
}

impl ContentBuilder {
    /// Adds the chunk that follows the last one.
    pub(crate) fn push(&mut self, chunk: Chunk, save: &mut SaveList<'_>) -> Result<()> {
        self.chunks += 1;
        self.push_at(0, chunk.into());
        // The first list is cut only when it is known that there will be lists at all.
        if self.chunks > MAX_ITEMS { self.cut(0, save) } else { Ok(()) }
    }

    /// Completes the file's content.
    pub(crate) fn finish(mut self, save: &mut SaveList<'_>) -> Result<Content> {
        if self.chunks <= MAX_ITEMS {
            let items = self.pending.pop().unwrap_or_default();
            let chunk = |item: ListRef| Chunk { id: item.id, length: item.length as u32 };
            return Ok(match items.is_empty() {
                true => Content::Empty,
                false => Content::Chunks(items.into_iter().map(chunk).collect()),
            });
        }
        let mut depth = 0;
        loop {
            self.end_list(depth, usize::MAX, save)?;
            let above = &self.pending[depth + 1];
            if above.len() <= MAX_ITEMS {
                return Ok(Content::Lists { depth: depth as u8, lists: above.clone() });
            }
            depth += 1;
        }
    }

    fn push_at(&mut self, depth: usize, item: ListRef) {
        if self.pending.len() <= depth {
            self.pending.resize_with(depth + 1, Vec::new);
        }
        self.pending[depth].push(item);
    }

    /// Cuts lists off the items pending at `depth` while the end of the next one is known.
    fn cut(&mut self, depth: usize, save: &mut SaveList<'_>) -> Result<()> {
        while let Some(end) = list_end(&self.pending[depth]) {
            self.end_list(depth, end, save)?;
        }
        // Lists of lists are cut once there are clearly more than a node may name.
        let above = self.pending.get(depth + 1).map_or(0, Vec::len);
        if above > 2 * MAX_ITEMS { self.cut(depth + 1, save) } else { Ok(()) }
    }

    fn end_list(&mut self, depth: usize, items: usize, save: &mut SaveList<'_>) -> Result<()> {
        let items = items.min(self.pending[depth].len());
        let list: Vec<_> = self.pending[depth].drain(..items).collect();
        let length = list.iter().map(|item| item.length).sum();
        let rest = self.pending[depth].len();
        debug_assert!(rest == 0 || items <= MAX_ITEMS);
        if list.is_empty() {
            self.pending.resize_with(self.pending.len().max(depth + 2), Vec::new);
            return Ok(());
        }
        let id = save(encode_list(depth as u8, &list))?;
        self.push_at(depth + 1, ListRef { id, length });
        Ok(())
    }
}

/// Finds the end of the first list among the items, if it is known yet.
fn list_end(items: &[ListRef]) -> Option<usize> {
    let by_id = items.iter().skip(MIN_ITEMS - 1).position(|item| item.id.0[31] == 0);
    let end = by_id.map(|at| at + MIN_ITEMS).filter(|&end| end <= MAX_ITEMS);
    end.or((items.len() >= MAX_ITEMS).then_some(MAX_ITEMS))
}

/// Stores holes in the node, or in list blobs when there are many.
pub(crate) fn keep_holes(holes: Vec<Hole>, save: &mut SaveList<'_>) -> Result<Holes> {
    if holes.len() <= MAX_HOLES {
        return Ok(Holes::Inline(holes));
    }
    let lists = holes.chunks(HOLES_PER_LIST).map(|part| save(encode_hole_list(part)));
    Ok(Holes::Lists(lists.collect::<Result<_>>()?))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use sha2::{Digest, Sha256};

    use super::*;
    use crate::format::tree::decode_list;

    fn id(seed: &[u8]) -> BlobId {
        BlobId(Sha256::digest(seed).into())
    }

    fn build(numbers: impl Iterator<Item = u32>) -> (Content, HashMap<BlobId, Vec<u8>>) {
        let mut blobs = HashMap::new();
        let mut save = |bytes: Vec<u8>| {
            let id = id(&bytes);
            blobs.insert(id, bytes);
            Ok(id)
        };
        let mut builder = ContentBuilder::default();
        for number in numbers {
            let chunk = Chunk { id: id(&number.to_be_bytes()), length: number % 1000 + 1 };
            builder.push(chunk, &mut save).expect("saving can't fail here");
        }
        (builder.finish(&mut save).expect("saving can't fail here"), blobs)
    }

    fn flatten(content: &Content, blobs: &HashMap<BlobId, Vec<u8>>) -> Vec<(BlobId, u64)> {
        let expand = |list: &ListRef, depth| {
            let items = decode_list(&blobs[&list.id], depth).expect("it decodes");
            assert_eq!(items.iter().map(|item| item.length).sum::<u64>(), list.length);
            items
        };
        match content {
            Content::Chunks(chunks) => chunks.iter().map(|c| (c.id, c.length.into())).collect(),
            Content::Lists { depth, lists } => {
                let mut items = lists.clone();
                for depth in (0..=*depth).rev() {
                    items = items.iter().flat_map(|list| expand(list, depth)).collect();
                }
                items.into_iter().map(|item| (item.id, item.length)).collect()
            }
            Content::Empty | Content::Inline(_) => Vec::new(),
        }
    }

    #[test]
    fn a_content_of_any_length_goes_there_and_back() {
        for count in [0, 1, 1024, 1025, 5000, 700_000] {
            let (content, blobs) = build(0..count);
            let wanted: Vec<_> =
                (0..count).map(|n| (id(&n.to_be_bytes()), u64::from(n % 1000 + 1))).collect();
            assert!(flatten(&content, &blobs) == wanted, "{count} chunks");
            if let Content::Lists { lists, .. } = content {
                assert!(lists.len() <= MAX_ITEMS);
            }
        }
    }

    #[test]
    fn one_new_chunk_in_a_long_content_rewrites_few_lists() {
        let (_, before) = build(0..100_000);
        let (_, after) = build((0..50_000).chain(1_000_000..1_000_001).chain(50_000..100_000));
        let new = after.keys().filter(|id| !before.contains_key(id)).count();
        assert!(new <= 6, "{new} of {} lists are new", after.len());
    }
}
