//! The tree of a state: one snapshot's as it is, or several laid over each other.

use std::collections::BTreeMap;
use std::sync::Arc;

use yore_platform::Kind;

use crate::error::{Error, Refusal, Result};
use crate::format::id::BlobId;
use crate::format::tree::{Flags, Node};
use crate::read::reader::Reader;
use crate::snapshots::moment::Part;

/// The longest path, in bytes, that is followed: deeper trees were made to do harm.
pub const LONGEST_PATH: usize = 64 << 10;

/// Fails below a path that is too long to be followed.
pub(crate) fn must_be_followed(path: &[u8]) -> Result<()> {
    if path.len() <= LONGEST_PATH {
        return Ok(());
    }
    Err(Refusal::TooDeep.into())
}

/// A directory as it is seen.
#[derive(Debug, Clone)]
pub enum DirRef {
    /// A tree of the repository.
    Tree(BlobId),
    /// Put together from several snapshots; in memory, since there are few of them.
    Merged(Arc<Vec<SeenNode>>),
    /// It could not be read when it was backed up.
    Unreadable,
    /// What the repository has of it can't be read now; why, in words.
    Damaged(Arc<str>),
}

/// A node of a merged directory.
#[derive(Debug, Clone)]
pub struct SeenNode {
    /// The node.
    pub node: Node,
    /// What it holds, if it is a directory.
    pub dir: Option<DirRef>,
}

impl SeenNode {
    /// Takes a node as the repository has it.
    pub fn of(node: Node) -> Self {
        let dir = (node.kind == Kind::Directory)
            .then(|| node.subtree.map_or(DirRef::Unreadable, DirRef::Tree));
        Self { node, dir }
    }
}

/// Puts the tree of a state together.
///
/// A single snapshot's tree is taken as it is. Otherwise each part is laid over those before it:
/// its source replaces what is there, and the directories above it are merged.
pub fn merge(reader: &Reader, parts: &[Part<'_>]) -> Result<DirRef> {
    if let Some(first) = parts.first()
        && parts.iter().all(|part| part.snapshot.id == first.snapshot.id)
    {
        return Ok(DirRef::Tree(first.snapshot.snapshot.root));
    }
    let mut root = Building::default();
    for part in parts {
        let components: Vec<&[u8]> =
            part.source.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).collect();
        let top = DirRef::Tree(part.snapshot.snapshot.root);
        match components.is_empty() {
            true => root = Building::open(reader, &top)?,
            // Damage stays with the part that is damaged.
            false => match root.lay(reader, &top, &components) {
                Ok(()) => {}
                Err(error) => root.lay_damage(part, &components, error),
            },
        }
    }
    Ok(root.finish())
}

/// A directory that is being put together.
#[derive(Default)]
struct Building {
    entries: BTreeMap<Vec<u8>, Entry>,
}

enum Entry {
    Seen(SeenNode),
    Open(Node, Building),
}

impl Building {
    fn open(reader: &Reader, dir: &DirRef) -> Result<Self> {
        let mut entries = BTreeMap::new();
        if let DirRef::Tree(id) = dir {
            let mut nodes = reader.nodes(id)?;
            while let Some(node) = nodes.try_next()? {
                entries.insert(node.name.clone(), Entry::Seen(SeenNode::of(node)));
            }
        }
        Ok(Self { entries })
    }

    /// Lays the node at `path` below `from` over this directory.
    fn lay(&mut self, reader: &Reader, from: &DirRef, path: &[&[u8]]) -> Result<()> {
        let Some((name, rest)) = path.split_first() else { return Ok(()) };
        let DirRef::Tree(tree) = from else { return Ok(()) };
        // A source that could not be read then is in no tree.
        let Some(node) = reader.find_node(tree, name)? else { return Ok(()) };
        let seen = SeenNode::of(node);
        let (Some(dir), false) = (&seen.dir, rest.is_empty()) else {
            self.entries.insert(name.to_vec(), Entry::Seen(seen));
            return Ok(());
        };
        let (before, mut below) = match self.entries.remove(*name) {
            Some(Entry::Open(node, below)) => (node.flags, below),
            Some(Entry::Seen(SeenNode { node, dir: Some(dir) })) => {
                (node.flags, Building::open(reader, &dir)?)
            }
            Some(Entry::Seen(_)) | None => (Flags::default(), Building::default()),
        };
        below.lay(reader, dir, rest)?;
        let mut node = seen.node;
        // What else is in it is as the part before has it, and as far as that has it.
        node.flags.0 |= before.0 & (Flags::INCOMPLETE.0 | Flags::STALE.0);
        self.entries.insert(name.to_vec(), Entry::Open(node, below));
        Ok(())
    }

