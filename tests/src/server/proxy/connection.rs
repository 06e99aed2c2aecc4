//! One connection through the link: two threads a direction, one that sends and one that lets arrive.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::control::Fate;
use super::{Direction, Shared};

/// The most bytes that are sent at once: little enough that connections take turns.
const PIECE: usize = 16 << 10;

/// The pieces of a direction that are on their way at most: four megabytes, as a window of TCP has.
const WINDOW: usize = 256;

/// The time after which a blocked thread looks whether its connection was reset.
const POLL: Duration = Duration::from_millis(20);

/// A connection of a client, and the one to the server.
struct Connection {
    shared: Arc<Shared>,
    client: TcpStream,
    server: TcpStream,
    /// The cuts of the link when the connection was made.
    cuts: u64,
    is_reset: AtomicBool,
    /// Something has arrived at the client since its last message.
    is_answered: AtomicBool,
    /// The client misses bytes.
    has_lost: AtomicBool,
}

/// A part of a stream.
enum Piece {
    /// Bytes, and when they arrive.
    Bytes(Instant, Vec<u8>),
    /// The end of the stream, and when it arrives.
    End(Instant),
}

/// Serves a client until either side ends the connection.
pub(super) fn serve(shared: &Arc<Shared>, client: TcpStream) {
    shared.control.count_connection();
    let cuts = shared.control.cuts();
    // The client's first message leaves when its handshake is done.
    thread::sleep(shared.link.delay * 2);
    let Ok(server) = TcpStream::connect(shared.target) else { return };
    for stream in [&client, &server] {
        let prepared = stream
            .set_nodelay(true)
            .and_then(|()| stream.set_read_timeout(Some(POLL)))
            .and_then(|()| stream.set_write_timeout(Some(POLL)));
        prepared.expect("a new connection has options");
    }
    let connection = Arc::new(Connection {
        shared: Arc::clone(shared),
        client,
        server,
        cuts,
        is_reset: AtomicBool::new(false),
        is_answered: AtomicBool::new(true),
        has_lost: AtomicBool::new(false),
    });
    let threads = [Direction::Up, Direction::Down].map(|direction| {
        let (sender, receiver) = sync_channel(WINDOW);
        let (sending, arriving) = (Arc::clone(&connection), Arc::clone(&connection));
        [
            thread::spawn(move || sending.send(direction, &sender)),
            thread::spawn(move || arriving.arrive(direction, &receiver)),
        ]
    });
    for thread in threads.into_iter().flatten() {
        let _ = thread.join();
    }
    connection.close();
}

impl Connection {
    /// Reads what one side writes, and puts it on its way.
    fn send(&self, direction: Direction, pieces: &SyncSender<Piece>) {
        let (from, line) = match direction {
            Direction::Up => (&self.client, &self.shared.up),
            Direction::Down => (&self.server, &self.shared.down),
        };
        if direction == Direction::Down {
            // The server's first message leaves when it has the end of the handshake.
            thread::sleep(self.shared.link.delay);
        }
        let mut from: &TcpStream = from;
        let mut buffer = vec![0; PIECE];
        while !self.is_over() {
            let piece = match from.read(&mut buffer) {
                Ok(0) => Piece::End(line.send(0)),
                Ok(length) => {
                    if direction == Direction::Up && self.is_answered.swap(false, Ordering::Relaxed)
                    {
                        self.shared.control.count_round_trip();
                    }
                    Piece::Bytes(line.send(length), buffer[..length].to_vec())
                }
                Err(error) if is_timeout(&error) => continue,
                Err(_) => return self.reset(),
            };
            let is_end = matches!(piece, Piece::End(_));
            if pieces.send(piece).is_err() || is_end {
                return;
            }
        }
    }

    /// Lets pieces arrive at the other side when they are due.
    fn arrive(&self, direction: Direction, pieces: &Receiver<Piece>) {
        let to = match direction {
            Direction::Up => &self.server,
            Direction::Down => &self.client,
        };
        while !self.is_over() {
            let (due, bytes) = match pieces.recv_timeout(POLL) {
                Ok(Piece::Bytes(due, bytes)) => (due, bytes),
                Ok(Piece::End(due)) => {
                    thread::sleep(due.saturating_duration_since(Instant::now()));
                    let _ = to.shutdown(Shutdown::Write);
                    return;
                }
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            thread::sleep(due.saturating_duration_since(Instant::now()));
            match self.shared.control.arrive(direction, bytes.len(), self.cuts) {
                Fate::Lost => {
                    self.has_lost.store(true, Ordering::Relaxed);
                    self.shared.control.count_lost(bytes.len());
                }
                Fate::Reset(arriving) => {
                    self.write(to, direction, &bytes[..arriving]);
                    return self.reset();
                }
                Fate::Arrive if self.misses_bytes(direction) => return self.reset(),
                Fate::Arrive => self.write(to, direction, &bytes),
            }
        }
    }

    /// Returns true for the direction in which bytes were dropped.
    fn misses_bytes(&self, direction: Direction) -> bool {
        direction == Direction::Down && self.has_lost.load(Ordering::Relaxed)
    }

    /// Writes bytes, unless the connection is reset meanwhile.
    fn write(&self, mut to: &TcpStream, direction: Direction, mut bytes: &[u8]) {
        self.shared.control.count_bytes(direction, bytes.len());
        if direction == Direction::Down {
            self.is_answered.store(true, Ordering::Relaxed);
        }
        while !bytes.is_empty() && !self.is_over() {
            match to.write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if is_timeout(&error) => {}
                Err(_) => return self.reset(),
            }
        }
    }

    fn reset(&self) {
        self.is_reset.store(true, Ordering::Relaxed);
    }

    /// Returns true once the connection is reset, or the proxy dropped.
    fn is_over(&self) -> bool {
        self.is_reset.load(Ordering::Relaxed)
            || self.shared.control.cuts() != self.cuts
            || self.shared.control.is_over()
    }

    /// Ends both connections when all threads are done: orderly, or by a reset.
    fn close(&self) {
        if self.is_over() {
            for stream in [&self.client, &self.server] {
                // Closed without lingering, the connection is reset.
                let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
            }
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
}
