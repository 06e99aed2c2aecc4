//! Trees: directories as blobs (FORMAT.md §8).
//!
//! A node holds the metadata of one name, and the content of a small file. A tree blob holds the
//! nodes of a directory, or, for a large one, the references to leaves that hold them.

use yore_platform::{DeviceNumber, Kind, Owner, Timestamp, Xattrs};

use crate::format::id::BlobId;

mod builder;
mod decode;
mod encode;
mod owner_names;

pub(crate) use builder::TreeBuilder;
pub(crate) use decode::{decode_hole_list, decode_list, decode_tree};
pub(crate) use encode::{encode_hole_list, encode_list};
pub(crate) use owner_names::Naming;
pub use owner_names::OwnerNames;

/// A chunk of a file's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// The id of its blob.
    pub id: BlobId,
    /// Its length in bytes.
    pub length: u32,
}

/// An item of a list: a chunk or another list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListRef {
    /// The id of its blob.
    pub id: BlobId,
    /// Bytes of data in it.
    pub length: u64,
}

impl From<Chunk> for ListRef {
    fn from(chunk: Chunk) -> Self {
        Self { id: chunk.id, length: chunk.length.into() }
    }
}

/// The data of a file: its bytes without the holes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Content {
    /// No bytes.
    #[default]
    Empty,
    /// Bytes in the node itself.
    Inline(Vec<u8>),
    /// The chunks, in order.
    Chunks(Vec<Chunk>),
    /// The chunks that list blobs name, in order.
    Lists {
        /// The depth: 0 when the lists name chunks, 1 when they name lists of depth 0, and so on.
        depth: u8,
        /// The lists, in order.
        lists: Vec<ListRef>,
    },
}

/// A hole and the data before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hole {
    /// Bytes of data since the previous hole, or since the start of the file.
    pub data: u64,
    /// Bytes of the hole, which reads as zeros.
    pub hole: u64,
}

/// The holes of a sparse file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holes {
    /// Holes in the node, ascending.
    Inline(Vec<Hole>),
    /// The list blobs that hold the holes.
    Lists(Vec<BlobId>),
}

impl Default for Holes {
    fn default() -> Self {
        Holes::Inline(Vec::new())
    }
}

impl Holes {
    /// Returns true if the file has no holes.
    pub fn is_empty(&self) -> bool {
        matches!(self, Holes::Inline(holes) if holes.is_empty())
    }
}

/// Failures while a node was backed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(pub u64);

impl Flags {
    /// The file changed while it was read.
    pub const CHANGED_WHILE_READ: Flags = Flags(1);
    /// It could not be read; this is its last known state.
    pub const STALE: Flags = Flags(2);
    /// The tree lacks entries of this directory: they were excluded, not by a pattern, or could not be
    /// read.
    pub const INCOMPLETE: Flags = Flags(4);

    /// Some of its extended attributes could not be read, and are missing.
    pub const ATTRIBUTES_MISSING: Flags = Flags(8);

    /// Adds flags.
    #[must_use]
    pub fn with(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// Removes flags.
    #[must_use]
    pub fn without(self, other: Flags) -> Flags {
        Flags(self.0 & !other.0)
    }

    /// Returns true if all flags of `other` are set.
    pub fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
}

/// An entry of a directory, with its metadata and content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name: bytes, not a path, not `.` or `..`.
    pub name: Vec<u8>,
    /// Its kind.
    pub kind: Kind,
    /// Permission bits (`0o7777`); `None` if unknown.
    pub mode: Option<u32>,
    /// Its owner; `None` if unknown.
    pub owner: Option<Owner>,
    /// The names of owners, set by a reader; a writer uses the names of the system.
    pub owner_names: OwnerNames,
    /// The time of the last change of its content.
    pub modified: Timestamp,
    /// The time of the last change of content or metadata on the source system.
    pub changed: Option<Timestamp>,
    /// The time of its creation.
    pub born: Option<Timestamp>,
    /// Its inode number on the source system.
    pub inode: u64,
    /// The size of a file in bytes.
    pub size: u64,
    /// The data of a file.
    pub content: Content,
    /// The holes of a file.
    pub holes: Holes,
    /// The tree of a directory; `None` when it could not be read.
    pub subtree: Option<BlobId>,
    /// The target of a symbolic link.
    pub target: Vec<u8>,
    /// The device number of a device node.
    pub device_number: DeviceNumber,
    /// Extended attributes, POSIX ACLs among them.
    pub xattrs: Xattrs,
    /// The number of its hard links.
    pub links: u64,
    /// The number of its file system; set if it has several hard links.
    pub filesystem: u64,
    /// Failures while it was backed up.
    pub flags: Flags,
    /// Optional keys of later versions, encoded as they were read.
    pub extra: Vec<(u64, Vec<u8>)>,
}

impl Node {
    /// Creates a node with only a name, a kind and a time.
    pub fn new(name: &[u8], kind: Kind, modified: Timestamp) -> Self {
        Self {
            name: name.to_vec(),
            kind,
            mode: None,
            owner: None,
            owner_names: OwnerNames::default(),
            modified,
            changed: None,
            born: None,
            inode: 0,
            size: 0,
            content: Content::Empty,
            holes: Holes::default(),
            subtree: None,
            target: Vec::new(),
            device_number: DeviceNumber::default(),
            xattrs: Vec::new(),
            links: 1,
            filesystem: 0,
            flags: Flags::default(),
            extra: Vec::new(),
        }
    }

    /// Returns the identity that the hard links of a file share; `None` for a file of one name.
    pub fn link_group(&self) -> Option<(u64, u64)> {
        (self.links > 1 && self.kind != Kind::Directory).then_some((self.filesystem, self.inode))
    }

    /// Returns the bytes of its data, without holes, according to the node alone.
    pub fn data_length(&self) -> u64 {
        match &self.content {
            Content::Empty => 0,
            Content::Inline(bytes) => bytes.len() as u64,
            Content::Chunks(chunks) => chunks.iter().map(|chunk| u64::from(chunk.length)).sum(),
            Content::Lists { lists, .. } => {
                lists.iter().fold(0, |sum, list| sum.saturating_add(list.length))
            }
        }
    }
}

/// A leaf of a large directory.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LeafRef {
    /// The name of its first node.
    pub first: Vec<u8>,
    /// Its tree blob.
    pub id: BlobId,
    /// The number of its nodes.
    pub nodes: u64,
}

/// A node that decodes but can't be used: of a later version, or inconsistent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidNode {
    /// Its name, which may be one that is not allowed.
    pub name: Vec<u8>,
    /// The part that is unknown or not allowed.
    pub reason: &'static str,
}

/// A decoded tree blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tree {
    /// The nodes themselves, sorted by name.
    Nodes {
        /// The valid ones.
        nodes: Vec<Node>,
        /// The others.
        invalid: Vec<InvalidNode>,
    },
    /// The leaves that hold the nodes, in order.
    Leaves(Vec<LeafRef>),
}

#[cfg(test)]
pub(crate) fn forged_nodes(nodes: &[Node]) -> Vec<u8> {
    encode::encode_nodes(nodes, &Naming::System(Box::default()))
}

#[cfg(test)]
pub(crate) use encode::encode_leaves as forged_leaves;

#[cfg(test)]
mod tests;
