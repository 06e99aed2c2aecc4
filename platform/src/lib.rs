//! The operating system, as the rest of Yore sees it.
//!
//! Everything that is `cfg(unix)`, every `unsafe` block and every operating-system crate lives in
//! this package and nowhere else. It knows nothing of backups, snapshots or repositories: it mounts
//! a [`Volume`], reads and writes files with all that they have, and makes local files durable.

#[cfg(target_os = "linux")]
mod fuse;
#[cfg(target_os = "linux")]
mod interrupt;
mod metadata;
#[cfg(target_os = "linux")]
mod mount_error;
#[cfg(target_os = "linux")]
mod mount_holders;
#[cfg(target_os = "linux")]
mod mount_table;
#[cfg(target_os = "linux")]
mod mountpoint;
#[cfg(target_os = "linux")]
mod process;
mod volume;

#[cfg(target_os = "linux")]
pub use fuse::{Access, MountOptions, Mounted, MountedHandle, Unmounted, mount};
#[cfg(target_os = "linux")]
pub use interrupt::{Interrupt, restore_sigpipe};
pub use metadata::{DeviceNumber, Kind, Metadata, Owner, Timestamp, Xattrs};
#[cfg(target_os = "linux")]
pub use mount_error::{FuseMissing, Hold, Holder, MountError};
#[cfg(target_os = "linux")]
pub use mountpoint::{WhenBusy, check_mountpoint, fuse_available, is_mounted, unmount};
#[cfg(target_os = "linux")]
pub use process::{
    DetachError, Detached, Readiness, hostname, is_alive, process_identity, raise_open_file_limit,
    spawn_detached, user_name,
};
pub use volume::{Attr, Entry, FOREVER, Ino, Listed, More, Seek, Space, Volume, VolumeError};
