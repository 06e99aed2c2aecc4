//! Hosts: what makes a [`Volume`](crate::Volume) visible to other programs.
//!
//! A host with a driver mounts it, and each system has one of its own; servers need none.

#[cfg(target_os = "linux")]
mod fuse;
pub(crate) mod nfs;
mod request;
pub(crate) mod server;
pub(crate) mod webdav;

#[cfg(target_os = "linux")]
use fuse as driver;

/// A system whose driver has no host yet: the compiler names all that is missing.
#[cfg(not(target_os = "linux"))]
mod driver {}

pub use driver::{
    Mounted, MountedHandle, check_mountpoint, drive_attribute, driver_available, drives,
    is_mounted, mount, unmount,
};
