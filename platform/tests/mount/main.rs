//! Drives mounted through the kernel and read back with the system's own means.
#![cfg(target_os = "linux")]

mod attributes;
mod drive;
mod listing;
mod memory;
mod mountpoint;
mod read_only;
mod reading;
