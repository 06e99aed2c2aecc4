//! The operating system, as the rest of Yore sees it.
//!
//! Everything that is `cfg(unix)`, every `unsafe` block and every operating-system crate lives in
//! this package and nowhere else. It knows nothing of backups, snapshots or repositories: it mounts
//! a [`Volume`], reads and writes files with all that they have, and makes local files durable.

mod lanes;
mod metadata;
mod serve;
mod volume;

pub use lanes::{Before, Lanes, SHA256_START, sha256_block};
pub use metadata::{DeviceNumber, Kind, Metadata, Owner, Timestamp, Xattrs};
pub use serve::{Login, Served, ServedHandle, Token, nfs_path, serve_nfs, serve_webdav};
pub use volume::{Attr, Entry, FOREVER, Ino, Listed, More, Seek, Space, Volume, VolumeError};

#[cfg(target_os = "linux")]
mod aligned;
#[cfg(target_os = "linux")]
mod drives;
#[cfg(target_os = "linux")]
mod durable;
#[cfg(target_os = "linux")]
mod fuse;
#[cfg(target_os = "linux")]
mod identity;
#[cfg(target_os = "linux")]
mod interrupt;
#[cfg(target_os = "linux")]
mod look;
#[cfg(target_os = "linux")]
mod memory;
#[cfg(target_os = "linux")]
mod mount_error;
#[cfg(target_os = "linux")]
mod mount_holders;
#[cfg(target_os = "linux")]
mod mount_table;
#[cfg(target_os = "linux")]
mod mountpoint;
#[cfg(target_os = "linux")]
mod mounts;
#[cfg(target_os = "linux")]
mod name;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod random;
#[cfg(target_os = "linux")]
mod source;
#[cfg(target_os = "linux")]
mod stamp;
#[cfg(target_os = "linux")]
mod target;
#[cfg(target_os = "linux")]
mod unnamed;
#[cfg(target_os = "linux")]
mod xattr;

#[cfg(target_os = "linux")]
pub use crate::{
    aligned::{AlignedBuf, HUGE_PAGE, Slab},
    drives::{drive_attribute, drives},
    durable::{
        DurableFile, Flushed, Map, ObjectFile, Published, free_space, is_abandoned, is_temporary,
        make_dir_durable, private_dir, private_file, remove_durable, write_program,
    },
    fuse::{Access, Held, InodeNumbers, MountOptions, Mounted, MountedHandle, Unmounted, mount},
    identity::{Names, current_ids},
    interrupt::{Interrupt, Interruptible, restore_sigpipe},
    memory::return_freed_memory,
    mount_error::{FuseMissing, Hold, Holder, MountError},
    mountpoint::{WhenBusy, check_mountpoint, fuse_available, is_mounted, unmount},
    mounts::{MountKind, Mounts},
    name::{name_bytes, name_from_bytes, snapshot_path, system_path},
    process::{
        DetachError, Detached, Readiness, boot_of, hostname, is_alive, lower_thread_priority,
        machine_mark, open_log, process_identity, raise_open_file_limit, spawn_detached, user_name,
    },
    source::{ListedName, Listing, ReadMode, SourceDir, SourceFile, path_metadata},
    stamp::{folder_metadata, keeps_folder_times},
    target::{
        Made, OtherXattrs, Part, Refused, Replace, Restore, TargetDir, TargetFile, TemporaryFile,
    },
    xattr::FoundXattrs,
};
