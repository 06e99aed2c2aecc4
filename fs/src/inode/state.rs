//! States: the trees under `latest` and under each name of `snapshots` and `at`.

use std::sync::{Arc, Mutex, PoisonError};

use yore_engine::TreePath;
use yore_engine::read::DirRef;
use yore_platform::Timestamp;

use crate::error::Answer;
use crate::inode::number::{SnapshotNo, StateNo};

/// The snapshots that make up a state.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum StateParts {
    /// None: there is no snapshot.
    Empty,
    /// One snapshot as it is.
    Whole(SnapshotNo),
    /// Sources of several snapshots, the later over the earlier.
    Sources(Vec<StatePart>),
}

/// A source, and the snapshot from which it is taken.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct StatePart {
    pub(crate) source: Vec<u8>,
    pub(crate) origin: SnapshotNo,
}

/// The tree under one name.
pub(crate) struct State {
    pub(crate) number: StateNo,
    pub(crate) parts: StateParts,
    /// The end of the newest of its snapshots.
    pub(crate) modified: Timestamp,
    /// Guards the top, once it is merged.
    top: Mutex<Option<DirRef>>,
}

impl State {
    pub(crate) fn new(number: StateNo, parts: StateParts, modified: Timestamp) -> Arc<Self> {
        Arc::new(Self { number, parts, modified, top: Mutex::new(None) })
    }

    /// Returns the snapshot of what lies at `path`; where several do, the newest of the state.
    pub(crate) fn origin(&self, path: &[u8]) -> Option<SnapshotNo> {
        match &self.parts {
            StateParts::Empty => None,
            StateParts::Whole(origin) => Some(*origin),
            StateParts::Sources(parts) => {
                let holding = parts.iter().rfind(|part| holds(&part.source, path));
                holding.or(parts.last()).map(|part| part.origin)
            }
        }
    }

    /// Returns the top; `merge` makes it the first time, while a second caller waits for it.
    pub(crate) fn top_or(&self, merge: impl FnOnce() -> Answer<DirRef>) -> Answer<DirRef> {
        let mut top = self.top.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(top) = &*top {
            return Ok(top.clone());
        }
        let merged = merge()?;
        *top = Some(merged.clone());
        Ok(merged)
    }
}

/// Reports whether the source at `outer` is, or holds, what is at `inner`.
fn holds(outer: &[u8], inner: &[u8]) -> bool {
    TreePath::new(inner).starts_with(TreePath::new(outer))
}
