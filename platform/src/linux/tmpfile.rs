//! Files without a name (`O_TMPFILE`), of which nothing is left when their writer dies.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};

/// Makes a file without a name in a folder, open for `access`, which includes writing, with the permissions
/// 0600.
///
/// Returns `None` where the system can't make one or could not name it later.
pub(crate) fn create(folder: &OwnedFd, access: OFlags) -> io::Result<Option<OwnedFd>> {
    static PROC: OnceLock<bool> = OnceLock::new();
    if !*PROC.get_or_init(|| Path::new("/proc/self/fd").is_dir()) {
        return Ok(None);
    }
    let flags = access | OFlags::TMPFILE | OFlags::CLOEXEC;
    match retry_on_intr(|| rustix::fs::openat(folder, c".", flags, Mode::RUSR | Mode::WUSR)) {
        Ok(file) => Ok(Some(file)),
        // Kernels and file systems without it answer each of these.
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL | Errno::NOSYS) => {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Gives a file without a name its name; [`Errno::EXIST`] when that is taken.
pub(crate) fn link(file: &OwnedFd, folder: &OwnedFd, name: &[u8]) -> Result<(), Errno> {
    static BY_PROC: AtomicBool = AtomicBool::new(false);
    if !BY_PROC.load(Ordering::Relaxed) {
        match rustix::fs::linkat(file, c"", folder, name, AtFlags::EMPTY_PATH) {
            // Before Linux 6.10, processes without privileges get this error.
            Err(Errno::NOENT) => {}
            linked => return linked,
        }
    }
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    rustix::fs::linkat(rustix::fs::CWD, path, folder, name, AtFlags::SYMLINK_FOLLOW)?;
    BY_PROC.store(true, Ordering::Relaxed);
    Ok(())
}
