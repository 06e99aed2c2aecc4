//! The trees of states: merged from those of their snapshots on entry.

use std::sync::Arc;

use yore_engine::TreePath;
use yore_engine::read::{DirRef, merge};
use yore_engine::snapshots::{Part, SnapshotEntry};

use crate::error::{Answer, damaged};
use crate::inode::place::TopTree;
use crate::inode::state::{State, StatePart, StateParts};
use crate::inode::tables::Tables;
use crate::path::Path;
use crate::tree::core::Core;

/// Returns the top of a state; merges it the first time.
pub(crate) fn top(core: &Core, state: &State) -> Answer<DirRef> {
    state.top_or(|| match &state.parts {
        StateParts::Empty => Ok(DirRef::Merged(Arc::default())),
        StateParts::Whole(origin) => Ok(DirRef::Tree(core.tables.snapshot(*origin)?.snapshot.root)),
        StateParts::Sources(parts) => merge_sources(core, parts),
    })
}

fn merge_sources(core: &Core, parts: &[StatePart]) -> Answer<DirRef> {
    let snapshots: Vec<Arc<SnapshotEntry>> =
        parts.iter().map(|part| core.tables.snapshot(part.origin)).collect::<Answer<_>>()?;
    let sources = parts.iter().map(|part| part.source.as_slice());
    let parts: Vec<Part<'_>> = sources
        .zip(&snapshots)
        .map(|(source, snapshot)| Part { source: TreePath::new(source), snapshot })
        .collect();
    merge(&core.reader, &parts).map_err(damaged)
}

/// Numbers the tree of a directory at a path of a merged one.
pub(crate) fn number_tree(
    tables: &Tables,
    state: &Arc<State>,
    path: &Path,
    dir: &DirRef,
) -> Answer<TopTree> {
    let origin = state.origin(path);
    let tree = match (dir, origin) {
        (DirRef::Merged(nodes), _) => {
            Some(tables.add_merged(Arc::clone(state), Arc::clone(path), Arc::clone(nodes))?)
        }
        (DirRef::Tree(id), Some(origin)) => Some(tables.tree_of_blob(*id, origin)?),
        (DirRef::Tree(_), None) | (DirRef::Unreadable | DirRef::Damaged(_), _) => None,
    };
    Ok(TopTree { origin, tree })
}
