//! The operating system, as the rest of Yore sees it.
//!
//! Everything that is `cfg(unix)`, every `unsafe` block and every operating-system crate lives in
//! this package and nowhere else. It knows nothing of backups, snapshots or repositories: it mounts
//! a [`Volume`], reads and writes files with all that they have, and makes local files durable.

mod metadata;
mod volume;

pub use metadata::{DeviceNumber, Kind, Metadata, Owner, Timestamp, Xattrs};
pub use volume::{Attr, Entry, FOREVER, Ino, Listed, More, Seek, Space, Volume, VolumeError};
