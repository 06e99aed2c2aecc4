//! Building, merging and keeping segments.

use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use yore_platform::DurableFile;

use super::{
    Bytes, COMPRESSED, ENTRY, EXTENSION, FIRST, FRAME, HEAD, ID, MAGIC, NUMBER, PACK, Segment,
    u32_at,
};
use crate::format::id::{BlobId, ObjectId, encode_hex};
use crate::format::pack::{Codec, PackInfo, PackKind};
use crate::format::seal::PREFIX;

impl Segment {
    /// Builds the segment of some packs, which the index objects `covers` describe.
    pub(in crate::index) fn build(packs: &[PackInfo], covers: &[ObjectId]) -> Vec<u8> {
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
    pub(in crate::index) fn merge(segments: &[Arc<Segment>], cache: Option<&Path>) -> Self {
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

    /// Stores a built segment in the cache folder, or in memory where that is not possible.
    pub(in crate::index) fn keep(bytes: Vec<u8>, cache: Option<&Path>) -> Self {
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

/// Appends, to a segment with all its entries, their numbers frame by frame and the digest.
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

fn entry(id: &BlobId, frame: u32, at: u32, length: u32) -> [u8; ENTRY] {
    let mut entry = [0; ENTRY];
    entry[..ID].copy_from_slice(&id.0);
    entry[ID..ID + 4].copy_from_slice(&frame.to_le_bytes());
    entry[ID + 4..ID + 8].copy_from_slice(&at.to_le_bytes());
    entry[ID + 8..].copy_from_slice(&length.to_le_bytes());
    entry
}
