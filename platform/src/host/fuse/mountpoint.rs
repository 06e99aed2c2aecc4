//! Mountpoints: checks whether a directory can be one, and unmounts drives.
//!
//! Nothing here unmounts a mount that is not a drive of Yore's.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{Access, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::UnmountFlags;

use super::holders::holders;
use crate::linux::mounts::table::{MountLine, is_on_top, mounted_at};
use crate::mount::WhenBusy;
use crate::mount::error::{DriverMissing, MountError};

/// Makes sure that a drive can be mounted at `path`: an empty directory with nothing of Yore's
/// mounted on it, which the user may write to unless root.
pub fn check_mountpoint(path: &Path) -> Result<(), MountError> {
    let path = &resolve(path)?;
    if drive_at(path)?.is_some() {
        return Err(match rustix::fs::statfs(path) {
            Err(Errno::NOTCONN) => MountError::Stale { path: path.clone() },
            _ => MountError::AlreadyMounted { path: path.clone() },
        });
    }
    let metadata = std::fs::metadata(path).map_err(|source| refused(path, source))?;
    if !metadata.is_dir() {
        return Err(MountError::NotADirectory { path: path.clone() });
    }
    let mut names = std::fs::read_dir(path).map_err(|source| refused(path, source))?;
    if names.next().is_some() {
        return Err(MountError::NotEmpty { path: path.clone() });
    }
    if !is_root() && rustix::fs::access(path, Access::WRITE_OK).is_err() {
        return Err(MountError::NotPermitted { path: path.clone() });
    }
    Ok(())
}

/// Tells whether a drive of Yore's, alive or dead, is mounted at `path`.
pub fn is_mounted(path: &Path) -> bool {
    resolve(path).is_ok_and(|path| matches!(drive_at(&path), Ok(Some(_))))
}

/// Unmounts the drive of Yore's at `path`, alive or dead.
///
/// Refuses with [`MountError::NotMounted`] where something else or nothing is mounted.
pub fn unmount(path: &Path, when_busy: WhenBusy) -> Result<(), MountError> {
    let path = resolve(path)?;
    let Some(line) = drive_at(&path)? else {
        return Err(MountError::NotMounted { path });
    };
    unmount_line(&line, when_busy)
}

/// Unmounts the drive that `line` describes.
///
/// Refuses with [`MountError::Covered`] where its path leads to another mount, which is left alone.
pub(crate) fn unmount_line(line: &MountLine, when_busy: WhenBusy) -> Result<(), MountError> {
    let path = &line.point;
    if !is_on_top(line).map_err(|source| refused(path, source))? {
        return Err(MountError::Covered { path: path.clone() });
    }
    let mut flags = UnmountFlags::NOFOLLOW;
    if when_busy == WhenBusy::Detach {
        flags |= UnmountFlags::DETACH;
    }
    match rustix::mount::unmount(path, flags) {
        Ok(()) => Ok(()),
        Err(Errno::BUSY) => Err(busy(line)),
        Err(Errno::PERM) if !is_root() => unmount_by_helper(line, when_busy),
        Err(Errno::PERM) => Err(MountError::NotPermitted { path: path.clone() }),
        Err(error) => Err(refused(path, error.into())),
    }
}

fn unmount_by_helper(line: &MountLine, when_busy: WhenBusy) -> Result<(), MountError> {
    let path = &line.point;
    let helper = find_helper().ok_or(DriverMissing::HelperAbsent)?;
    let mut command = Command::new(helper);
    command.arg("-u");
    if when_busy == WhenBusy::Detach {
        command.arg("-z");
    }
    let output = command
        .arg("--")
        .arg(path)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .map_err(|source| refused(path, source))?;
    if output.status.success() {
        return Ok(());
    }
    let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if message.contains("busy") {
        return Err(busy(line));
    }
    if message.contains("not permitted") || message.contains("Permission denied") {
        return Err(MountError::NotPermitted { path: path.clone() });
    }
    let path = path.clone();
    Err(MountError::Helper { path, message })
}

