//! The versions of a path: the runs of snapshots in which it was the same.
//!
//! A *series* is the snapshots of one machine. A *version* of a name is a run of consecutive
//! snapshots of a series in which its content did not change. A snapshot that does not cover the
//! path, and one in which its directory could not be read, neither ends nor continues a run.
//!
//! Example: the file `home/me/plan` on two machines; `-` is absent.
//!
//! ```text
//! snapshot   0     1     2     3       4     5     6     7
//! machine    one   one   one   other   one   one   one   one
//! source     home  home  home  home    mail  home  home  home
//! plan       v1    v1    v2    v2      -     -     v1    v1
//!
//! versions of one:     v1 in 0 to 1, v2 in 2, deleted in 5, v1 in 6 to 7
//! versions of other:   v2 in 3
//! ```
//!
//! Snapshot 4 has only `mail`, so it says nothing about the file. A file that changes and changes
//! back has three versions; absence before the first version of a series is no version.

use std::collections::HashMap;
use std::sync::Arc;

use yore_platform::{DeviceNumber, Kind};

use crate::error::Result;
use crate::format::content_id::{ContentId, content_id};
use crate::format::id::BlobId;
use crate::format::record::Snapshot;
use crate::format::tree::Node;
use crate::path::TreePath;
use crate::read::reader::Reader;
use crate::snapshots::order::SnapshotEntry;

use self::name_index::NameState;

mod changed_names;
mod dir_history;
mod locate;
mod name_index;
mod names_ever;

pub use dir_history::{DirHistory, DirState, descend, dir_history, top_history};
pub use locate::{LocatedNode, locate_node};
pub use names_ever::{ChildTrees, Kinds, child_trees, names_ever};

/// Snapshots in their order, the domain of a history.
pub type Timeline = [SnapshotEntry];

/// A run of snapshots in which a name was the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The first of them, by its place in the timeline.
    pub first: usize,
    /// The last of them.
    pub last: usize,
    /// Its node in the first of them; `None` where it was deleted.
    pub what: Option<LocatedNode>,
}

/// The part of a node that two nodes of one version share.
#[derive(PartialEq, Eq)]
enum Identity {
    File(ContentId),
    Directory(Option<BlobId>),
    Other { kind: Kind, target: Vec<u8>, device: DeviceNumber },
}

impl Identity {
    fn of(node: &Node) -> Self {
        match node.kind {
            Kind::File => Identity::File(content_id(node)),
            Kind::Directory => Identity::Directory(node.subtree),
            kind => {
                let (target, device) = (node.target.clone(), node.device_number);
                Identity::Other { kind, target, device }
            }
        }
    }
}

/// Returns every version that a path had, as [`versions`] does.
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
    let histories = descend(reader, timeline, &top, &names)?;
    let dir = folders.len().checked_sub(1).and_then(|last| histories.get(last)).unwrap_or(&top);
    versions(reader, timeline, dir, name)
}

/// Returns every version that a name of a directory had, in order of their first snapshots; those
/// in which it was deleted are among them.
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
    let all = dir.states_of(reader, timeline, name)?;
    let mut open: HashMap<&str, Open<'_>> = HashMap::new();
    let mut versions: Vec<Version> = Vec::new();
    let mut states = dir.states.iter().zip(&*all).peekable();
    for (number, SnapshotEntry { snapshot, .. }) in timeline.iter().enumerate() {
        let state = states.next_if(|(state, _)| state.snapshot == number);
        if !covers_path(snapshot, path.as_path()) {
            continue;
        }
        let node = match state {
            // A directory that could not be read says neither that the name was there nor not.
            Some((_, NameState::Unreadable)) => continue,
            Some((_, NameState::Present(node))) => Some(node),
            Some((_, NameState::Absent)) | None => None,
        };
        let host = snapshot.host.as_str();
        if let Some(open) = open.get_mut(host)
            && open.continues(node)
        {
            versions[open.version].last = number;
        } else if open.contains_key(host) || node.is_some() {
            open.insert(host, Open { version: versions.len(), node, identity: None });
            let what = node.map(|node| LocatedNode::clone(node));
            versions.push(Version { first: number, last: number, what });
        }
    }
    Ok(versions)
}

/// The newest version of a machine so far.
struct Open<'a> {
    /// Its index among the versions.
    version: usize,
    /// Its node.
    node: Option<&'a Arc<LocatedNode>>,
    /// Computed when it is compared with another.
    identity: Option<Identity>,
}

impl Open<'_> {
    /// Reports whether the next state of the name belongs to it.
    fn continues(&mut self, next: Option<&Arc<LocatedNode>>) -> bool {
        match (self.node, next) {
            (None, None) => true,
            (Some(node), Some(next)) if Arc::ptr_eq(node, next) => true,
            (Some(node), Some(next)) => {
                let identity = self.identity.get_or_insert_with(|| Identity::of(&node.node));
                *identity == Identity::of(&next.node)
            }
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}

/// Reports whether a snapshot says what was at a path: a source holds it or lies below it, and the
/// path was not left out.
pub fn covers_path(snapshot: &Snapshot, path: TreePath<'_>) -> bool {
    let mut sources = snapshot.sources.iter().map(|source| TreePath::new(source));
    let mut left_out = snapshot.uncovered.iter().map(|path| TreePath::new(path));
    sources.any(|source| path.starts_with(source) || source.starts_with(path))
        && !left_out.any(|left_out| path.starts_with(left_out))
}

#[cfg(test)]
mod tests;
