//! The drives that are mounted, and the attributes by which they describe themselves.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::linux::mounts::table::mounted_drives;

/// The longest value of an attribute.
const MAX_VALUE: usize = 64 << 10;

/// Returns the mountpoints of drives, of every user.
///
/// # Errors
/// The system's table of mounts can't be read.
pub fn drives() -> io::Result<Vec<PathBuf>> {
    mounted_drives()
}

/// Reads an extended attribute of a drive's root.
///
/// # Errors
/// Another person's drive, a dead one, and one that does not answer within `limit`.
pub fn drive_attribute(drive: &Path, name: &str, limit: Duration) -> io::Result<Vec<u8>> {
    let (answer, answered) = channel();
    let (drive, name) = (drive.to_owned(), name.to_owned());
    // A drive that hangs keeps the thread, not the caller.
    std::thread::spawn(move || {
        let mut value = vec![0; MAX_VALUE];
        let read = rustix::fs::getxattr(&drive, &name, &mut value[..]);
        let _ = answer.send(read.map(|length| {
            value.truncate(length);
            value
        }));
    });
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "the drive does not answer");
    Ok(answered.recv_timeout(limit).map_err(late)??)
}
