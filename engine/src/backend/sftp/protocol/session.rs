//! A session with a server: requests go out as they come, and answers find who waits for them.
//!
//! One task writes, another reads, and ends the first. When either ends, or no answer comes in time, every waiting request fails with
//! the cause, and so does each later one; a session never recovers.

use std::collections::HashMap;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::packet::{Fields, Reply, Request, code, malformed};
use crate::backend::sftp::program::Messages;
use crate::backend::sftp::transport::{Stream, Transport};

/// The most requests for one file on their way at once.
const IN_FLIGHT: usize = 64;

/// The same for a program on this machine, which is near. It works on eight requests at the same time; when a write
/// fails, each later one of the file waits in vain for its turn (`--vfs-write-wait`), eight at a time.
const PROGRAM_IN_FLIGHT: usize = 8;

/// The packets that wait to be written before whoever sends another one waits, too.
const QUEUED: usize = 16;

/// The bytes that are written at once, so that the frames below are full.
const WRITTEN_AT_ONCE: usize = 256 << 10;

/// The largest packet that is read: OpenSSH's own limit.
const MAX_PACKET: u32 = 256 << 10;

/// The period in which overdue answers are looked for.
const TICK: Duration = Duration::from_secs(1);

/// The time that a server has to end the connection after a session.
const FAREWELL: Duration = Duration::from_secs(2);

/// The version of the protocol.
const VERSION: u32 = 3;

/// A session, which ends when it is dropped.
pub(in super::super) struct Session {
    outbox: mpsc::Sender<Vec<u8>>,
    shared: Arc<Shared>,
    next_id: AtomicU32,
    extensions: Vec<(String, Vec<u8>)>,
    /// The most bytes of one write and of one read.
    pub(super) chunk: Chunk,
    /// The most requests for one file on their way at once.
    pub(super) in_flight: usize,
    /// What a program that serves prints beside its answers.
    messages: Option<Arc<Messages>>,
    /// Ends the reader when it is dropped.
    _alive: oneshot::Sender<()>,
}

/// The sizes of the pieces in which files are transferred.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chunk {
    pub write: usize,
    pub read: usize,
}

impl Default for Chunk {
    /// The size that every server must accept (section 3 of the draft).
    fn default() -> Self {
        Self { write: 32 << 10, read: 32 << 10 }
    }
}

/// A request whose answer has not been taken yet.
pub(in super::super) struct Pending {
    reply: oneshot::Receiver<Reply>,
    shared: Arc<Shared>,
}

impl Pending {
    /// Waits for the answer.
    pub async fn reply(self) -> io::Result<Reply> {
        self.reply.await.map_err(|_| self.shared.error())
    }
}

struct Waiter {
    reply: oneshot::Sender<Reply>,
    patience: Duration,
    since: Instant,
}

/// The state that the session and its tasks share; a leaf lock.
struct Shared(Mutex<State>);

struct State {
    waiters: HashMap<u32, Waiter>,
    heard: Instant,
    /// The cause of the end.
    ended: Option<(io::ErrorKind, String)>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn error(&self) -> io::Error {
        match &self.lock().ended {
            Some((kind, cause)) => io::Error::new(*kind, cause.clone()),
            None => io::ErrorKind::ConnectionAborted.into(),
        }
    }

    /// Ends the session: the first cause counts.
    fn fail(&self, error: &io::Error) {
        let mut state = self.lock();
        state.ended.get_or_insert_with(|| (error.kind(), error.to_string()));
        state.waiters.clear();
    }

    /// Adds a request that waits, unless the session has ended.
    fn expect(&self, id: u32, waiter: Waiter) {
        let mut state = self.lock();
        if state.ended.is_none() {
            state.waiters.insert(id, waiter);
        }
    }

    fn deliver(&self, id: u32, reply: Reply) {
        let mut state = self.lock();
        state.heard = Instant::now();
        let waiter = state.waiters.remove(&id);
        drop(state);
        // Whoever waited may have failed by another answer.
        waiter.map(|waiter| waiter.reply.send(reply));
    }

    /// Returns the error when an answer is overdue although nothing else was answered meanwhile.
    fn overdue(&self) -> Option<io::Error> {
        let state = self.lock();
        // A server may work on one request after the other, so the longest patience counts for all.
        let patience = state.waiters.values().map(|waiter| waiter.patience).max()?;
        let since = state.waiters.values().map(|waiter| waiter.since).min()?.max(state.heard);
        (since.elapsed() > patience).then(|| {
            let text = format!("no answer within {} s", patience.as_secs());
            io::Error::new(io::ErrorKind::TimedOut, text)
        })
    }
}

impl Session {
    /// Opens a session over a stream.
    pub async fn open(stream: Stream) -> io::Result<Self> {
        let Stream { reader, mut writer, mut transport } = stream;
        let mut reader = BufReader::with_capacity(64 << 10, reader);
        let extensions = match greet(&mut reader, &mut writer).await {
            Ok(extensions) => extensions,
            Err(error) => return Err(transport.explain_start(error).await),
        };
        let messages = transport.messages();
        let in_flight = if messages.is_some() { PROGRAM_IN_FLIGHT } else { IN_FLIGHT };
        let state = State { waiters: HashMap::new(), heard: Instant::now(), ended: None };
        let shared = Arc::new(Shared(Mutex::new(state)));
        let (outbox, packets) = mpsc::channel(QUEUED);
        let (alive, dropped) = oneshot::channel();
        let writing = tokio::spawn(write_all(writer, packets, Arc::clone(&shared)));
        let writing = writing.abort_handle();
        tokio::spawn(read_all(reader, transport, Arc::clone(&shared), dropped, writing));
        let next_id = AtomicU32::new(1);
        let chunk = Chunk::default();
        let mut session =
            Self { outbox, shared, next_id, extensions, chunk, in_flight, messages, _alive: alive };
        session.adopt_limits().await?;
        Ok(session)
    }

