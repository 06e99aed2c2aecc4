//! Linux: what [`sys`](crate::sys) lists.

pub(crate) mod durable;
pub(crate) mod file_system;
pub(crate) mod mount_table;
pub(crate) mod mounts;
pub(crate) mod names;
pub(crate) mod owner_names;
pub(crate) mod pages;
pub(crate) mod positioned_file;
pub(crate) mod process;
pub(crate) mod random;
pub(crate) mod source;
pub(crate) mod stat;
pub(crate) mod target;
pub(crate) mod tmpfile;
pub(crate) mod xattr;