fn busy(line: &MountLine) -> MountError {
    MountError::Busy { path: line.point.clone(), holders: holders(line) }
}

/// Makes sure that the parts of FUSE that this user needs are there: `/dev/fuse`, which
/// `fusermount3` too opens with the rights of its user, and for all but root `fusermount3`.
pub fn driver_available() -> Result<(), MountError> {
    open_device()?;
    if !is_root() {
        find_helper().ok_or(DriverMissing::HelperAbsent)?;
    }
    Ok(())
}

pub(crate) fn open_device() -> Result<OwnedFd, DriverMissing> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    rustix::fs::open("/dev/fuse", flags, Mode::empty()).map_err(missing_device)
}

/// Returns the part that is missing after an error of opening `/dev/fuse`.
fn missing_device(error: Errno) -> DriverMissing {
    match error {
        Errno::NOENT => DriverMissing::DeviceAbsent,
        Errno::NXIO | Errno::NODEV => DriverMissing::DriverAbsent,
        _ => DriverMissing::DevicePermission,
    }
}

/// Finds `fusermount3` on the search path and where distributions put it.
pub(crate) fn find_helper() -> Option<PathBuf> {
    let search = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/run/wrappers/bin", "/usr/bin", "/bin", "/usr/local/bin"];
    std::env::split_paths(&search)
        .chain(usual.iter().map(PathBuf::from))
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join("fusermount3"))
        .find(|program| rustix::fs::access(program, Access::EXEC_OK).is_ok())
}

/// Returns the path by which the kernel knows a mountpoint.
///
/// A dead drive can't be resolved, so where that fails only its parent is.
pub(crate) fn resolve(path: &Path) -> Result<PathBuf, MountError> {
    let failure = match std::fs::canonicalize(path) {
        Ok(resolved) => return Ok(resolved),
        Err(failure) => failure,
    };
    let resolve_parent = || {
        let path = std::path::absolute(path).ok()?;
        let parent = std::fs::canonicalize(path.parent()?).ok()?;
        let resolved = parent.join(path.file_name()?);
        matches!(mounted_at(&resolved), Ok(Some(_))).then_some(resolved)
    };
    resolve_parent().ok_or_else(|| refused(path, failure))
}

fn drive_at(path: &Path) -> Result<Option<MountLine>, MountError> {
    let line = mounted_at(path).map_err(|source| refused(path, source))?;
    Ok(line.filter(MountLine::is_drive))
}

pub(crate) fn refused(path: &Path, source: io::Error) -> MountError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound => MountError::NotThere { path },
        io::ErrorKind::NotADirectory => MountError::NotADirectory { path },
        io::ErrorKind::PermissionDenied => MountError::NotPermitted { path },
        _ => MountError::Io { path, source },
    }
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_directory_is_accepted() {
        let folder = tempfile::tempdir().expect("a folder");
        check_mountpoint(folder.path()).expect("nothing speaks against it");
        assert!(!is_mounted(folder.path()));
    }

    #[test]
    fn what_cannot_take_a_drive_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        let check = check_mountpoint(&folder.path().join("absent"));
        assert!(matches!(check, Err(MountError::NotThere { .. })));
        std::fs::write(&file, b"x").expect("a file");
        let check = check_mountpoint(&file);
        assert!(matches!(check, Err(MountError::NotADirectory { .. })));
        let check = check_mountpoint(folder.path());
        assert!(matches!(check, Err(MountError::NotEmpty { .. })));
    }

    #[test]
    fn what_is_no_drive_is_not_unmounted() {
        let folder = tempfile::tempdir().expect("a folder");
        for path in [folder.path(), Path::new("/proc"), Path::new("/")] {
            let refusal = unmount(path, WhenBusy::Detach);
            assert!(matches!(refusal, Err(MountError::NotMounted { .. })));
        }
    }
}
