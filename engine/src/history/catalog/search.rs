//! Searching the catalog.
//!
//! A pattern is searched in the names, of which there are far fewer than paths, and each fitting
//! name leads to its paths and their versions.
//!
//! Example: `*report*.odt` has the literal `report`, so FTS5 is asked for the trigrams
//! `"rep" AND "epo" AND "por" AND "ort"`. Of the names that have them, the pattern keeps
//! `My Report.odt` and drops `report.txt`. The name has two paths, `home/me/My Report.odt` and
//! `home/old/My Report.odt`; they are put together from `path.parent`, and each is a hit with its
//! newest version in a snapshot that counts. Without three literal letters, as in `a*b`, all names
//! are read.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};
use yore_platform::{Kind, Timestamp};

use super::add::kind_of;
use crate::format::id::SnapshotId;
use crate::history::pattern::Pattern;
use crate::path::TreePathBuf;

/// A search.
#[derive(Debug, Clone)]
pub struct Query {
    /// The pattern of names and paths.
    pub pattern: Pattern,
    /// The kinds of files; empty for all.
    pub kinds: Vec<Kind>,
    /// The sizes of files; a restriction excludes all that are no files.
    pub sizes: std::ops::RangeInclusive<u64>,
}

impl Query {
    /// Searches for every name that fits.
    pub fn names(pattern: Pattern) -> Self {
        Self { pattern, kinds: Vec::new(), sizes: 0..=u64::MAX }
    }
}

/// A path that fits, with its newest version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The path.
    pub path: TreePathBuf,
    /// Its kind.
    pub kind: Kind,
    /// Its length, if it was a file.
    pub size: u64,
    /// The time of its last change.
    pub modified: Timestamp,
    /// The first snapshot that has it, by its place in the timeline.
    pub first: usize,
    /// The last snapshot that has it.
    pub last: usize,
}

/// The snapshots of each series that count, in order of their numbers.
type Counting = HashMap<i64, Vec<Counted>>;

/// A snapshot that counts.
struct Counted {
    /// Its number in its series.
    number: i64,
    /// Its place in the timeline.
    place: usize,
}

/// Hands every path that fits to `each`, in no order.
pub(super) fn search(
    connection: &mut Connection,
    query: &Query,
    counts: &dyn Fn(&SnapshotId) -> Option<usize>,
    each: &mut dyn FnMut(Hit),
) -> rusqlite::Result<()> {
    // One state of the catalog, while other processes write.
    let transaction = connection.transaction()?;
    let counting = counting(&transaction, counts)?;
    let mut paths = Paths { connection: &transaction, known: HashMap::new() };
    for (name, bytes) in names(&transaction, &query.pattern)? {
        for (path, parent) in with_name(&transaction, name)? {
            let mut full = paths.of(parent)?;
            full.push(&bytes);
            if !query.pattern.fits_path(&full) {
                continue;
            }
            let found = versions(&transaction, &counting, path)?;
            let first = found.iter().map(|hit| hit.first).min();
            let newest = found.into_iter().max_by_key(|hit| hit.last);
            if let (Some(first), Some(newest)) = (first, newest.filter(|hit| fits(query, hit))) {
                each(Hit { path: full, first, ..newest });
            }
        }
    }
    Ok(())
}

fn fits(query: &Query, hit: &Hit) -> bool {
    let fits_kind = query.kinds.is_empty() || query.kinds.contains(&hit.kind);
    let any_size = query.sizes == (0..=u64::MAX);
    fits_kind && (any_size || hit.kind == Kind::File && query.sizes.contains(&hit.size))
}

fn counting(
    connection: &Connection,
    counts: &dyn Fn(&SnapshotId) -> Option<usize>,
) -> rusqlite::Result<Counting> {
    let mut counting = Counting::new();
    let mut statement =
        connection.prepare("SELECT id, series, number FROM snapshot ORDER BY series, number")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id: Option<[u8; 32]> = row.get_ref(0)?.as_blob()?.try_into().ok();
        if let Some(place) = id.and_then(|id| counts(&SnapshotId(id))) {
            counting.entry(row.get(1)?).or_default().push(Counted { number: row.get(2)?, place });
        }
    }
    Ok(counting)
}

