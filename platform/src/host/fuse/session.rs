//! A mounted drive, from `mount` to its end.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fuser::{Config, Notifier, Session, SessionACL};

use super::attach::attach;
use super::inode_numbers::Numbers;
use super::mountpoint::{check_mountpoint, refused, resolve, unmount_line};
use super::request::{Adapter, EnforceAcls};
use super::unmount::unmount_everywhere;
use crate::linux::mounts::table::{MountLine, mounted_at};
use crate::mount::error::MountError;
use crate::mount::{Access, MountOptions, Unmounted, WhenBusy};
use crate::volume::{Ino, Volume};

/// The kernel's read-ahead where it may be set, in KiB: 2 GB/s with the default of 128,
/// up to 4 GB/s with this.
const READ_AHEAD_KIB: &str = "4096";

/// Mounts `volume` at the empty directory `mountpoint` and begins to answer.
///
/// Dropping the returned value unmounts, even when the drive is in use.
pub fn mount(
    volume: Arc<dyn Volume>,
    mountpoint: &Path,
    options: &MountOptions,
) -> Result<Mounted, MountError> {
    check_mountpoint(mountpoint)?;
    let point = resolve(mountpoint)?;
    let enforce_acls = match options.access {
        Access::OwnerOnly => EnforceAcls::No,
        Access::Everyone => EnforceAcls::Yes,
    };
    let numbers = Numbers::new(options.inode_numbers);
    let numbers = Arc::new(numbers.map_err(|source| refused(&point, source))?);
    let connection = attach(&point, options)?;
    let line = mounted_at(&point)
        .map_err(|source| refused(&point, source))?
        .filter(MountLine::is_drive)
        .ok_or_else(|| MountError::NotMounted { path: point.clone() })?;
    let kept = connection.try_clone().map_err(|source| refused(&point, source))?;
    let mut config = Config::default();
    config.n_threads = Some(threads(options.threads));
    // The kernel refuses all other users; a second check would refuse what the kernel does by itself.
    let adapter = Adapter::new(volume, Arc::clone(&numbers), enforce_acls);
    let session = Session::from_fd(adapter, connection, SessionACL::All, config);
    let started = session.and_then(|session| {
        let notifier = session.notifier();
        let run = move || session.run();
        let session = thread::Builder::new().name("fuse".to_owned()).spawn(run)?;
        Ok((session, notifier))
    });
    let (session, notifier) = match started {
        Ok(started) => started,
        Err(source) => {
            // The failure to start is returned; a mount that stays returns ENOTCONN.
            let _ = unmount_line(&line, WhenBusy::Detach);
            return Err(MountError::Io { path: point, source });
        }
    };
    raise_read_ahead(&line);
    let handle =
        MountedHandle { drive: Arc::new(line), connection: Arc::new(kept), notifier, numbers };
    Ok(Mounted { session: Some(session), handle })
}

fn threads(wanted: usize) -> usize {
    match wanted {
        0 => thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, 4)),
        wanted => wanted,
    }
}

/// Lets the kernel read further ahead; only root may, and nothing depends on it.
fn raise_read_ahead(drive: &MountLine) {
    let (major, minor) = drive.device;
    let setting = format!("/sys/class/bdi/{major}:{minor}/read_ahead_kb");
    let _ = std::fs::write(setting, READ_AHEAD_KIB);
}

/// A mounted drive.
pub struct Mounted {
    session: Option<JoinHandle<io::Result<()>>>,
    handle: MountedHandle,
}

impl Mounted {
    /// Returns the mountpoint, as the kernel knew it when it was mounted.
    pub fn mountpoint(&self) -> &Path {
        &self.handle.drive.point
    }

    /// Returns a handle that other threads may keep.
    pub fn handle(&self) -> MountedHandle {
        self.handle.clone()
    }

    /// Waits until the drive is unmounted, from outside or through a handle, and its last file is
    /// closed.
    pub fn wait(mut self) -> Result<(), MountError> {
        let Some(session) = self.session.take() else {
            return Ok(());
        };
        let ended = session
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("a thread of the drive panicked")));
        match ended {
            Ok(()) => Ok(()),
            Err(source) => {
                // No thread answers any more.
                let _ = self.handle.unmount(Duration::ZERO);
                let path = self.mountpoint().to_owned();
                Err(MountError::Io { path, source })
            }
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if self.session.is_some() {
            // What can't be unmounted answers ENOTCONN once this process ends.
            let _ = self.handle.unmount(Duration::ZERO);
        }
    }
}

/// Unmounts a drive, or makes the kernel forget what it keeps of it; for any thread.
#[derive(Clone)]
pub struct MountedHandle {
    drive: Arc<MountLine>,
    connection: Arc<OwnedFd>,
    notifier: Notifier,
    numbers: Arc<Numbers>,
}

impl MountedHandle {
    /// Unmounts the drive wherever it is mounted by now, taking it out of the tree at least where it is
    /// in use, and waits at most `limit` until it is unmounted.
    ///
    /// Succeeds when the drive is unmounted already; other mounts at that place are left alone.
    pub fn unmount(&self, limit: Duration) -> Result<Unmounted, MountError> {
        unmount_everywhere(&self.drive, &*self.connection, limit)
    }

    /// Makes the kernel forget the attributes, content or listing of `ino`.
    ///
    /// Not to be called by a volume while it answers: the kernel may wait for that answer.
    pub fn invalidate(&self, ino: Ino) -> io::Result<()> {
        self.numbers.known(ino).map_or(Ok(()), |number| self.notifier.inval_inode(number, 0, 0))
    }

    /// Makes the kernel forget the entry of `name` in the directory `parent`, also that there is none.
    ///
    /// Not to be called by a volume while it answers: the kernel may wait for that answer.
    pub fn invalidate_entry(&self, parent: Ino, name: &[u8]) -> io::Result<()> {
        let name = OsStr::from_bytes(name);
        self.numbers.known(parent).map_or(Ok(()), |number| self.notifier.inval_entry(number, name))
    }
}
