//! Commands that show the snapshots to other programs.

pub mod desktop;
pub mod mount;
pub mod serve;
pub mod umount;
