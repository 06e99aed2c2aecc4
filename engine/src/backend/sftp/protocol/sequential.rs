//! Reading a file from its beginning to its end, with many requests on their way at once.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;

use super::packet::{code, malformed};
use super::requests::{Handle, refusal};
use super::session::{Pending, Session};
use super::transfer::request;

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
}

impl Sequential {
    /// Begins at the start of a file that has `size` bytes.
    pub fn new(size: u64) -> Self {
        let (arrived, pending) = (VecDeque::new(), VecDeque::new());
        Self { size, at: 0, arrived, pending, asked: 0, is_at_end: false }
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
        if end == self.size && end < range.end {
            // It was asked for more, and ends where it should.
            self.end();
        } else if end < range.end {
            // A server may return less than it was asked for.
            let rest = end..range.end;
            self.pending.push_front((rest.clone(), request(session, handle, &rest).await?));
        }
        Ok(())
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
