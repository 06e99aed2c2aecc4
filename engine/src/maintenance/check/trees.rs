//! Trees: every snapshot's tree is whole, and every blob that it needs is where an index says. Several threads walk them.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::packs::Packs;
use super::report::Findings;
use crate::error::{Error, Result};
use crate::format::id::{BlobId, SnapshotId};
use crate::format::keys::BlobKind;
use crate::format::pack::PackKind;
use crate::format::record::Snapshot;
use crate::format::tree::{
    Content, Holes, InvalidNode, LeafRef, ListRef, Node, Tree, decode_hole_list, decode_list,
};
use crate::operation::observer::{Event, Observer, Unit};
use crate::operation::spread::visit_all;
use crate::read::directory::first_name;
use crate::read::file::MAX_HOLES;
use crate::read::reader::Reader;

/// Walks the trees of all snapshots, each tree once.
pub(super) fn check(
    reader: &Reader,
    snapshots: &[(SnapshotId, Snapshot)],
    packs: &Packs,
    findings: &mut Findings,
    observer: &dyn Observer,
) -> Result<()> {
    let walk = Walk {
        reader,
        packs,
        findings: Mutex::new(findings),
        visited: Mutex::default(),
        trees: AtomicU64::new(0),
        nodes: AtomicU64::new(0),
    };
    observer.event(Event::Counting(Unit::Snapshots));
    observer.event(Event::Expected { files: snapshots.len() as u64, bytes: 0 });
    let root = |(id, snapshot): &(SnapshotId, Snapshot)| {
        let at = Arc::new(At { parent: None, name: Vec::new() });
        Step { tree: snapshot.root, at, expected: Expected::Directory, snapshot: *id }
    };
    visit_all(snapshots.iter().map(root).collect(), |step: Step, found| {
        if observer.interrupted() {
            return Err(Error::Interrupted);
        }
        if step.at.parent.is_none() && matches!(step.expected, Expected::Directory) {
            observer.event(Event::Done { files: 1, bytes: 0 });
        }
        if walk.is_new(&step.tree) {
            let (walk, snapshot) = (&walk, step.snapshot);
            TreeWalk { walk, snapshot, found }.visit(step);
        }
        Ok(())
    })?;
    let Walk { trees, nodes, findings, .. } = walk;
    let findings = findings.into_inner().unwrap_or_else(PoisonError::into_inner);
    findings.report.trees += trees.into_inner();
    findings.report.nodes += nodes.into_inner();
    Ok(())
}

/// The expected content of a tree blob.
enum Expected {
    /// Nodes or leaves.
    Directory,
    /// So many nodes, from this name on, up to where the next leaf begins.
    Leaf(LeafRef, Option<Vec<u8>>),
}

struct Step {
    tree: BlobId,
    at: Arc<At>,
    expected: Expected,
    /// The snapshot in which it was found first.
    snapshot: SnapshotId,
}

/// A position in a tree. Paths are put together for messages alone: those of a hostile tree may be
/// longer than memory together.
struct At {
    parent: Option<Arc<At>>,
    name: Vec<u8>,
}

/// The longest path in a message; of a longer one, the end is shown.
const LONGEST_PATH_SHOWN: usize = 4096;

impl At {
    fn path(&self) -> String {
        let (mut names, mut length, mut next) = (Vec::new(), 0, Some(self));
        while let Some(at) = next.filter(|_| length < LONGEST_PATH_SHOWN) {
            length += at.name.len() + 1;
            names.extend((!at.name.is_empty()).then(|| String::from_utf8_lossy(&at.name)));
            next = at.parent.as_deref();
        }
        names.reverse();
        format!("{}/{}", if next.is_some() { "…" } else { "" }, names.join("/"))
    }
}

impl Drop for At {
    fn drop(&mut self) {
        // Not by recursion: trees may be deeper than a stack.
        let mut next = self.parent.take();
        while let Some(mut at) = next.and_then(Arc::into_inner) {
            next = at.parent.take();
        }
    }
}

