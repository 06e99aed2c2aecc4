//! The tables of the catalog, and the file that keeps them.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};

use super::failure;
use crate::error::Result;
use crate::format::id::RepositoryId;

/// The version of the tables; a catalog of another version is built anew.
const VERSION: i64 = 2;
/// The time for which a process waits for another that adds a snapshot.
const BUSY: Duration = Duration::from_secs(120);
/// The file in the repository's folder of the cache.
pub(super) const FILE: &str = "catalog.sqlite";

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

/// Opens a stored catalog; builds it anew when it is no catalog of this repository.
///
/// It names every file that was backed up, so only its owner may read it. SQLite gives the files that
/// it puts beside a database the permissions of the database.
pub(super) fn open_file(file: &Path, repository: RepositoryId) -> Option<Connection> {
    for _ in 0..2 {
        let opened = yore_platform::create_private_file(file)
            .ok()
            .and_then(|()| prepare(Connection::open(file), repository).ok());
        if opened.is_some() {
            return opened;
        }
        remove(file);
    }
    None
}

pub(super) fn in_memory(repository: RepositoryId) -> Result<Connection> {
    prepare(Connection::open_in_memory(), repository).map_err(failure)
}

pub(super) fn remove(file: &Path) {
    for end in ["", "-wal", "-shm", "-journal"] {
        let mut name = file.as_os_str().to_owned();
        name.push(end);
        // If it can't be removed, it can't be created either, and memory serves.
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
