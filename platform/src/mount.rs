//! How a volume is mounted and unmounted, and what else is mounted.

pub(crate) mod error;

use error::{Holder, MountError};

/// How a volume is mounted.
#[derive(Debug, Clone)]
pub struct MountOptions {
    /// How many requests are answered at once; 0 chooses by the number of processors.
    pub threads: usize,
    /// Who may enter.
    pub access: Access,
    /// The name under which the system lists the drive.
    pub name: String,
    /// Which numbers programs see.
    pub inode_numbers: InodeNumbers,
}

impl Default for MountOptions {
    fn default() -> MountOptions {
        MountOptions {
            threads: 0,
            access: Access::OwnerOnly,
            name: "yore".to_owned(),
            inode_numbers: InodeNumbers::Long,
        }
    }
}

/// Who may enter a drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The user who mounts, who may read everything; root only where root mounts.
    OwnerOnly,
    /// Every user, as far as owners, modes and ACLs permit.
    Everyone,
}

/// Which numbers programs see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InodeNumbers {
    /// Those of the volume, of 64 bits.
    #[default]
    Long,
    /// Numbers of 32 bits, for programs that were built without large-file support.
    Short,
}

/// What to do with a drive that is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenBusy {
    /// Leave it mounted and tell who uses it.
    Refuse,
    /// Take it out of the tree at once; it ends when its last file is closed.
    Detach,
}

/// How completely a drive was unmounted.
#[derive(Debug)]
pub enum Unmounted {
    /// It is gone.
    Completely,
    /// It is still held.
    StillInUse(UnmountBlockers),
}

/// The processes and mounts that keep a drive from being unmounted.
#[derive(Debug, Default)]
pub struct UnmountBlockers {
    /// Those who use it; other users' processes are visible to root only. It is out of their tree
    /// and serves the files that they have open, as long as its process lives.
    pub holders: Vec<Holder>,
    /// Why each mount is left that could not be taken away. Without its process it answers ENOTCONN.
    pub mounts: Vec<MountError>,
}

/// What is mounted on a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountKind {
    /// A drive of Yore's, of anybody.
    Drive,
    /// A file system without files of its own, of this type.
    System(String),
    /// A file system that a program serves, of this type; its owner may keep everybody else out, root too.
    Fuse(String),
    /// Any other file system.
    Files,
}
