//! The catalog: an index of all names in all snapshots, in SQLite, beside the index of blobs.
//!
//! It is a cache. Deleted, damaged, foreign or old, it is made anew or brought up to date; where it
//! can't be kept it is made in memory, slower, with the same answers.
//!
//! A *series* is the snapshots of one machine with the same sources. A row says that a path was
//! so in a series from one snapshot to another; snapshots of a series are added in their order, each
//! by its difference from the one before. A row counts while a snapshot in its stretch is there.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::error::{Deviation, Error, Result};
use crate::format::id::{BlobId, RepositoryId, SnapshotId};
use crate::format::record::Snapshot;
use crate::history::versions::Timeline;
use crate::observer::Observer;
use crate::read::reader::Reader;
use crate::repository::{Problems, Repository};
use crate::snapshots::order::SnapshotEntry;

mod add;
mod search;

pub use search::{Hit, Query};

/// Raised when the tables change; others are made anew.
const VERSION: i64 = 2;
/// How long one process waits for another that adds a snapshot.
const BUSY: Duration = Duration::from_secs(120);
/// The file in the repository's folder of the cache.
const FILE: &str = "catalog.sqlite";

const TABLES: &str = "
CREATE TABLE meta (repository BLOB NOT NULL);
CREATE TABLE series (id INTEGER PRIMARY KEY, host TEXT NOT NULL, sources BLOB NOT NULL, root BLOB,
                     next INTEGER NOT NULL, UNIQUE (host, sources));
CREATE TABLE snapshot (id BLOB PRIMARY KEY, series INTEGER NOT NULL, number INTEGER NOT NULL)
    WITHOUT ROWID;
CREATE TABLE problem (series INTEGER NOT NULL, path TEXT NOT NULL, message TEXT NOT NULL);
CREATE TABLE name (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL UNIQUE);
CREATE VIRTUAL TABLE word USING fts5 (text, content = '', detail = none, columnsize = 0,
                                      tokenize = 'trigram case_sensitive 1');
CREATE TABLE path (id INTEGER PRIMARY KEY, parent INTEGER NOT NULL, name INTEGER NOT NULL,
                   UNIQUE (parent, name));
CREATE INDEX path_name ON path (name);
CREATE TABLE version (path INTEGER NOT NULL, series INTEGER NOT NULL, first INTEGER NOT NULL,
                      last INTEGER, kind INTEGER NOT NULL, size INTEGER NOT NULL,
                      seconds INTEGER NOT NULL, nanos INTEGER NOT NULL);
CREATE INDEX version_path ON version (path);
";

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

/// Opens a catalog that is kept; makes it anew when it is no catalog of this repository.
fn open_file(file: &Path, repository: RepositoryId) -> Option<Connection> {
    for _ in 0..2 {
        match prepare(Connection::open(file), repository) {
            Ok(connection) => return Some(connection),
            Err(_) => remove(file),
        }
    }
    None
}

fn in_memory(repository: RepositoryId) -> Result<Connection> {
    prepare(Connection::open_in_memory(), repository).map_err(failure)
}

fn remove(file: &Path) {
    for end in ["", "-wal", "-shm", "-journal"] {
        let mut name = file.as_os_str().to_owned();
        name.push(end);
        // What can't be removed can't be opened anew either, and memory serves.
        let _ = std::fs::remove_file(name);
    }
}

fn prepare(
    opened: rusqlite::Result<Connection>,
    repository: RepositoryId,
) -> rusqlite::Result<Connection> {
    let mut connection = opened?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version == 0 {
        transaction.execute_batch(TABLES)?;
        transaction.execute("INSERT INTO meta VALUES (?)", [&repository.0[..]])?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    } else {
        let id: Vec<u8> =
            transaction.query_row("SELECT repository FROM meta", [], |row| row.get(0))?;
        if version != VERSION || id != repository.0 {
            return Err(rusqlite::Error::InvalidQuery);
        }
    }
    transaction.commit()?;
    Ok(connection)
}

fn update(
    connection: &mut Connection,
    reader: &Reader,
    timeline: &Timeline,
    observer: &dyn Observer,
) -> Tried<Problems> {
    take_out(connection, timeline)?;
    for series in series_of(timeline).into_values() {
        let known = begin_series(connection, timeline, &series)?;
        for number in series {
            let SnapshotEntry { id, snapshot, .. } = &timeline[number];
            if known.contains(id) {
                continue;
            }
            if observer.interrupted() {
                return Err(Error::Interrupted.into());
            }
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            add_snapshot(&transaction, reader, (*id, snapshot), observer)?;
            transaction.commit()?;
        }
    }
    let mut statement = connection.prepare("SELECT DISTINCT path, message FROM problem")?;
    let problem = |row: &rusqlite::Row<'_>| {
        let (path, message): (String, String) = (row.get(0)?, row.get(1)?);
        Ok(Deviation::NotSearched { path, message }.into())
    };
    Ok(statement.query_map([], problem)?.collect::<rusqlite::Result<_>>()?)
}

