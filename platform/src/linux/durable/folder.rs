//! Folders of durable files.

use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::{Errno, retry_on_intr};

use crate::volume::Space;

pub(super) fn open_folder(path: &Path) -> io::Result<OwnedFd> {
    // The empty path is how `Path::parent` names the current directory.
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty()))?)
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(folder: &OwnedFd) -> io::Result<()> {
    match super::flush(folder) {
        // File systems that flush names by themselves, or not at all, may answer so for a folder.
        Err(error) if error.raw_os_error() == Some(Errno::BADF.raw_os_error()) => Ok(()),
        flushed => flushed.map(drop),
    }
}

/// Makes a folder, with its parents where missing, whose names survive a crash.
///
/// It is its owner's alone (0700), or the group's with which the folder above is shared (2770); parents get the usual
/// permissions. A folder that is there is flushed too, since its creator may not have flushed it yet: call this
/// when [`DurableFile::create`](crate::DurableFile::create) finds no folder, not before each file.
pub fn create_dir_durable(path: &Path) -> io::Result<()> {
    create_with(path, 0o700)
}

/// The permissions of new folders, without those that the process keeps back.
const USUAL: u32 = 0o777;

fn create_with(path: &Path, mode: u32) -> io::Result<()> {
    let Some(parent) = path.parent() else { return Ok(()) };
    let create = || DirBuilder::new().mode(mode).create(path);
    let created = match create() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create_with(parent, USUAL)?;
            create()
        }
        created => created,
    };
    let above = match created {
        Ok(()) => {
            let above = open_folder(parent)?;
            super::permissions::share_folder(open_folder(path)?, &above)?;
            above
        }
        Err(_) if path.is_dir() => open_folder(parent)?,
        Err(error) => return Err(error),
    };
    sync_folder(&above)
}

/// Makes a folder, with its parents where missing, that is its owner's alone (0700).
///
/// One that is there keeps the permissions that it has.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes an empty file that is its owner's alone (0600); one that is there keeps its content and gets
/// these permissions.
///
/// No descriptor is opened: closing one would drop the `fcntl` locks that another part of the process
/// holds on the file (<https://sqlite.org/howtocorrupt.html>, section 2.2).
pub fn create_private_file(path: &Path) -> io::Result<()> {
    match rustix::fs::mknodat(CWD, path, FileType::RegularFile, Mode::RUSR | Mode::WUSR, 0) {
        Ok(()) => Ok(()),
        Err(Errno::EXIST) => std::fs::set_permissions(path, Permissions::from_mode(0o600)),
        Err(error) => Err(error.into()),
    }
}

/// Writes a file that may be run as a program, over one that is there.
pub fn write_program(path: &Path, content: &[u8]) -> io::Result<()> {
    std::fs::write(path, content)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o755))
}

/// Removes a file, for good when this returns. A file that is not there is an error.
pub fn remove_durable(path: &Path) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let folder = open_folder(path.parent().unwrap_or(Path::new("")))?;
    retry_on_intr(|| rustix::fs::unlinkat(&folder, name, AtFlags::empty()))?;
    sync_folder(&folder)
}

/// Removes a file below a folder, for good when this returns, and follows no link on the way.
pub fn remove_beneath(root: &Path, path: &Path) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let root = open_folder(root)?;
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let open = || openat2(&root, above.unwrap_or(Path::new(".")), flags, Mode::empty(), resolve);
    let folder = retry_on_intr(open)?;
    retry_on_intr(|| rustix::fs::unlinkat(&folder, name, AtFlags::empty()))?;
    sync_folder(&folder)
}

/// Returns the room on the file system that holds `path`, for this process's user.
pub fn free_space(path: &Path) -> io::Result<Space> {
    let found = rustix::fs::statvfs(path)?;
    Ok(Space {
        total: found.f_blocks.saturating_mul(found.f_frsize),
        free: found.f_bavail.saturating_mul(found.f_frsize),
        files: found.f_files,
    })
}
