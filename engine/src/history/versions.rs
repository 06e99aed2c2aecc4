//! The past of one path: which tree a directory had in each snapshot, which versions a name had.
//!
//! A *series* is the snapshots of one machine. A *version* of a name is a run of consecutive
//! snapshots of a series in which its content did not change; snapshots whose sources do not reach
//! the path say nothing of it. So a file that changes and changes back has three versions, and one
//! that was gone meanwhile a new one. Trees that snapshots share are read once.

use std::collections::HashMap;
use std::sync::Arc;

use yore_platform::Kind;

use crate::error::Result;
use crate::format::content_id::{ContentId, content_id};
use crate::format::id::BlobId;
use crate::format::record::Snapshot;
use crate::format::tree::Node;
use crate::path::TreePath;
use crate::read::reader::Reader;
use crate::snapshots::order::SnapshotEntry;

use self::name_index::Stood;

mod changed_names;
mod dir_history;
mod locate;
mod name_index;
mod names_ever;

pub use dir_history::{DirHistory, DirState, descend, dir_history, top_history};
pub use locate::{LocatedNode, locate_node};
pub use names_ever::{ChildTrees, Kinds, child_trees, names_ever};

/// Snapshots in their order, among which one looks.
pub type Timeline = [SnapshotEntry];

/// A run of snapshots in which a name stood for the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The first of them, by its place in the timeline.
    pub first: usize,
    /// The last of them.
    pub last: usize,
    /// What it stood for in the first; `None` where it was gone.
    pub what: Option<LocatedNode>,
}

/// What makes two nodes the same version.
#[derive(PartialEq, Eq)]
enum Identity {
    File(ContentId),
    Directory(Option<BlobId>),
    Other(Kind, Vec<u8>, (u32, u32)),
}

impl Identity {
    fn of(node: &Node) -> Self {
        let device = (node.device_number.major, node.device_number.minor);
        match node.kind {
            Kind::File => Identity::File(content_id(node)),
            Kind::Directory => Identity::Directory(node.subtree),
            kind => Identity::Other(kind, node.target.clone(), device),
        }
    }
}

/// Every version that a path had, as [`versions`] tells them.
///
/// # Errors
/// A tree that can't be read.
pub fn path_versions(
    reader: &Reader,
    timeline: &Timeline,
    path: TreePath<'_>,
) -> Result<Vec<Version>> {
    let names: Vec<&[u8]> = path.components().collect();
    let Some((name, folders)) = names.split_last() else { return Ok(Vec::new()) };
    let top = top_history(timeline);
    let pasts = descend(reader, timeline, &top, &names)?;
    let dir = folders.len().checked_sub(1).and_then(|last| pasts.get(last)).unwrap_or(&top);
    versions(reader, timeline, dir, name)
}

/// Every version that a name of a directory had, also those in which it was gone after it had been
/// there, in order of their first snapshots.
///
/// # Errors
/// A tree that can't be read.
pub fn versions(
    reader: &Reader,
    timeline: &Timeline,
    dir: &DirHistory,
    name: &[u8],
) -> Result<Vec<Version>> {
    let path = dir.path.as_path().join(name);
    let all = dir.stood(reader, timeline, name)?;
    let mut open: HashMap<&str, Open<'_>> = HashMap::new();
    let mut versions: Vec<Version> = Vec::new();
    let mut states = dir.states.iter().zip(&*all).peekable();
    for (number, SnapshotEntry { snapshot, .. }) in timeline.iter().enumerate() {
        let state = states.next_if(|(state, _)| state.snapshot == number);
        if !covers_path(snapshot, path.as_path()) {
            continue;
        }
        let seen = match state {
            // What could not be read then is neither there nor gone.
            Some((_, Stood::Unreadable)) => continue,
            Some((_, Stood::There(seen))) => Some(seen),
            Some((_, Stood::Absent)) | None => None,
        };
        let host = snapshot.host.as_str();
        if let Some(open) = open.get_mut(host)
            && open.goes_on(seen)
        {
            versions[open.version].last = number;
        } else if open.contains_key(host) || seen.is_some() {
            open.insert(host, Open { version: versions.len(), seen, identity: None });
            let what = seen.map(|seen| LocatedNode::clone(seen));
            versions.push(Version { first: number, last: number, what });
        }
    }
    Ok(versions)
}

/// The newest version of a machine, while one looks how far it goes.
struct Open<'a> {
    /// Its place among the versions.
    version: usize,
    /// What it stands for.
    seen: Option<&'a Arc<LocatedNode>>,
    /// Worked out when it is compared with another.
    identity: Option<Identity>,
}

impl Open<'_> {
    /// Whether what a name stands for next is the same.
    fn goes_on(&mut self, next: Option<&Arc<LocatedNode>>) -> bool {
        match (self.seen, next) {
            (None, None) => true,
            (Some(seen), Some(next)) if Arc::ptr_eq(seen, next) => true,
            (Some(seen), Some(next)) => {
                let identity = self.identity.get_or_insert_with(|| Identity::of(&seen.node));
                *identity == Identity::of(&next.node)
            }
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}

/// Whether a snapshot tells what there was at a path: a source holds it, or lies below it, and the path was not left
/// out of it.
pub fn covers_path(snapshot: &Snapshot, path: TreePath<'_>) -> bool {
    let mut sources = snapshot.sources.iter().map(|source| TreePath::new(source));
    let mut left_out = snapshot.uncovered.iter().map(|path| TreePath::new(path));
    sources.any(|source| path.starts_with(source) || source.starts_with(path))
        && !left_out.any(|left_out| path.starts_with(left_out))
}

#[cfg(test)]
mod tests;
