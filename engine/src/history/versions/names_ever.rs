//! The names that a directory ever had, in any of its trees.

use std::collections::{BTreeMap, HashSet, VecDeque};

use yore_platform::Kind;

use super::DirHistory;
use crate::error::{Error, Result};
use crate::format::id::BlobId;
use crate::format::tree::Tree;
use crate::read::reader::Reader;

/// The kinds that a name ever had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kinds {
    /// A directory.
    pub directory: bool,
    /// Anything else.
    pub other: bool,
}

/// Everything that a name of a directory ever was.
#[derive(Debug, Clone, Default)]
pub struct ChildTrees {
    /// The trees that it had as a directory, each once, in the order of the directory's trees.
    pub trees: Vec<BlobId>,
    /// Set if its tree could not be read at some backup.
    pub unreadable: bool,
    /// Set if it ever was anything else.
    pub other: bool,
}

/// Collects every name that is in any of the trees of a directory, and what each ever was.
///
/// # Errors
/// A tree that can't be read.
pub fn child_trees(reader: &Reader, trees: &[BlobId]) -> Result<BTreeMap<Vec<u8>, ChildTrees>> {
    let mut all: BTreeMap<Vec<u8>, (ChildTrees, HashSet<BlobId>)> = BTreeMap::new();
    let (mut known, mut pending) = (HashSet::new(), VecDeque::from(trees.to_vec()));
    while let Some(tree) = pending.pop_front() {
        if !known.insert(tree) {
            continue;
        }
        match reader.tree(&tree)? {
            Tree::Leaves(leaves) => leaves.iter().for_each(|leaf| pending.push_front(leaf.id)),
            Tree::Nodes { nodes, .. } => {
                for node in nodes {
                    let (child, trees) = all.entry(node.name).or_default();
                    match (node.kind, node.subtree) {
                        (Kind::Directory, Some(tree)) if trees.insert(tree) => {
                            child.trees.push(tree)
                        }
                        (Kind::Directory, Some(_)) => {}
                        (Kind::Directory, None) => child.unreadable = true,
                        _ => child.other = true,
                    }
                }
            }
        }
    }
    Ok(all.into_iter().map(|(name, (child, _))| (name, child)).collect())
}

/// Collects every name that a directory ever had, in order, and the kinds of each.
///
/// # Errors
/// A tree that can't be read, after all names that could be.
pub fn names_ever(reader: &Reader, dir: &DirHistory) -> (BTreeMap<Vec<u8>, Kinds>, Result<()>) {
    let mut names: BTreeMap<Vec<u8>, Kinds> = BTreeMap::new();
    let mut outcome = Ok(());
    let mut known = HashSet::new();
    let mut pending: Vec<BlobId> = dir.states.iter().rev().filter_map(|state| state.tree).collect();
    if dir.states.iter().any(|state| state.tree.is_none()) {
        outcome = Err(Error::Unreadable { what: "a directory was unreadable".into() });
    }
    while let Some(tree) = pending.pop() {
        if !known.insert(tree) {
            continue;
        }
        match reader.tree(&tree) {
            Ok(Tree::Leaves(leaves)) => pending.extend(leaves.iter().map(|leaf| leaf.id)),
            Ok(Tree::Nodes { nodes, .. }) => {
                for node in nodes {
                    let kinds = names.entry(node.name).or_default();
                    match node.kind {
                        Kind::Directory => kinds.directory = true,
                        _ => kinds.other = true,
                    }
                }
            }
            Err(error) => outcome = outcome.and(Err(error)),
        }
    }
    (names, outcome)
}
