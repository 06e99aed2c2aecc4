//! Reading the bytes of a file of a snapshot, from any offset.
//!
//! A file's offsets are mapped twice: past its holes to an offset in its data, and from there to a
//! chunk. Lists of long files are loaded as they are needed; memory does not grow with the file.
//!
//! Example: a file of 10 MB with a hole from 2 MB to 6 MB, whose data are two chunks of 3 MB.
//!
//! ```text
//! file      0 to 2 MB      2 to 6 MB      6 to 10 MB
//!           data           hole           data
//! data      0 to 2 MB      -              2 to 6 MB
//! chunks    A has 0 to 3 MB of the data, B has 3 to 6 MB
//!
//! offset 1 MB:  1 MB of chunk A, up to the hole       Piece::Data
//! offset 3 MB:  3 MB of zeros                         Piece::Hole
//! offset 8 MB:  4 MB in the data, so 1 MB in chunk B  Piece::Data
//! ```

use std::cell::Cell;
use std::ops::Range;

use crate::error::{Error, Result};
use crate::format::keys::BlobKind;
use crate::format::tree::{Content, Hole, Holes, ListRef, Node, decode_hole_list};
use crate::path::TreePath;
use crate::read::chunk_lists::{ChunkSpan, OffsetTable};
use crate::read::reader::{Blob, Reader};

/// The most holes that a file may have; they are in memory while it is read.
pub(crate) const MAX_HOLES: usize = 4 << 20;
/// Bytes of its scratch memory that a thread keeps: the most that a kernel reads at once.
const KEPT_SCRATCH: usize = 1 << 20;

