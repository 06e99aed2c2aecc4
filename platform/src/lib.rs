//! The operating system, as the rest of Yore sees it.
//!
//! Everything that is `cfg(unix)`, every `unsafe` block and every operating-system crate lives in
//! this package and nowhere else. It knows nothing of backups, snapshots or repositories: it mounts
//! a [`Volume`], reads and writes files with all that they have, and makes local files durable.

#[cfg(target_os = "linux")]
mod aligned;
#[cfg(target_os = "linux")]
mod durable;
#[cfg(target_os = "linux")]
mod identity;
#[cfg(target_os = "linux")]
mod limits;
#[cfg(target_os = "linux")]
mod look;
mod metadata;
#[cfg(target_os = "linux")]
mod random;
#[cfg(target_os = "linux")]
mod source;
#[cfg(target_os = "linux")]
mod target;
mod volume;
#[cfg(target_os = "linux")]
mod xattr;

#[cfg(target_os = "linux")]
pub use aligned::AlignedBuf;
#[cfg(target_os = "linux")]
pub use durable::{
    DurableFile, Map, ObjectFile, Published, free_space, make_dir_durable, private_dir, read_range,
    remove_durable,
};
#[cfg(target_os = "linux")]
pub use identity::{Names, current_ids};
#[cfg(target_os = "linux")]
pub use limits::raise_open_files;
pub use metadata::{DeviceNumber, Kind, Metadata, Owner, Timestamp, Xattrs};
#[cfg(target_os = "linux")]
pub use source::{ListedName, Listing, ReadMode, SourceDir, SourceFile};
#[cfg(target_os = "linux")]
pub use target::{Made, Part, Refused, Replace, Restore, TargetDir, TargetFile, TemporaryFile};
pub use volume::{Attr, Entry, FOREVER, Ino, Listed, More, Seek, Space, Volume, VolumeError};
