//! Laying the parts of a state over each other.

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
        let components: Vec<&[u8]> = part.source.components().collect();
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
    Seen(ResolvedNode),
    Open(Node, Building),
}

impl Building {
    fn open(reader: &Reader, dir: &DirRef) -> Result<Self> {
        let mut entries = BTreeMap::new();
        if let DirRef::Tree(id) = dir {
            let mut nodes = reader.nodes(id)?;
            while let Some(node) = nodes.try_next()? {
                entries.insert(node.name.clone(), Entry::Seen(ResolvedNode::of(node)));
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
        let seen = ResolvedNode::of(node);
        let (Some(dir), false) = (&seen.dir, rest.is_empty()) else {
            self.entries.insert(name.to_vec(), Entry::Seen(seen));
            return Ok(());
        };
        let (before, mut below) = match self.entries.remove(*name) {
            Some(Entry::Open(node, below)) => (node.flags, below),
            Some(Entry::Seen(ResolvedNode { node, dir: Some(dir) })) => {
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
            self.entries.insert(name.to_vec(), Entry::Seen(ResolvedNode { node, dir }));
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
            Entry::Open(node, below) => ResolvedNode { node, dir: Some(below.finish()) },
        };
        DirRef::Merged(Arc::new(self.entries.into_values().map(finish).collect()))
    }
}
