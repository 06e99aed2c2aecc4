//! The options and outcomes of mounting and unmounting.

pub(crate) mod error;

use error::{Holder, MountError};

/// The options of mounting a volume.
#[derive(Debug, Clone)]
pub struct MountOptions {
    /// The number of threads that answer requests; 0 chooses by the number of processors.
    pub threads: usize,
    /// The users who may enter.
    pub access: Access,
    /// The name under which the system lists the drive.
    pub name: String,
    /// The inode numbers that programs see.
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

/// The users who may enter a drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The user that mounts, which may read everything; root only where root mounts.
    OwnerOnly,
    /// Every user, as far as owners, modes and ACLs permit.
    Everyone,
}

/// The inode numbers that programs see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InodeNumbers {
    /// The volume's own, of 64 bits.
    #[default]
    Long,
    /// Inode numbers of 32 bits, for programs that were built without large-file support.
    Short,
}

/// The treatment of a drive that is in use when it is to be unmounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenBusy {
    /// Leave it mounted and report the processes that use it.
    Refuse,
    /// Take it out of the tree at once; it ends when its last file is closed.
    Detach,
}

/// The outcome of unmounting a drive.
#[derive(Debug)]
pub enum Unmounted {
    /// It is unmounted everywhere.
    Completely,
    /// Processes or mounts still use it.
    StillInUse(UnmountBlockers),
}

/// The processes and mounts that keep a drive from being unmounted.
#[derive(Debug, Default)]
pub struct UnmountBlockers {
    /// The processes that use it; those of other users are visible to root only. It is out of their tree
    /// and serves the files that they have open, as long as its process lives.
    pub holders: Vec<Holder>,
    /// An error for each mount that could not be unmounted. Without its process it answers ENOTCONN.
    pub mounts: Vec<MountError>,
}

/// A file system of files, where it is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountedFileSystem {
    /// The mountpoint.
    pub point: std::path::PathBuf,
    /// The folder of the file system that is seen there: `/`, or a part of it.
    pub root: std::path::PathBuf,
    /// The type, such as `ext4`.
    pub kind: String,
    /// The device or the data set, as the program that mounted it named it.
    pub source: std::path::PathBuf,
}

/// The kind of file system that is mounted on a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountKind {
    /// A drive of Yore's, of any user.
    Drive,
    /// A file system without files of its own, of this type.
    System(String),
    /// A file system that a program serves, of this type; its owner may refuse all other users, root too.
    Fuse(String),
    /// Any other file system.
    Files,
}
