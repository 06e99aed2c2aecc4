//! The system that this build is for.

#[cfg(target_os = "linux")]
pub use crate::linux::{
    durable::{
        DurableFile, Flushed, MappedFile, Published, create_dir_durable, create_private_dir,
        free_space, is_abandoned, is_temporary, remove_durable, write_program,
    },
    file_system::{folder_metadata, keeps_folder_times},
    mounts::{MountKind, Mounts},
    names::{name_bytes, name_from_bytes, snapshot_path, system_path},
    owner_names::{AccountNames, current_ids},
    pages::HUGE_PAGE,
    process::{
        DetachError, Detached, Interrupt, Interruptible, Readiness, boot_id_of, hostname, is_alive,
        lower_thread_priority, machine_digest, open_log, process_identity, raise_open_file_limit,
        restore_sigpipe, return_freed_memory, spawn_detached, user_name,
    },
    source::{ListedName, Listing, ReadMode, SourceDir, SourceFile, path_metadata},
    target::{
        MetadataPart, MkdirOutcome, OtherXattrs, RefusedMetadata, Replace, TargetDir, TargetFile,
        TemporaryFile, WantedMetadata,
    },
    xattr::FoundXattrs,
};
#[cfg(target_os = "linux")]
pub(crate) use crate::linux::{
    pages::{DIRECT_ALIGNMENT, Pages},
    positioned_file::PositionedFile,
};