thread_local! {
    /// The buffer of reads that cross chunks.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A file of a snapshot, ready to be read. Shared by any number of threads.
pub struct OpenFile {
    size: u64,
    holes: Vec<Gap>,
    data: Data,
}

/// A hole: the offset in the data at which it lies, and its range in the file.
struct Gap {
    data: u64,
    file: Range<u64>,
}

enum Data {
    Inline(Vec<u8>),
    Chunks(OffsetTable),
    Lists { depth: u8, top: OffsetTable },
}

/// A piece of a file, as [`OpenFile::piece`] finds it.
pub enum Piece {
    /// Bytes of a chunk.
    Data {
        /// The chunk.
        blob: Blob,
        /// The range of its bytes.
        range: Range<usize>,
    },
    /// Bytes kept in the node itself.
    Inline(Range<usize>),
    /// A number of zeros.
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
                let items = chunks.iter().map(|chunk| ListRef::from(*chunk));
                Data::Chunks(OffsetTable::new(items).ok_or_else(overflow)?)
            }
            Content::Lists { depth, lists } => Data::Lists {
                depth: *depth,
                top: OffsetTable::new(lists.iter().copied()).ok_or_else(overflow)?,
            },
        };
        let holes = load_gaps(reader, node)?;
        let zeros: u64 = holes.iter().map(|gap| gap.file.end - gap.file.start).sum();
        let file = Self { size: node.size, holes, data };
        if file.data_end().checked_add(zeros) != Some(node.size) {
            return Err(damaged(node, "its size is not that of its content"));
        }
        Ok(file)
    }

    /// Returns its length in bytes, holes included.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns its bytes of data, holes excluded.
    pub fn data_size(&self) -> u64 {
        self.data_end()
    }

    fn data_end(&self) -> u64 {
        match &self.data {
            Data::Inline(bytes) => bytes.len() as u64,
            Data::Chunks(table) | Data::Lists { top: table, .. } => table.end(),
        }
    }

    /// Finds what lies at `offset`: the rest of a chunk up to the next hole, or the rest of a hole.
    pub fn piece(&self, reader: &Reader, offset: u64) -> Result<Piece> {
        if offset >= self.size {
            return Ok(Piece::End);
        }
        let (data, until) = match self.region(offset) {
            Region::Hole { until } => return Ok(Piece::Hole(until - offset)),
            Region::Data { data, until } => (data, until - offset),
        };
        if let Data::Inline(bytes) = &self.data {
            let end = (data + until).min(bytes.len() as u64);
            return Ok(Piece::Inline(data as usize..end as usize));
        }
        let Some(ChunkSpan { id, range: chunk }) = self.chunk_at(reader, data)? else {
            return Ok(Piece::End);
        };
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

    /// Returns the bytes kept in the node itself; none for any other file.
    pub fn inline(&self) -> &[u8] {
        match &self.data {
            Data::Inline(bytes) => bytes,
            Data::Chunks(_) | Data::Lists { .. } => &[],
        }
    }

    /// Returns the chunk that holds the byte at `offset`, or the first data after it, with its
    /// range in the file.
    pub fn chunk_after(&self, reader: &Reader, offset: u64) -> Result<Option<ChunkSpan>> {
        let Some(offset) = self.next_data(offset) else { return Ok(None) };
        match self.region(offset) {
            Region::Hole { .. } => Ok(None),
            Region::Data { data, .. } => {
                let Some(chunk) = self.chunk_at(reader, data)? else { return Ok(None) };
                let start = offset - (data - chunk.range.start);
                let end = start + (chunk.range.end - chunk.range.start);
                Ok(Some(ChunkSpan { id: chunk.id, range: start..end }))
            }
        }
    }

    /// Returns the first offset at or after `offset` that is not in a hole.
    pub fn next_data(&self, offset: u64) -> Option<u64> {
        match self.region(offset) {
            _ if offset >= self.size => None,
            Region::Data { .. } => Some(offset),
            Region::Hole { until } => (until < self.size).then_some(until),
        }
    }

    /// Returns the first offset at or after `offset` that is in a hole, or the end of the file;
    /// `None` past the end.
    pub fn next_hole(&self, offset: u64) -> Option<u64> {
        match self.region(offset) {
            _ if offset >= self.size => None,
            Region::Hole { .. } => Some(offset),
            Region::Data { until, .. } => Some(until),
        }
    }

    /// Returns where the part ends that holds the byte at `offset` and can't be read: the chunk, or the list of chunks
    /// that is lost itself; at most up to the next hole.
    pub(crate) fn lost_until(&self, reader: &Reader, offset: u64) -> u64 {
        let Region::Data { data, until } = self.region(offset) else { return self.size };
        let end = self.span_end(reader, data).unwrap_or(data + 1).max(data + 1);
        until.min(offset.saturating_add(end - data))
    }

    /// Returns the end of the smallest part that is known to hold an offset of the data.
    fn span_end(&self, reader: &Reader, data: u64) -> Option<u64> {
        let Data::Lists { depth, top } = &self.data else {
            let Data::Chunks(chunks) = &self.data else { return None };
            return Some(chunks.locate(data)?.range.end);
        };
        let mut span = top.locate(data)?;
        for depth in (0..=*depth).rev() {
            let Ok(list) = reader.lists.get(reader, span.id, depth) else { break };
            let base = span.range.start;
            let Some(ChunkSpan { id, range }) = list.locate(data - base) else { break };
            span = ChunkSpan { id, range: base + range.start..base + range.end };
        }
        Some(span.range.end)
    }

    /// Finds the data or hole around an offset of the file.
    fn region(&self, offset: u64) -> Region {
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
                Region::Hole { until: touching.last().unwrap_or(gap.file.end) }
            }
            Some(gap) => Region::Data { data: gap.data + (offset - gap.file.end), until },
            None => Region::Data { data: offset, until },
        }
    }

    /// Finds the chunk at an offset of the data, through the lists of a long file.
    fn chunk_at(&self, reader: &Reader, data: u64) -> Result<Option<ChunkSpan>> {
        match &self.data {
            Data::Inline(_) => Ok(None),
            Data::Chunks(chunks) => Ok(chunks.locate(data)),
            Data::Lists { depth, top } => {
                let Some(mut span) = top.locate(data) else { return Ok(None) };
                for depth in (0..=*depth).rev() {
                    let list = reader.lists.get(reader, span.id, depth)?;
                    let (base, length) = (span.range.start, span.range.end - span.range.start);
                    let found = list.locate(data - base).filter(|_| list.end() == length);
                    let Some(ChunkSpan { id, range }) = found else {
                        let object = format!("blob {}", span.id);
                        return Err(Error::damaged(object, "lengths do not agree"));
                    };
                    span = ChunkSpan { id, range: base + range.start..base + range.end };
                }
                Ok(Some(span))
            }
        }
    }
}

/// The data or hole around an offset, up to its end in the file.
enum Region {
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

/// Gaps as they are added up.
#[derive(Default)]
struct Gaps {
    list: Vec<Gap>,
    data: u64,
    file: u64,
}

impl Gaps {
    /// Adds holes after those that are there; returns `None` when no file is so long.
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
