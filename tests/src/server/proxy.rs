//! A TCP proxy on the loopback address that behaves like a long link, and fails on command.
//!
//! All connections share the rate of each direction. A connection is usable after the time of its handshake. What the
//! real link's congestion control does is left out: a sender fills the link from its first byte on.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

mod connection;
mod control;
mod line;

pub use control::LinkCounts;

use control::Control;
use line::Line;

/// A direction through the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

/// The properties of a link, the same in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The time that a byte is on its way.
    pub delay: Duration,
    /// Bits a second; `None` without a limit.
    pub rate: Option<u64>,
    /// The bytes that wait before the link is full and its sender has to wait.
    pub queue: usize,
}

impl Link {
    /// Thirty milliseconds there and back at 100 Mbit/s.
    pub const DISTANT: Self =
        Self { delay: Duration::from_millis(15), rate: Some(100_000_000), queue: 256 << 10 };

    /// Neither a delay nor a limit.
    pub const UNSHAPED: Self = Self { delay: Duration::ZERO, rate: None, queue: 256 << 10 };
}

/// A proxy before a server, until it is dropped.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

/// What all threads of a proxy share.
struct Shared {
    target: SocketAddr,
    link: Link,
    up: Line,
    down: Line,
    control: Control,
}

impl Proxy {
    /// Starts a proxy before a server.
    pub fn start(target: SocketAddr, link: Link) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("its address");
        let (up, down) = (Line::new(link), Line::new(link));
        let shared = Arc::new(Shared { target, link, up, down, control: Control::default() });
        let acceptor = thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept_all(&shared, address, listener)
        });
        Self { address, shared, acceptor: Some(acceptor) }
    }

    /// Returns the address that clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the port that clients connect to.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Returns what went through so far.
    pub fn counts(&self) -> LinkCounts {
        self.shared.control.counts()
    }

    /// Resets a connection once so many further bytes have arrived in a direction. Happens once.
    pub fn reset_after(&self, direction: Direction, bytes: u64) {
        self.shared.control.change(|faults| faults.reset_after = Some((direction, bytes)));
    }

    /// Drops the next answer of the server, and resets its connection: the request may have had its effect.
    pub fn lose_next_answer(&self) {
        self.reset_after(Direction::Down, 0);
    }

    /// Drops all answers from now on.
    pub fn drop_answers(&self) {
        self.shared.control.change(|faults| faults.drops_answers = true);
    }

    /// Lets answers arrive again, and resets the connections that miss one.
    pub fn deliver_answers(&self) {
        self.shared.control.change(|faults| faults.drops_answers = false);
    }

    /// Lets nothing arrive for a time.
    pub fn stall_for(&self, time: Duration) {
        self.shared.control.change(|faults| faults.stalled_until = Some(Instant::now() + time));
    }

    /// Lets nothing arrive until [`resume`](Self::resume).
    pub fn stall(&self) {
        self.stall_for(Duration::from_secs(24 * 60 * 60));
    }

    /// Lets everything arrive again.
    pub fn resume(&self) {
        self.shared.control.change(|faults| faults.stalled_until = None);
    }

    /// Resets all connections.
    pub fn cut(&self) {
        self.shared.control.change(|faults| faults.cuts += 1);
    }

    /// Refuses connections for a time; those that exist go on.
    pub fn refuse_for(&self, time: Duration) {
        self.shared.control.change(|faults| faults.refuses_until = Some(Instant::now() + time));
        // The acceptor is woken, and closes the port.
        let _ = TcpStream::connect(self.address);
        self.shared.control.wait_until_refused();
    }

    /// Refuses connections until [`accept_again`](Self::accept_again).
    pub fn refuse(&self) {
        self.refuse_for(Duration::from_secs(24 * 60 * 60));
    }

    /// Accepts connections again.
    pub fn accept_again(&self) {
        self.shared.control.change(|faults| faults.refuses_until = None);
        self.shared.control.wait_until_accepted();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.control.change(|faults| {
            faults.is_over = true;
            faults.refuses_until = None;
        });
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

/// Accepts connections until the proxy is dropped.
fn accept_all(shared: &Arc<Shared>, address: SocketAddr, mut listener: TcpListener) {
    loop {
        let accepted = listener.accept();
        if shared.control.is_over() {
            return;
        }
        if shared.control.refuses() {
            // The connections that wait in the queue are refused, too.
            drop((accepted, listener));
            shared.control.change(|faults| faults.is_deaf = true);
            shared.control.wait_while_refusing();
            listener = listen_again(address);
            // Who dropped the proxy before it listened could not wake it.
            if shared.control.is_over() {
                return;
            }
            shared.control.change(|faults| faults.is_deaf = false);
        } else if let Ok((client, _)) = accepted {
            let shared = Arc::clone(shared);
            thread::spawn(move || connection::serve(&shared, client));
        }
    }
}

/// Listens at a port that was closed a moment ago, as soon as the system lets it.
fn listen_again(address: SocketAddr) -> TcpListener {
    loop {
        match TcpListener::bind(address) {
            Ok(listener) => return listener,
            Err(_) => thread::sleep(Duration::from_millis(10)),
        }
    }
}
