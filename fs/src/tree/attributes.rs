//! Attributes and extended attributes, as a node has them and as the drive shows them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use yore_engine::{Node, Snapshot, SnapshotEntry, SnapshotId, content_id};
use yore_platform::{Attr, DeviceNumber, Entry, Ino, Kind, Owner, Timestamp, VolumeError};

use crate::calendar::local;
use crate::inode::number::{NodeNo, Number};
use crate::inode::place::Body;
use crate::inode::tables::{LinkKey, OriginNo, TreeSource};
use crate::tree::follow::current;
use crate::tree::state_tree::StateNo;
use crate::volume::SnapshotVolume;

/// How long what may change is believed.
pub(crate) const SOON: Duration = Duration::from_secs(1);
/// The unit in which a file's occupied bytes are counted.
const BLOCK: u64 = 512;

/// What every file shown is changed to.
pub(crate) struct Presentation {
    /// Who owns everything, if it is not who owned it.
    pub(crate) owner: Option<Owner>,
    /// Who owns what no owner is known of.
    pub(crate) unknown: Owner,
    /// Permission bits that are taken away.
    pub(crate) umask: u32,
}

/// The entry of something that a backup has; the answer may be kept for `ttl`.
pub(crate) fn node_entry(
    presentation: &Presentation,
    ino: Ino,
    node: &Node,
    ttl: Duration,
) -> Entry {
    let is_directory = node.kind == Kind::Directory;
    let (mode, size) = match node.kind {
        Kind::Directory => (0o755, 0),
        Kind::Symlink => (0o777, node.target.len() as u64),
        Kind::File => (0o644, node.size),
        Kind::Fifo | Kind::Socket | Kind::CharDevice | Kind::BlockDevice => (0o644, 0),
    };
    let mode = node.mode.unwrap_or(mode);
    let masked = if node.kind == Kind::Symlink { mode } else { mode & !presentation.umask };
    let changed = node.changed.unwrap_or(node.modified);
    // One name tells programs that a directory's subdirectories are not counted, as on btrfs.
    let links = if is_directory { 1 } else { u32::try_from(node.links).unwrap_or(u32::MAX) };
    let attr = Attr {
        ino,
        kind: node.kind,
        mode: masked & 0o7777,
        owner: presentation.owner.or(node.owner).unwrap_or(presentation.unknown),
        size,
        allocated: node.data_length().checked_next_multiple_of(BLOCK).unwrap_or(u64::MAX),
        modified: node.modified,
        changed,
        born: node.born.unwrap_or(changed),
        links: links.max(1),
        device_number: node.device_number,
    };
    Entry { attr, ttl }
}

/// The entry of a directory that is in no backup.
pub(crate) fn made_entry(presentation: &Presentation, ino: Ino, modified: Timestamp) -> Entry {
    let attr = Attr {
        ino,
        kind: Kind::Directory,
        mode: 0o755 & !presentation.umask,
        owner: presentation.owner.unwrap_or(presentation.unknown),
        size: 0,
        allocated: 0,
        modified,
        changed: modified,
        born: modified,
        links: 1,
        device_number: DeviceNumber::default(),
    };
    Entry { attr, ttl: SOON }
}

/// The entry of a symbolic link that is in no backup; the answer may be kept for `ttl`.
pub(crate) fn link_entry(
    presentation: &Presentation,
    ino: Ino,
    (modified, length): (Timestamp, u64),
    ttl: Duration,
) -> Entry {
    let Entry { attr, .. } = made_entry(presentation, ino, modified);
    Entry { attr: Attr { kind: Kind::Symlink, mode: 0o777, size: length, ..attr }, ttl }
}

/// What makes this node one file with others of its state; `None` for a file of one name.
pub(crate) fn link_key(state: StateNo, node: &Node) -> Option<LinkKey> {
    let (filesystem, inode) = node.link_group()?;
    let mut content = DefaultHasher::new();
    (node.kind, content_id(node).0, &node.target, node.device_number).hash(&mut content);
    Some(LinkKey { state, filesystem, inode, content: content.finish() })
}

/// The value of an extended attribute.
pub(crate) fn xattr(volume: &SnapshotVolume, ino: Ino, name: &[u8]) -> Answer {
    if let Some(value) = volume.with_node(ino, &mut |node| recorded(node, name))?.flatten() {
        return Ok(value);
    }
    let ours = name.strip_prefix(b"user.yore.").ok_or(VolumeError::NoAttribute)?;
    if ours == b"id" {
        let id = |node: &Node| (node.kind == Kind::File).then(|| content_id(node).to_string());
        let id = volume.with_node(ino, &mut |node| id(node))?.flatten();
        return id.map(String::into_bytes).ok_or(VolumeError::NoAttribute);
    }
    let origin = origin(volume, ino)?.ok_or(VolumeError::NoAttribute)?;
    let SnapshotEntry { id, snapshot, .. } = &*volume.tables.origin(origin)?;
    told(volume, ours, id, snapshot).ok_or(VolumeError::NoAttribute)
}

type Answer = Result<Vec<u8>, VolumeError>;

fn recorded(node: &Node, name: &[u8]) -> Option<Vec<u8>> {
    node.xattrs.iter().find(|(recorded, _)| recorded == name).map(|(_, value)| value.clone())
}

fn told(
    volume: &SnapshotVolume,
    what: &[u8],
    id: &SnapshotId,
    snapshot: &Snapshot,
) -> Option<Vec<u8>> {
    match what {
        b"snapshot" => Some(id.to_string().into_bytes()),
        b"time" => {
            let time = local(snapshot.time, &volume.options.zone)?;
            Some(time.strftime("%Y-%m-%dT%H:%M:%S%.f%:z").to_string().into_bytes())
        }
        _ => None,
    }
}

/// The snapshot that has this file or directory.
fn origin(volume: &SnapshotVolume, ino: Ino) -> Result<Option<OriginNo>, VolumeError> {
    match Number::of(ino).ok_or(VolumeError::Stale)? {
        Number::Place(place) => match current(volume, place)?.body {
            Body::Made(_) => Ok(None),
            Body::Top(state, _) => Ok(state.origin(b"")),
            Body::Inside(dir) => Ok(dir.origin),
        },
        Number::Node(node) => origin_of_node(volume, node),
        Number::Link(..) => Ok(None),
    }
}

fn origin_of_node(volume: &SnapshotVolume, node: NodeNo) -> Result<Option<OriginNo>, VolumeError> {
    match volume.tables.tree(node.tree())? {
        TreeSource::Blob(_, origin) => Ok(Some(origin)),
        TreeSource::Merged { state, path, nodes } => {
            let seen = nodes.get(node.position()).ok_or(VolumeError::Stale)?;
            Ok(state.origin(&join(&path, &seen.node.name)))
        }
    }
}

/// The path of a name in a directory.
pub(crate) fn join(path: &[u8], name: &[u8]) -> Vec<u8> {
    match path.is_empty() {
        true => name.to_vec(),
        false => [path, b"/", name].concat(),
    }
}
