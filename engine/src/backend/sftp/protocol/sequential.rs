//! Reading a file from its beginning to its end, with many requests on their way at once.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;

use super::packet::{code, malformed};
use super::requests::{Handle, refusal};
use super::session::{Pending, Session};
use super::transfer::request;

/// The most short answers behind the size that a file was said to have: `/proc` gives a page at a time.
const MOST_SHORT: u32 = 256;

/// The content of an open file, in order.
///
/// One byte more than the file has is asked for, so that one that has grown is noticed without a round trip of its own.
pub(in super::super) struct Sequential {
    /// The size that the file had when it was opened.
    size: u64,
    /// The offset behind the bytes that were taken.
    at: u64,
    /// The bytes behind them that arrived.
    arrived: VecDeque<u8>,
    /// The requests whose answers come next, without gaps.
    pending: VecDeque<(Range<u64>, Pending)>,
    /// The offset behind everything that was asked for.
    asked: u64,
    is_at_end: bool,
    /// Short answers behind the size.
    short_at_end: u32,
}

impl Sequential {
    /// Begins at the start of a file that has `size` bytes.
    pub fn new(size: u64) -> Self {
        let (arrived, pending) = (VecDeque::new(), VecDeque::new());
        Self { size, at: 0, arrived, pending, asked: 0, is_at_end: false, short_at_end: 0 }
    }

    /// Fetches everything, up to one byte more than the size.
    pub async fn fetch_all(&mut self, session: &Session, handle: &Handle) -> io::Result<()> {
        while !self.is_at_end && self.arrived.len() as u64 <= self.size {
            self.receive(session, handle).await?;
        }
        Ok(())
    }

    /// Fills `out` from `offset`; fewer bytes mean that the file ends there. Another offset than the next begins anew.
    pub async fn read(
        &mut self,
        (session, handle): (&Session, &Handle),
        out: &mut [u8],
        offset: u64,
    ) -> io::Result<usize> {
        self.go_to(offset);
        let mut done = 0;
        while done < out.len() {
            if self.arrived.is_empty() {
                if self.is_at_end {
                    break;
                }
                self.receive(session, handle).await?;
            }
            let count = self.arrived.len().min(out.len() - done);
            let (first, second) = self.arrived.as_slices();
            let from_first = count.min(first.len());
            out[done..done + from_first].copy_from_slice(&first[..from_first]);
            out[done + from_first..done + count].copy_from_slice(&second[..count - from_first]);
            self.arrived.drain(..count);
            self.at += count as u64;
            done += count;
        }
        Ok(done)
    }

    /// Tells whether there is a byte at `offset`.
    pub async fn has_more(
        &mut self,
        (session, handle): (&Session, &Handle),
        offset: u64,
    ) -> io::Result<bool> {
        self.go_to(offset);
        while self.arrived.is_empty() && !self.is_at_end {
            self.receive(session, handle).await?;
        }
        Ok(!self.arrived.is_empty())
    }

    fn go_to(&mut self, offset: u64) {
        if offset != self.at {
            *self = Self { at: offset, asked: offset, ..Self::new(self.size) };
        }
    }

    /// Takes the next answer.
    async fn receive(&mut self, session: &Session, handle: &Handle) -> io::Result<()> {
        self.ask(session, handle).await?;
        let Some((range, pending)) = self.pending.pop_front() else { return Err(malformed()) };
        let reply = pending.reply().await?;
        if reply.kind != code::DATA {
            return match refusal(&reply) {
                end if end.kind() == io::ErrorKind::UnexpectedEof => {
                    self.end();
                    Ok(())
                }
                error => Err(error),
            };
        }
        let mut fields = reply.fields();
        let bytes = fields.string()?;
        let end = range.start + bytes.len() as u64;
        if bytes.is_empty() || end > range.end {
            return Err(malformed());
        }
        self.arrived.extend(bytes);
        if end < range.end && end >= self.size && self.size > 0 {
            // It ends where it should, or has grown, perhaps faster than requests follow.
            self.end();
        } else if end < range.end {
            // A server may return less than it was asked for, and no size of what it makes up.
            self.count_short_answer(end)?;
            let rest = end..range.end;
            self.pending.push_front((rest.clone(), request(session, handle, &rest).await?));
        }
        Ok(())
    }

