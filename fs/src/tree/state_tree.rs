//! States: the trees that stand under `latest` and under each name of `snapshots`.

use std::sync::{Arc, Mutex, PoisonError};

use yore_engine::{DirRef, Part, Reader, SnapshotEntry, merge};
use yore_platform::{Timestamp, VolumeError};

use crate::inode::number::TreeNo;
use crate::inode::place::Entered;
use crate::inode::tables::{OriginNo, Tables};
use crate::tree::node::damaged;

/// A state, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct StateNo(pub(crate) u64);

/// Of what a state is made.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Made {
    /// Of nothing: there is no snapshot.
    Empty,
    /// Of one snapshot as it is.
    Whole(OriginNo),
    /// Of sources of several snapshots, the later over the earlier.
    Parts(Vec<StatePart>),
}

/// A source, and the snapshot from which it is taken.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct StatePart {
    pub(crate) source: Vec<u8>,
    pub(crate) origin: OriginNo,
}

/// The tree under one name.
pub(crate) struct State {
    pub(crate) number: StateNo,
    pub(crate) made: Made,
    /// When the newest of its snapshots ended.
    pub(crate) modified: Timestamp,
    /// Guards the top, once it has been put together.
    top: Mutex<Option<DirRef>>,
}

impl State {
    pub(crate) fn new(number: StateNo, made: Made, modified: Timestamp) -> Self {
        Self { number, made, modified, top: Mutex::new(None) }
    }

    /// The snapshot of what lies at `path`; where several do, the newest of the state.
    pub(crate) fn origin(&self, path: &[u8]) -> Option<OriginNo> {
        match &self.made {
            Made::Empty => None,
            Made::Whole(origin) => Some(*origin),
            Made::Parts(parts) => {
                let holding = parts.iter().rfind(|part| holds(&part.source, path));
                holding.or(parts.last()).map(|part| part.origin)
            }
        }
    }

    /// Returns the top; puts it together the first time.
    pub(crate) fn top(&self, tables: &Tables, reader: &Reader) -> Result<DirRef, VolumeError> {
        // Whoever comes second waits, rather than do the same.
        let mut top = self.top.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(top) = &*top {
            return Ok(top.clone());
        }
        let made = put_together(tables, reader, self)?;
        *top = Some(made.clone());
        Ok(made)
    }
}

/// Whether the source at `outer` is, or holds, what is at `inner`.
fn holds(outer: &[u8], inner: &[u8]) -> bool {
    outer.is_empty()
        || inner.strip_prefix(outer).is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
}

fn put_together(tables: &Tables, reader: &Reader, state: &State) -> Result<DirRef, VolumeError> {
    match &state.made {
        Made::Empty => Ok(DirRef::Merged(Arc::default())),
        Made::Whole(origin) => Ok(DirRef::Tree(tables.origin(*origin)?.snapshot.root)),
        Made::Parts(parts) => {
            let origins: Vec<Arc<SnapshotEntry>> =
                parts.iter().map(|part| tables.origin(part.origin)).collect::<Result<_, _>>()?;
            let part = |(part, origin)| {
                let (part, origin): (&StatePart, &Arc<SnapshotEntry>) = (part, origin);
                Part { source: part.source.as_slice(), snapshot: origin }
            };
            let parts: Vec<Part<'_>> = parts.iter().zip(&origins).map(part).collect();
            merge(reader, &parts).map_err(damaged)
        }
    }
}

/// Numbers the tree of a directory of a state, at a path of a merged one.
pub(crate) fn numbered(
    tables: &Tables,
    state: &Arc<State>,
    path: &Arc<[u8]>,
    dir: &DirRef,
) -> Result<Entered, VolumeError> {
    let origin = state.origin(path);
    let tree = match (dir, origin) {
        (DirRef::Merged(nodes), _) => {
            Some(tables.add_merged(Arc::clone(state), Arc::clone(path), Arc::clone(nodes))?)
        }
        (DirRef::Tree(id), Some(origin)) => Some(tables.tree_of_blob(*id, origin)?),
        (DirRef::Tree(_), None) | (DirRef::Unreadable | DirRef::Damaged(_), _) => None,
    };
    Ok(Entered { origin, tree })
}

/// The number of the tree of a place inside a state.
///
/// # Errors
/// Damaged for a directory that could not be read when it was backed up: its list is not known,
/// which is not the same as empty.
pub(crate) fn tree_of(tree: Option<TreeNo>) -> Result<TreeNo, VolumeError> {
    tree.ok_or(VolumeError::Damaged)
}