fn below(at: &Arc<At>, name: &[u8]) -> Arc<At> {
    Arc::new(At { parent: Some(Arc::clone(at)), name: name.to_vec() })
}

/// What the threads of a walk share.
struct Walk<'a> {
    reader: &'a Reader,
    packs: &'a Packs,
    /// Guards the findings.
    findings: Mutex<&'a mut Findings>,
    /// Guards the trees and lists that were checked, by half their ids.
    visited: Mutex<HashSet<[u8; 16]>>,
    trees: AtomicU64,
    nodes: AtomicU64,
}

impl Walk<'_> {
    fn is_new(&self, id: &BlobId) -> bool {
        let mut visited = self.visited.lock().unwrap_or_else(PoisonError::into_inner);
        id.0.first_chunk::<16>().is_some_and(|half| visited.insert(*half))
    }
}

/// The visit of one tree.
struct TreeWalk<'w, 'a> {
    walk: &'w Walk<'a>,
    snapshot: SnapshotId,
    /// Trees that are to be visited.
    found: &'w mut Vec<Step>,
}

impl TreeWalk<'_, '_> {
    fn push(&mut self, tree: BlobId, at: Arc<At>, expected: Expected) {
        self.found.push(Step { tree, at, expected, snapshot: self.snapshot });
    }

    fn problem(&self, at: &At, error: Error) {
        let subject = format!("{} in snapshot {:.8}", at.path(), self.snapshot);
        let mut findings = self.walk.findings.lock().unwrap_or_else(PoisonError::into_inner);
        findings.problem(subject, error);
    }

    fn visit(&mut self, step: Step) {
        let Step { tree: id, at, expected, .. } = step;
        self.walk.trees.fetch_add(1, Ordering::Relaxed);
        self.in_index(&at, &id, PackKind::Tree, None);
        let tree = match self.walk.reader.tree(&id) {
            Ok(tree) => tree,
            Err(error) => return self.problem(&at, error),
        };
        match (tree, expected) {
            (Tree::Nodes { nodes, invalid }, Expected::Directory) => {
                self.nodes(nodes, invalid, &at);
            }
            (Tree::Nodes { nodes, invalid }, Expected::Leaf(leaf, next)) => {
                let ends = |next: Vec<u8>| nodes.last().is_none_or(|last| last.name < next);
                let agrees = (nodes.len() + invalid.len()) as u64 == leaf.nodes
                    && first_name(&nodes, &invalid) == Some(&leaf.first)
                    && next.is_none_or(ends);
                if !agrees {
                    let error = Error::damaged(format!("tree {id}"), "it is another leaf");
                    self.problem(&at, error);
                }
                self.nodes(nodes, invalid, &at);
            }
            (Tree::Leaves(leaves), Expected::Directory) => {
                let firsts = leaves.iter().skip(1).map(|leaf| Some(leaf.first.clone()));
                let nexts: Vec<_> = firsts.chain([None]).collect();
                for (leaf, next) in leaves.into_iter().zip(nexts) {
                    self.push(leaf.id, Arc::clone(&at), Expected::Leaf(leaf, next));
                }
            }
            (Tree::Leaves(_), Expected::Leaf(..)) => {
                self.problem(&at, Error::damaged(format!("tree {id}"), "a leaf with leaves"));
            }
        }
    }

    fn nodes(&mut self, nodes: Vec<Node>, invalid: Vec<InvalidNode>, at: &Arc<At>) {
        for invalid in invalid {
            let error = Error::Damaged { object: "its node".into(), reason: invalid.reason };
            self.problem(&below(at, &invalid.name), error);
        }
        self.walk.nodes.fetch_add(nodes.len() as u64, Ordering::Relaxed);
        for node in nodes {
            match node.subtree {
                Some(tree) => self.push(tree, below(at, &node.name), Expected::Directory),
                None => self.content(&node, at),
            }
        }
    }

