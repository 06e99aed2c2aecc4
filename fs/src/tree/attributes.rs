//! Extended attributes: those that were backed up, and those that name the snapshot of a file.

use jiff::tz::TimeZone;
use yore_engine::format::{Node, Snapshot, SnapshotId, content_id};
use yore_engine::snapshots::SnapshotEntry;
use yore_platform::{Ino, Kind, VolumeError};

use crate::calendar::local;
use crate::error::Answer;
use crate::inode::number::{Inode, NodeNo, SnapshotNo};
use crate::inode::place::Body;
use crate::inode::tables::TreeSource;
use crate::path::join;
use crate::tree::core::Core;
use crate::tree::follow::current;
use crate::tree::node::with_node;

/// The value of an extended attribute.
///
/// Times are written in `zone`.
pub(crate) fn xattr(core: &Core, zone: &TimeZone, ino: Ino, name: &[u8]) -> Answer<Vec<u8>> {
    if let Some(value) = with_node(core, ino, &mut |node| recorded(node, name))?.flatten() {
        return Ok(value);
    }
    let ours = name.strip_prefix(b"user.yore.").ok_or(VolumeError::NoAttribute)?;
    if ours == b"id" {
        let id = |node: &Node| (node.kind == Kind::File).then(|| content_id(node).to_string());
        let id = with_node(core, ino, &mut |node| id(node))?.flatten();
        return id.map(String::into_bytes).ok_or(VolumeError::NoAttribute);
    }
    let origin = origin(core, ino)?.ok_or(VolumeError::NoAttribute)?;
    let SnapshotEntry { id, snapshot, .. } = &*core.tables.snapshot(origin)?;
    provenance(zone, ours, id, snapshot).ok_or(VolumeError::NoAttribute)
}

fn recorded(node: &Node, name: &[u8]) -> Option<Vec<u8>> {
    node.xattrs.iter().find(|(recorded, _)| recorded == name).map(|(_, value)| value.clone())
}

fn provenance(
    zone: &TimeZone,
    what: &[u8],
    id: &SnapshotId,
    snapshot: &Snapshot,
) -> Option<Vec<u8>> {
    match what {
        b"snapshot" => Some(id.to_string().into_bytes()),
        b"time" => {
            let time = local(snapshot.time, zone)?;
            Some(time.strftime("%Y-%m-%dT%H:%M:%S%.f%:z").to_string().into_bytes())
        }
        _ => None,
    }
}

/// The snapshot that has this file or directory.
fn origin(core: &Core, ino: Ino) -> Answer<Option<SnapshotNo>> {
    match Inode::of(ino).ok_or(VolumeError::Stale)? {
        Inode::Place(place) => match current(core, place)?.body {
            Body::Virtual(_) | Body::File(_) => Ok(None),
            Body::StateTop(state, _) => Ok(state.origin(b"")),
            Body::StateDir(dir) => Ok(dir.origin),
        },
        Inode::Node(node) => origin_of_node(core, node),
        Inode::Link(..) => Ok(None),
    }
}

fn origin_of_node(core: &Core, node: NodeNo) -> Answer<Option<SnapshotNo>> {
    match core.tables.tree(node.tree())? {
        TreeSource::Blob(_, origin) => Ok(Some(origin)),
        TreeSource::Merged { state, path, nodes } => {
            let seen = nodes.get(node.position()).ok_or(VolumeError::Stale)?;
            Ok(state.origin(&join(&path, &seen.node.name)))
        }
    }
}
