//! A few sessions with one server, shared by all callers.
//!
//! A caller gets the session with the fewest users; another connection is made only while each has some. A session
//! that ended is replaced at its next use.

use std::io;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;

use super::protocol::session::Session;
use super::transport::Connector;

/// The sessions.
pub(super) struct Pool {
    /// The name of the server and its folder, for the log.
    location: String,
    connector: Connector,
    patience: Duration,
    slots: Vec<Slot>,
    /// The number of sessions that ended by themselves, and of failures to open one.
    disturbances: AtomicU64,
}

#[derive(Default)]
struct Slot {
    /// Guards the session while it is made.
    session: Mutex<Option<Arc<Session>>>,
    users: AtomicUsize,
}

/// The use of a session.
pub(super) struct Lease<'p> {
    session: Arc<Session>,
    _user: User<'p>,
}

struct User<'p>(&'p Slot);

impl Drop for User<'_> {
    fn drop(&mut self) {
        self.0.users.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Deref for Lease<'_> {
    type Target = Arc<Session>;

    fn deref(&self) -> &Arc<Session> {
        &self.session
    }
}

impl Pool {
    /// Makes room for `connections` sessions, each of which must be open within `patience`.
    pub fn new(
        location: String,
        connector: Connector,
        connections: usize,
        patience: Duration,
    ) -> Self {
        let slots = (0..connections.max(1)).map(|_| Slot::default()).collect();
        Self { location, connector, patience, slots, disturbances: AtomicU64::new(0) }
    }

    /// Returns a session that is open.
    pub async fn lease(&self) -> io::Result<Lease<'_>> {
        let slot = self.slots.iter().min_by_key(|slot| slot.users.load(Ordering::Relaxed));
        let slot = slot.expect("there is at least one slot");
        slot.users.fetch_add(1, Ordering::Relaxed);
        let user = User(slot);
        let mut session = slot.session.lock().await;
        if let Some(session) = session.as_ref().filter(|session| session.is_alive()) {
            return Ok(Lease { session: Arc::clone(session), _user: user });
        }
        // The session that ended gives up its connection before the next is made.
        if session.take().is_some() {
            self.disturbances.fetch_add(1, Ordering::Relaxed);
            tracing::info!(location = self.location, "connection ended, and is made anew");
        }
        match self.connect().await {
            Ok(made) => {
                let made = session.insert(Arc::new(made));
                Ok(Lease { session: Arc::clone(made), _user: user })
            }
            Err(error) => {
                drop(session);
                self.disturbances.fetch_add(1, Ordering::Relaxed);
                // A server may limit the number of connections; fewer do as well.
                let open = self.slots.iter().find_map(|slot| Some((slot, slot.open_session()?)));
                let Some((slot, session)) = open else { return Err(error) };
                slot.users.fetch_add(1, Ordering::Relaxed);
                Ok(Lease { session, _user: User(slot) })
            }
        }
    }

    /// Returns the number of times so far that the server was out of reach.
    pub fn disturbances(&self) -> u64 {
        self.disturbances.load(Ordering::Relaxed)
    }

    async fn connect(&self) -> io::Result<Session> {
        let is_connected = AtomicBool::new(false);
        let open = async {
            let stream = self.connector.connect().await?;
            is_connected.store(true, Ordering::Relaxed);
            Session::open(stream).await
        };
        match tokio::time::timeout(self.patience, open).await {
            Ok(opened) => opened,
            Err(_) => {
                let silent = match is_connected.into_inner() {
                    // It is often the user's shell that waits, as for a lock of something in its start-up files.
                    true => "the connection stands, but no SFTP server answers through it",
                    false => "no connection",
                };
                let text = format!("{silent} within {} s", self.patience.as_secs());
                Err(io::Error::new(io::ErrorKind::TimedOut, text))
            }
        }
    }
}

impl Slot {
    fn open_session(&self) -> Option<Arc<Session>> {
        let session = self.session.try_lock().ok()?;
        session.as_ref().filter(|session| session.is_alive()).cloned()
    }
}
