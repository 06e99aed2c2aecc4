//! The catalog: an index of all names in all snapshots, in SQLite, beside the index of blobs.
//!
//! It is a cache. If it is deleted, damaged, foreign or old, it is built anew or brought up to
//! date; where it can't be stored it is built in memory, slower, with the same results.
//!
//! A *series* is the snapshots of one machine with the same sources. A row of `version` says that a
//! path was the same in a series from one snapshot to another. The snapshots of a series are added
//! in their order, each by its difference from the one before. A row counts while a snapshot in its
//! range exists.
//!
//! Example: series 1 has four snapshots; `plan` is changed in the third and deleted in the fourth.
//!
//! ```text
//! snapshot                  version
//! id   series   number      path        series   first   last   size
//! a    1        0           home/plan   1        0       1      10
//! b    1        1           home/plan   1        2       2      12
//! c    1        2           home/notes  1        0       NULL   7
//! d    1        3
//! ```
//!
//! Adding d closed the second row (`last` = 2); NULL means that it goes on. If b is deleted, the
//! first row still counts for a; if c is deleted too, the second row counts for none, and a search
//! reports `home/plan` as it was in a. Nothing is rewritten for that: numbers of deleted snapshots
//! are gone from `snapshot`, and a search looks for the remaining numbers in each range.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use crate::error::{Error, Result};
use crate::format::id::{RepositoryId, SnapshotId};
use crate::history::versions::Timeline;
use crate::operation::observer::Observer;
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

/// The failure of a query.
enum Failed {
    /// A failure of the repository, or an interruption; the catalog is sound.
    Engine(Error),
    /// A failure of the catalog itself.
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
    /// Opens the catalog of a repository, or creates it.
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

    /// Brings the catalog up to date with `timeline`, which has all committed snapshots, and
    /// returns every path that fits, in order of paths, and the directories that could not be
    /// searched.
    ///
    /// `counts` returns the place of a snapshot in the caller's timeline; `None` excludes it.
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

    /// Does what [`find`](Self::find) does, and adds the hits, in no order, to a collection of the
    /// caller's choice, which need not keep all of each.
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

    /// Runs a query; when the catalog itself fails, runs it again on an empty one.
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
