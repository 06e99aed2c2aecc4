//! Linux: all that [`sys`](crate::sys) lists.

pub(crate) mod account_names;
pub(crate) mod durable;
pub(crate) mod file_system;
pub(crate) mod local_socket;
pub(crate) mod mounts;
pub(crate) mod names;
pub(crate) mod pages;
pub(crate) mod positioned_file;
pub(crate) mod process;
pub(crate) mod random;
pub(crate) mod source;
pub(crate) mod stat;
pub(crate) mod target;
pub(crate) mod tmpfile;
pub(crate) mod volumes;
pub(crate) mod xattr;

pub use account_names::{AccountNames, current_ids};
pub use durable::{
    DurableFile, MappedFile, create_dir_durable, create_private_dir, create_private_file,
    create_scratch_file, free_space, is_abandoned, remove_beneath, remove_durable, write_program,
};
pub use file_system::{folder_metadata, keeps_folder_times, make_readable};
pub use local_socket::{
    LocalSocket, connect_local_socket, remove_from_keyring, secret_in_keyring, send_to_journal,
    stderr_is_journal, store_in_keyring,
};
pub use mounts::Mounts;
pub use mounts::private::PrivateMount;
pub use names::{name_bytes, name_from_bytes, snapshot_path, system_path};
pub use pages::HUGE_PAGE;
pub(crate) use pages::{DIRECT_ALIGNMENT, Pages};
pub(crate) use positioned_file::PositionedFile;
pub use process::{
    Interrupt, Interruptible, Readiness, hostname, is_alive, kill_process_group, load_average,
    lower_thread_priority, machine_digest, on_battery, open_log, own_process_group,
    process_identity, raise_open_file_limit, restore_sigpipe, return_freed_memory, spawn_detached,
    user_name,
};
pub(crate) use process::{has_ended, process_mark};
pub use source::{SourceDir, SourceFile, path_metadata};
pub use target::{TargetDir, TargetFile, TemporaryFile};
pub use volumes::{
    FileSystemChange, FileSystemWatch, Subvolume, find_volume, is_share_failure, storage_medium,
};
