//! Hosts: what makes a [`Volume`](crate::Volume) visible to other programs.

#[cfg(target_os = "linux")]
pub(crate) mod fuse;
pub(crate) mod nfs;
mod request;
pub(crate) mod server;
pub(crate) mod webdav;
