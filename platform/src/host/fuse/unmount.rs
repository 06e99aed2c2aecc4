//! Unmounts a drive, wherever it is mounted by now.
//!
//! A mount's path changes when a directory above it is renamed or the mount is moved; it may lead to
//! another mount that lies over this one; and the same file system may be mounted a second time. So
//! the mounts of a drive are found by the number of its file system. That number is the drive's own
//! as long as the connection stands to which the kernel sends its requests, which is polled each time.

use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};

use super::holders::{is_there, namespaces};
use super::mountpoint::{refused, unmount_line};
use crate::linux::mounts::table::{MountLine, mounts_of};
use crate::mount::error::MountError;
use crate::mount::{UnmountBlockers, Unmounted, WhenBusy};

/// The time to wait before unmounting is tried again.
const RETRY_DELAY: Duration = Duration::from_millis(200);

/// Unmounts every mount of `drive`, taking it out of the tree at least where it is in use, and waits
/// at most `limit` until it is unmounted.
///
/// Whatever else is mounted is left alone.
pub(super) fn unmount_everywhere(
    drive: &MountLine,
    connection: impl AsFd,
    limit: Duration,
) -> Result<Unmounted, MountError> {
    let began = Instant::now();
    let mut held = UnmountBlockers::default();
    loop {
        held.mounts.clear();
        let mounts = mounts_of(drive.device).map_err(|source| refused(&drive.point, source))?;
        // The newest first, which may lie on others.
        for line in mounts.iter().rev() {
            if !is_connected(&connection) {
                break;
            }
            unmount(line, &mut held);
        }
        if !is_connected(&connection) {
            return Ok(Unmounted::Completely);
        }
        if began.elapsed() >= limit {
            held.holders.retain(is_there);
            held.holders.extend(namespaces(drive.device));
            return Ok(Unmounted::StillInUse(held));
        }
        thread::sleep(RETRY_DELAY.min(limit));
    }
}

/// Unmounts one mount, and adds what uses it and why it stays to `held`.
fn unmount(line: &MountLine, held: &mut UnmountBlockers) {
    let mut unmounted = unmount_line(line, WhenBusy::Refuse);
    if let Err(MountError::Busy { holders, .. }) = unmounted {
        held.holders.extend(holders);
        unmounted = unmount_line(line, WhenBusy::Detach);
    }
    held.mounts.extend(unmounted.err());
}

/// Tells whether the kernel still sends requests: until the drive's last mount and file are closed.
fn is_connected(connection: impl AsFd) -> bool {
    let mut watched = [PollFd::new(&connection, PollFlags::OUT)];
    // A poll that fails tells nothing; then it is tried.
    let _ = rustix::event::poll(&mut watched, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
    let [watched] = watched;
    !watched.revents().contains(PollFlags::ERR)
}
