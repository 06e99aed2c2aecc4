//! Errors of mounting and unmounting.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// An error of mounting or unmounting a volume.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// The mountpoint does not exist.
    #[error("mountpoint {} is not there", path.display())]
    NotThere {
        /// The mountpoint.
        path: PathBuf,
    },
    /// The mountpoint is something else than a directory.
    #[error("mountpoint {} is not a directory", path.display())]
    NotADirectory {
        /// The mountpoint.
        path: PathBuf,
    },
    /// The mountpoint holds files, which the drive would hide.
    #[error("mountpoint {} is not empty", path.display())]
    NotEmpty {
        /// The mountpoint.
        path: PathBuf,
    },
    /// A drive of Yore's is mounted there and answers.
    #[error("a drive is already mounted at {}", path.display())]
    AlreadyMounted {
        /// The mountpoint.
        path: PathBuf,
    },
    /// A drive of Yore's is mounted there, and the process that served it has ended.
    #[error(
        "the drive mounted at {} is dead, its process is gone; `yore umount {}` removes it",
        path.display(),
        path.display()
    )]
    Stale {
        /// The mountpoint.
        path: PathBuf,
    },
    /// This user may not mount or unmount there.
    #[error("no permission to mount or unmount at {}", path.display())]
    NotPermitted {
        /// The mountpoint.
        path: PathBuf,
    },
    /// No drive of Yore's is mounted there.
    #[error("no drive is mounted at {}", path.display())]
    NotMounted {
        /// The path that is no mountpoint.
        path: PathBuf,
    },
    /// The path of the mountpoint leads to something else, which is mounted over the drive or over a
    /// directory above it.
    #[error("something else is mounted over the drive at {}", path.display())]
    Covered {
        /// The mountpoint.
        path: PathBuf,
    },
    /// Processes hold files or directories of the drive open.
    #[error("drive at {} is in use{}", path.display(), ListOfHolders(holders))]
    Busy {
        /// The mountpoint.
        path: PathBuf,
        /// The processes that could be found; those of other users are visible to root only.
        holders: Vec<Holder>,
    },
    /// The system lacks a part of its driver.
    #[error("FUSE is not available: {0}")]
    DriverMissing(#[from] DriverMissing),
    /// `/etc/fuse.conf` does not let users open their drives to other users.
    #[error("mounting for other users is not permitted by /etc/fuse.conf (user_allow_other)")]
    AllowOtherForbidden,
    /// The helper of FUSE refused.
    #[error("fusermount3 refused {}: {message}", path.display())]
    Helper {
        /// The mountpoint.
        path: PathBuf,
        /// Its message.
        message: String,
    },
    /// The system refused.
    #[error("can't mount or unmount at {}", path.display())]
    Io {
        /// The mountpoint or device.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
}

/// The part of the driver that is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DriverMissing {
    /// There is no `/dev/fuse`.
    #[error("/dev/fuse is not there")]
    DeviceAbsent,
    /// `/dev/fuse` is there and can't be opened.
    #[error("no permission to open /dev/fuse")]
    DevicePermission,
    /// `/dev/fuse` is there and no driver answers behind it.
    #[error("the kernel has no driver behind /dev/fuse")]
    DriverAbsent,
    /// The program `fusermount3`, which users need to mount, is not installed.
    #[error("the program fusermount3 is not installed")]
    HelperAbsent,
}

/// A process that keeps a drive from being unmounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The process id.
    pub pid: u32,
    /// The name of its program.
    pub name: String,
    /// The way in which it uses the drive.
    pub usage: DriveUsage,
}

/// The way in which a process uses a drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DriveUsage {
    /// Its working directory is there.
    WorkingDirectory,
    /// Its root directory is there.
    Root,
    /// Its program is a file there.
    Program,
    /// It has a file or directory open.
    OpenFile,
    /// It has a file mapped into its memory.
    MappedFile,
    /// The drive is mounted in its mount namespace too.
    Namespace,
}

impl fmt::Display for DriveUsage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            DriveUsage::WorkingDirectory => "working directory",
            DriveUsage::Root => "root directory",
            DriveUsage::Program => "program",
            DriveUsage::OpenFile => "open file",
            DriveUsage::MappedFile => "mapped file",
            DriveUsage::Namespace => "mount namespace of its own",
        })
    }
}

struct ListOfHolders<'a>(&'a [Holder]);

impl fmt::Display for ListOfHolders<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, Holder { pid, name, usage }) in self.0.iter().enumerate() {
            let before = if position == 0 { " by " } else { ", " };
            write!(out, "{before}{name} ({pid}, {usage})")?;
        }
        Ok(())
    }
}