/// Takes out the snapshots that are there no more.
fn take_out(connection: &mut Connection, timeline: &Timeline) -> rusqlite::Result<()> {
    let counting: HashSet<SnapshotId> = timeline.iter().map(|entry| entry.id).collect();
    let indexed: Vec<Vec<u8>> = {
        let mut statement = connection.prepare("SELECT id FROM snapshot")?;
        statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?
    };
    let gone = |id: &Vec<u8>| {
        let id: Option<[u8; 32]> = id.as_slice().try_into().ok();
        id.is_none_or(|id| !counting.contains(&SnapshotId(id)))
    };
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for id in indexed.into_iter().filter(gone) {
        transaction.execute("DELETE FROM snapshot WHERE id = ?", [id])?;
    }
    transaction.commit()
}

type SeriesKey = (String, Vec<u8>);

fn key_of(snapshot: &Snapshot) -> SeriesKey {
    let mut sources = Vec::new();
    for source in &snapshot.sources {
        sources.extend_from_slice(&(source.len() as u64).to_be_bytes());
        sources.extend_from_slice(source);
    }
    (snapshot.host.clone(), sources)
}

/// The snapshots of each series, by their places in the timeline.
fn series_of(timeline: &Timeline) -> HashMap<SeriesKey, Vec<usize>> {
    let mut series: HashMap<SeriesKey, Vec<usize>> = HashMap::new();
    for (number, entry) in timeline.iter().enumerate() {
        series.entry(key_of(&entry.snapshot)).or_default().push(number);
    }
    series
}

/// Returns which snapshots of a series are in the catalog; begins the series anew when they do not come
/// first there, in the order of the catalog, or something of it could not be read.
fn begin_series(
    connection: &mut Connection,
    timeline: &Timeline,
    series: &[usize],
) -> rusqlite::Result<HashSet<SnapshotId>> {
    let Some(first) = series.first() else { return Ok(HashSet::new()) };
    let (host, sources) = key_of(&timeline[*first].snapshot);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = transaction
        .query_row(
            "SELECT id FROM series WHERE host = ? AND sources = ?",
            params![host, sources],
            |row| row.get::<_, i64>(0),
        )
        .optional()?;
    let Some(id) = found else {
        transaction.execute(
            "INSERT INTO series (host, sources, next) VALUES (?, ?, 0)",
            params![host, sources],
        )?;
        transaction.commit()?;
        return Ok(HashSet::new());
    };
    let known = snapshots_in(&transaction, id)?;
    let begins = series
        .iter()
        .map(|number| timeline[*number].id)
        .take(known.len())
        .eq(known.iter().copied());
    let problems: i64 =
        transaction
            .query_row("SELECT count(*) FROM problem WHERE series = ?", [id], |row| row.get(0))?;
    if problems > 0 || !begins {
        transaction.execute("DELETE FROM version WHERE series = ?", [id])?;
        transaction.execute("DELETE FROM snapshot WHERE series = ?", [id])?;
        transaction.execute("DELETE FROM problem WHERE series = ?", [id])?;
        transaction.execute("UPDATE series SET root = NULL WHERE id = ?", [id])?;
        transaction.commit()?;
        return Ok(HashSet::new());
    }
    transaction.commit()?;
    Ok(known.into_iter().collect())
}

/// The snapshots of a series, in the order in which they were added.
fn snapshots_in(transaction: &Transaction<'_>, series: i64) -> rusqlite::Result<Vec<SnapshotId>> {
    let mut statement =
        transaction.prepare("SELECT id FROM snapshot WHERE series = ? ORDER BY number")?;
    let id = |row: &rusqlite::Row<'_>| {
        let id: Option<[u8; 32]> = row.get_ref(0)?.as_blob()?.try_into().ok();
        id.map(SnapshotId).ok_or(rusqlite::Error::InvalidQuery)
    };
    statement.query_map([series], id)?.collect()
}

/// Adds one snapshot behind those of its series, unless another process was faster.
fn add_snapshot(
    transaction: &Transaction<'_>,
    reader: &Reader,
    (id, snapshot): (SnapshotId, &Snapshot),
    observer: &dyn Observer,
) -> Tried<()> {
    let known = transaction
        .query_row("SELECT 1 FROM snapshot WHERE id = ?", [&id.0[..]], |_| Ok(()))
        .optional()?;
    if known.is_some() {
        return Ok(());
    }
    let (host, sources) = key_of(snapshot);
    let (series, root, number): (i64, Option<Vec<u8>>, i64) = transaction.query_row(
        "SELECT id, root, next FROM series WHERE host = ? AND sources = ?",
        params![host, sources],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    let before = root.and_then(|root| root.as_slice().try_into().ok()).map(BlobId);
    add::add(transaction, reader, (series, number), (before, snapshot.root), observer)?;
    transaction.execute(
        "INSERT INTO snapshot (id, series, number) VALUES (?, ?, ?)",
        params![&id.0[..], series, number],
    )?;
    transaction.execute(
        "UPDATE series SET root = ?, next = ? WHERE id = ?",
        params![&snapshot.root.0[..], number + 1, series],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests;
