//! Reading files of several chunks: around their holes, cut on the way, large ones by two threads.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};
use yore_platform::{Metadata, ReadBuffer};

use crate::backup::messages::{ChunkBytes, ChunkId, ReadItem};
use crate::backup::read::{BatchReader, LARGE, ReadError, Stopped, is_sparse};
use crate::backup::source::File;
use crate::format::chunker::{Cutter, End};
use crate::format::tree::Hole;
use crate::operation::observer::Event;
use crate::read::file::MAX_HOLES;
use crate::store::HashJob;
use crate::store::buffers::Buffer;
use crate::store::buffers::blob_bytes::BlobBytes;

/// The bytes of one read.
const BLOCK: usize = 1 << 20;
/// Blocks on their way between reading and cutting.
const BLOCKS: usize = 3;

/// A stretch of a file.
enum Stretch {
    Data(ReadBuffer),
    Hole(u64),
}

/// Goes through a file from start to end.
struct Stretches<'f> {
    file: &'f File,
    /// The size that the file had when it was opened; the next backup saves what is behind it.
    size: u64,
    at: u64,
    /// The end of the current stretch of data.
    data_end: u64,
    sparse: bool,
    holes: usize,
}

impl<'f> Stretches<'f> {
    fn new(file: &'f File, metadata: &Metadata) -> Self {
        let sparse = is_sparse(metadata);
        let data_end = if sparse { 0 } else { metadata.size };
        Self { file, size: metadata.size, at: 0, data_end, sparse, holes: 0 }
    }

    /// Finds the next stretch; data are read into `buffer`. `None` at the end.
    fn next(&mut self, mut buffer: ReadBuffer) -> Result<Option<Stretch>, ReadError> {
        if self.at >= self.size {
            return Ok(None);
        }
        if self.holes == MAX_HOLES {
            // The zeros of any further ones are data, as they are for a program that reads the file.
            (self.sparse, self.data_end) = (false, self.size);
        }
        if self.sparse && self.at >= self.data_end {
            let data = self.file.next_data(self.at)?.unwrap_or(self.size..self.size);
            self.data_end = data.end.min(self.size);
            let start = data.start.min(self.size);
            if start > self.at {
                let hole = start - self.at;
                self.at = start;
                self.holes += 1;
                return Ok(Some(Stretch::Hole(hole)));
            }
        }
        // Reads stay aligned: only the last one of a stretch is not a whole block.
        let wanted = (self.data_end - self.at).min(BLOCK as u64) as usize;
        buffer.set_len(wanted);
        let read = self.file.read_at(&mut buffer, self.at)?;
        buffer.set_len(read);
        self.at += read as u64;
        if read < wanted {
            self.size = self.at;
        }
        Ok((read > 0).then_some(Stretch::Data(buffer)))
    }
}

/// Reads a file of several chunks, or with holes; returns the size that it turned out to have.
pub(in crate::backup) fn read_chunked(
    batch: &mut BatchReader<'_>,
    file: &File,
    metadata: &Metadata,
) -> Result<u64, ReadError> {
    // The results so far do not wait for a file that may take long.
    batch.send()?;
    let mut stretches = Stretches::new(file, metadata);
    let mut chunking = Chunking::new(batch);
    if metadata.size > LARGE {
        read_ahead(stretches, &mut chunking)?;
    } else {
        let block = BLOCK.min(metadata.size as usize);
        let mut buffer = ReadBuffer::new(block);
        while let Some(stretch) = stretches.next(buffer)? {
            buffer = chunking.take(stretch)?.unwrap_or_else(|| ReadBuffer::new(block));
        }
    }
    chunking.finish()
}

