//! The system that this build is for.
//!
//! A system must provide the items imported here and nothing else; WINDOWS.md has the meaning of each, and
//! what it is to be on Windows. Only the system's own folder and the host that its driver needs depend on
//! which system it is.

#[cfg(target_os = "linux")]
use crate::linux as system;

/// A system of which nothing is there yet: the compiler names all that is missing.
#[cfg(not(target_os = "linux"))]
mod system {}

pub(crate) use system::{DIRECT_ALIGNMENT, Pages, PositionedFile, has_ended, process_mark};

pub use system::{
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
