//! Nodes of trees, and how they changed.

use serde::Serialize;
use yore_platform::Kind;

use super::{PathText, SnapshotTime};
use crate::text::format;

/// A file, directory or anything else that has a name.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "node")]
pub struct Node {
    /// Its path.
    #[serde(flatten)]
    pub path: PathText,
    /// Its kind, as [`kind_name`] has it.
    pub kind: &'static str,
    /// Its size in bytes.
    pub size: u64,
    /// The time of its last modification.
    pub modified: String,
    /// Its permissions, in octal digits.
    pub mode: Option<String>,
    /// The number of its owner.
    pub uid: Option<u32>,
    /// The number of its group.
    pub gid: Option<u32>,
    /// Its number of names.
    pub links: u64,
    /// The target of a symbolic link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The problems that the backup had with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<&'static str>,
}

/// A version of a path, of `log`.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "version")]
pub struct Version {
    /// The first snapshot that has it.
    pub first: SnapshotTime,
    /// The last snapshot of that run.
    pub last: SnapshotTime,
    /// The machine.
    pub host: String,
    /// The node; `None` where it was deleted.
    pub node: Option<Node>,
}

/// A path that `find` found.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "hit")]
pub struct Hit {
    /// The path.
    #[serde(flatten)]
    pub path: PathText,
    /// Its last kind.
    pub kind: &'static str,
    /// Its last size in bytes.
    pub size: u64,
    /// The time of the modification of its last version.
    pub modified: String,
    /// The first snapshot that has it.
    pub first: SnapshotTime,
    /// The last snapshot that has it.
    pub last: SnapshotTime,
}

/// A difference, of `diff`.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "change")]
pub struct Change {
    /// One of `added`, `removed` and `modified`.
    pub change: &'static str,
    /// The node; of a modified one, the later state.
    pub node: Node,
}

/// The numbers of differences, of `diff --stat`.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "changes")]
pub struct ChangeCounts {
    /// The number of nodes that only the later moment has.
    pub added: u64,
    /// The number of nodes that only the earlier moment has.
    pub removed: u64,
    /// The number of nodes that both have, and that differ.
    pub modified: u64,
}

impl Node {
    /// Takes a node, its path and the texts of its flags.
    pub fn new(path: &[u8], node: &yore_engine::format::Node, notes: Vec<&'static str>) -> Self {
        let is_link = node.kind == Kind::Symlink;
        Self {
            path: PathText::new(path),
            kind: kind_name(node.kind),
            size: node.size,
            modified: format::exact_time(node.modified),
            mode: node.mode.map(|mode| format!("{mode:04o}")),
            uid: node.owner.map(|owner| owner.uid),
            gid: node.owner.map(|owner| owner.gid),
            links: node.links,
            target: is_link.then(|| String::from_utf8_lossy(&node.target).into_owned()),
            notes,
        }
    }
}

/// Returns the name of a kind.
pub fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Directory => "directory",
        Kind::Symlink => "symlink",
        Kind::Fifo => "fifo",
        Kind::Socket => "socket",
        Kind::CharDevice => "char_device",
        Kind::BlockDevice => "block_device",
    }
}
