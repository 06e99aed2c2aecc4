//! The drives that are mounted, and what they tell of themselves.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::linux::mount_table::mounted_drives;

/// The longest answer of a drive.
const LONGEST: usize = 64 << 10;

/// Where drives are mounted, of anybody.
///
/// # Errors
/// The system's table of mounts can't be read.
pub fn drives() -> io::Result<Vec<PathBuf>> {
    mounted_drives()
}

/// Asks a drive for an attribute of its top.
///
/// # Errors
/// Another person's drive, a dead one, and one that does not answer within `limit`.
pub fn drive_attribute(drive: &Path, name: &str, limit: Duration) -> io::Result<Vec<u8>> {
    let (answer, answered) = channel();
    let (drive, name) = (drive.to_owned(), name.to_owned());
    // A drive that hangs keeps the thread, not whoever asks.
    std::thread::spawn(move || {
        let mut value = vec![0; LONGEST];
        let read = rustix::fs::getxattr(&drive, &name, &mut value[..]);
        let _ = answer.send(read.map(|length| {
            value.truncate(length);
            value
        }));
    });
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "the drive does not answer");
    Ok(answered.recv_timeout(limit).map_err(late)??)
}
