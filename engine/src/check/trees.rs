//! Trees: every snapshot's tree is whole, and every blob that it needs is where an index says.

use std::collections::HashSet;

use super::packs::Packs;
use super::report::Findings;
use crate::error::{Error, Result};
use crate::id::{BlobId, SnapshotId};
use crate::keys::BlobKind;
use crate::observer::Observer;
use crate::pack::PackKind;
use crate::reader::Reader;
use crate::record::Snapshot;
use crate::tree::{Content, Holes, ListRef, Node, Strange, Tree, decode_hole_list, decode_list};

/// Walks the trees of all snapshots, each tree once.
pub(super) fn check(
    reader: &Reader,
    snapshots: &[(SnapshotId, Snapshot)],
    packs: &Packs,
    findings: &mut Findings,
    observer: &dyn Observer,
) -> Result<()> {
    let mut walk = Walk {
        reader,
        packs,
        findings,
        visited: HashSet::new(),
        stack: Vec::new(),
        snapshot: None,
    };
    for (id, snapshot) in snapshots {
        walk.snapshot = Some(*id);
        walk.push(snapshot.root, Vec::new(), Expected::Directory);
        while let Some(step) = walk.stack.pop() {
            if observer.interrupted() {
                return Err(Error::Interrupted);
            }
            walk.visit(step);
        }
    }
    Ok(())
}

/// What a tree blob must be.
enum Expected {
    /// Nodes or leaves.
    Directory,
    /// So many nodes, from this name on.
    Leaf(Vec<u8>, u64),
}

struct Step {
    tree: BlobId,
    path: Vec<u8>,
    expected: Expected,
}

struct Walk<'a> {
    reader: &'a Reader,
    packs: &'a Packs,
    findings: &'a mut Findings,
    /// Trees and lists that have been looked at, by half their ids.
    visited: HashSet<[u8; 16]>,
    stack: Vec<Step>,
    snapshot: Option<SnapshotId>,
}

impl Walk<'_> {
    fn is_new(&mut self, id: &BlobId) -> bool {
        id.0.first_chunk::<16>().is_some_and(|half| self.visited.insert(*half))
    }

    fn push(&mut self, tree: BlobId, path: Vec<u8>, expected: Expected) {
        if self.is_new(&tree) {
            self.stack.push(Step { tree, path, expected });
        }
    }

    fn problem(&mut self, path: &[u8], error: Error) {
        let path = String::from_utf8_lossy(path);
        let subject = match self.snapshot {
            Some(snapshot) => format!("/{path} in snapshot {snapshot:.8}"),
            None => format!("/{path}"),
        };
        self.findings.problem(subject, error);
    }

    fn visit(&mut self, step: Step) {
        let Step { tree: id, path, expected } = step;
        self.findings.report.trees += 1;
        self.in_index(&path, &id, PackKind::Tree, None);
        let tree = match self.reader.tree(&id) {
            Ok(tree) => tree,
            Err(error) => return self.problem(&path, error),
        };
        match (tree, expected) {
            (Tree::Nodes { nodes, strange }, Expected::Directory) => {
                self.nodes(nodes, strange, &path);
            }
            (Tree::Nodes { nodes, strange }, Expected::Leaf(first, count)) => {
                let agrees = (nodes.len() + strange.len()) as u64 == count
                    && nodes.iter().all(|node| node.name >= first);
                if !agrees {
                    let error = Error::damaged(format!("tree {id}"), "it is another leaf");
                    self.problem(&path, error);
                }
                self.nodes(nodes, strange, &path);
            }
            (Tree::Leaves(leaves), Expected::Directory) => {
                for leaf in leaves {
                    self.push(leaf.id, path.clone(), Expected::Leaf(leaf.first, leaf.nodes));
                }
            }
            (Tree::Leaves(_), Expected::Leaf(..)) => {
                self.problem(&path, Error::damaged(format!("tree {id}"), "a leaf with leaves"));
            }
        }
    }

    fn nodes(&mut self, nodes: Vec<Node>, strange: Vec<Strange>, path: &[u8]) {
        let below = |name: &[u8]| match path.is_empty() {
            true => name.to_vec(),
            false => [path, b"/", name].concat(),
        };
        for strange in strange {
            let error = Error::Damaged { object: "its node".into(), reason: strange.reason };
            self.problem(&below(&strange.name), error);
        }
        self.findings.report.nodes += nodes.len() as u64;
        for node in nodes {
            match node.subtree {
                Some(tree) => self.push(tree, below(&node.name), Expected::Directory),
                None => self.content(&node, &below),
            }
        }
    }

    fn content(&mut self, node: &Node, below: &dyn Fn(&[u8]) -> Vec<u8>) {
        match &node.content {
            Content::Empty | Content::Inline(_) => {}
            Content::Chunks(chunks) => {
                for chunk in chunks {
                    if self.lacks(&chunk.id, PackKind::Data, Some(chunk.length.into())) {
                        let path = below(&node.name);
                        self.in_index(&path, &chunk.id, PackKind::Data, Some(chunk.length.into()));
                    }
                }
            }
            Content::Lists { depth, lists } => self.lists(*depth, lists, &below(&node.name)),
        }
        if let Holes::Lists(lists) = &node.holes {
            let path = below(&node.name);
            let mut zeros = 0u64;
            for id in lists {
                self.in_index(&path, id, PackKind::Tree, None);
                let damaged = |_| Error::damaged(format!("blob {id}"), "it is no list of holes");
                let holes = self
                    .reader
                    .blob(BlobKind::List, id)
                    .and_then(|blob| decode_hole_list(&blob).map_err(damaged));
                match holes {
                    Ok(holes) => {
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

    /// Looks at lists of chunks, and lists of lists, with the data that is to be under each.
    fn lists(&mut self, depth: u8, lists: &[ListRef], path: &[u8]) {
        let mut left: Vec<(u8, ListRef)> = lists.iter().map(|list| (depth, *list)).collect();
        while let Some((depth, list)) = left.pop() {
            if !self.is_new(&list.id) {
                continue;
            }
            self.in_index(path, &list.id, PackKind::Tree, None);
            let damaged = |reason| Error::damaged(format!("blob {}", list.id), reason);
            let items = self.reader.blob(BlobKind::List, &list.id).and_then(|blob| {
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

    /// Whether no copy of a blob is where it should be.
    fn lacks(&self, id: &BlobId, kind: PackKind, length: Option<u64>) -> bool {
        !self.reader.index().find_all(id).any(|location| {
            location.kind == kind
                && length.is_none_or(|length| length == u64::from(location.length))
                && self.packs.is_there(&location.pack)
        })
    }

    fn in_index(&mut self, path: &[u8], id: &BlobId, kind: PackKind, length: Option<u64>) {
        if self.lacks(id, kind, length) {
            let known = self.reader.index().find_all(id).next().is_some();
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