    fn content(&self, node: &Node, above: &Arc<At>) {
        match &node.content {
            Content::Empty | Content::Inline(_) => {}
            Content::Chunks(chunks) => {
                for chunk in chunks {
                    if self.lacks(&chunk.id, PackKind::Data, Some(chunk.length.into())) {
                        let path = below(above, &node.name);
                        self.in_index(&path, &chunk.id, PackKind::Data, Some(chunk.length.into()));
                    }
                }
            }
            Content::Lists { depth, lists } => self.lists(*depth, lists, &below(above, &node.name)),
        }
        if let Holes::Lists(lists) = &node.holes {
            let path = below(above, &node.name);
            let (mut zeros, mut count) = (0u64, 0);
            for id in lists {
                self.in_index(&path, id, PackKind::Tree, None);
                let damaged = |_| Error::damaged(format!("blob {id}"), "it is no list of holes");
                let holes = self
                    .walk
                    .reader
                    .blob(BlobKind::List, id)
                    .and_then(|blob| decode_hole_list(&blob).map_err(damaged));
                match holes {
                    Ok(holes) => {
                        count += holes.len();
                        if count > MAX_HOLES {
                            let reason = "it has more holes than a file may have";
                            let object = "its node".into();
                            return self.problem(&path, Error::Damaged { object, reason });
                        }
                        zeros = holes.iter().fold(zeros, |n, hole| n.saturating_add(hole.hole));
                    }
                    Err(error) => return self.problem(&path, error),
                }
            }
            if node.data_length().checked_add(zeros) != Some(node.size) {
                let reason = "its size is not that of its content";
                self.problem(&path, Error::Damaged { object: "its node".into(), reason });
            }
        }
    }

    /// Checks lists of chunks, and lists of lists, with the data below each.
    fn lists(&self, depth: u8, lists: &[ListRef], path: &At) {
        let mut left: Vec<(u8, ListRef)> = lists.iter().map(|list| (depth, *list)).collect();
        while let Some((depth, list)) = left.pop() {
            if !self.walk.is_new(&list.id) {
                continue;
            }
            self.in_index(path, &list.id, PackKind::Tree, None);
            let damaged = |reason| Error::damaged(format!("blob {}", list.id), reason);
            let items = self.walk.reader.blob(BlobKind::List, &list.id).and_then(|blob| {
                decode_list(&blob, depth).map_err(|_| damaged("it is no list of chunks"))
            });
            let items = match items {
                Ok(items) => items,
                Err(error) => {
                    self.problem(path, error);
                    continue;
                }
            };
            let sum = items.iter().try_fold(0u64, |sum, item| sum.checked_add(item.length));
            if sum != Some(list.length) {
                self.problem(path, damaged("lengths do not agree"));
            }
            match depth.checked_sub(1) {
                Some(below) => left.extend(items.into_iter().map(|item| (below, item))),
                None => items.iter().for_each(|item| {
                    self.in_index(path, &item.id, PackKind::Data, Some(item.length));
                }),
            }
        }
    }

    /// Returns whether no copy of a blob is where the index says.
    fn lacks(&self, id: &BlobId, kind: PackKind, length: Option<u64>) -> bool {
        !self.walk.reader.index().find_all(id).any(|location| {
            location.kind == kind
                && length.is_none_or(|length| length == u64::from(location.length))
                && self.walk.packs.is_there(&location.pack)
        })
    }

    fn in_index(&self, path: &At, id: &BlobId, kind: PackKind, length: Option<u64>) {
        if self.lacks(id, kind, length) {
            let known = self.walk.reader.index().find_all(id).next().is_some();
            let error = match known {
                true => {
                    Error::damaged(format!("blob {id}"), "it is not where or what it should be")
                }
                false => Error::Missing { object: format!("blob {id}") },
            };
            self.problem(path, error);
        }
    }
}
