//! The copies of all blobs, numbered: what prune and `stats` compute over a whole repository is a few bits and counters
//! for each blob and pack, and no set of ids.
//!
//! Example: two segments, of three and of two entries; blob b is in both.
//!
//! ```text
//! segment 0   a  b  d      positions 0 1 2
//! segment 1   b  c         positions 3 4
//! visited     a {0}   b {1, 3}   c {4}   d {2}
//! ```

use std::collections::HashMap;

use super::segment::Segment;
use super::{BlobIndex, Location};
use crate::format::id::{BlobId, ObjectId};
use crate::format::pack::PackKind;

/// A pack that an index describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DescribedPack {
    pub(crate) id: ObjectId,
    pub(crate) kind: PackKind,
    /// The size in bytes.
    pub(crate) size: u64,
}

/// A copy of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlobCopy {
    /// The number of its entry among all entries.
    pub(crate) position: usize,
    /// The number of its pack in [`BlobTable::packs`].
    pub(crate) pack: u32,
    /// The length of the blob in bytes.
    pub(crate) length: u32,
    /// The lengths of its frame in bytes: as stored, and decoded.
    pub(crate) frame: (u32, u32),
}

/// The entries of an index by numbers.
pub(crate) struct BlobTable {
    index: BlobIndex,
    /// The position of the first entry of each segment.
    bases: Vec<usize>,
    /// The packs, each once, in the order in which the index describes them.
    packs: Vec<DescribedPack>,
    /// For each segment, the numbers in `packs` of the packs that it describes.
    numbers: Vec<Vec<u32>>,
}

impl BlobTable {
    /// Numbers the entries of an index.
    pub(crate) fn new(index: BlobIndex) -> Self {
        let (mut packs, mut known, mut next) = (Vec::new(), HashMap::new(), 0);
        let (mut bases, mut numbers) = (Vec::new(), Vec::new());
        for segment in &index.segments {
            bases.push(next);
            next += segment.len();
            let number = |pack: DescribedPack| {
                *known.entry(pack.id).or_insert_with(|| {
                    packs.push(pack);
                    (packs.len() - 1) as u32
                })
            };
            numbers.push(segment.described_packs().map(number).collect());
        }
        Self { index, bases, packs, numbers }
    }

    /// Returns the index.
    pub(crate) fn index(&self) -> &BlobIndex {
        &self.index
    }

    /// Returns the number of entries.
    pub(crate) fn len(&self) -> usize {
        self.index.segments.iter().map(|segment| segment.len()).sum()
    }

    /// Returns the packs, each once.
    pub(crate) fn packs(&self) -> &[DescribedPack] {
        &self.packs
    }

    /// Finds the first entry of a blob in each segment that has it.
    pub(crate) fn firsts<'a>(&'a self, id: &'a BlobId) -> impl Iterator<Item = usize> + 'a {
        let segments = self.index.segments.iter().zip(&self.bases);
        segments.filter_map(|(segment, base)| Some(base + segment.first_of(id)?))
    }

    /// Visits every blob in the order of the ids: with the position that [`firsts`](Self::firsts) yields first, and one
    /// copy for each pack that has it, in the order of the packs.
    pub(crate) fn for_each_blob(&self, mut visit: impl FnMut(&BlobId, usize, &[BlobCopy])) {
        let segments = &self.index.segments;
        let mut heads = vec![0; segments.len()];
        let mut copies: Vec<BlobCopy> = Vec::new();
        loop {
            let at_head = |(number, head): (usize, &usize)| segments[number].id_of_entry(*head);
            let Some(id) = heads.iter().enumerate().filter_map(at_head).min() else { return };
            copies.clear();
            for (number, head) in heads.iter_mut().enumerate() {
                while segments[number].id_of_entry(*head).is_some_and(|other| other == id) {
                    copies.extend(self.copy(number, *head));
                    *head += 1;
                }
            }
            let Some(first) = copies.first().map(|copy| copy.position) else { continue };
            copies.sort_by_key(|copy| (copy.pack, copy.position));
            copies.dedup_by_key(|copy| copy.pack);
            visit(&id, first, &copies);
        }
    }

