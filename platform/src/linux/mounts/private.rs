//! A file system that this process alone sees, at no place in the tree: it ends with the process, however that ends.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen,
};

/// A device that is mounted read-only for this process alone.
#[derive(Debug)]
pub struct PrivateMount {
    top: OwnedFd,
}

impl PrivateMount {
    /// Mounts a device with a file system of the type `kind`.
    ///
    /// # Errors
    /// This process may not mount, or the kernel (since Linux 5.2) does not know how to.
    pub fn of_device(device: &Path, kind: &str) -> io::Result<Self> {
        let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
        fsconfig_set_string(&context, "source", device)?;
        fsconfig_set_flag(&context, "ro")?;
        if kind == "xfs" {
            // The file system of which the device is a snapshot has the same number, and is mounted.
            fsconfig_set_flag(&context, "nouuid")?;
        }
        fsconfig_create(&context)?;
        let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY
            | MountAttrFlags::MOUNT_ATTR_NOSUID
            | MountAttrFlags::MOUNT_ATTR_NODEV
            | MountAttrFlags::MOUNT_ATTR_NOATIME;
        let top = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
        Ok(Self { top })
    }

    /// Returns the path of its top folder, for this process.
    #[must_use]
    pub fn top(&self) -> PathBuf {
        // With the dot it is the folder, and not the link to it.
        PathBuf::from(format!("/proc/self/fd/{}/.", self.top.as_raw_fd()))
    }
}
