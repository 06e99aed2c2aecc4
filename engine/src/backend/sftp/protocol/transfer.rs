//! The content of files, with many requests on their way at once.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use yore_platform::ReadBuffer;

use super::packet::{Request, code, malformed};
use super::requests::{Handle, Status, refusal};
use super::session::{Pending, Session};
use super::wait::PATIENCE;

/// A file that is written from its beginning.
pub(in super::super) struct Upload {
    session: Arc<Session>,
    handle: Handle,
    next: Option<Chunk>,
    offset: u64,
    unacknowledged: VecDeque<Pending>,
}

/// A piece that is being filled.
struct Chunk {
    request: Request,
    /// The place of the length in the request.
    length_at: usize,
    filled: usize,
}

impl Upload {
    /// Begins to write to an open file.
    pub fn new(session: Arc<Session>, handle: Handle) -> Self {
        Self { session, handle, next: None, offset: 0, unacknowledged: VecDeque::new() }
    }

    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Appends bytes as far as the piece that is being filled has room; returns the rest.
    pub fn fill<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let size = self.session.chunk.write;
        let chunk = self.next.get_or_insert_with(|| {
            let request = Request::new(code::WRITE, size + 64);
            let request = request.string(self.handle.bytes()).u64(self.offset);
            let length_at = request.len();
            Chunk { request: request.u32(0), length_at, filled: 0 }
        });
        let (now, later) = bytes.split_at(bytes.len().min(size - chunk.filled));
        chunk.request.push(now);
        chunk.filled += now.len();
        later
    }

    /// Appends bytes; waits while too many requests are on their way.
    pub async fn append(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        loop {
            bytes = self.fill(bytes);
            if bytes.is_empty() {
                return Ok(());
            }
            self.send().await?;
        }
    }

    /// Sends the piece that was being filled.
    async fn send(&mut self) -> io::Result<()> {
        let filled = self.next.take().filter(|chunk| chunk.filled > 0);
        let Some(mut chunk) = filled else { return Ok(()) };
        let length = u32::try_from(chunk.filled).expect("a piece is small");
        chunk.request.set_u32(chunk.length_at, length);
        self.offset += u64::from(length);
        while self.unacknowledged.len() >= self.session.in_flight
            && let Some(oldest) = self.unacknowledged.pop_front()
        {
            Status::of(oldest).await?;
        }
        self.unacknowledged.push_back(self.session.send(chunk.request, PATIENCE).await?);
        Ok(())
    }

    /// Sends the rest, and a flush after it if `flushes`; waits until everything is written, and returns the flush.
    pub async fn finish(&mut self, flushes: bool) -> io::Result<Option<Pending>> {
        self.send().await?;
        let flush = match flushes {
            true => Some(self.session.fsync(&self.handle).await?),
            false => None,
        };
        while let Some(oldest) = self.unacknowledged.pop_front() {
            Status::of(oldest).await?;
        }
        Ok(flush)
    }
}

/// Reads a range of an open file.
///
/// # Errors
/// [`io::ErrorKind::UnexpectedEof`] when the file ends before.
pub(in super::super) async fn download(
    session: &Session,
    handle: &Handle,
    range: Range<u64>,
    out: &mut ReadBuffer,
) -> io::Result<()> {
    let length = range.end.saturating_sub(range.start);
    out.fit(usize::try_from(length).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?);
    let size = session.chunk.read as u64;
    let mut pieces = VecDeque::with_capacity(session.in_flight);
    let mut next = range.start;
    loop {
        while next < range.end && pieces.len() < session.in_flight {
            let piece = next..range.end.min(next + size);
            next = piece.end;
            pieces.push_back((request(session, handle, &piece).await?, piece));
        }
        let Some((pending, piece)) = pieces.pop_front() else { return Ok(()) };
        let reply = pending.reply().await?;
        if reply.kind != code::DATA {
            return Err(refusal(&reply));
        }
        let mut fields = reply.fields();
        let bytes = fields.string()?;
        let end = piece.start + bytes.len() as u64;
        if bytes.is_empty() || end > piece.end {
            return Err(malformed());
        }
        let at = usize::try_from(piece.start - range.start).expect("the buffer has the range");
        out.bytes_mut()[at..at + bytes.len()].copy_from_slice(bytes);
        // A server may return less than it was asked for.
        if end < piece.end {
            let rest = end..piece.end;
            pieces.push_front((request(session, handle, &rest).await?, rest));
        }
    }
}

/// Reads all of an open file, of at most `limit` bytes; returns false when it has more.
///
/// The size is asked for together with the first bytes, so that a small file takes one round trip.
pub(in super::super) async fn download_whole(
    session: &Session,
    handle: &Handle,
    limit: u64,
    out: &mut ReadBuffer,
) -> io::Result<bool> {
    let first = 0..limit.min(session.chunk.read as u64).max(1);
    let first = request(session, handle, &first).await?;
    let found = session.fstat(handle).await?;
    let unsized_file = || io::Error::new(io::ErrorKind::Unsupported, "the server tells no sizes");
    let size = found.size.ok_or_else(unsized_file)?;
    if size > limit {
        return Ok(false);
    }
    let reply = first.reply().await?;
    if reply.kind == code::DATA {
        let mut fields = reply.fields();
        let bytes = fields.string()?;
        if bytes.len() as u64 == size {
            out.clear();
            out.extend_from_slice(bytes);
            return Ok(true);
        }
    }
    download(session, handle, 0..size, out).await?;
    Ok(true)
}

pub(super) async fn request(
    session: &Session,
    handle: &Handle,
    piece: &Range<u64>,
) -> io::Result<Pending> {
    let length = u32::try_from(piece.end - piece.start).expect("a piece is small");
    let request = Request::new(code::READ, 32).string(handle.bytes());
    session.send(request.u64(piece.start).u32(length), PATIENCE).await
}
