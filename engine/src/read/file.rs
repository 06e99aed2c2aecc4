//! Reading the bytes of a file of a snapshot, from any offset.
//!
//! A file's offsets are mapped twice: past its holes to an offset in its data, and from there to a
//! chunk. Lists of long files are loaded as they are needed; memory does not grow with the file.

use std::cell::Cell;
use std::ops::Range;

use crate::error::{Error, Result};
use crate::format::id::BlobId;
use crate::format::keys::BlobKind;
use crate::format::tree::{Content, Hole, Holes, Node, decode_hole_list};
use crate::path::TreePath;
use crate::read::chunk_lists::Level;
use crate::read::reader::{Blob, Reader};

/// How many holes a file may have: as many as are kept in memory while it is read.
pub(crate) const MAX_HOLES: usize = 4 << 20;
/// Bytes of its scratch memory that a thread keeps: the most that a kernel reads at once.
const KEPT_SCRATCH: usize = 1 << 20;

thread_local! {
    /// Where reads across several chunks are put together.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A file of a snapshot, ready to be read. Shared by any number of threads.
pub struct OpenFile {
    size: u64,
    holes: Vec<Gap>,
    data: Data,
}

/// A hole: where it begins in the data, and where it lies in the file.
struct Gap {
    data: u64,
    file: Range<u64>,
}

enum Data {
    Inline(Vec<u8>),
    Chunks(Level),
    Lists { depth: u8, top: Level },
}

/// A stretch of a file, as [`OpenFile::piece`] finds it.
pub enum Piece {
    /// Bytes of a chunk.
    Data {
        /// The chunk.
        blob: Blob,
        /// Which of its bytes.
        range: Range<usize>,
    },
    /// Bytes kept in the node itself.
    Inline(Range<usize>),
    /// So many zeros.
    Hole(u64),
    /// There is nothing at or past the offset.
    End,
}

fn damaged(node: &Node, reason: &'static str) -> Error {
    Error::damaged(format!("the node {:?}", TreePath::new(&node.name)), reason)
}

impl OpenFile {
    /// Prepares a file for reading; loads its holes if there are very many.
    pub fn open(reader: &Reader, node: &Node) -> Result<Self> {
        let overflow = || damaged(node, "its content is impossibly long");
        let data = match &node.content {
            Content::Empty => Data::Inline(Vec::new()),
            Content::Inline(bytes) => Data::Inline(bytes.clone()),
            Content::Chunks(chunks) => {
                let items = chunks.iter().map(|chunk| (chunk.id, u64::from(chunk.length)));
                Data::Chunks(Level::new(items).ok_or_else(overflow)?)
            }
            Content::Lists { depth, lists } => {
                Data::Lists { depth: *depth, top: Level::of_lists(lists).ok_or_else(overflow)? }
            }
        };
        let holes = load_gaps(reader, node)?;
        let zeros: u64 = holes.iter().map(|gap| gap.file.end - gap.file.start).sum();
        let file = Self { size: node.size, holes, data };
        if file.data_end().checked_add(zeros) != Some(node.size) {
            return Err(damaged(node, "its size is not that of its content"));
        }
        Ok(file)
    }

    /// Length in bytes, holes included.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Bytes of data, holes excluded.
    pub fn data_size(&self) -> u64 {
        self.data_end()
    }

    fn data_end(&self) -> u64 {
        match &self.data {
            Data::Inline(bytes) => bytes.len() as u64,
            Data::Chunks(level) | Data::Lists { top: level, .. } => level.end(),
        }
    }

    /// Finds what lies at `offset`: the rest of a chunk up to the next hole, or the rest of a hole.
    pub fn piece(&self, reader: &Reader, offset: u64) -> Result<Piece> {
        if offset >= self.size {
            return Ok(Piece::End);
        }
        let (data, until) = match self.place(offset) {
            Place::Hole { until } => return Ok(Piece::Hole(until - offset)),
            Place::Data { data, until } => (data, until - offset),
        };
        if let Data::Inline(bytes) = &self.data {
            let end = (data + until).min(bytes.len() as u64);
            return Ok(Piece::Inline(data as usize..end as usize));
        }
        let Some((id, chunk)) = self.chunk_at(reader, data)? else { return Ok(Piece::End) };
        let blob = reader.blob(BlobKind::Data, &id)?;
        if blob.len() as u64 != chunk.end - chunk.start {
            return Err(Error::damaged(format!("blob {id}"), "it has another length"));
        }
        let start = (data - chunk.start) as usize;
        let end =
            blob.len().min(start.saturating_add(usize::try_from(until).unwrap_or(usize::MAX)));
        Ok(Piece::Data { blob, range: start..end })
    }

    /// Reads up to `size` bytes at `offset` and hands them to `reply` in one piece, without a copy
    /// where they lie in one chunk; fewer only at the end of the file.
    pub fn read(
        &self,
        reader: &Reader,
        offset: u64,
        size: usize,
        reply: &mut dyn FnMut(&[u8]),
    ) -> Result<()> {
        let wanted = (self.size.saturating_sub(offset)).min(size as u64) as usize;
        match self.piece(reader, offset)? {
            Piece::Data { blob, range } if range.len() >= wanted => {
                reply(&blob[range.start..range.start + wanted]);
            }
            Piece::Inline(range) if range.len() >= wanted => {
                reply(&self.inline()[range.start..range.start + wanted]);
            }
            Piece::End => reply(&[]),
            first => {
                let mut scratch = SCRATCH.take();
                if scratch.len() < wanted {
                    scratch.resize(wanted, 0);
                }
                let filled = self.fill(reader, offset, first, &mut scratch[..wanted])?;
                reply(&scratch[..filled]);
                scratch.truncate(KEPT_SCRATCH);
                scratch.shrink_to(KEPT_SCRATCH);
                SCRATCH.set(scratch);
            }
        }
        Ok(())
    }

    /// Fills `out` from piece after piece; returns how many bytes there were.
    fn fill(&self, reader: &Reader, offset: u64, first: Piece, out: &mut [u8]) -> Result<usize> {
        let (mut piece, mut done) = (first, 0);
        loop {
            let left = &mut out[done..];
            done += match &piece {
                Piece::Data { blob, range } => copy(&blob[range.clone()], left),
                Piece::Inline(range) => copy(&self.inline()[range.clone()], left),
                Piece::Hole(zeros) => {
                    let length = left.len().min(usize::try_from(*zeros).unwrap_or(usize::MAX));
                    left[..length].fill(0);
                    length
                }
                Piece::End => return Ok(done),
            };
            if done == out.len() {
                return Ok(done);
            }
            piece = self.piece(reader, offset + done as u64)?;
        }
    }

    /// The bytes kept in the node itself; empty for any other file.
    pub fn inline(&self) -> &[u8] {
        match &self.data {
            Data::Inline(bytes) => bytes,
            Data::Chunks(_) | Data::Lists { .. } => &[],
        }
    }

    /// Names the chunk that holds the byte at `offset` of the file, or the first data after it.
    pub fn chunk_after(
        &self,
        reader: &Reader,
        offset: u64,
    ) -> Result<Option<(BlobId, Range<u64>)>> {
        let Some(offset) = self.next_data(offset) else { return Ok(None) };
        match self.place(offset) {
            Place::Hole { .. } => Ok(None),
            Place::Data { data, .. } => {
                let Some((id, chunk)) = self.chunk_at(reader, data)? else { return Ok(None) };
                let start = offset - (data - chunk.start);
                Ok(Some((id, start..start + (chunk.end - chunk.start))))
            }
        }
    }

    /// The first offset at or after `offset` that is not in a hole; `None` when there is none.
    pub fn next_data(&self, offset: u64) -> Option<u64> {
        match self.place(offset) {
            _ if offset >= self.size => None,
            Place::Data { .. } => Some(offset),
            Place::Hole { until } => (until < self.size).then_some(until),
        }
    }

    /// The first offset at or after `offset` that is in a hole, or the end of the file; `None` past
    /// the end.
    pub fn next_hole(&self, offset: u64) -> Option<u64> {
        match self.place(offset) {
            _ if offset >= self.size => None,
            Place::Hole { .. } => Some(offset),
            Place::Data { until, .. } => Some(until),
        }
    }

    fn place(&self, offset: u64) -> Place {
        let before = self.holes.partition_point(|gap| gap.file.start <= offset);
        let last = before.checked_sub(1).and_then(|n| self.holes.get(n));
        let until = self.holes.get(before).map_or(self.size, |gap| gap.file.start);
        match last {
            Some(gap) if offset < gap.file.end => {
                // Holes that touch are one.
                let touching = self.holes[before..].iter().scan(gap.file.end, |end, next| {
                    let touches = next.file.start == *end;
                    *end = next.file.end;
                    touches.then_some(next.file.end)
                });
                Place::Hole { until: touching.last().unwrap_or(gap.file.end) }
            }
            Some(gap) => Place::Data { data: gap.data + (offset - gap.file.end), until },
            None => Place::Data { data: offset, until },
        }
    }

    fn chunk_at(&self, reader: &Reader, data: u64) -> Result<Option<(BlobId, Range<u64>)>> {
        match &self.data {
            Data::Inline(_) => Ok(None),
            Data::Chunks(level) => Ok(level.locate(data)),
            Data::Lists { depth, top } => {
                let Some((mut id, mut place)) = top.locate(data) else { return Ok(None) };
                for depth in (0..=*depth).rev() {
                    let level = reader.lists.get(reader, id, depth)?;
                    let base = place.start;
                    let whole = place.end - place.start;
                    let found = level.locate(data - base).filter(|_| level.end() == whole);
                    let Some((next, within)) = found else {
                        return Err(Error::damaged(format!("blob {id}"), "lengths do not agree"));
                    };
                    (id, place) = (next, base + within.start..base + within.end);
                }
                Ok(Some((id, place)))
            }
        }
    }
}

enum Place {
    Data { data: u64, until: u64 },
    Hole { until: u64 },
}

fn copy(from: &[u8], to: &mut [u8]) -> usize {
    let length = from.len().min(to.len());
    to[..length].copy_from_slice(&from[..length]);
    length
}

fn load_gaps(reader: &Reader, node: &Node) -> Result<Vec<Gap>> {
    let overflow = || damaged(node, "its content is impossibly long");
    let mut gaps = Gaps::default();
    match &node.holes {
        Holes::Inline(holes) => gaps.extend(holes).ok_or_else(overflow)?,
        Holes::Lists(lists) => {
            for id in lists {
                let blob = reader.blob(BlobKind::List, id)?;
                let part = decode_hole_list(&blob)
                    .map_err(|_| Error::damaged(format!("blob {id}"), "it is no list of holes"))?;
                if gaps.list.len() + part.len() > MAX_HOLES {
                    return Err(damaged(node, "it has more holes than a file may have"));
                }
                gaps.extend(&part).ok_or_else(overflow)?;
            }
        }
    }
    Ok(gaps.list)
}

/// Holes with their places, as they are put together.
#[derive(Default)]
struct Gaps {
    list: Vec<Gap>,
    data: u64,
    file: u64,
}

impl Gaps {
    /// Adds holes after those that are there; `None` when no file is so long.
    fn extend(&mut self, holes: &[Hole]) -> Option<()> {
        for hole in holes {
            self.data = self.data.checked_add(hole.data)?;
            let start = self.file.checked_add(hole.data)?;
            self.file = start.checked_add(hole.hole)?;
            self.list.push(Gap { data: self.data, file: start..self.file });
        }
        Some(())
    }
}
