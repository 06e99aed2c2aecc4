//! A segment: an immutable sorted table from blob ids to places, local and disposable.
//!
//! Layout, little-endian: head (magic, counts), ids of the index objects it was made of, packs,
//! frames, entries sorted by blob id, the numbers of the entries frame by frame, SHA-256 of all that.
//! Blob ids are keyed hashes, so they are spread evenly, and a lookup guesses its place before it
//! searches around it.

use std::ops::Range;
use std::path::Path;

use sha2::{Digest, Sha256};
use yore_platform::{DurableFile, MappedFile};

use crate::format::id::{BlobId, ObjectId, encode_hex};
use crate::format::pack::{Codec, FrameInfo, PackInfo, PackKind};
use crate::format::seal::PREFIX;
use crate::index::Location;

/// The extension of segment files.
pub(super) const EXTENSION: &str = "segment";
const MAGIC: &[u8; 8] = b"yoreseg2";
const HEAD: usize = 40;
const ID: usize = 32;
const PACK: usize = 48;
const FRAME: usize = 28;
/// Where a frame says which of the numbers of entries are its first.
const FIRST: usize = 24;
const NUMBER: usize = 4;
const ENTRY: usize = 44;
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
    /// Where its first blob is; the others differ in place and length only.
    pub(crate) location: Location,
    /// The blobs, where each begins in the decoded frame, and their lengths.
    pub(crate) blobs: Vec<(BlobId, u32, u32)>,
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
}

impl Segment {
    /// Builds the table of some packs, which index objects `covers` describe.
    pub(super) fn build(packs: &[PackInfo], covers: &[ObjectId]) -> Vec<u8> {
        let frames: usize = packs.iter().map(|pack| pack.contents.frames.len()).sum();
        let blobs: usize = packs.iter().map(|pack| pack.contents.blobs.len()).sum();
        let mut out = head(covers.len(), packs.len(), frames, blobs);
        covers.iter().for_each(|id| out.extend_from_slice(&id.0));
        for pack in packs {
            out.extend_from_slice(&pack.id.0);
            out.extend_from_slice(&u64::from(pack.kind == PackKind::Tree).to_le_bytes());
            out.extend_from_slice(&pack.size.to_le_bytes());
        }
        let mut entries: Vec<[u8; ENTRY]> = Vec::with_capacity(blobs);
        let mut frame_number = 0u32;
        for (pack_number, pack) in (0u32..).zip(packs) {
            let mut offset = PREFIX as u64;
            let mut blobs = pack.contents.blobs.iter();
            for (number, frame) in (0u32..).zip(&pack.contents.frames) {
                let compressed = if frame.codec == Codec::Zstd { COMPRESSED } else { 0 };
                out.extend_from_slice(&pack_number.to_le_bytes());
                out.extend_from_slice(&number.to_le_bytes());
                out.extend_from_slice(&offset.to_le_bytes());
                out.extend_from_slice(&frame.sealed.to_le_bytes());
                out.extend_from_slice(&(frame.raw | compressed).to_le_bytes());
                out.extend_from_slice(&[0; FRAME - FIRST]);
                let mut at = 0u32;
                for (id, length) in blobs.by_ref().take(frame.blobs as usize) {
                    entries.push(entry(id, frame_number, at, *length));
                    at += length;
                }
                offset += u64::from(frame.sealed);
                frame_number += 1;
            }
        }
        entries.sort_unstable();
        entries.iter().for_each(|entry| out.extend_from_slice(entry));
        finish(out, frames, blobs)
    }

