//! The catalog: an index of all names in all snapshots, in SQLite, beside the index of blobs.
//!
//! It is a cache. Deleted, damaged, foreign or old, it is made anew or brought up to date; where it
//! can't be kept it is made in memory, slower, with the same answers.
//!
//! A *series* is the snapshots of one machine with the same sources. A row says that a path was
//! so in a series from one snapshot to another; snapshots of a series are added in their order, each
//! by its difference from the one before. A row counts while a snapshot in its stretch is there.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use crate::error::{Error, Result};
use crate::format::id::{RepositoryId, SnapshotId};
use crate::history::versions::Timeline;
use crate::observer::Observer;
use crate::read::reader::Reader;
use crate::repository::{Problems, Repository};

mod add;
mod search;
mod tables;
mod update;

pub use search::{Hit, Query};
use tables::{FILE, in_memory, open_file, remove};
use update::update;

/// The index of names of one repository. Shared by any number of threads.
pub struct Catalog {
    repository: RepositoryId,
    file: Option<PathBuf>,
    /// Guards the connection.
    connection: Mutex<Connection>,
}

/// Why the catalog did not answer.
enum Failed {
    /// The repository or the person; the catalog is fine.
    Engine(Error),
    /// The catalog itself.
    Sqlite(rusqlite::Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Failed::Engine(error)
    }
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Failed::Sqlite(error)
    }
}

type Tried<T> = std::result::Result<T, Failed>;

impl Catalog {
    /// Opens the catalog of a repository, or begins a new one.
    ///
    /// # Errors
    /// Not even a catalog in memory can be made.
    pub fn open(repository: &Repository) -> Result<Self> {
        let file = repository.cache.as_ref().map(|folder| folder.join(FILE));
        let id = repository.id();
        let kept = file.as_deref().and_then(|file| open_file(file, id));
        let (connection, file) = match kept {
            Some(connection) => (connection, file),
            None => (in_memory(id)?, None),
        };
        Ok(Self { repository: id, file, connection: Mutex::new(connection) })
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings the catalog up to date with `timeline`, which has all snapshots that count, and returns
    /// every path that fits, in order of paths, with what could not be read and so was not searched.
    ///
    /// `counts` tells which of the snapshots are searched, by their places in the caller's timeline.
    ///
    /// # Errors
    /// [`Error::Interrupted`]; and when not even a catalog in memory can be made.
    pub fn find(
        &self,
        within: (&Reader, &Timeline),
        query: &Query,
        counts: &dyn Fn(&SnapshotId) -> Option<usize>,
        observer: &dyn Observer,
    ) -> Result<(Vec<Hit>, Problems)> {
        let (mut hits, problems) = self.collect(within, query, counts, observer, Vec::push)?;
        hits.sort_unstable_by(|one: &Hit, other: &Hit| one.path.cmp(&other.path));
        Ok((hits, problems))
    }

    /// Does the same, and puts the paths, in no order, into a collection of the caller's: of many, not
    /// everything is wanted.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub fn collect<C: Default>(
        &self,
        (reader, timeline): (&Reader, &Timeline),
        query: &Query,
        counts: &dyn Fn(&SnapshotId) -> Option<usize>,
        observer: &dyn Observer,
        add: impl Fn(&mut C, Hit),
    ) -> Result<(C, Problems)> {
        self.try_anew(|connection| {
            let problems = update(connection, reader, timeline, observer)?;
            let mut all = C::default();
            search::search(connection, query, counts, &mut |hit| add(&mut all, hit))?;
            Ok((all, problems))
        })
    }

    /// Tries something; when the catalog itself is at fault, tries again with an empty one.
    fn try_anew<T>(&self, work: impl Fn(&mut Connection) -> Tried<T>) -> Result<T> {
        let mut connection = self.lock();
        let error = match work(&mut connection) {
            Ok(done) => return Ok(done),
            Err(Failed::Engine(error)) => return Err(error),
            Err(Failed::Sqlite(error)) => error,
        };
        let anew = self.file.as_deref().and_then(|file| {
            remove(file);
            open_file(file, self.repository)
        });
        drop(error);
        *connection = match anew {
            Some(connection) => connection,
            None => in_memory(self.repository)?,
        };
        work(&mut connection).map_err(|failed| match failed {
            Failed::Engine(error) => error,
            Failed::Sqlite(error) => failure(error),
        })
    }
}

fn failure(error: rusqlite::Error) -> Error {
    Error::Local { path: FILE.into(), source: std::io::Error::other(error) }
}

#[cfg(test)]
mod tests;