/// Reads in a thread of its own, so that reading and cutting go on at the same time.
fn read_ahead(
    mut stretches: Stretches<'_>,
    chunking: &mut Chunking<'_, '_>,
) -> Result<(), ReadError> {
    let (full, filled) = bounded::<Result<Stretch, ReadError>>(BLOCKS);
    let (spent, empty) = bounded::<ReadBuffer>(BLOCKS);
    for _ in 0..BLOCKS {
        spent.send(ReadBuffer::new(BLOCK)).map_err(|_| Stopped)?;
    }
    std::thread::scope(|scope| {
        scope.spawn(move || read_into(&mut stretches, &empty, &full));
        // Both are dropped before the thread is joined, so that it never waits for them.
        let (filled, spent) = (filled, spent);
        for stretch in &filled {
            let buffer = chunking.take(stretch?)?;
            // After a hole the buffer that was to be filled has been dropped.
            let _ = spent.try_send(buffer.unwrap_or_else(|| ReadBuffer::new(BLOCK)));
        }
        Ok(())
    })
}

fn read_into(
    stretches: &mut Stretches<'_>,
    empty: &Receiver<ReadBuffer>,
    full: &Sender<Result<Stretch, ReadError>>,
) {
    for buffer in empty {
        let Some(stretch) = stretches.next(buffer).transpose() else { return };
        let failed = stretch.is_err();
        if full.send(stretch).is_err() || failed {
            return;
        }
    }
}

/// Cuts one file into chunks.
struct Chunking<'c, 'b> {
    batch: &'c mut BatchReader<'b>,
    cutter: Cutter<'b>,
    chunk: Option<Buffer>,
    holes: Vec<Hole>,
    /// Bytes of data since the last hole.
    since_hole: u64,
    size: u64,
}

impl<'c, 'b> Chunking<'c, 'b> {
    fn new(batch: &'c mut BatchReader<'b>) -> Self {
        Self {
            cutter: batch.context.gear.cutter(),
            batch,
            chunk: None,
            holes: Vec::new(),
            since_hole: 0,
            size: 0,
        }
    }

    /// Takes the next stretch of the file; returns its buffer.
    fn take(&mut self, stretch: Stretch) -> Result<Option<ReadBuffer>, ReadError> {
        let buffer = match stretch {
            Stretch::Hole(hole) => {
                self.holes.push(Hole { data: std::mem::take(&mut self.since_hole), hole });
                self.size += hole;
                return Ok(None);
            }
            Stretch::Data(buffer) => buffer,
        };
        if self.batch.context.observer.interrupted() {
            return Err(ReadError::Stopped);
        }
        self.since_hole += buffer.len() as u64;
        self.size += buffer.len() as u64;
        let mut rest: &[u8] = &buffer;
        while !rest.is_empty() {
            let (taken, end) = self.cutter.take(rest);
            let context = self.batch.context;
            self.chunk
                .get_or_insert_with(|| context.chunk_buffers.take())
                .extend_from_slice(&rest[..taken]);
            rest = &rest[taken..];
            if end == End::Here {
                self.end_chunk()?;
            }
        }
        let bytes = buffer.len() as u64;
        self.batch.context.observer.event(Event::Done { files: 0, bytes });
        Ok(Some(buffer))
    }

    fn end_chunk(&mut self) -> Result<(), ReadError> {
        let Some(chunk) = self.chunk.take() else { return Ok(()) };
        let length = chunk.len();
        let bytes = BlobBytes::range(&Arc::new(chunk), 0..length);
        let (id, pending) = bounded(1);
        let job = HashJob { bytes: bytes.clone(), id };
        self.batch.hash_jobs.send(job).map_err(|_| Stopped)?;
        let chunk = ReadItem::Chunk(ChunkId::Pending(pending), ChunkBytes::Own(bytes));
        Ok(self.batch.push(chunk, length)?)
    }

    fn finish(mut self) -> Result<u64, ReadError> {
        self.end_chunk()?;
        if !self.holes.is_empty() {
            self.batch.push(ReadItem::Holes(self.holes), 0)?;
        }
        Ok(self.size)
    }
}
