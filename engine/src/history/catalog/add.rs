//! Adding a snapshot to the catalog by its difference from the one before.

use std::collections::HashMap;

use rusqlite::{OptionalExtension, Transaction, params};
use yore_platform::Kind;

use super::Tried;
use crate::error::Error;
use crate::format::id::BlobId;
use crate::format::tree::Node;
use crate::history::diff::{Pair, Pairs};
use crate::history::pattern::lower;
use crate::observer::{Event, Observer};
use crate::path::{TreePath, TreePathBuf};
use crate::read::reader::Reader;
use crate::read::state_tree::{DirRef, check_length};

/// Names whose numbers are remembered.
const NAMES: usize = 100_000;
/// Every so many names somebody is asked whether to go on.
const ASKED: u64 = 1024;

/// What is added to a series.
struct Adding<'t> {
    transaction: &'t Transaction<'t>,
    series: i64,
    number: i64,
    names: HashMap<Vec<u8>, i64>,
}

/// The number of a kind in the catalog.
pub(super) fn kind_number(kind: Kind) -> i64 {
    match kind {
        Kind::File => 0,
        Kind::Directory => 1,
        Kind::Symlink => 2,
        Kind::Fifo => 3,
        Kind::Socket => 4,
        Kind::CharDevice => 5,
        Kind::BlockDevice => 6,
    }
}

/// The kind of a number.
pub(super) fn kind_of(number: i64) -> Option<Kind> {
    Some(match number {
        0 => Kind::File,
        1 => Kind::Directory,
        2 => Kind::Symlink,
        3 => Kind::Fifo,
        4 => Kind::Socket,
        5 => Kind::CharDevice,
        6 => Kind::BlockDevice,
        _ => return None,
    })
}

