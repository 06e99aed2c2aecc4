//! One file of a server, open for reading.

use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use yore_platform::{FoundXattrs, Kind, Metadata};

use super::names::{metadata_of, not_there};
use super::server::marked;
use crate::backend::runtime::{block_on, runtime};
use crate::backend::sftp::protocol::requests::{Handle, Mode};
use crate::backend::sftp::protocol::sequential::Sequential;
use crate::backend::sftp::protocol::session::Session;

/// A file of a server, with the verbs of a file of this system.
///
/// It is of one connection: when that is lost, reading fails, and the file is to be opened again and read from its
/// start, so that its content is never put together from two states.
pub(crate) struct RemoteFile {
    path: Vec<u8>,
    opened: Metadata,
    open: OpenHandle,
    /// Guards the place in the file.
    content: Mutex<Sequential>,
    /// The metadata after it was read, if all of it was.
    after: Mutex<Option<Metadata>>,
}

/// A handle that is closed when this is dropped.
struct OpenHandle {
    session: Arc<Session>,
    handle: Handle,
}

impl Drop for OpenHandle {
    fn drop(&mut self) {
        let (session, handle) = (Arc::clone(&self.session), self.handle.clone());
        // A server has a limited number of them, so the request waits for its turn; its answer tells nothing.
        runtime().spawn(async move {
            let _ = session.close_unwritten(&handle).await;
        });
    }
}

impl RemoteFile {
    /// Opens a file by its path on the server.
    pub(super) async fn open(session: &Arc<Session>, path: Vec<u8>) -> io::Result<Self> {
        let handle = session.open_file(&path, Mode::Read).await?;
        let open = OpenHandle { session: Arc::clone(session), handle };
        let opened = regular(metadata_of(&session.fstat(&open.handle).await?)?)?;
        let content = Mutex::new(Sequential::new(opened.size));
        Ok(Self { path, opened, open, content, after: Mutex::new(None) })
    }

    /// Opens a file that could not be opened or read when it was tried first.
    ///
    /// A named pipe may have taken its place: the server of OpenSSH waits for somebody who writes to it, and answers
    /// nothing until then. The connection ends by that, which is no reason to try it with the next one.
    pub(super) async fn open_anew(session: &Arc<Session>, path: Vec<u8>) -> io::Result<Self> {
        now(session, &path).await?;
        Self::open(session, path).await
    }

    /// Fetches all of a small file, and its metadata after that.
    pub(super) async fn fetch(&mut self) -> io::Result<()> {
        let content = self.content.get_mut().unwrap_or_else(PoisonError::into_inner);
        content.fetch_all(&self.open.session, &self.open.handle).await?;
        let after = now(&self.open.session, &self.path).await?;
        *self.after.get_mut().unwrap_or_else(PoisonError::into_inner) = Some(after);
        Ok(())
    }

    /// Returns the metadata that the file had when it was opened.
    pub(crate) fn opened(&self) -> &Metadata {
        &self.opened
    }

    /// Returns the metadata of what is at its path after it was read.
    ///
    /// # Errors
    /// That is no regular file any more, so that another file may have been read.
    pub(crate) fn metadata(&self) -> io::Result<Metadata> {
        match self.after.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(after) => Ok(after),
            None => self.marked(block_on(now(&self.open.session, &self.path))),
        }
    }

    /// Returns no attributes: the protocol does not tell them.
    pub(crate) fn xattrs(&self) -> FoundXattrs {
        FoundXattrs::default()
    }

    /// Fills `buffer` from `offset`; fewer bytes mean that the file ends there, or did when it was opened.
    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let of = (&*self.open.session, &self.open.handle);
        self.marked(block_on(self.content().read(of, buffer, offset)))
    }

    /// Tells whether there are bytes at `offset`, where the file should end.
    pub(crate) fn has_more(&self, offset: u64) -> io::Result<bool> {
        let of = (&*self.open.session, &self.open.handle);
        self.marked(block_on(self.content().has_more(of, offset)))
    }

    /// Returns everything from `from` on: holes are not seen.
    pub(crate) fn next_data(&self, from: u64) -> io::Result<Option<Range<u64>>> {
        Ok((from < self.opened.size).then_some(from..self.opened.size))
    }

    fn content(&self) -> MutexGuard<'_, Sequential> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn marked<T>(&self, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|error| marked(&self.open.session, error))
    }
}

async fn now(session: &Session, path: &[u8]) -> io::Result<Metadata> {
    let found = session.lstat(path).await?.ok_or_else(not_there)?;
    regular(metadata_of(&found)?)
}

fn regular(found: Metadata) -> io::Result<Metadata> {
    match found.kind {
        Kind::File => Ok(found),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file any more")),
    }
}