    fn copy(&self, segment: usize, entry: usize) -> Option<BlobCopy> {
        let found = self.index.segments[segment].entry_numbers(entry)?;
        let pack = *self.numbers[segment].get(found.pack as usize)?;
        let position = self.bases[segment] + entry;
        Some(BlobCopy { position, pack, length: found.length, frame: found.frame })
    }

    /// Returns the blobs of a pack in their order, with their positions.
    pub(crate) fn blobs_of(&self, pack: u32) -> Vec<(usize, BlobId, Location)> {
        for ((segment, base), numbers) in
            self.index.segments.iter().zip(&self.bases).zip(&self.numbers)
        {
            let Some(local) = numbers.iter().position(|number| *number == pack) else { continue };
            let blobs = segment.blobs_of(local as u32).into_iter();
            return blobs.map(|(entry, id, location)| (base + entry, id, location)).collect();
        }
        Vec::new()
    }

    /// Returns the index without some packs, whose blobs count as absent.
    pub(crate) fn without(&self, packs: impl Iterator<Item = ObjectId>) -> BlobIndex {
        let mut index = self.index.clone();
        index.condemned.extend(packs);
        index
    }
}

/// The numbers of an entry of a segment.
pub(super) struct EntryNumbers {
    /// The number of its pack in the segment.
    pub(super) pack: u32,
    pub(super) length: u32,
    /// The lengths of its frame: as stored, and decoded.
    pub(super) frame: (u32, u32),
}

impl Segment {
    /// Yields the packs that it describes, in the order of their numbers.
    fn described_packs(&self) -> impl Iterator<Item = DescribedPack> + '_ {
        let ids = self.pack_ids().filter_map(ObjectId::from_slice);
        ids.zip(self.pack_kinds()).map(|(id, (kind, size))| DescribedPack { id, kind, size })
    }

    /// Returns the blobs of a pack in the order of the pack, with the numbers of their entries.
    fn blobs_of(&self, pack: u32) -> Vec<(usize, BlobId, Location)> {
        let mut found = Vec::new();
        let mut frame = self.first_frame_of(pack);
        while self.frame_span(frame).is_some_and(|(of, _)| of == pack) {
            let begin = found.len();
            found.extend(self.entries_of_frame(frame));
            found[begin..].sort_unstable_by_key(|(_, _, location): &(_, _, Location)| location.at);
            frame += 1;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Segment;
    use crate::index::tests::pack_of;
    use std::sync::Arc;

    #[test]
    fn every_copy_is_visited_once_and_packs_keep_their_order() {
        let one = pack_of(1, &[(7, 10), (3, 20), (9, 30)]);
        let two = pack_of(2, &[(3, 20), (5, 40)]);
        let segment = |packs: &[_]| Arc::new(Segment::keep(Segment::build(packs, &[]), None));
        // The second pack is described twice.
        let segments =
            vec![segment(&[one.clone(), two.clone()]), segment(std::slice::from_ref(&two))];
        let table = BlobTable::new(BlobIndex { segments, ..BlobIndex::default() });
        assert_eq!((table.len(), table.packs().len()), (7, 2));
        let mut visited = Vec::new();
        table.for_each_blob(|id, first, copies| {
            let packs: Vec<u32> = copies.iter().map(|copy| copy.pack).collect();
            visited.push((id.0[0], packs, copies[0].length));
            assert_eq!(table.firsts(id).next(), Some(first));
        });
        let expected = [(3, vec![0, 1], 20), (5, vec![1], 40), (7, vec![0], 10), (9, vec![0], 30)];
        assert_eq!(visited, expected);
        let order: Vec<u8> = table.blobs_of(0).iter().map(|(_, id, _)| id.0[0]).collect();
        assert_eq!(order, [7, 3, 9]);
    }
}
