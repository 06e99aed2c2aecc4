//! Reading files of several chunks: around their holes, cut on the way, large ones by two threads.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};
use yore_platform::{AlignedBuf, Metadata, SourceFile};

use crate::backup::buffers::Buffer;
use crate::backup::read::{Batch, Bytes, ChunkId, Failed, Found, Gone, LARGE, is_sparse};
use crate::backup::slice::Slice;
use crate::format::chunker::{Cutter, End};
use crate::format::id::BlobId;
use crate::format::tree::Hole;
use crate::observer::Event;
use crate::read::file::MAX_HOLES;

/// How much is read at a time.
const BLOCK: usize = 1 << 20;
/// Blocks on their way between reading and cutting.
const BLOCKS: usize = 3;

/// A chunk to be named by a thread that seals, with others that wait.
pub(in crate::backup) struct HashJob {
    pub(in crate::backup) bytes: Slice,
    pub(in crate::backup) name: Sender<BlobId>,
}

/// What a file turns out to be, stretch by stretch.
enum Stretch {
    Data(AlignedBuf),
    Hole(u64),
}

/// Goes through a file from start to end.
struct Stretches<'f> {
    file: &'f SourceFile,
    /// The size that the file had when it was opened; what is behind it is for the next backup.
    size: u64,
    at: u64,
    /// Where the present stretch of data ends.
    data_end: u64,
    sparse: bool,
    holes: usize,
}

impl<'f> Stretches<'f> {
    fn new(file: &'f SourceFile, metadata: &Metadata) -> Self {
        let sparse = is_sparse(metadata);
        let data_end = if sparse { 0 } else { metadata.size };
        Self { file, size: metadata.size, at: 0, data_end, sparse, holes: 0 }
    }

    /// Finds the next stretch; data are read into `buffer`. `None` at the end.
    fn next(&mut self, mut buffer: AlignedBuf) -> Result<Option<Stretch>, Failed> {
        if self.at >= self.size {
            return Ok(None);
        }
        if self.holes == MAX_HOLES {
            // The zeros of any further ones are data, as they are for whoever reads the file.
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
    batch: &mut Batch<'_>,
    file: &SourceFile,
    metadata: &Metadata,
) -> Result<u64, Failed> {
    // What was found so far does not wait for a file that may take long.
    batch.send()?;
    let mut stretches = Stretches::new(file, metadata);
    let mut chunking = Chunking::new(batch);
    if metadata.size > LARGE {
        read_ahead(stretches, &mut chunking)?;
    } else {
        let block = BLOCK.min(metadata.size as usize);
        let mut buffer = AlignedBuf::new(block);
        while let Some(stretch) = stretches.next(buffer)? {
            buffer = chunking.take(stretch)?.unwrap_or_else(|| AlignedBuf::new(block));
        }
    }
    chunking.finish()
}

/// Reads in a thread of its own, so that reading and cutting go on at the same time.
fn read_ahead(mut stretches: Stretches<'_>, chunking: &mut Chunking<'_, '_>) -> Result<(), Failed> {
    let (full, filled) = bounded::<Result<Stretch, Failed>>(BLOCKS);
    let (spent, empty) = bounded::<AlignedBuf>(BLOCKS);
    for _ in 0..BLOCKS {
        spent.send(AlignedBuf::new(BLOCK)).map_err(|_| Gone)?;
    }
    std::thread::scope(|scope| {
        scope.spawn(move || read_into(&mut stretches, &empty, &full));
        // Both go out of scope before the thread is waited for, so that it never waits for them.
        let (filled, spent) = (filled, spent);
        for stretch in &filled {
            let buffer = chunking.take(stretch?)?;
            // After a hole the buffer that was to be filled has been dropped.
            let _ = spent.try_send(buffer.unwrap_or_else(|| AlignedBuf::new(BLOCK)));
        }
        Ok(())
    })
}

fn read_into(
    stretches: &mut Stretches<'_>,
    empty: &Receiver<AlignedBuf>,
    full: &Sender<Result<Stretch, Failed>>,
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
    batch: &'c mut Batch<'b>,
    cutter: Cutter<'b>,
    chunk: Option<Buffer>,
    holes: Vec<Hole>,
    /// Bytes of data since the last hole.
    since_hole: u64,
    size: u64,
}

impl<'c, 'b> Chunking<'c, 'b> {
    fn new(batch: &'c mut Batch<'b>) -> Self {
        Self {
            cutter: batch.readers.gear.cutter(),
            batch,
            chunk: None,
            holes: Vec::new(),
            since_hole: 0,
            size: 0,
        }
    }

    /// Takes the next stretch of the file; hands back its buffer.
    fn take(&mut self, stretch: Stretch) -> Result<Option<AlignedBuf>, Failed> {
        let buffer = match stretch {
            Stretch::Hole(hole) => {
                self.holes.push(Hole { data: std::mem::take(&mut self.since_hole), hole });
                self.size += hole;
                return Ok(None);
            }
            Stretch::Data(buffer) => buffer,
        };
        if self.batch.readers.observer.interrupted() {
            return Err(Failed::Gone);
        }
        self.since_hole += buffer.len() as u64;
        self.size += buffer.len() as u64;
        let mut rest: &[u8] = &buffer;
        while !rest.is_empty() {
            let (taken, end) = self.cutter.take(rest);
            let readers = self.batch.readers;
            self.chunk
                .get_or_insert_with(|| readers.chunks.take())
                .extend_from_slice(&rest[..taken]);
            rest = &rest[taken..];
            if end == End::Here {
                self.end_chunk()?;
            }
        }
        let bytes = buffer.len() as u64;
        self.batch.readers.observer.event(Event::Done { files: 0, bytes });
        Ok(Some(buffer))
    }

    fn end_chunk(&mut self) -> Result<(), Failed> {
        let Some(chunk) = self.chunk.take() else { return Ok(()) };
        let (length, readers) = (chunk.len(), self.batch.readers);
        let bytes = Slice::part(&Arc::new(chunk), 0..length);
        let (name, named) = bounded(1);
        let job = HashJob { bytes: bytes.clone(), name };
        readers.hashing.send(job).map_err(|_| Gone)?;
        let id = ChunkId::Later(named);
        Ok(self.batch.push(Found::Chunk(id, Bytes::Own(bytes)), length)?)
    }

    fn finish(mut self) -> Result<u64, Failed> {
        self.end_chunk()?;
        if !self.holes.is_empty() {
            self.batch.push(Found::Holes(self.holes), 0)?;
        }
        Ok(self.size)
    }
}
