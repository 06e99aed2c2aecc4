//! A segment: an immutable sorted table from blob ids to locations, local and disposable.
//!
//! Layout, little-endian, part after part:
//!
//! | part | one record | bytes |
//! |---|---|---|
//! | head | magic; numbers of covers, packs, frames and entries as u64 | 40 |
//! | covers | id of an index object from which the segment was built | 32 |
//! | packs | id; kind as u64, 0 for data; size as u64 | 48 |
//! | frames | its pack, its number in the pack as u32; offset as u64; sealed length, raw length with the top bit set if compressed, first of its numbers as u32 | 28 |
//! | entries | blob id; frame, offset in the frame, length as u32; sorted by blob id | 44 |
//! | numbers | an entry as u32; frame by frame, so that a frame's blobs are found | 4 |
//! | digest | SHA-256 of all that | 32 |
//!
//! Blob ids are keyed hashes and so spread evenly: a look-up guesses the place of an id, twice corrects the guess by the
//! id that it finds there, and searches around it (interpolation search: Perl, Itai, Avni, CACM 21(7), 1978).
//!
//! Example: of 1,000,000 entries, an id that begins with 40 00 (a quarter of the range) is guessed
//! at entry 250,000 and stands at 250,310. The id at the guess begins with 3f eb, which is 310 entries too early, but for
//! what chance does to so few: the next guess is off by some 20, and the third by some 5. Steps of 1, 2, 4 … enclose it.
//! A binary search of the whole table would touch thirteen pages far apart.

use std::cmp::Ordering;
use std::ops::Range;
use std::path::Path;

use sha2::{Digest, Sha256};
use yore_platform::MappedFile;

use crate::format::id::{BlobId, ObjectId};
use crate::format::pack::{Codec, FrameInfo, PackKind};
use crate::index::blob_table::EntryNumbers;
use crate::index::{FrameSpan, Location};

mod build;

/// The extension of segment files.
pub(super) const EXTENSION: &str = "segment";
const MAGIC: &[u8; 8] = b"yoreseg2";
const HEAD: usize = 40;
const ID: usize = 32;
const PACK: usize = 48;
const FRAME: usize = 28;
/// The offset, in a frame's record, of the first of its numbers.
const FIRST: usize = 24;
const NUMBER: usize = 4;
const ENTRY: usize = 44;
/// The times that a guess is corrected: each leaves some square root of the entries by which it was off.
const GUESSES: usize = 2;
/// The bit of a frame's length that says that it is compressed.
const COMPRESSED: u32 = 1 << 31;

enum Bytes {
    Mapped(MappedFile),
    Owned(Vec<u8>),
}

impl std::ops::Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Mapped(map) => map,
            Bytes::Owned(bytes) => bytes,
        }
    }
}

/// A sorted table of blobs.
pub(crate) struct Segment {
    bytes: Bytes,
    covers: Range<usize>,
    packs: Range<usize>,
    frames: Range<usize>,
    entries: Range<usize>,
    numbers: Range<usize>,
}

/// A frame as a segment describes it, and the blobs in it.
pub(crate) struct FrameBlobs {
    /// The location of its first blob; the others differ in offset and length only.
    pub(crate) location: Location,
    /// All of its blobs, sorted by id.
    pub(crate) blobs: Vec<FrameBlob>,
}

/// A blob in a decoded frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameBlob {
    pub(crate) id: BlobId,
    /// Its offset in the decoded frame.
    pub(crate) at: u32,
    pub(crate) length: u32,
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
}

impl Segment {
    /// Opens a segment in the cache; returns `None` when it is none, or damaged.
    pub(super) fn open(path: &Path) -> Option<Self> {
        let map = MappedFile::open(path).ok()?;
        let (body, digest) = map.split_last_chunk::<ID>()?;
        if Sha256::digest(body).as_slice() != digest {
            return None;
        }
        Self::parse(Bytes::Mapped(map))
    }

    fn parse(bytes: Bytes) -> Option<Self> {
        if bytes.get(..8)? != MAGIC {
            return None;
        }
        let count = |at| usize::try_from(u64_at(&bytes, at)).ok();
        let mut end = HEAD;
        let mut part = |items: usize, size: usize| {
            let start = end;
            end = items.checked_mul(size)?.checked_add(start)?;
            Some(start..end)
        };
        let covers = part(count(8)?, ID)?;
        let packs = part(count(16)?, PACK)?;
        let frames = part(count(24)?, FRAME)?;
        let entries = part(count(32)?, ENTRY)?;
        let numbers = part(count(32)?, NUMBER)?;
        (bytes.len() == numbers.end + ID).then_some(())?;
        Some(Self { bytes, covers, packs, frames, entries, numbers })
    }