    /// Merges segments into one.
    pub(super) fn merge(segments: &[std::sync::Arc<Segment>], cache: Option<&Path>) -> Self {
        let sum = |count: fn(&Segment) -> usize| segments.iter().map(|s| count(s)).sum::<usize>();
        let (frames, blobs) = (sum(|s| s.frames.len() / FRAME), sum(Segment::len));
        let (covers, packs) = (sum(|s| s.covers.len() / ID), sum(|s| s.packs.len() / PACK));
        let mut out = head(covers, packs, frames, blobs);
        segments.iter().for_each(|s| out.extend_from_slice(&s.bytes[s.covers.clone()]));
        segments.iter().for_each(|s| out.extend_from_slice(&s.bytes[s.packs.clone()]));
        let (mut pack_base, mut frame_base) = (0, 0);
        let mut bases = Vec::with_capacity(segments.len());
        for segment in segments {
            for frame in segment.bytes[segment.frames.clone()].chunks_exact(FRAME) {
                out.extend_from_slice(&(u32_at(frame, 0) + pack_base).to_le_bytes());
                out.extend_from_slice(&frame[4..]);
            }
            bases.push(frame_base);
            pack_base += (segment.packs.len() / PACK) as u32;
            frame_base += (segment.frames.len() / FRAME) as u32;
        }
        let mut heads: Vec<_> = segments
            .iter()
            .map(|s| s.bytes[s.entries.clone()].chunks_exact(ENTRY).peekable())
            .collect();
        loop {
            let next = heads
                .iter_mut()
                .enumerate()
                .filter_map(|(n, head)| head.peek().map(|entry| (*entry, n)))
                .min();
            let Some((entry, n)) = next else { break };
            heads[n].next();
            out.extend_from_slice(&entry[..ID]);
            out.extend_from_slice(&(u32_at(entry, ID) + bases[n]).to_le_bytes());
            out.extend_from_slice(&entry[ID + 4..]);
        }
        Self::keep(finish(out, frames, blobs), cache)
    }

    /// Keeps a built table in the cache folder, or in memory where that is not possible.
    pub(super) fn keep(bytes: Vec<u8>, cache: Option<&Path>) -> Self {
        let kept = cache.and_then(|folder| {
            let digest = &bytes[bytes.len() - ID..];
            let name = format!("{}.{EXTENSION}", encode_hex(&digest[..16]));
            let mut file = DurableFile::create(folder, &name).ok()?;
            file.append(&bytes).ok()?;
            file.publish().ok()?;
            Self::open(&folder.join(name))
        });
        kept.unwrap_or_else(|| {
            Self::parse(Bytes::Owned(bytes)).expect("a table that was just built is well-formed")
        })
    }

    /// Opens a table in the cache; `None` when it is not one, or damaged.
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

    /// How many blobs it holds.
    pub(super) fn len(&self) -> usize {
        self.entries.len() / ENTRY
    }

    /// Bytes of memory that it takes once all of it has been looked at.
    pub(super) fn memory(&self) -> usize {
        self.bytes.len()
    }