    /// Fails for a file that was empty and grows faster than requests follow.
    fn count_short_answer(&mut self, end: u64) -> io::Result<()> {
        self.short_at_end += u32::from(end > self.size);
        match self.short_at_end > MOST_SHORT {
            false => Ok(()),
            true => Err(io::Error::new(io::ErrorKind::InvalidData, "it does not end")),
        }
    }

    fn end(&mut self) {
        self.is_at_end = true;
        self.pending.clear();
    }

    /// Sends as many requests as may be on their way.
    async fn ask(&mut self, session: &Session, handle: &Handle) -> io::Result<()> {
        let size = session.chunk.read as u64;
        let end = self.size.saturating_add(1);
        while self.pending.len() < session.in_flight {
            // Behind the size that it had, one request at a time finds the end.
            if self.asked >= end && !self.pending.is_empty() {
                break;
            }
            let piece_end =
                if self.asked < end { end.min(self.asked + size) } else { self.asked + size };
            let piece = self.asked..piece_end;
            self.asked = piece.end;
            self.pending.push_back((piece.clone(), request(session, handle, &piece).await?));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::super::packet::{Fields, Request};
    use super::super::requests::Mode;
    use super::*;
    use crate::backend::runtime::block_on;
    use crate::backend::sftp::transport::{Stream, Transport};

    /// Serves one file, in pieces of at most `most` bytes.
    async fn serve(mut stream: DuplexStream, content: Vec<u8>, most: usize) -> io::Result<()> {
        stream.read_exact(&mut [0; 9]).await?;
        stream.write_all(&[0, 0, 0, 5, code::VERSION, 0, 0, 0, 3]).await?;
        loop {
            let mut packet = vec![0; stream.read_u32().await? as usize];
            stream.read_exact(&mut packet).await?;
            let mut fields = Fields(&packet[1..]);
            let (id, _handle) = (fields.u32()?, fields.string()?);
            let answer = match packet[0] {
                code::READ => {
                    let (offset, length) = (fields.u64()? as usize, fields.u32()? as usize);
                    let rest = content.get(offset..).unwrap_or_default();
                    match &rest[..rest.len().min(length).min(most)] {
                        [] => Request::new(code::STATUS, 4).u32(code::STATUS_EOF),
                        bytes => Request::new(code::DATA, bytes.len()).string(bytes),
                    }
                }
                _ => Request::new(code::HANDLE, 4).string(b"h"),
            };
            stream.write_all(&answer.into_packet(id)).await?;
        }
    }

    #[test]
    fn a_file_is_read_to_its_end_and_one_that_has_grown_beyond_its_size() {
        let content: Vec<u8> = (0..150_000_u32).map(|n| (n / 7) as u8).collect();
        let length = content.len() as u64;
        // The size that it had, the largest answer, and what is read of it.
        for (size, most, expected) in [
            (length, 1 << 20, length),
            (length, 1000, length),
            (length + 99, 1 << 20, length),
            (99, 1000, 1100),
            (0, 1 << 20, length),
            (0, 1000, length),
        ] {
            block_on(async {
                let (near, far) = duplex(1 << 16);
                let server = tokio::spawn(serve(far, content.clone(), most));
                let (reader, writer) = tokio::io::split(near);
                let (reader, writer) = (Box::new(reader), Box::new(writer));
                let stream = Stream { reader, writer, transport: Transport::Bare };
                let session = Session::open(stream).await.expect("a session");
                let handle = session.open_file("f", Mode::Read).await.expect("it opens");
                let of = (&session, &handle);
                let mut file = Sequential::new(size);
                file.fetch_all(of.0, of.1).await.expect("it is fetched");
                for _ in 0..2 {
                    let (mut read, mut piece) = (Vec::new(), vec![0; 7001]);
                    loop {
                        let count = file.read(of, &mut piece, read.len() as u64).await;
                        match count.expect("it reads") {
                            0 => break,
                            count => read.extend_from_slice(&piece[..count]),
                        }
                    }
                    assert!(read == content[..expected as usize], "{size}, {most}: {}", read.len());
                }
                assert!(!file.has_more(of, expected).await.expect("it reads"));
                assert!(file.has_more(of, expected - 1).await.expect("it reads"));
                server.abort();
            });
        }
    }
}