    /// Shows, where the source of a part should be, that it can't be read.
    fn lay_damage(&mut self, part: &Part<'_>, path: &[&[u8]], error: Error) {
        let Some((name, rest)) = path.split_first() else { return };
        let time = part.snapshot.snapshot.time;
        if rest.is_empty() {
            let dir = Some(DirRef::Damaged(error.with_cause().into()));
            let node = Node::new(name, Kind::Directory, time);
            self.entries.insert(name.to_vec(), Entry::Seen(SeenNode { node, dir }));
            return;
        }
        let (node, mut below) = match self.entries.remove(*name) {
            Some(Entry::Open(node, below)) => (node, below),
            Some(entry @ Entry::Seen(_)) => {
                // A whole directory of another part: what would lie in it is told by `check`.
                self.entries.insert(name.to_vec(), entry);
                return;
            }
            None => (Node::new(name, Kind::Directory, time), Building::default()),
        };
        below.lay_damage(part, rest, error);
        self.entries.insert(name.to_vec(), Entry::Open(node, below));
    }

    fn finish(self) -> DirRef {
        let finish = |entry| match entry {
            Entry::Seen(seen) => seen,
            Entry::Open(node, below) => SeenNode { node, dir: Some(below.finish()) },
        };
        DirRef::Merged(Arc::new(self.entries.into_values().map(finish).collect()))
    }
}

/// Finds what a path stands for; `None` when there is no such path. Components are joined by `/`;
/// empty ones do not count. The root itself has no node.
pub fn find(reader: &Reader, root: &DirRef, path: &[u8]) -> Result<Option<Found>> {
    let mut found = Found::Root(root.clone());
    for name in path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
        let dir = match &found {
            Found::Root(dir) => Some(dir),
            Found::Node(seen) => seen.dir.as_ref(),
        };
        let seen = match dir {
            None => None,
            Some(dir) => child(reader, dir, name)?,
        };
        match seen {
            Some(seen) => found = Found::Node(seen),
            None => return Ok(None),
        }
    }
    Ok(Some(found))
}

/// Cuts a state down to what is at `path` and the directories above it.
///
/// # Errors
/// [`Error::NotFound`] where there is nothing.
pub(crate) fn alone(reader: &Reader, root: &DirRef, path: &[u8]) -> Result<DirRef> {
    let mut above = Vec::new();
    let mut dir = root.clone();
    let mut names = path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).peekable();
    while let Some(name) = names.next() {
        let found = child(reader, &dir, name)?;
        let what = || String::from_utf8_lossy(path).into_owned();
        let mut seen = found.ok_or_else(|| Error::NotFound { what: what() })?;
        if names.peek().is_some() {
            dir = seen.dir.take().ok_or_else(|| Error::NotFound { what: what() })?;
        }
        above.push(seen);
    }
    let Some(last) = above.pop() else { return Ok(dir) };
    let lone = |seen| DirRef::Merged(Arc::new(vec![seen]));
    Ok(above.into_iter().rev().fold(lone(last), |below, mut seen| {
        seen.dir = Some(below);
        lone(seen)
    }))
}

/// What a path stands for.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "one or two are alive at a time")]
pub enum Found {
    /// The top of a state.
    Root(DirRef),
    /// Anything below it.
    Node(SeenNode),
}

/// Finds one name of a directory.
///
/// # Errors
/// [`Error::Unreadable`] for a directory that could not be read when it was backed up.
pub fn child(reader: &Reader, dir: &DirRef, name: &[u8]) -> Result<Option<SeenNode>> {
    match dir {
        DirRef::Tree(id) => Ok(reader.find_node(id, name)?.map(SeenNode::of)),
        DirRef::Merged(nodes) => {
            let at = nodes.binary_search_by(|seen| seen.node.name.as_slice().cmp(name)).ok();
            Ok(at.and_then(|at| nodes.get(at)).cloned())
        }
        DirRef::Unreadable => Err(unreadable()),
        DirRef::Damaged(why) => Err(damaged(why)),
    }
}

/// Hands every node of a directory to `each`, in order of names.
///
/// # Errors
/// Those of `each`, at once. What can't be read or presented is told after everything that can.
pub fn children(
    reader: &Reader,
    dir: &DirRef,
    each: &mut dyn FnMut(SeenNode) -> Result<()>,
) -> Result<()> {
    match dir {
        DirRef::Tree(id) => {
            let mut nodes = reader.nodes(id)?;
            let mut first_error = None;
            loop {
                match nodes.try_next() {
                    Ok(Some(node)) => each(SeenNode::of(node))?,
                    Ok(None) => break,
                    // What comes after a leaf that can't be read is listed all the same.
                    Err(error) => drop(first_error.get_or_insert(error)),
                }
            }
            let strange = nodes.take_strange();
            match (first_error, strange.first()) {
                (Some(error), _) => Err(error),
                (None, None) => Ok(()),
                (None, Some(first)) => {
                    let name = String::from_utf8_lossy(&first.name);
                    let others = match strange.len() - 1 {
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
        DirRef::Merged(nodes) => nodes.iter().try_for_each(|seen| each(seen.clone())),
        DirRef::Unreadable => Err(unreadable()),
        DirRef::Damaged(why) => Err(damaged(why)),
    }
}

/// What is told of a directory that the repository has lost.
pub(crate) fn damaged(why: &str) -> Error {
    Error::Unreadable { what: format!("the directory can't be read: {why}") }
}

/// What is told of a directory that could not be read when it was backed up.
pub(crate) fn unreadable() -> Error {
    Error::Unreadable { what: "the directory could not be read when it was backed up".into() }
}
