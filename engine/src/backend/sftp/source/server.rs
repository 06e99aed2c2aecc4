//! The connections to the server, which are made again when they are lost.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use yore_platform::{Metadata, name_from_bytes};

use super::listings_ahead::ListingsAhead;
use super::names::{metadata_of, not_there};
use crate::backend::layer::retry::wait::{Interrupted, OnOutage, Patience, Waits};
use crate::backend::runtime::block_on;
use crate::backend::sftp::failure;
use crate::backend::sftp::pool::{Lease, Pool};
use crate::backend::sftp::protocol::session::Session;
use crate::backend::sftp::ssh::options::SftpOptions;
use crate::backend::sftp::transport::Connector;
use crate::error::Error;

/// The attempts at one thing that each end with the connection.
pub(super) const ATTEMPTS: u32 = 6;

/// A connection was lost during a request; the payload of an [`io::Error`].
#[derive(Debug)]
struct ConnectionLost(io::Error);

impl fmt::Display for ConnectionLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for ConnectionLost {}

/// A server, for all threads of a backup.
pub(super) struct Server {
    /// Where it is, without a path.
    location: String,
    pub(super) pool: Pool,
    waits: Waits,
    is_lost: AtomicBool,
    /// Guards the error that ended the access.
    cause: Mutex<Option<Error>>,
    pub(super) listings: ListingsAhead,
}

impl Server {
    pub(super) fn new(
        options: SftpOptions,
        patience: Patience,
        interrupted: Interrupted,
        on_outage: OnOutage,
    ) -> Self {
        let location = options.location.clone();
        let (connections, timeout) = (options.connections, options.connect_timeout);
        let waits = Waits::new(location.clone(), patience, interrupted, on_outage);
        let pool =
            Pool::new(location.clone(), Connector::Ssh(Box::new(options)), connections, timeout);
        let (is_lost, cause) = (AtomicBool::new(false), Mutex::new(None));
        Self { location, pool, waits, is_lost, cause, listings: ListingsAhead::default() }
    }

    pub(super) fn location(&self) -> &str {
        &self.location
    }

    /// Returns a path of the server as messages show it.
    pub(super) fn shown(&self, path: &[u8]) -> PathBuf {
        let home = if path.starts_with(b"/") { "" } else { "/~/" };
        let mut shown = OsString::from(format!("{}{home}", self.location));
        shown.push(name_from_bytes(path));
        PathBuf::from(shown)
    }

    /// Makes a request, again after each loss of the connection.
    ///
    /// # Errors
    /// That of the request; or the server is out of reach for good, which [`Self::is_lost`] tells.
    pub(super) fn repeat<T>(
        &self,
        request: impl AsyncFn(&Session) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut attempt = 1;
        loop {
            let lease = self.lease()?;
            match block_on(request(&lease)) {
                Err(error) if is_of_connection(&lease, &error) => {
                    self.may_repeat(&error, attempt)?;
                    attempt += 1;
                }
                answer => return answer,
            }
        }
    }

    /// Returns an open session, and waits for the server if there is none.
    pub(super) fn lease(&self) -> io::Result<Lease<'_>> {
        let mut attempts = self.waits.attempts();
        loop {
            if self.is_lost() {
                return Err(lost());
            }
            match block_on(self.pool.lease()) {
                Ok(lease) => {
                    self.waits.answered();
                    return Ok(lease);
                }
                Err(error) => {
                    let error = failure::unreachable(&self.location, error);
                    attempts.wait_out(error).map_err(|error| self.lose(error))?;
                }
            }
        }
    }

    /// Fails when something has ended too many connections.
    fn may_repeat(&self, error: &io::Error, attempt: u32) -> io::Result<()> {
        if attempt < ATTEMPTS {
            return Ok(());
        }
        let source = io::Error::new(error.kind(), error.to_string());
        Err(self.lose(Error::Backend { object: self.location.clone(), source }))
    }

    /// Waits for the server after an error; returns false if something else failed, or it is out of reach for good.
    pub(super) fn is_back_after(&self, error: &io::Error, attempt: u32) -> bool {
        let is_of_connection = error.get_ref().is_some_and(|cause| cause.is::<ConnectionLost>());
        is_of_connection && self.may_repeat(error, attempt).is_ok() && self.lease().is_ok()
    }

    /// Ends the access to the server; the first cause counts.
    fn lose(&self, error: Error) -> io::Error {
        self.cause.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.is_lost.store(true, Ordering::Release);
        lost()
    }

    pub(super) fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Acquire)
    }

    pub(super) fn take_cause(&self) -> Option<Error> {
        self.cause.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Returns the metadata of a path of a snapshot.
    pub(super) fn metadata(&self, path: &[u8]) -> io::Result<Metadata> {
        let path = absolute(path);
        let found = self.repeat(async |session| session.lstat(&path).await)?;
        metadata_of(&found.ok_or_else(not_there)?)
    }
}

/// Returns a path of a snapshot as the server has it.
pub(super) fn absolute(path: &[u8]) -> Vec<u8> {
    [b"/", path].concat()
}

/// Tells whether an error is that of a connection, and not of what was asked for.
fn is_of_connection(session: &Session, error: &io::Error) -> bool {
    !session.is_alive() || error.kind() == io::ErrorKind::ConnectionReset
}

/// Marks an error as one of the connection, if it is.
pub(super) fn marked(session: &Arc<Session>, error: io::Error) -> io::Error {
    match is_of_connection(session, &error) {
        true => io::Error::new(error.kind(), ConnectionLost(error)),
        false => error,
    }
}

fn lost() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the server is out of reach")
}