    /// Returns the number of its blobs.
    pub(super) fn len(&self) -> usize {
        self.entries.len() / ENTRY
    }

    /// Returns the bytes of memory that it takes once all of it was read.
    pub(super) fn memory(&self) -> usize {
        self.bytes.len()
    }

    /// Yields the index objects from which it was built.
    pub(super) fn covers(&self) -> impl Iterator<Item = ObjectId> + '_ {
        self.bytes[self.covers.clone()].chunks_exact(ID).filter_map(ObjectId::from_slice)
    }

    /// Yields the packs that it describes, with their sizes.
    pub(super) fn pack_sizes(&self) -> impl Iterator<Item = (ObjectId, u64)> + '_ {
        let packs = self.bytes[self.packs.clone()].chunks_exact(PACK);
        packs.filter_map(|pack| Some((ObjectId::from_slice(&pack[..ID])?, u64_at(pack, ID + 8))))
    }

    /// Finds every copy of a blob.
    pub(super) fn find<'a>(&'a self, id: &'a BlobId) -> impl Iterator<Item = Location> + 'a {
        let first = self.first(id);
        (first..self.len()).map_while(move |n| self.location_of(n, id))
    }

    fn id_at(&self, n: usize) -> &[u8] {
        let start = self.entries.start + n * ENTRY;
        &self.bytes[start..start + ID]
    }

    /// Returns the first eight bytes of an entry's id, as a number.
    fn leading_at(&self, n: usize) -> u64 {
        let start = self.entries.start + n * ENTRY;
        let bytes = self.bytes.get(start..start + 8).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u64::from_be_bytes)
    }

    /// Returns true if an entry is before `id`, whose first bytes are `leading`.
    fn is_before(&self, n: usize, leading: u64, id: &BlobId) -> bool {
        match self.leading_at(n).cmp(&leading) {
            Ordering::Equal => self.id_at(n) < id.0.as_slice(),
            unequal => unequal.is_lt(),
        }
    }

    /// Returns the number of the first entry that is not before `id`.
    fn first(&self, id: &BlobId) -> usize {
        let count = self.len();
        if count == 0 {
            return 0;
        }
        let (leading, _) = id.0.split_first_chunk::<8>().expect("an id has 32 bytes");
        let leading = u64::from_be_bytes(*leading);
        // Where ids do not spread evenly, the guess is poor, and the steps are more.
        let mut guess = entries_in(leading, count);
        for _ in 0..GUESSES {
            let found = self.leading_at(guess);
            let off = entries_in(found.abs_diff(leading), count);
            guess = match found > leading {
                true => guess.saturating_sub(off),
                false => (guess + off).min(count - 1),
            };
        }
        let (mut low, mut high, mut step) = (guess, guess, 1);
        while low > 0 && !self.is_before(low, leading, id) {
            low = low.saturating_sub(step);
            step *= 2;
        }
        step = 1;
        while high < count && self.is_before(high, leading, id) {
            high = (high + step).min(count);
            step *= 2;
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if self.is_before(middle, leading, id) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Finds the frame that lies `after` frames behind that of a blob in the same pack.
    pub(super) fn frame_after(&self, id: &BlobId, after: u32) -> Option<FrameBlobs> {
        let entry = self.entry(self.first(id)).filter(|entry| entry[..ID] == id.0)?;
        let here = u32_at(entry, ID);
        let number = here.checked_add(after)?;
        if u32_at(self.frame(here)?, 0) != u32_at(self.frame(number)?, 0) {
            return None;
        }
        let blob = |n: usize| {
            let entry = self.entry(n)?;
            let (at, length) = (u32_at(entry, ID + 4), u32_at(entry, ID + 8));
            Some(FrameBlob { id: id_of(entry)?, at, length })
        };
        let blobs: Vec<_> = self.numbers_of_frame(number).map_while(blob).collect();
        let first = self.numbers_of_frame(number).next()?;
        Some(FrameBlobs { location: self.location(self.entry(first)?)?, blobs })
    }

    fn entry(&self, n: usize) -> Option<&[u8]> {
        let start = self.entries.start + n * ENTRY;
        self.bytes.get(start..start + ENTRY).filter(|_| start < self.entries.end)
    }

    fn frame(&self, n: u32) -> Option<&[u8]> {
        let start = self.frames.start + n as usize * FRAME;
        self.bytes.get(start..start + FRAME).filter(|_| start < self.frames.end)
    }

    /// Yields the ids of the packs in the order of their numbers.
    pub(super) fn pack_ids(&self) -> impl Iterator<Item = &[u8]> + '_ {
        self.bytes[self.packs.clone()].chunks_exact(PACK).map(|pack| &pack[..ID])
    }

    /// Yields the kinds and sizes of the packs in the order of their numbers.
    pub(super) fn pack_kinds(&self) -> impl Iterator<Item = (PackKind, u64)> + '_ {
        self.bytes[self.packs.clone()].chunks_exact(PACK).map(|pack| {
            let kind = if u64_at(pack, ID) == 0 { PackKind::Data } else { PackKind::Tree };
            (kind, u64_at(pack, ID + 8))
        })
    }

    /// Returns the number of the first entry of a blob.
    pub(super) fn first_of(&self, id: &BlobId) -> Option<usize> {
        let first = self.first(id);
        self.entry(first).is_some_and(|entry| entry[..ID] == id.0).then_some(first)
    }

    /// Returns the blob of an entry.
    pub(super) fn id_of_entry(&self, n: usize) -> Option<BlobId> {
        self.entry(n).and_then(id_of)
    }

    /// Returns the numbers of an entry.
    pub(super) fn entry_numbers(&self, n: usize) -> Option<EntryNumbers> {
        let entry = self.entry(n)?;
        let frame = self.frame(u32_at(entry, ID))?;
        let (sealed, raw) = (u32_at(frame, 16), u32_at(frame, 20) & !COMPRESSED);
        let (pack, length) = (u32_at(frame, 0), u32_at(entry, ID + 8));
        Some(EntryNumbers { pack, length, frame: (sealed, raw) })
    }

    /// Returns the blobs of a frame with the numbers of their entries, in the order of their ids.
    pub(super) fn entries_of_frame(&self, frame: u32) -> Vec<(usize, BlobId, Location)> {
        let numbers = self.numbers_of_frame(frame);
        let located = numbers.filter_map(|number| {
            let entry = self.entry(number)?;
            Some((number, id_of(entry)?, self.location(entry)?))
        });
        located.collect()
    }

    /// Yields the numbers of the entries of a frame.
    fn numbers_of_frame(&self, frame: u32) -> impl Iterator<Item = usize> + '_ {
        let first = self.frame(frame).map_or(self.len(), |frame| u32_at(frame, FIRST) as usize);
        let next = frame.checked_add(1).and_then(|next| self.frame(next));
        let end = next.map_or(self.len(), |next| u32_at(next, FIRST) as usize);
        (first..end.min(self.len()))
            .map(|n| u32_at(&self.bytes, self.numbers.start + n * NUMBER) as usize)
    }

    /// Returns the number of its frames.
    pub(super) fn frame_count(&self) -> u32 {
        u32::try_from(self.frames.len() / FRAME).unwrap_or(u32::MAX)
    }

    /// Returns a frame and the number of its pack.
    pub(super) fn frame_span(&self, n: u32) -> Option<(u32, FrameSpan)> {
        let frame = self.frame(n)?;
        let (offset, sealed) = (u64_at(frame, 8), u32_at(frame, 16));
        Some((u32_at(frame, 0), FrameSpan { number: u32_at(frame, 4), offset, sealed }))
    }

    fn location_of(&self, n: usize, id: &BlobId) -> Option<Location> {
        self.location(self.entry(n).filter(|entry| entry[..ID] == id.0)?)
    }

    fn location(&self, entry: &[u8]) -> Option<Location> {
        let frame = self.frame(u32_at(entry, ID))?;
        let start = self.packs.start + u32_at(frame, 0) as usize * PACK;
        let pack = self.bytes.get(start..start + PACK).filter(|_| start < self.packs.end)?;
        let raw = u32_at(frame, 20);
        let codec = if raw & COMPRESSED == 0 { Codec::Raw } else { Codec::Zstd };
        Some(Location {
            pack: ObjectId::from_slice(&pack[..ID])?,
            kind: if u64_at(pack, ID) == 0 { PackKind::Data } else { PackKind::Tree },
            number: u32_at(frame, 4),
            offset: u64_at(frame, 8),
            frame: FrameInfo { sealed: u32_at(frame, 16), raw: raw & !COMPRESSED, codec, blobs: 0 },
            at: u32_at(entry, ID + 4),
            length: u32_at(entry, ID + 8),
        })
    }
}

/// Returns how many of `count` entries, spread evenly, have ids within a distance of leading bytes; fewer than `count`.
fn entries_in(distance: u64, count: usize) -> usize {
    ((u128::from(distance) * count as u128) >> 64) as usize
}

fn id_of(entry: &[u8]) -> Option<BlobId> {
    Some(BlobId(entry.get(..ID)?.try_into().ok()?))
}

#[cfg(test)]
mod tests;
