//! Usage: what would come free if a snapshot or a path were forgotten, and what takes the room.
//!
//! Each blob belongs to the one snapshot, path or type that needs it, or is shared by several. A tree that is met again
//! is walked once more only to mark as shared what had one owner; so each tree is read at most twice, however many
//! snapshots there are.

use std::collections::{BTreeMap, HashMap, HashSet};

use yore_platform::Kind;

use crate::error::{Error, Result};
use crate::format::id::{BlobId, SnapshotId};
use crate::format::tree::{Content, Holes, Node, Tree};
use crate::index::BlobTable;
use crate::operation::observer::{Event, Observer, Unit};
use crate::path::join;
use crate::read::reader::Reader;
use crate::repository::Repository;
use crate::snapshots::SnapshotEntry;

/// Bytes of decoded frames that the walk keeps.
const BUDGET: usize = 64 << 20;
/// The number of a blob that nobody needs.
const NOBODY: u32 = 0;
/// The number of a blob that several need.
const SHARED: u32 = u32::MAX;

/// The parts into which the room is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageBy {
    /// Each snapshot.
    Snapshot,
    /// Each folder or file at this depth below the root; what is less deep stands for itself.
    Path {
        /// The number of names in the path.
        depth: usize,
    },
    /// The extension of the file name.
    Type,
}

/// A part.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UsageKey {
    /// A snapshot.
    Snapshot(SnapshotId),
    /// A path: components joined by `/`.
    Path(Vec<u8>),
    /// An extension, in lower case; empty for files without one.
    Type(Vec<u8>),
    /// The folders and names themselves.
    Folders,
}

/// The room that a part takes, in bytes as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// The part.
    pub key: UsageKey,
    /// The bytes that only this part needs: they would come free without it.
    pub own: u64,
    /// The files of the part; those of a snapshot, or each distinct one that was met.
    pub files: u64,
}

/// The room of all parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageReport {
    /// The parts, the largest first.
    pub parts: Vec<Usage>,
    /// The bytes that several parts need.
    pub shared: u64,
    /// The bytes that no snapshot needs: prune frees them.
    pub unused: u64,
}

/// Finds out what takes the room.
///
/// # Errors
/// A tree that can't be read, or a blob that is missing.
pub fn usage(
    repository: &Repository,
    snapshots: &[SnapshotEntry],
    by: UsageBy,
    observer: &dyn Observer,
) -> Result<UsageReport> {
    let opened = repository.open_index()?;
    if let Some(error) = opened.damaged.into_iter().next() {
        return Err(error);
    }
    let table = BlobTable::new(opened.index);
    let (mirrors, keys) = (repository.mirrors.clone(), repository.keys.clone());
    let reader =
        Reader::new(mirrors, keys, table.index().clone(), BUDGET, repository.frame_cache());
    let mut walk = Walk {
        reader: &reader,
        table: &table,
        by,
        owners: vec![NOBODY; table.len()],
        numbers: HashMap::new(),
        files: Vec::new(),
        visited: HashSet::new(),
        observer,
    };
    observer.event(Event::Counting(Unit::Snapshots));
    observer.event(Event::Expected { files: snapshots.len() as u64, bytes: 0 });
    for entry in snapshots {
        walk.snapshot(entry)?;
        observer.event(Event::Done { files: 1, bytes: 0 });
    }
    Ok(walk.report())
}

struct Walk<'a> {
    reader: &'a Reader,
    table: &'a BlobTable,
    by: UsageBy,
    /// The number of the part that needs a blob, by the position of the blob's first copy.
    owners: Vec<u32>,
    numbers: HashMap<UsageKey, u32>,
    /// The files of each part.
    files: Vec<u64>,
    /// The trees that were walked for a part, where parts are not found by blobs alone.
    visited: HashSet<(BlobId, u32, Vec<u8>)>,
    observer: &'a dyn Observer,
}

/// A directory to be walked.
struct Step {
    tree: BlobId,
    /// Its path, as far as parts are found by it.
    path: Vec<u8>,
    depth: usize,
    part: u32,
}

