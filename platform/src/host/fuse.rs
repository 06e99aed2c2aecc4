//! The FUSE host: mounts a [`Volume`](crate::Volume) on Linux.
//!
//! `encode` turns answers into the kernel's terms, `adapter` passes requests on, `attach` obtains
//! the connection to the kernel, `session` runs it, `unmount` ends it.
//!
//! The kernel caches:
//!
//! * Names and attributes as long as their `ttl` says. A name that is not found is remembered for
//!   the `ttl` of its directory.
//! * File content until the file's time or size changes, or [`MountedHandle::invalidate`].
//! * A directory's listing until its `modified` time changes (checked when a program begins to list it
//!   and its `ttl` has run out), or [`MountedHandle::invalidate`].

mod adapter;
mod attach;
mod drives;
mod encode;
mod holders;
mod inode_numbers;
mod mountpoint;
mod request;
mod session;
mod unmount;

pub use drives::{drive_attribute, drives};
pub use mountpoint::{check_mountpoint, driver_available, is_mounted, unmount};
pub use session::{Mounted, MountedHandle, mount};
