//! Laying the parts of a state over each other.
//!
//! Each part's source replaces what earlier parts have there; the directories above a source are
//! merged, and keep what other parts put into them.
//!
//! Example: the parts `home` (Monday's snapshot) and, inside of it, `home/me` (Tuesday's).
//!
//! ```text
//! Monday        Tuesday       state
//! home          home          home       merged: Tuesday's node, entries of both
//!   me            me            me       Tuesday's tree, by reference
//!     plan          new
//!   guest                       guest    Monday's tree, by reference
//! ```
//!
//! Only `home` is put together in memory; trees below it are referred to and not read.

use std::collections::BTreeMap;
use std::sync::Arc;

use yore_platform::Kind;

use crate::error::{Error, Result};
use crate::format::tree::{Flags, Node};
use crate::read::reader::Reader;
use crate::read::state_tree::{DirRef, ResolvedNode};
use crate::snapshots::moment::Part;

/// Puts the tree of a state together.
///
/// The tree of a single snapshot is taken as it is. Damage stays with the part that is damaged: its
/// source is shown as a directory that can't be read.
pub fn merge(reader: &Reader, parts: &[Part<'_>]) -> Result<DirRef> {
    if let Some(first) = parts.first()
        && parts.iter().all(|part| part.snapshot.id == first.snapshot.id)
    {
        return Ok(DirRef::Tree(first.snapshot.snapshot.root));
    }
    let mut root = Overlay::default();
    for part in parts {
        let components: Vec<&[u8]> = part.source.components().collect();
        let top = DirRef::Tree(part.snapshot.snapshot.root);
        match components.is_empty() {
            true => root = Overlay::open(reader, &top)?,
            false => match root.lay(reader, &top, &components) {
                Ok(()) => {}
                Err(error) => root.lay_damage(part, &components, error),
            },
        }
    }
    Ok(root.finish())
}

/// A directory while parts are laid over it.
#[derive(Default)]
struct Overlay {
    entries: BTreeMap<Vec<u8>, Entry>,
}

enum Entry {
    /// An entry that no other part changed.
    Whole(ResolvedNode),
    /// A directory into which sources were laid.
    Merged(Node, Overlay),
}

impl Overlay {
    fn open(reader: &Reader, dir: &DirRef) -> Result<Self> {
        let mut entries = BTreeMap::new();
        if let DirRef::Tree(id) = dir {
            let mut nodes = reader.nodes(id)?;
            while let Some(node) = nodes.try_next()? {
                entries.insert(node.name.clone(), Entry::Whole(ResolvedNode::of(node)));
            }
        }
        Ok(Self { entries })
    }

    /// Lays the node at `path` below `from` over this directory.
    fn lay(&mut self, reader: &Reader, from: &DirRef, path: &[&[u8]]) -> Result<()> {
        let Some((name, rest)) = path.split_first() else { return Ok(()) };
        let DirRef::Tree(tree) = from else { return Ok(()) };
        // A source that could not be read at the backup is in no tree.
        let Some(node) = reader.find_node(tree, name)? else { return Ok(()) };
        let entry = ResolvedNode::of(node);
        let (Some(dir), false) = (&entry.dir, rest.is_empty()) else {
            self.entries.insert(name.to_vec(), Entry::Whole(entry));
            return Ok(());
        };
        let (before, mut below) = match self.entries.remove(*name) {
            Some(Entry::Merged(node, below)) => (node.flags, below),
            Some(Entry::Whole(ResolvedNode { node, dir: Some(dir) })) => {
                (node.flags, Overlay::open(reader, &dir)?)
            }
            Some(Entry::Whole(_)) | None => (Flags::default(), Overlay::default()),
        };
        below.lay(reader, dir, rest)?;
        let mut node = entry.node;
        // Its other entries are those of the part before, as complete as that one has them.
        node.flags.0 |= before.0 & (Flags::INCOMPLETE.0 | Flags::STALE.0);
        self.entries.insert(name.to_vec(), Entry::Merged(node, below));
        Ok(())
    }

    /// Puts a directory that can't be read in the place of a part's source.
    fn lay_damage(&mut self, part: &Part<'_>, path: &[&[u8]], error: Error) {
        let Some((name, rest)) = path.split_first() else { return };
        let time = part.snapshot.snapshot.time;
        if rest.is_empty() {
            let dir = Some(DirRef::Damaged(error.with_cause().into()));
            let node = Node::new(name, Kind::Directory, time);
            self.entries.insert(name.to_vec(), Entry::Whole(ResolvedNode { node, dir }));
            return;
        }
        let (node, mut below) = match self.entries.remove(*name) {
            Some(Entry::Merged(node, below)) => (node, below),
            Some(entry @ Entry::Whole(_)) => {
                // It is a whole directory of another part, which is worth more than the error;
                // `check` reports the damage.
                self.entries.insert(name.to_vec(), entry);
                return;
            }
            None => (Node::new(name, Kind::Directory, time), Overlay::default()),
        };
        below.lay_damage(part, rest, error);
        self.entries.insert(name.to_vec(), Entry::Merged(node, below));
    }

    fn finish(self) -> DirRef {
        let finish = |entry| match entry {
            Entry::Whole(entry) => entry,
            Entry::Merged(node, below) => ResolvedNode { node, dir: Some(below.finish()) },
        };
        DirRef::Merged(Arc::new(self.entries.into_values().map(finish).collect()))
    }
}