impl Walk<'_> {
    fn number(&mut self, key: UsageKey) -> u32 {
        let next = self.numbers.len() as u32 + 1;
        let number = *self.numbers.entry(key).or_insert(next);
        if number == next {
            self.files.push(0);
        }
        number
    }

    /// Gives a blob to a part; returns true if that changed its owner.
    fn take(&mut self, id: &BlobId, part: u32) -> Result<bool> {
        let first = self.table.firsts(id).next();
        let first = first.ok_or_else(|| Error::Missing { object: format!("blob {id}") })?;
        let owner = &mut self.owners[first];
        let new = match *owner {
            NOBODY => part,
            same if same == part => return Ok(false),
            SHARED => return Ok(false),
            _ => SHARED,
        };
        *owner = new;
        Ok(true)
    }

    fn snapshot(&mut self, entry: &SnapshotEntry) -> Result<()> {
        let own = match self.by {
            UsageBy::Snapshot => {
                let own = self.number(UsageKey::Snapshot(entry.id));
                self.files[own as usize - 1] = entry.snapshot.totals.files;
                own
            }
            UsageBy::Path { .. } | UsageBy::Type => self.number(UsageKey::Folders),
        };
        let (tree, path) = (entry.snapshot.root, Vec::new());
        let mut left = vec![Step { tree, path, depth: 0, part: own }];
        while let Some(step) = left.pop() {
            if self.observer.interrupted() {
                return Err(Error::Interrupted);
            }
            let has_changed = self.take(&step.tree, step.part)?;
            let is_new = match self.by {
                // What is below has the same owner.
                UsageBy::Snapshot => has_changed,
                UsageBy::Path { .. } | UsageBy::Type => {
                    self.visited.insert((step.tree, step.part, step.path.clone()))
                }
            };
            if is_new {
                self.tree(&step, &mut left)?;
            }
        }
        Ok(())
    }

    fn tree(&mut self, step: &Step, left: &mut Vec<Step>) -> Result<()> {
        match self.reader.tree(&step.tree)? {
            Tree::Leaves(leaves) => {
                for leaf in leaves {
                    left.push(Step { tree: leaf.id, path: step.path.clone(), ..*step });
                }
            }
            Tree::Nodes { nodes, .. } => {
                for node in nodes {
                    match node.subtree {
                        Some(tree) => {
                            let below = self.below(step, &node.name, tree);
                            left.push(below);
                        }
                        None => {
                            let part = self.part_of_file(step, &node);
                            self.content(&node, part)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Makes the step of a directory in another one.
    fn below(&mut self, step: &Step, name: &[u8], tree: BlobId) -> Step {
        let depth = step.depth + 1;
        match self.by {
            UsageBy::Path { depth: limit } if depth < limit => {
                Step { tree, path: join(&step.path, name), depth, part: step.part }
            }
            UsageBy::Path { depth: limit } if depth == limit => {
                let part = self.number(UsageKey::Path(join(&step.path, name)));
                Step { tree, path: Vec::new(), depth, part }
            }
            _ => Step { tree, path: Vec::new(), depth, part: step.part },
        }
    }

    /// Returns the part to which a file belongs, and counts it there.
    fn part_of_file(&mut self, step: &Step, node: &Node) -> u32 {
        let part = match self.by {
            UsageBy::Snapshot => return step.part,
            UsageBy::Path { depth } if step.depth < depth => {
                self.number(UsageKey::Path(join(&step.path, &node.name)))
            }
            UsageBy::Path { .. } => step.part,
            UsageBy::Type => self.number(UsageKey::Type(extension(&node.name))),
        };
        self.files[part as usize - 1] += u64::from(node.kind == Kind::File);
        part
    }

    fn content(&mut self, node: &Node, part: u32) -> Result<()> {
        match &node.content {
            Content::Empty | Content::Inline(_) => {}
            Content::Chunks(chunks) => {
                for chunk in chunks {
                    self.take(&chunk.id, part)?;
                }
            }
            Content::Lists { depth, lists } => {
                let mut left: Vec<_> = lists.iter().map(|list| (*depth, list.id)).collect();
                while let Some((depth, id)) = left.pop() {
                    if !self.take(&id, part)? {
                        continue;
                    }
                    let items = self.reader.list(&id, depth)?;
                    match depth.checked_sub(1) {
                        Some(below) => left.extend(items.iter().map(|item| (below, item.id))),
                        None => {
                            for item in items {
                                self.take(&item.id, part)?;
                            }
                        }
                    }
                }
            }
        }
        if let Holes::Lists(lists) = &node.holes {
            for id in lists {
                self.take(id, part)?;
            }
        }
        Ok(())
    }

    /// Adds up the stored bytes of each part.
    fn report(self) -> UsageReport {
        let mut own = vec![0u64; self.numbers.len()];
        let (mut shared, mut unused) = (0u64, 0u64);
        self.table.for_each_blob(|_, first, copies| {
            let Some(copy) = copies.first() else { return };
            let (sealed, raw) = copy.frame;
            let bytes = u64::from(copy.length) * u64::from(sealed) / u64::from(raw.max(1));
            match self.owners[first] {
                NOBODY => unused += bytes,
                SHARED => shared += bytes,
                part => own[part as usize - 1] += bytes,
            }
        });
        let keys: BTreeMap<u32, UsageKey> =
            self.numbers.into_iter().map(|(key, number)| (number, key)).collect();
        let parts = keys.into_values().zip(own).zip(self.files);
        let mut parts: Vec<Usage> =
            parts.map(|((key, own), files)| Usage { key, own, files }).collect();
        parts.sort_by(|one, other| other.own.cmp(&one.own).then_with(|| one.key.cmp(&other.key)));
        UsageReport { parts, shared, unused }
    }
}

/// Returns what follows the last dot of a name, in lower case.
fn extension(name: &[u8]) -> Vec<u8> {
    let dot = name.iter().rposition(|byte| *byte == b'.').filter(|at| *at > 0);
    dot.map_or_else(Vec::new, |at| name[at + 1..].to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::operation::observer::Unobserved;
    use crate::testing::Sample;

    fn random(seed: u32, bytes: usize) -> Vec<u8> {
        let numbers = (0..bytes as u32 / 4).map(|n| (n ^ seed).wrapping_mul(2_654_435_761));
        numbers.flat_map(u32::to_be_bytes).collect()
    }

    #[test]
    fn what_only_one_snapshot_path_or_type_needs_is_its_own() {
        let sample = Sample::new();
        let source = sample.folder.path().join("s");
        fs::create_dir_all(source.join("a")).expect("a folder");
        fs::create_dir_all(source.join("b")).expect("a folder");
        fs::write(source.join("a/x.JPG"), random(1, 40_000)).expect("a file");
        fs::write(source.join("a/same.txt"), random(2, 20_000)).expect("a file");
        fs::write(source.join("b/same.log"), random(2, 20_000)).expect("a file");
        sample.back_up(&source, 1_000);
        fs::write(source.join("b/y.jpg"), random(3, 80_000)).expect("a file");
        sample.back_up(&source, 2_000);
        let list = sample.repository.snapshots().expect("snapshots").list;
        let by = |by| usage(&sample.repository, &list, by, &Unobserved).expect("usage");
        let about = |bytes: u64, expected: u64| bytes.abs_diff(expected) < expected / 10 + 3_000;
        let snapshots = by(UsageBy::Snapshot);
        assert_eq!(snapshots.parts[0].key, UsageKey::Snapshot(list[1].id));
        assert!(about(snapshots.parts[0].own, 80_000), "{snapshots:?}");
        assert!(about(snapshots.shared, 60_000) && snapshots.parts[1].own < 3_000, "{snapshots:?}");
        let depth = yore_platform::snapshot_path(&source).split(|byte| *byte == b'/').count() + 1;
        let paths = by(UsageBy::Path { depth });
        let own = |report: &UsageReport, end: &[u8]| {
            let mut parts = report.parts.iter();
            let part = parts.find(|part| match &part.key {
                UsageKey::Path(key) | UsageKey::Type(key) => key.ends_with(end),
                UsageKey::Snapshot(_) | UsageKey::Folders => false,
            });
            part.map_or(0, |part| part.own)
        };
        assert!(
            about(own(&paths, b"/b"), 80_000) && about(own(&paths, b"/a"), 40_000),
            "{paths:?}"
        );
        assert!(about(paths.shared, 20_000), "{paths:?}");
        let types = by(UsageBy::Type);
        assert!(about(own(&types, b"jpg"), 120_000), "{types:?}");
        assert_eq!((own(&types, b"txt"), own(&types, b"log")), (0, 0), "{types:?}");
    }
}
