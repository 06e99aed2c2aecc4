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
use crate::operation::observer::{Event, Observer};
use crate::path::{TreePath, TreePathBuf};
use crate::read::reader::Reader;
use crate::read::state_tree::{DirRef, ResolvedNode, check_length};

/// The most names whose numbers are cached.
const NAMES: usize = 100_000;
/// The number of names between two questions whether to go on.
const NAMES_A_STEP: u64 = 1024;

/// The place of a snapshot in its series.
#[derive(Clone, Copy)]
pub(super) struct SeriesPlace {
    pub(super) series: i64,
    pub(super) number: i64,
}

/// A snapshot that is being added.
struct Adding<'t> {
    transaction: &'t Transaction<'t>,
    series: i64,
    number: i64,
    names: HashMap<Vec<u8>, i64>,
}

/// Returns the number of a kind in the catalog.
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

/// Returns the kind of a number.
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

/// Adds a snapshot with the tree `to`; the one before it in its series had `from`.
pub(super) fn add(
    transaction: &Transaction<'_>,
    reader: &Reader,
    SeriesPlace { series, number }: SeriesPlace,
    from: Option<BlobId>,
    to: BlobId,
    observer: &dyn Observer,
) -> Tried<()> {
    if from == Some(to) {
        return Ok(());
    }
    let mut adding = Adding { transaction, series, number, names: HashMap::new() };
    let from = from.map(DirRef::Tree);
    let mut levels: Vec<Level<'_>> = Vec::new();
    let mut path = TreePathBuf::default();
    match Pairs::open(reader, from.as_ref(), Some(&DirRef::Tree(to))) {
        Ok(pairs) => levels.push(Level { pairs, id: 0, path: 0 }),
        Err(error) => adding.problem(path.as_path(), &error)?,
    }
    let mut done = 0u64;
    while let Some(Level { pairs, id: parent, path: length }) = levels.last_mut() {
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
        if done.is_multiple_of(NAMES_A_STEP) {
            if observer.interrupted() {
                return Err(Error::Interrupted.into());
            }
            observer.event(Event::Done { files: NAMES_A_STEP, bytes: 0 });
        }
        let Some(name) = pair.name() else { continue };
        let Some(Descent { id, from, to }) = adding.add(parent, name, &pair)? else { continue };
        path.push(name);
        // A directory that could not be read at the backup has no entries in the snapshot.
        let known = |dir: Option<DirRef>| dir.filter(|dir| !matches!(dir, DirRef::Unreadable));
        let opened = check_length(path.as_path())
            .and_then(|()| Pairs::open(reader, known(from).as_ref(), known(to).as_ref()));
        match opened {
            Ok(pairs) => levels.push(Level { pairs, id, path: path.len() }),
            Err(error) => adding.problem(path.as_path(), &error)?,
        }
    }
    Ok(())
}

/// A pair of directories that is being walked: the number of its path, and the path's length.
struct Level<'r> {
    pairs: Pairs<'r>,
    id: i64,
    path: usize,
}

/// A pair of directories to walk, and the number of its path.
struct Descent {
    id: i64,
    from: Option<DirRef>,
    to: Option<DirRef>,
}

impl Adding<'_> {
    /// Adds the change of a name; returns the directories to walk below it.
    fn add(&mut self, parent: i64, name: &[u8], pair: &Pair) -> Tried<Option<Descent>> {
        let is_same = match (&pair.from, &pair.to) {
            (Some(from), Some(to)) => is_same(&from.node, &to.node),
            _ => false,
        };
        if is_same && pair.below().is_none() {
            return Ok(None);
        }
        let path = self.path(parent, name)?;
        if !is_same {
            if pair.from.is_some() {
                self.close(path)?;
            }
            if let Some(to) = &pair.to {
                self.open(path, &to.node)?;
            }
        }
        let dir = |side: &Option<ResolvedNode>| side.as_ref().and_then(|side| side.dir.clone());
        let (from, to) = (dir(&pair.from), dir(&pair.to));
        Ok((from.is_some() || to.is_some()).then_some(Descent { id: path, from, to }))
    }

    /// Begins a row.
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

    /// Ends a row before this snapshot.
    fn close(&self, path: i64) -> rusqlite::Result<()> {
        let mut statement = self.transaction.prepare_cached(
            "UPDATE version SET last = ? WHERE path = ? AND series = ? AND last IS NULL",
        )?;
        statement.execute(params![self.number - 1, path, self.series])?;
        Ok(())
    }

    /// Returns the number of a path; adds it if it is new.
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

    /// Returns the number of a name; adds it and its letters if it is new.
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

    /// Records that everything below a path is missing in the catalog.
    fn problem(&self, path: TreePath<'_>, error: &Error) -> rusqlite::Result<()> {
        let path = path.to_string();
        self.transaction.execute(
            "INSERT INTO problem (series, path, message) VALUES (?, ?, ?)",
            params![self.series, path, error.with_cause()],
        )?;
        Ok(())
    }
}

/// Reports whether both have the same row.
fn is_same(from: &Node, to: &Node) -> bool {
    from.kind == to.kind
        && (from.kind == Kind::Directory || from.size == to.size && from.modified == to.modified)
}
