//! Bringing the catalog up to date with the snapshots that count.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::Tried;
use super::add::{self, SeriesPlace};
use crate::error::{Deviation, Error};
use crate::format::id::{BlobId, SnapshotId};
use crate::format::record::Snapshot;
use crate::history::versions::Timeline;
use crate::operation::observer::Observer;
use crate::read::reader::Reader;
use crate::repository::Problems;
use crate::snapshots::order::SnapshotEntry;

pub(super) fn update(
    connection: &mut Connection,
    reader: &Reader,
    timeline: &Timeline,
    observer: &dyn Observer,
) -> Tried<Problems> {
    remove_deleted(connection, timeline)?;
    for series in series_of(timeline).into_values() {
        let known = begin_series(connection, timeline, &series)?;
        for number in series {
            let entry = &timeline[number];
            if known.contains(&entry.id) {
                continue;
            }
            if observer.interrupted() {
                return Err(Error::Interrupted.into());
            }
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            add_snapshot(&transaction, reader, entry, observer)?;
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

/// Removes the snapshots that do not exist any more.
fn remove_deleted(connection: &mut Connection, timeline: &Timeline) -> rusqlite::Result<()> {
    let counting: HashSet<SnapshotId> = timeline.iter().map(|entry| entry.id).collect();
    let indexed: Vec<Vec<u8>> = {
        let mut statement = connection.prepare("SELECT id FROM snapshot")?;
        statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?
    };
    let is_deleted = |id: &Vec<u8>| {
        let id: Option<[u8; 32]> = id.as_slice().try_into().ok();
        id.is_none_or(|id| !counting.contains(&SnapshotId(id)))
    };
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for id in indexed.into_iter().filter(is_deleted) {
        transaction.execute("DELETE FROM snapshot WHERE id = ?", [id])?;
    }
    transaction.commit()
}

/// The machine of a series, and its sources in one row's bytes.
#[derive(PartialEq, Eq, Hash)]
struct SeriesKey {
    host: String,
    sources: Vec<u8>,
}

fn key_of(snapshot: &Snapshot) -> SeriesKey {
    let mut sources = Vec::new();
    for source in &snapshot.sources {
        sources.extend_from_slice(&(source.len() as u64).to_be_bytes());
        sources.extend_from_slice(source);
    }
    SeriesKey { host: snapshot.host.clone(), sources }
}

/// Groups the snapshots by series, as places in the timeline.
fn series_of(timeline: &Timeline) -> HashMap<SeriesKey, Vec<usize>> {
    let mut series: HashMap<SeriesKey, Vec<usize>> = HashMap::new();
    for (number, entry) in timeline.iter().enumerate() {
        series.entry(key_of(&entry.snapshot)).or_default().push(number);
    }
    series
}

/// Returns the snapshots of a series that are in the catalog.
///
/// Empties the series when they are not the first ones of the timeline's, in the same order, or
/// when a part of it could not be read.
fn begin_series(
    connection: &mut Connection,
    timeline: &Timeline,
    series: &[usize],
) -> rusqlite::Result<HashSet<SnapshotId>> {
    let Some(first) = series.first() else { return Ok(HashSet::new()) };
    let SeriesKey { host, sources } = key_of(&timeline[*first].snapshot);
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

/// Returns the snapshots of a series in the order in which they were added.
fn snapshots_in(transaction: &Transaction<'_>, series: i64) -> rusqlite::Result<Vec<SnapshotId>> {
    let mut statement =
        transaction.prepare("SELECT id FROM snapshot WHERE series = ? ORDER BY number")?;
    let id = |row: &rusqlite::Row<'_>| {
        let id: Option<[u8; 32]> = row.get_ref(0)?.as_blob()?.try_into().ok();
        id.map(SnapshotId).ok_or(rusqlite::Error::InvalidQuery)
    };
    statement.query_map([series], id)?.collect()
}

/// Adds one snapshot behind those of its series, unless another process added it meanwhile.
fn add_snapshot(
    transaction: &Transaction<'_>,
    reader: &Reader,
    entry: &SnapshotEntry,
    observer: &dyn Observer,
) -> Tried<()> {
    let known = transaction
        .query_row("SELECT 1 FROM snapshot WHERE id = ?", [&entry.id.0[..]], |_| Ok(()))
        .optional()?;
    if known.is_some() {
        return Ok(());
    }
    let SeriesKey { host, sources } = key_of(&entry.snapshot);
    let (series, root, number): (i64, Option<Vec<u8>>, i64) = transaction.query_row(
        "SELECT id, root, next FROM series WHERE host = ? AND sources = ?",
        params![host, sources],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    let before = root.and_then(|root| root.as_slice().try_into().ok()).map(BlobId);
    let place = SeriesPlace { series, number };
    add::add(transaction, reader, place, before, entry.snapshot.root, observer)?;
    transaction.execute(
        "INSERT INTO snapshot (id, series, number) VALUES (?, ?, ?)",
        params![&entry.id.0[..], series, number],
    )?;
    transaction.execute(
        "UPDATE series SET root = ?, next = ? WHERE id = ?",
        params![&entry.snapshot.root.0[..], number + 1, series],
    )?;
    Ok(())
}
