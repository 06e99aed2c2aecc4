//! Files of a server as the source of a backup.
//!
//! The protocol resolves each path anew, so a folder that is replaced by a link during a backup may be followed; and
//! it tells of a file its kind, size, permissions, owner, and times in whole seconds, and nothing more. What it tells
//! comes with the listing of a folder, so a file that is unchanged takes no request.
//!
//! A lost connection is made again, and the request or the file begins anew. Once the patience is used up, everything
//! fails: what can't be reached is never taken for something that was deleted.

mod dir;
mod file;
mod files_ahead;
mod listings_ahead;
mod names;
mod server;

use std::io;
use std::sync::Arc;

use super::ssh::options::SftpOptions;
use crate::backend::{Interrupted, OnOutage, Patience};
use crate::error::{Error, Result};

pub(crate) use dir::RemoteDir;
pub(crate) use file::RemoteFile;
pub(crate) use files_ahead::FilesAhead;
pub(crate) use listings_ahead::Unwanted;

use names::{metadata_of, not_there};
use server::Server;

/// A server whose files are backed up.
pub struct SftpSource(Arc<Server>);

impl SftpSource {
    /// Creates access to the server without connecting to it; the path of `options` counts for nothing.
    pub fn new(
        options: SftpOptions,
        patience: Patience,
        interrupted: Interrupted,
        on_outage: OnOutage,
    ) -> Self {
        Self(Arc::new(Server::new(options, patience, interrupted, on_outage)))
    }

    /// Returns the server for messages.
    pub fn location(&self) -> &str {
        self.0.location()
    }

    /// Finds a file or folder that is to be backed up; a relative path lies in the user's home. Returns its path as a
    /// snapshot has it: absolute and without links, its names joined by `/`.
    ///
    /// # Errors
    /// [`Error::Local`] when it is not there; an error of the server when that can't be reached.
    pub fn find(&self, path: &str) -> Result<Vec<u8>> {
        let asked = if path.is_empty() { "." } else { path };
        let shown = self.0.shown(path.as_bytes());
        let found = self.0.repeat(async |session| {
            let real = session.real_path(asked).await?;
            let found = session.lstat(&real).await?;
            Ok((real, found.ok_or_else(not_there)?))
        });
        let failed = |error| self.0.take_cause().unwrap_or_else(|| Error::local(&shown, error));
        let (real, found) = found.map_err(failed)?;
        metadata_of(&found).map_err(failed)?;
        match real.strip_prefix(b"/") {
            Some(path) => Ok(path.to_vec()),
            None => {
                let text = "the server gives no absolute path for it";
                Err(Error::local(&shown, io::Error::new(io::ErrorKind::Unsupported, text)))
            }
        }
    }

    /// Returns the access for a backup.
    pub(crate) fn files(&self) -> RemoteFiles {
        RemoteFiles(Arc::clone(&self.0))
    }
}

/// The files of a server, during a backup.
#[derive(Clone)]
pub(crate) struct RemoteFiles(Arc<Server>);

impl RemoteFiles {
    /// Lists folders ahead of the walk from now on, but for the unwanted ones.
    pub(crate) fn list_ahead(&self, unwanted: Unwanted) {
        self.0.listings.begin(unwanted);
    }

    /// Returns the metadata of a path of a snapshot.
    pub(crate) fn metadata(&self, path: &[u8]) -> io::Result<yore_platform::Metadata> {
        self.0.metadata(path)
    }

    /// Opens a folder by its path in a snapshot; it is listed when that is asked for.
    pub(crate) fn open(&self, path: &[u8]) -> io::Result<RemoteDir> {
        RemoteDir::open(&self.0, path)
    }

    /// Returns a path of a snapshot as messages show it.
    pub(crate) fn shown(&self, path: &[u8]) -> std::path::PathBuf {
        self.0.shown(&[b"/", path].concat())
    }

    /// Tells whether the server is out of reach for good.
    pub(crate) fn is_lost(&self) -> bool {
        self.0.is_lost()
    }

    /// Takes the error that ended the access to the server, if one did.
    pub(crate) fn take_cause(&self) -> Option<Error> {
        self.0.take_cause()
    }
}