    /// The index objects of which it was made.
    pub(super) fn covers(&self) -> impl Iterator<Item = ObjectId> + '_ {
        self.bytes[self.covers.clone()].chunks_exact(ID).filter_map(ObjectId::from_slice)
    }

    /// The packs that it describes.
    pub(super) fn pack_ids(&self) -> impl Iterator<Item = ObjectId> + '_ {
        let packs = self.bytes[self.packs.clone()].chunks_exact(PACK);
        packs.filter_map(|pack| ObjectId::from_slice(&pack[..ID]))
    }

    /// The packs that it describes, with their sizes.
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

    /// The first entry that is not before `id`.
    fn first(&self, id: &BlobId) -> usize {
        let count = self.len();
        if count == 0 {
            return 0;
        }
        let (leading, _) = id.0.split_first_chunk::<8>().expect("an id has 32 bytes");
        let guess = (u128::from(u64::from_be_bytes(*leading)) * count as u128) >> 64;
        let (mut low, mut high, mut step) = (guess as usize, guess as usize, 8);
        while low > 0 && self.id_at(low) >= id.0.as_slice() {
            low = low.saturating_sub(step);
            step *= 2;
        }
        step = 8;
        while high < count && self.id_at(high) < id.0.as_slice() {
            high = (high + step).min(count);
            step *= 2;
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if self.id_at(middle) < id.0.as_slice() {
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
        let first = u32_at(self.frame(number)?, FIRST) as usize;
        let next = number.checked_add(1).and_then(|next| self.frame(next));
        let end = next.map_or(self.len(), |next| u32_at(next, FIRST) as usize);
        let number_at = |n: usize| u32_at(&self.bytes, self.numbers.start + n * NUMBER) as usize;
        let blob = |n: usize| {
            let entry = self.entry(number_at(n))?;
            Some((id_of(entry)?, u32_at(entry, ID + 4), u32_at(entry, ID + 8)))
        };
        let blobs: Vec<_> = (first..end.min(self.len())).map_while(blob).collect();
        Some(FrameBlobs { location: self.location(self.entry(number_at(first))?)?, blobs })
    }

    fn entry(&self, n: usize) -> Option<&[u8]> {
        let start = self.entries.start + n * ENTRY;
        self.bytes.get(start..start + ENTRY).filter(|_| start < self.entries.end)
    }

    fn frame(&self, n: u32) -> Option<&[u8]> {
        let start = self.frames.start + n as usize * FRAME;
        self.bytes.get(start..start + FRAME).filter(|_| start < self.frames.end)
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

fn head(covers: usize, packs: usize, frames: usize, entries: usize) -> Vec<u8> {
    let sizes = covers * ID + packs * PACK + frames * FRAME + entries * (ENTRY + NUMBER);
    let mut out = Vec::with_capacity(HEAD + sizes + ID);
    out.extend_from_slice(MAGIC);
    for count in [covers, packs, frames, entries] {
        out.extend_from_slice(&(count as u64).to_le_bytes());
    }
    out
}

/// Adds to a table with all its entries their numbers frame by frame, and the digest.
fn finish(mut out: Vec<u8>, frames: usize, entries: usize) -> Vec<u8> {
    let entries_at = out.len() - entries * ENTRY;
    let frames_at = entries_at - frames * FRAME;
    let frame_of = |out: &[u8], n: usize| u32_at(out, entries_at + n * ENTRY + ID) as usize;
    let mut counts = vec![0u32; frames];
    (0..entries).for_each(|n| counts[frame_of(&out, n)] += 1);
    let mut next = 0u32;
    for (n, count) in counts.iter_mut().enumerate() {
        let at = frames_at + n * FRAME + FIRST;
        out[at..at + NUMBER].copy_from_slice(&next.to_le_bytes());
        (*count, next) = (next, next + *count);
    }
    let mut numbers = vec![0u32; entries];
    for n in 0..entries {
        let slot = &mut counts[frame_of(&out, n)];
        numbers[*slot as usize] = n as u32;
        *slot += 1;
    }
    numbers.iter().for_each(|n| out.extend_from_slice(&n.to_le_bytes()));
    let digest = Sha256::digest(&out);
    out.extend_from_slice(&digest);
    out
}

fn id_of(entry: &[u8]) -> Option<BlobId> {
    Some(BlobId(entry.get(..ID)?.try_into().ok()?))
}

fn entry(id: &BlobId, frame: u32, at: u32, length: u32) -> [u8; ENTRY] {
    let mut entry = [0; ENTRY];
    entry[..ID].copy_from_slice(&id.0);
    entry[ID..ID + 4].copy_from_slice(&frame.to_le_bytes());
    entry[ID + 4..ID + 8].copy_from_slice(&at.to_le_bytes());
    entry[ID + 8..].copy_from_slice(&length.to_le_bytes());
    entry
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::format::pack::Contents;

    fn pack(seed: u8, blobs: u32) -> PackInfo {
        let id = |n: u32| BlobId(Sha256::digest([&[seed][..], &n.to_be_bytes()].concat()).into());
        let blobs: Vec<_> = (0..blobs).map(|n| (id(n), n % 100 + 1)).collect();
        let frames = blobs
            .chunks(7)
            .map(|part| FrameInfo {
                sealed: 100,
                raw: part.iter().map(|(_, length)| length).sum(),
                codec: if part.len() == 7 { Codec::Zstd } else { Codec::Raw },
                blobs: part.len() as u32,
            })
            .collect();
        let contents = Contents { frames, blobs };
        PackInfo { id: ObjectId([seed; 32]), kind: PackKind::Tree, size: 1 << 20, contents }
    }

    fn assert_finds(segment: &Segment, pack: &PackInfo) {
        let mut n = 0usize;
        for (number, frame) in pack.contents.frames.iter().enumerate() {
            let mut at = 0;
            for _ in 0..frame.blobs {
                let (id, length) = pack.contents.blobs[n];
                let found: Vec<_> = segment.find(&id).collect();
                assert_eq!(found.len(), 1);
                assert_eq!((found[0].pack, found[0].number), (pack.id, number as u32));
                assert_eq!((found[0].at, found[0].length), (at, length));
                assert_eq!((found[0].frame.raw, found[0].frame.codec), (frame.raw, frame.codec));
                assert_eq!(found[0].offset, (PREFIX + number * 100) as u64);
                at += length;
                n += 1;
            }
            assert_follows(segment, pack, n - frame.blobs as usize, frame.blobs as usize);
        }
    }

    /// Seen from the first blob of the pack, the frame that holds so many blobs from `first` on.
    fn assert_follows(segment: &Segment, pack: &PackInfo, first: usize, blobs: usize) {
        let after = (first / 7) as u32;
        let found = segment.frame_after(&pack.contents.blobs[0].0, after).expect("a frame");
        assert_eq!((found.location.pack, found.location.number), (pack.id, after));
        let mut found = found.blobs;
        found.sort_by_key(|(_, at, _)| *at);
        let found: Vec<_> = found.into_iter().map(|(id, _, length)| (id, length)).collect();
        assert_eq!(found, pack.contents.blobs[first..first + blobs]);
        let frames = pack.contents.frames.len() as u32;
        assert!(segment.frame_after(&pack.contents.blobs[0].0, frames).is_none());
    }

    #[test]
    fn every_blob_is_found_and_no_other() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for cache in [None, Some(folder.path())] {
            let packs = [pack(1, 5000), pack(2, 1), pack(3, 0)];
            let built = Segment::build(&packs, &[ObjectId([9; 32])]);
            let segment = Segment::keep(built, cache);
            packs.iter().for_each(|pack| assert_finds(&segment, pack));
            for foreign in [[0; 32], [0xff; 32], [0x80; 32]] {
                assert_eq!(segment.find(&BlobId(foreign)).count(), 0);
            }
        }
    }

    #[test]
    fn merged_segments_find_what_each_found() {
        let packs = [pack(1, 3000), pack(2, 2000), pack(3, 10)];
        let segments: Vec<_> = packs
            .iter()
            .map(|pack| {
                let built = Segment::build(std::slice::from_ref(pack), &[pack.id]);
                Arc::new(Segment::keep(built, None))
            })
            .collect();
        let merged = Segment::merge(&segments, None);
        assert_eq!(merged.covers().count(), 3);
        packs.iter().for_each(|pack| assert_finds(&merged, pack));
    }

    #[test]
    fn a_damaged_segment_is_not_used() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let bytes = Segment::build(&[pack(1, 20)], &[ObjectId([9; 32])]);
        let path = folder.path().join("a.segment");
        for at in (0..bytes.len()).step_by(13) {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            std::fs::write(&path, &altered).expect("a file");
            assert!(Segment::open(&path).is_none(), "byte {at}");
        }
        std::fs::write(&path, &bytes).expect("a file");
        assert!(Segment::open(&path).is_some());
    }
}
