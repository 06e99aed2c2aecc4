//! The tree of a state: one snapshot's as it is, or several laid over each other.

use std::sync::Arc;

use yore_platform::Kind;

use crate::error::{Error, Refusal, Result};
use crate::format::id::BlobId;
use crate::format::tree::Node;
use crate::path::TreePath;
use crate::read::reader::Reader;

/// The longest path, in bytes, that is followed: only a hostile tree is deeper.
pub const LONGEST_PATH: usize = 64 << 10;

/// Fails for a path that is too long to be followed.
pub(crate) fn check_length(path: TreePath<'_>) -> Result<()> {
    if path.as_bytes().len() <= LONGEST_PATH {
        return Ok(());
    }
    Err(Refusal::TooDeep.into())
}

/// A directory of a state, whose nodes are stored or put together.
#[derive(Debug, Clone)]
pub enum DirRef {
    /// A tree of the repository.
    Tree(BlobId),
    /// Put together from several snapshots; in memory, since there are few of them.
    Merged(Arc<Vec<ResolvedNode>>),
    /// It could not be read when it was backed up.
    Unreadable,
    /// The repository has lost it; the error, in words.
    Damaged(Arc<str>),
}

/// A node of a state, with the directory that it stands for there.
#[derive(Debug, Clone)]
pub struct ResolvedNode {
    /// The node.
    pub node: Node,
    /// Its directory, if it is one; in a merged state not the node's own subtree.
    pub dir: Option<DirRef>,
}

impl ResolvedNode {
    /// Takes a node with its own subtree.
    pub fn of(node: Node) -> Self {
        let dir = (node.kind == Kind::Directory)
            .then(|| node.subtree.map_or(DirRef::Unreadable, DirRef::Tree));
        Self { node, dir }
    }
}

/// Looks a path up; returns `None` when there is no such path. The root itself has no node.
pub fn find(reader: &Reader, root: &DirRef, path: TreePath<'_>) -> Result<Option<Lookup>> {
    let mut found = Lookup::Root(root.clone());
    for name in path.components() {
        let dir = match &found {
            Lookup::Root(dir) => Some(dir),
            Lookup::Node(entry) => entry.dir.as_ref(),
        };
        let entry = match dir {
            None => None,
            Some(dir) => child(reader, dir, name)?,
        };
        match entry {
            Some(entry) => found = Lookup::Node(entry),
            None => return Ok(None),
        }
    }
    Ok(Some(found))
}

/// Cuts a state down to what is at `path` and the directories above it.
///
/// # Errors
/// [`Error::NotFound`] where there is nothing.
pub(crate) fn alone(reader: &Reader, root: &DirRef, path: TreePath<'_>) -> Result<DirRef> {
    let mut above = Vec::new();
    let mut dir = root.clone();
    let mut names = path.components().peekable();
    while let Some(name) = names.next() {
        let found = child(reader, &dir, name)?;
        let what = || path.to_string();
        let mut entry = found.ok_or_else(|| Error::NotFound { what: what() })?;
        if names.peek().is_some() {
            dir = entry.dir.take().ok_or_else(|| Error::NotFound { what: what() })?;
        }
        above.push(entry);
    }
    let Some(last) = above.pop() else { return Ok(dir) };
    let lone = |entry| DirRef::Merged(Arc::new(vec![entry]));
    Ok(above.into_iter().rev().fold(lone(last), |below, mut entry| {
        entry.dir = Some(below);
        lone(entry)
    }))
}

/// The result of looking a path up.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "one or two are alive at a time")]
pub enum Lookup {
    /// The top of a state.
    Root(DirRef),
    /// Anything below it.
    Node(ResolvedNode),
}

/// Finds one name of a directory.
///
/// # Errors
/// [`Error::Unreadable`] for a directory that could not be read when it was backed up.
pub fn child(reader: &Reader, dir: &DirRef, name: &[u8]) -> Result<Option<ResolvedNode>> {
    match dir {
        DirRef::Tree(id) => Ok(reader.find_node(id, name)?.map(ResolvedNode::of)),
        DirRef::Merged(nodes) => {
            let at = nodes.binary_search_by(|entry| entry.node.name.as_slice().cmp(name)).ok();
            Ok(at.and_then(|at| nodes.get(at)).cloned())
        }
        DirRef::Unreadable => Err(unreadable()),
        DirRef::Damaged(why) => Err(damaged(why)),
    }
}

/// Hands every node of a directory to `each`, in order of names.
///
/// # Errors
/// Those of `each`, at once. The first unreadable leaf or invalid node is reported after all others
/// were handed over.
pub fn children(
    reader: &Reader,
    dir: &DirRef,
    each: &mut dyn FnMut(ResolvedNode) -> Result<()>,
) -> Result<()> {
    match dir {
        DirRef::Tree(id) => {
            let mut nodes = reader.nodes(id)?;
            let mut first_error = None;
            loop {
                match nodes.try_next() {
                    Ok(Some(node)) => each(ResolvedNode::of(node))?,
                    Ok(None) => break,
                    // The leaves behind it are listed all the same.
                    Err(error) => drop(first_error.get_or_insert(error)),
                }
            }
            let invalid = nodes.take_invalid();
            match (first_error, invalid.first()) {
                (Some(error), _) => Err(error),
                (None, None) => Ok(()),
                (None, Some(first)) => {
                    let name = TreePath::new(&first.name);
                    let others = match invalid.len() - 1 {
                        0 => String::new(),
                        others => format!(" (and {others} others here)"),
                    };
                    Err(Error::Damaged {
                        object: format!("the node {name:?}{others}"),
                        reason: first.reason,
                    })
                }
            }
        }
        DirRef::Merged(nodes) => nodes.iter().try_for_each(|entry| each(entry.clone())),
        DirRef::Unreadable => Err(unreadable()),
        DirRef::Damaged(why) => Err(damaged(why)),
    }
}

/// Returns the error of a directory that the repository has lost.
pub(crate) fn damaged(why: &str) -> Error {
    Error::Unreadable { what: format!("the directory can't be read: {why}") }
}

/// Returns the error of a directory that could not be read when it was backed up.
pub(crate) fn unreadable() -> Error {
    Error::Unreadable { what: "the directory could not be read when it was backed up".into() }
}