    /// Returns false once the session has ended.
    pub fn is_alive(&self) -> bool {
        self.shared.lock().ended.is_none()
    }

    /// Returns the error of a full storage if the program that serves told of one.
    pub async fn explain_full(&self) -> Option<io::Error> {
        self.messages.as_ref()?.explain_full().await
    }

    /// Returns true when the server offers an extension in the version that OpenSSH documents.
    pub fn offers(&self, extension: &str) -> bool {
        self.extensions.iter().any(|(name, _)| name == extension)
    }

    /// Sends a request; the answer is awaited for at most `patience` after the latest answer to any request.
    pub async fn send(&self, request: Request, patience: Duration) -> io::Result<Pending> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (sender, reply) = oneshot::channel();
        self.shared.expect(id, Waiter { reply: sender, patience, since: Instant::now() });
        if self.outbox.send(request.into_packet(id)).await.is_err() {
            return Err(self.shared.error());
        }
        Ok(Pending { reply, shared: Arc::clone(&self.shared) })
    }

    /// Sends a request whose answer nobody needs, unless that would have to wait.
    pub fn send_unanswered(&self, request: Request) {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        // A full or closed queue: the session is ending, and the server cleans up.
        let _ = self.outbox.try_send(request.into_packet(id));
    }
}

/// Exchanges versions; returns the extensions that the server offers.
async fn greet(
    reader: &mut (impl AsyncRead + Unpin),
    writer: &mut (impl AsyncWrite + Unpin),
) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut hello = vec![0, 0, 0, 5, code::INIT];
    hello.extend_from_slice(&VERSION.to_be_bytes());
    writer.write_all(&hello).await?;
    writer.flush().await?;
    let length = reader.read_u32().await?;
    if !(5..=MAX_PACKET).contains(&length) {
        return Err(malformed());
    }
    let mut bytes = vec![0; length as usize];
    reader.read_exact(&mut bytes).await?;
    let (kind, rest) = bytes.split_first().ok_or_else(malformed)?;
    let mut fields = Fields(rest);
    if *kind != code::VERSION || fields.u32()? != VERSION {
        return Err(malformed());
    }
    let mut extensions = Vec::new();
    while !fields.0.is_empty() {
        let (name, data) = (fields.string()?, fields.string()?);
        extensions.push((String::from_utf8_lossy(name).into_owned(), data.to_vec()));
    }
    Ok(extensions)
}

async fn write_all(
    mut writer: impl AsyncWrite + Unpin,
    mut packets: mpsc::Receiver<Vec<u8>>,
    shared: Arc<Shared>,
) {
    let mut bytes = Vec::with_capacity(WRITTEN_AT_ONCE);
    while let Some(packet) = packets.recv().await {
        bytes.clear();
        bytes.extend_from_slice(&packet);
        while bytes.len() < WRITTEN_AT_ONCE
            && let Ok(packet) = packets.try_recv()
        {
            bytes.extend_from_slice(&packet);
        }
        let written = match writer.write_all(&bytes).await {
            Ok(()) => writer.flush().await,
            failed => failed,
        };
        if let Err(error) = written {
            return shared.fail(&error);
        }
    }
    // The session was dropped; the server ends on its own.
    let _ = writer.shutdown().await;
}

async fn read_all(
    mut reader: impl AsyncRead + Unpin,
    mut transport: Transport,
    shared: Arc<Shared>,
    mut dropped: oneshot::Receiver<()>,
    writing: AbortHandle,
) {
    let mut ticks = tokio::time::interval(TICK);
    let error = 'ended: loop {
        let mut packet = pin!(read_packet(&mut reader));
        let packet = loop {
            tokio::select! {
                biased;
                packet = &mut packet => break packet,
                _ = ticks.tick() => {
                    if let Some(error) = shared.overdue() {
                        break 'ended error;
                    }
                }
                _ = &mut dropped => {
                    transport.farewell(FAREWELL).await;
                    return writing.abort();
                }
            }
        };
        match packet {
            Ok((id, reply)) => shared.deliver(id, reply),
            Err(error) => break error,
        }
    };
    shared.fail(&transport.explain_end(error).await);
    // A channel of SSH whose connection has ended waits for its window forever, and so would whoever sends.
    writing.abort();
}

/// Reads the answer to a request.
async fn read_packet(reader: &mut (impl AsyncRead + Unpin)) -> io::Result<(u32, Reply)> {
    let mut head = [0; 9];
    reader.read_exact(&mut head).await?;
    let mut fields = Fields(&head);
    let length = fields.u32()?;
    let (kind, id) = (head[4], Fields(&head[5..]).u32()?);
    if !(5..=MAX_PACKET).contains(&length) {
        return Err(malformed());
    }
    let mut body = vec![0; length as usize - 5];
    reader.read_exact(&mut body).await?;
    Ok((id, Reply { kind, body }))
}

#[cfg(test)]
mod tests;