/// Adds the snapshot `number` of a series whose tree is `to`; the one before had `from`.
pub(super) fn add(
    transaction: &Transaction<'_>,
    reader: &Reader,
    (series, number): (i64, i64),
    (from, to): (Option<BlobId>, BlobId),
    observer: &dyn Observer,
) -> Tried<()> {
    if from == Some(to) {
        return Ok(());
    }
    let mut adding = Adding { transaction, series, number, names: HashMap::new() };
    let from = from.map(DirRef::Tree);
    // The directories that are open, the number of each one's path, and the path for messages.
    let mut levels: Vec<(Pairs<'_>, i64, usize)> = Vec::new();
    let mut path = TreePathBuf::default();
    match Pairs::open(reader, from.as_ref(), Some(&DirRef::Tree(to))) {
        Ok(pairs) => levels.push((pairs, 0, 0)),
        Err(error) => adding.problem(path.as_path(), &error)?,
    }
    let mut done = 0u64;
    while let Some((pairs, parent, length)) = levels.last_mut() {
        let parent = *parent;
        path.truncate(*length);
        let pair = match pairs.try_next() {
            Ok(Some(pair)) => pair,
            Ok(None) => {
                levels.pop();
                continue;
            }
            Err(error) => {
                adding.problem(path.as_path(), &error)?;
                levels.pop();
                continue;
            }
        };
        done += 1;
        if done.is_multiple_of(ASKED) {
            if observer.interrupted() {
                return Err(Error::Interrupted.into());
            }
            observer.event(Event::Done { files: ASKED, bytes: 0 });
        }
        let Some((own, below)) = adding.take(parent, &pair)? else { continue };
        let seen = pair.to.as_ref().or(pair.from.as_ref());
        let Some(name) = seen.map(|seen| &seen.node.name) else { continue };
        path.push(name);
        let (from, to) = below;
        // What could not be read when it was backed up is not in the snapshot.
        let known = |dir: Option<DirRef>| dir.filter(|dir| !matches!(dir, DirRef::Unreadable));
        let opened = check_length(path.as_path())
            .and_then(|()| Pairs::open(reader, known(from).as_ref(), known(to).as_ref()));
        match opened {
            Ok(pairs) => levels.push((pairs, own, path.len())),
            Err(error) => adding.problem(path.as_path(), &error)?,
        }
    }
    Ok(())
}

/// The number of a path, and the directories of it to go into.
type Below = (i64, (Option<DirRef>, Option<DirRef>));

impl Adding<'_> {
    /// Takes what became of a name; returns what is to be looked at below it.
    fn take(&mut self, parent: i64, pair: &Pair) -> Tried<Option<Below>> {
        let Some(seen) = pair.to.as_ref().or(pair.from.as_ref()) else { return Ok(None) };
        let is_same = match (&pair.from, &pair.to) {
            (Some(from), Some(to)) => is_same(&from.node, &to.node),
            _ => false,
        };
        if is_same && pair.below().is_none() {
            return Ok(None);
        }
        let path = self.path(parent, &seen.node.name)?;
        if !is_same {
            if pair.from.is_some() {
                self.close(path)?;
            }
            if let Some(to) = &pair.to {
                self.open(path, &to.node)?;
            }
        }
        let dir = |side: &Option<crate::read::state_tree::ResolvedNode>| {
            side.as_ref().and_then(|s| s.dir.clone())
        };
        let below = (dir(&pair.from), dir(&pair.to));
        Ok((below.0.is_some() || below.1.is_some()).then_some((path, below)))
    }

    fn open(&self, path: i64, node: &Node) -> rusqlite::Result<()> {
        let mut statement = self.transaction.prepare_cached(
            "INSERT INTO version (path, series, first, kind, size, seconds, nanos)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )?;
        let size = i64::try_from(node.size).unwrap_or(i64::MAX);
        let (kind, time) = (kind_number(node.kind), node.modified);
        statement.execute(params![
            path,
            self.series,
            self.number,
            kind,
            size,
            time.seconds,
            time.nanos
        ])?;
        Ok(())
    }

    fn close(&self, path: i64) -> rusqlite::Result<()> {
        let mut statement = self.transaction.prepare_cached(
            "UPDATE version SET last = ? WHERE path = ? AND series = ? AND last IS NULL",
        )?;
        statement.execute(params![self.number - 1, path, self.series])?;
        Ok(())
    }

    fn path(&mut self, parent: i64, name: &[u8]) -> rusqlite::Result<i64> {
        let name = self.name(name)?;
        let mut find =
            self.transaction.prepare_cached("SELECT id FROM path WHERE parent = ? AND name = ?")?;
        let known = find.query_row(params![parent, name], |row| row.get(0)).optional()?;
        if let Some(path) = known {
            return Ok(path);
        }
        let mut add =
            self.transaction.prepare_cached("INSERT INTO path (parent, name) VALUES (?, ?)")?;
        add.insert(params![parent, name])
    }

    fn name(&mut self, name: &[u8]) -> rusqlite::Result<i64> {
        if let Some(known) = self.names.get(name) {
            return Ok(*known);
        }
        let mut find = self.transaction.prepare_cached("SELECT id FROM name WHERE bytes = ?")?;
        let known = find.query_row([name], |row| row.get(0)).optional()?;
        let id = match known {
            Some(id) => id,
            None => {
                let mut add =
                    self.transaction.prepare_cached("INSERT INTO name (bytes) VALUES (?)")?;
                let id = add.insert([name])?;
                let mut index = self
                    .transaction
                    .prepare_cached("INSERT INTO word (rowid, text) VALUES (?, ?)")?;
                index.execute(params![id, lower(&String::from_utf8_lossy(name))])?;
                id
            }
        };
        if self.names.len() >= NAMES {
            self.names.clear();
        }
        self.names.insert(name.to_vec(), id);
        Ok(id)
    }

    /// Notes that what is below a path is not in the catalog.
    fn problem(&self, path: TreePath<'_>, error: &Error) -> rusqlite::Result<()> {
        let path = path.to_string();
        self.transaction.execute(
            "INSERT INTO problem (series, path, message) VALUES (?, ?, ?)",
            params![self.series, path, error.with_cause()],
        )?;
        Ok(())
    }
}

/// Whether a row would be the same for both.
fn is_same(from: &Node, to: &Node) -> bool {
    from.kind == to.kind
        && (from.kind == Kind::Directory || from.size == to.size && from.modified == to.modified)
}
