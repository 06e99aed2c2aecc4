//! The operating system, as the rest of Yore sees it.
//!
//! Everything that is `cfg(unix)`, every `unsafe` block and every operating-system crate lives in
//! this package and nowhere else. It knows nothing of backups, snapshots or repositories: it mounts
//! a [`Volume`], reads and writes files with all that they have, and makes local files durable.

mod file_options;
mod hash;
mod host;
mod keyring;
#[cfg(target_os = "linux")]
mod linux;
mod listing;
mod medium;
mod metadata;
mod mount;
mod process;
mod read;
mod sys;
mod temporary_name;
mod volume;
mod wanted_metadata;
mod writer_mark;

pub use file_options::{Flushed, MkdirOutcome, Published, ReadMode, Replace};
pub use hash::multi_sha256::{MultiSha256, SHA256_INITIAL_STATE, Sha256Prefix, sha256_compress};
pub use host::nfs::{NfsToken, nfs_path, serve_nfs};
pub use host::server::{Server, ServerHandle};
pub use host::webdav::{Login, serve_webdav};
pub use host::{
    Mounted, MountedHandle, check_mountpoint, drive_attribute, driver_available, drives,
    is_mounted, mount, unmount,
};
pub use keyring::KeyringError;
pub use listing::{ListedName, Listing};
pub use medium::{Medium, VolumeName};
pub use metadata::{DeviceNumber, FoundXattrs, Kind, Metadata, Owner, Timestamp, Xattrs};
pub use mount::error::{DriveUsage, DriverMissing, Holder, MountError};
pub use mount::{
    Access, InodeNumbers, MountKind, MountOptions, MountedFileSystem, UnmountBlockers, Unmounted,
    WhenBusy,
};
pub use process::detach::{DetachError, Detached};
pub use process::identity::boot_id_of;
pub use read::buffer::ReadBuffer;
pub use read::object::ObjectFile;
pub use read::slab::Slab;
pub use sys::{
    AccountNames, DurableFile, FileSystemChange, FileSystemWatch, HUGE_PAGE, Interrupt,
    Interruptible, LocalSocket, MappedFile, Mounts, PrivateMount, Readiness, SourceDir, SourceFile,
    Subvolume, TargetDir, TargetFile, TemporaryFile, connect_local_socket, create_dir_durable,
    create_private_dir, create_private_file, create_scratch_file, current_ids, find_volume,
    folder_metadata, free_space, hostname, is_abandoned, is_alive, is_share_failure,
    keeps_folder_times, kill_process_group, load_average, lower_thread_priority, machine_digest,
    make_readable, name_bytes, name_from_bytes, on_battery, open_log, own_process_group,
    path_metadata, process_identity, raise_open_file_limit, remove_beneath, remove_durable,
    remove_from_keyring, restore_sigpipe, return_freed_memory, secret_in_keyring, send_to_journal,
    snapshot_path, spawn_detached, stderr_is_journal, storage_medium, store_in_keyring,
    system_path, user_name, write_program,
};
pub use temporary_name::is_temporary;
pub use volume::{
    Attr, Entry, FOREVER, Ino, ListControl, Listed, Seek, Space, Volume, VolumeError,
};
pub use wanted_metadata::{MetadataPart, OtherXattrs, RefusedMetadata, WantedMetadata};
pub use writer_mark::{
    VOLUME_SNAPSHOT_PREFIX, temporary_name, volume_snapshot_is_left, volume_snapshot_name,
    writer_has_ended,
};