/// Returns the versions of a path that a snapshot that counts has; their paths are left empty.
fn versions(connection: &Connection, counting: &Counting, path: i64) -> rusqlite::Result<Vec<Hit>> {
    let mut statement = connection.prepare_cached(
        "SELECT series, first, last, kind, size, seconds, nanos FROM version WHERE path = ?",
    )?;
    let mut rows = statement.query([path])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let Some(series) = counting.get(&row.get::<_, i64>(0)?) else { continue };
        let (first, last): (i64, Option<i64>) = (row.get(1)?, row.get(2)?);
        let from = series.partition_point(|snapshot| snapshot.number < first);
        let to = series.partition_point(|snapshot| last.is_none_or(|last| snapshot.number <= last));
        let Some(range) = series.get(from..to) else { continue };
        let (Some(first), Some(last)) = (range.first(), range.last()) else { continue };
        found.push(Hit {
            path: TreePathBuf::default(),
            kind: kind_of(row.get(3)?).ok_or(rusqlite::Error::InvalidQuery)?,
            size: u64::try_from(row.get::<_, i64>(4)?).unwrap_or(0),
            modified: Timestamp { seconds: row.get(5)?, nanos: row.get(6)? },
            first: first.place,
            last: last.place,
        });
    }
    Ok(found)
}

/// Returns the names that fit.
fn names(connection: &Connection, pattern: &Pattern) -> rusqlite::Result<Vec<(i64, Vec<u8>)>> {
    let fitting = |row: &rusqlite::Row<'_>| -> rusqlite::Result<Option<(i64, Vec<u8>)>> {
        let bytes = row.get_ref(1)?.as_blob()?;
        Ok(if pattern.fits_name(bytes) { Some((row.get(0)?, bytes.to_vec())) } else { None })
    };
    match pattern.literal() {
        Some(literal) => {
            let mut statement = connection.prepare(
                "SELECT name.id, name.bytes FROM word JOIN name ON name.id = word.rowid
                 WHERE word MATCH ?",
            )?;
            statement
                .query_map([trigrams(literal)], fitting)?
                .filter_map(Result::transpose)
                .collect()
        }
        None => {
            let mut statement = connection.prepare("SELECT id, bytes FROM name")?;
            statement.query_map([], fitting)?.filter_map(Result::transpose).collect()
        }
    }
}

/// Returns a query for the names that have every three letters in a row of a text.
fn trigrams(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let quote = |three: &[char]| {
        let three: String = three.iter().collect();
        format!("\"{}\"", three.replace('"', "\"\""))
    };
    letters.windows(3).map(quote).collect::<Vec<_>>().join(" AND ")
}

fn with_name(connection: &Connection, name: i64) -> rusqlite::Result<Vec<(i64, i64)>> {
    let mut statement = connection.prepare_cached("SELECT id, parent FROM path WHERE name = ?")?;
    statement.query_map([name], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// The paths of directories, put together from their names.
struct Paths<'c> {
    connection: &'c Connection,
    known: HashMap<i64, TreePathBuf>,
}

impl Paths<'_> {
    fn of(&mut self, path: i64) -> rusqlite::Result<TreePathBuf> {
        let (mut names, mut at) = (Vec::new(), path);
        let mut above = TreePathBuf::default();
        while at != 0 {
            if let Some(known) = self.known.get(&at) {
                above = known.clone();
                break;
            }
            let mut statement = self.connection.prepare_cached(
                "SELECT path.parent, name.bytes FROM path JOIN name ON name.id = path.name
                 WHERE path.id = ?",
            )?;
            let row = statement
                .query_row([at], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)))
                .optional()?;
            let (parent, name) = row.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
            // A parent is added before its children, so no damaged table leads in a ring.
            if parent >= at {
                return Err(rusqlite::Error::InvalidQuery);
            }
            names.push(name);
            at = parent;
        }
        names.iter().rev().for_each(|name| above.push(name));
        self.known.insert(path, above.clone());
        Ok(above)
    }
}
