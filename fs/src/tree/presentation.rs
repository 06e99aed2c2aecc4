//! Attributes of nodes as the drive presents them.

use std::time::Duration;

use yore_engine::format::Node;
use yore_platform::{Attr, DeviceNumber, Entry, Ino, Kind, Owner, Timestamp};

use crate::inode::place::SOON;

/// The unit in which a file's occupied bytes are counted.
const BLOCK: u64 = 512;

/// Changes to the attributes of every file.
pub(crate) struct Presentation {
    /// The owner of everything; `None` leaves the recorded owners.
    pub(crate) owner: Option<Owner>,
    /// The owner of what has no recorded owner.
    pub(crate) unknown: Owner,
    /// Permission bits that are taken away.
    pub(crate) umask: u32,
}

impl Presentation {
    /// The entry of a node; the answer may be kept for `ttl`.
    pub(crate) fn node(&self, ino: Ino, node: &Node, ttl: Duration) -> Entry {
        let is_directory = node.kind == Kind::Directory;
        let (mode, size) = match node.kind {
            Kind::Directory => (0o755, 0),
            Kind::Symlink => (0o777, node.target.len() as u64),
            Kind::File => (0o644, node.size),
            Kind::Fifo | Kind::Socket | Kind::CharDevice | Kind::BlockDevice => (0o644, 0),
        };
        let mode = node.mode.unwrap_or(mode);
        let masked = if node.kind == Kind::Symlink { mode } else { mode & !self.umask };
        let changed = node.changed.unwrap_or(node.modified);
        // One name tells programs that a directory's subdirectories are not counted, as on btrfs.
        let links = if is_directory { 1 } else { u32::try_from(node.links).unwrap_or(u32::MAX) };
        let attr = Attr {
            ino,
            kind: node.kind,
            mode: masked & 0o7777,
            owner: self.owner.or(node.owner).unwrap_or(self.unknown),
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
    pub(crate) fn virtual_dir(&self, ino: Ino, modified: Timestamp) -> Entry {
        let attr = Attr {
            ino,
            kind: Kind::Directory,
            mode: 0o755 & !self.umask,
            owner: self.owner.unwrap_or(self.unknown),
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

    /// The entry of a symbolic link that is in no backup.
    pub(crate) fn link(&self, ino: Ino, modified: Timestamp, length: u64) -> Entry {
        let Entry { attr, ttl } = self.virtual_dir(ino, modified);
        Entry { attr: Attr { kind: Kind::Symlink, mode: 0o777, size: length, ..attr }, ttl }
    }
}
