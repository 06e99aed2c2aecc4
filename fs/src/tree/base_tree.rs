//! The numbers that files of a changed directory take over from its base tree (see `inode::sharing`).

use std::sync::{Arc, OnceLock};

use yore_platform::VolumeError;

use crate::error::Answer;
use crate::inode::number::{NodeNo, SnapshotNo, TreeNo};
use crate::inode::sharing::{SharedNumbers, share};
use crate::inode::tables::{Slot, TreeSource};
use crate::tree::core::Core;
use crate::tree::directories::{Directory, Leaf, Nodes};

/// Returns the numbers that the nodes of a tree, or of a leaf of it, take over from its base.
///
/// `part` is the tree itself or one of its leaves. The first call reads the base.
pub(crate) fn shared_numbers(
    core: &Core,
    tree: TreeNo,
    part: TreeNo,
    nodes: &Nodes,
) -> Option<Arc<OnceLock<SharedNumbers>>> {
    let Slot { base, numbers } = core.tables.slot(tree, part)?;
    // Numbers of their own serve as well, where the base can't be read.
    numbers.get_or_init(|| compare(core, base, part, nodes).unwrap_or_default());
    Some(numbers)
}

fn compare(core: &Core, base: TreeNo, part: TreeNo, nodes: &Nodes) -> Answer<SharedNumbers> {
    let TreeSource::Blob(id, origin) = core.tables.tree(base)? else {
        return Ok(SharedNumbers::default());
    };
    let directory = core.directories.get(&core.reader, &id)?;
    let (base, directory) = match (&*directory, nodes.nodes.first()) {
        (Directory::Nodes(_), _) => (base, directory),
        (Directory::Leaves(leaves), Some(first)) => {
            leaf_holding(core, origin, leaves, &first.name)?
        }
        (Directory::Leaves(_), None) => return Ok(SharedNumbers::default()),
    };
    if base == part {
        return Ok(SharedNumbers::default());
    }
    let before = core.tables.shared_of(base);
    let before = before.as_ref().and_then(|numbers| numbers.get());
    Ok(share(&directory.nodes()?.nodes, &nodes.nodes, |position| {
        before.and_then(|shared| shared.number(position)).or_else(|| NodeNo::new(base, position))
    }))
}

fn leaf_holding(
    core: &Core,
    origin: SnapshotNo,
    leaves: &[Leaf],
    name: &[u8],
) -> Answer<(TreeNo, Arc<Directory>)> {
    let after = leaves.partition_point(|leaf| leaf.leaf.first.as_slice() <= name);
    let n = after.saturating_sub(1);
    let directory = core.directories.leaf(&core.reader, leaves, n)?;
    let leaf = leaves.get(n).ok_or(VolumeError::Damaged)?;
    Ok((core.tables.tree_of_blob(leaf.leaf.id, origin)?, directory))
}
