//! Writing a restored tree.
//!
//! Nothing in a hostile tree can leave the target: everything happens by directory handle and
//! single names (no `..`, no `/`), directories are entered without following links, and what is
//! new is made exclusively. So a link placed earlier, by the tree or by another process, is an error.

mod file;
mod leftover;
mod remove;
mod restore;
#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use rustix::fs::{Access, AtFlags, FileType, Mode, OFlags, RenameFlags, ResolveFlags};
use rustix::io::Errno;

pub use file::{TargetFile, TemporaryFile};
use leftover::Temporary;

use crate::file_options::MkdirOutcome;
use crate::linux::source::SourceDir;
use crate::linux::stat::{self, component};
use crate::linux::xattr::{self, FileRef};
use crate::metadata::{DeviceNumber, Kind, Metadata};
use crate::wanted_metadata::{MetadataPart, RefusedMetadata, WantedMetadata};

/// An open directory of the target; clones share it.
#[derive(Debug, Clone)]
pub struct TargetDir {
    dir: Arc<OwnedFd>,
    /// The inheritance of ACLs by new files; one of the constants below.
    inherits: Arc<AtomicU8>,
    /// Some file system of the target has no `O_TMPFILE`; shared by all of its directories.
    lacks_tmpfile: Arc<AtomicBool>,
}

const UNKNOWN: u8 = 0;
const INHERITS: u8 = 1;
const DOES_NOT_INHERIT: u8 = 2;

impl TargetDir {
    /// Opens the root of a target, made with its parents where missing; the only place where a
    /// path, and links in it, are followed.
    pub fn create(path: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = rustix::fs::open(path, flags, Mode::empty())?;
        Ok(Self::new(dir, Arc::new(AtomicBool::new(false))))
    }

    fn new(dir: OwnedFd, lacks_tmpfile: Arc<AtomicBool>) -> Self {
        let inherits = Arc::new(AtomicU8::new(UNKNOWN));
        Self { dir: Arc::new(dir), inherits, lacks_tmpfile }
    }

    /// Opens a directory in this one; a link or anything else in its place is an error.
    pub fn open_child(&self, name: &[u8]) -> io::Result<Self> {
        Ok(self.child(open_beneath(&self.dir, component(name)?)?))
    }

    fn child(&self, dir: OwnedFd) -> Self {
        Self::new(dir, Arc::clone(&self.lacks_tmpfile))
    }

    /// Makes a directory, or opens the one that is there.
    ///
    /// A link or anything else in its place is an error, for the caller to [`remove`](Self::remove)
    /// or to report.
    pub fn make_dir(&self, name: &[u8]) -> io::Result<(Self, MkdirOutcome)> {
        let name = component(name)?;
        let made = match rustix::fs::mkdirat(&self.dir, name, Mode::RWXU) {
            Ok(()) => MkdirOutcome::Created,
            Err(Errno::EXIST) => MkdirOutcome::Existing,
            Err(error) => return Err(error.into()),
        };
        Ok((self.child(open_beneath(&self.dir, name)?), made))
    }

    /// Makes a directory, or opens the one that is there or that a link leads to; anything else in its
    /// place is an error.
    ///
    /// For names of a path that a person chose, not for those of a tree: such a link leads anywhere.
    pub fn make_dir_following(&self, name: &[u8]) -> io::Result<(Self, MkdirOutcome)> {
        if let Some(found) = self.open_dir_following(name)? {
            return Ok((found, MkdirOutcome::Existing));
        }
        self.make_dir(name)
    }

    /// Opens a directory, or the one that a link leads to; `None` where there is nothing, an error where
    /// there is anything else.
    pub fn open_dir_following(&self, name: &[u8]) -> io::Result<Option<Self>> {
        let open = |access: OFlags| {
            let flags = access | OFlags::DIRECTORY | OFlags::CLOEXEC;
            rustix::fs::openat(&self.dir, component(name)?, flags, Mode::empty())
                .map_err(io::Error::from)
        };
        match open(OFlags::RDONLY) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                match self.child_metadata(name)? {
                    None => Ok(None),
                    Some(_) => Err(error),
                }
            }
            // One may go through a directory that one may not list.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Ok(Some(self.child(open(OFlags::PATH)?)))
            }
            opened => Ok(Some(self.child(opened?))),
        }
    }

    /// Replaces `name` in one step by what `make` makes under the name that it is given.
    ///
    /// A directory is not replaced. A killed process leaves something that
    /// [`remove_leftovers`](Self::remove_leftovers) removes.
    pub fn replace_with(
        &self,
        name: &[u8],
        make: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let name = component(name)?;
        let ((), temporary) = leftover::unused_name(&self.dir, Temporary::Replacing, make)?;
        rustix::fs::renameat(&self.dir, &temporary, &self.dir, name).map_err(|error| {
            let _ = rustix::fs::unlinkat(&self.dir, &temporary, AtFlags::empty());
            error.into()
        })
    }

    /// Makes a directory in the place of something that is none, in one step where the file system
    /// can exchange names.
    pub fn replace_by_dir(&self, name: &[u8]) -> io::Result<Self> {
        let name = component(name)?;
        let ((), temporary) =
            leftover::unused_name(&self.dir, Temporary::Replacing, |temporary| {
                Ok(rustix::fs::mkdirat(&self.dir, temporary, Mode::RWXU)?)
            })?;
        let exchange = RenameFlags::EXCHANGE;
        match rustix::fs::renameat_with(&self.dir, &temporary, &self.dir, name, exchange) {
            Ok(()) => rustix::fs::unlinkat(&self.dir, &temporary, AtFlags::empty())?,
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                rustix::fs::unlinkat(&self.dir, name, AtFlags::empty())?;
                rustix::fs::renameat(&self.dir, &temporary, &self.dir, name)?;
            }
            Err(error) => {
                let _ = rustix::fs::unlinkat(&self.dir, &temporary, AtFlags::REMOVEDIR);
                return Err(error.into());
            }
        }
        Ok(self.child(open_beneath(&self.dir, name)?))
    }

    /// Tells whether the directory distinguishes names that differ in case, by making a file for an instant.
    pub fn is_case_sensitive(&self) -> io::Result<bool> {
        leftover::is_case_sensitive(self)
    }

    /// Opens the same directory for reading.
    pub fn as_source(&self) -> io::Result<SourceDir> {
        SourceDir::of(self.dir.as_fd())
    }

    /// Reads the text of a link.
    pub fn read_link(&self, name: &[u8]) -> io::Result<Vec<u8>> {
        Ok(rustix::fs::readlinkat(&self.dir, component(name)?, Vec::new())?.into_bytes())
    }

    /// Tells whether this process may add to and remove from the directory.
    pub fn is_writable(&self) -> bool {
        let access = Access::WRITE_OK | Access::EXEC_OK;
        rustix::fs::accessat(&self.dir, c".", access, AtFlags::EACCESS).is_ok()
    }

    /// Returns the metadata of `name`, without following a link; `None` where there is nothing.
    pub fn child_metadata(&self, name: &[u8]) -> io::Result<Option<Metadata>> {
        match stat::child(self.dir.as_fd(), name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            found => found.map(Some),
        }
    }

    /// Returns the metadata of the directory itself.
    pub fn metadata(&self) -> io::Result<Metadata> {
        stat::open(self.dir.as_fd())
    }

    /// Makes a new file, readable by its owner alone until its metadata is set.
    ///
    /// Anything under that name is an error. `size_hint` is the length to come, 0 if it is not known
    /// or if there will be holes: room for large files is reserved, so that a full disk shows early.
    pub fn create_file(&self, name: &[u8], size_hint: u64) -> io::Result<TargetFile> {
        TargetFile::create(self, component(name)?, size_hint)
    }

    /// Makes a new file that gets its name, or takes the place of another, when it is complete.
    pub fn create_temporary(&self, size_hint: u64) -> io::Result<TemporaryFile> {
        TemporaryFile::create(self, size_hint)
    }

    /// Removes the leftovers of killed processes' [`TemporaryFile`]s here, and nothing else.
    ///
    /// Returns their number; after one that could not be removed it goes on, and returns the error at
    /// the end.
    pub fn remove_leftovers(&self) -> io::Result<u64> {
        leftover::remove_all(&self.dir)
    }

    /// Makes a symbolic link with any text; the text is never followed.
    pub fn symlink(&self, name: &[u8], text: &[u8]) -> io::Result<()> {
        Ok(rustix::fs::symlinkat(text, &self.dir, component(name)?)?)
    }

    /// Makes a named pipe.
    pub fn make_fifo(&self, name: &[u8]) -> io::Result<()> {
        self.make_node(name, FileType::Fifo, DeviceNumber::default())
    }

    /// Makes a socket without a listener.
    pub fn make_socket(&self, name: &[u8]) -> io::Result<()> {
        self.make_node(name, FileType::Socket, DeviceNumber::default())
    }

    /// Makes a device, for which privileges are needed; `kind` is one of the two kinds of device.
    pub fn make_device(&self, name: &[u8], kind: Kind, number: DeviceNumber) -> io::Result<()> {
        match kind {
            Kind::CharDevice => self.make_node(name, FileType::CharacterDevice, number),
            Kind::BlockDevice => self.make_node(name, FileType::BlockDevice, number),
            Kind::File | Kind::Directory | Kind::Symlink | Kind::Fifo | Kind::Socket => {
                Err(io::Error::new(io::ErrorKind::InvalidInput, "not a kind of device"))
            }
        }
    }

    fn make_node(&self, name: &[u8], kind: FileType, number: DeviceNumber) -> io::Result<()> {
        let number = rustix::fs::makedev(number.major, number.minor);
        let mode = Mode::RUSR | Mode::WUSR;
        Ok(rustix::fs::mknodat(&self.dir, component(name)?, kind, mode, number)?)
    }

    /// Makes `name` here a hard link to `from_name` in `from`; to a symbolic link itself, not to its target.
    pub fn hard_link(&self, name: &[u8], from: &Self, from_name: &[u8]) -> io::Result<()> {
        let (from_name, name) = (component(from_name)?, component(name)?);
        Ok(rustix::fs::linkat(&from.dir, from_name, &self.dir, name, AtFlags::empty())?)
    }

    /// Removes `name`: a link itself, a directory with all that is in it.
    pub fn remove(&self, name: &[u8]) -> io::Result<()> {
        remove::remove(&self.dir, component(name)?)
    }

    /// Sets the metadata of something made here, by name, without opening it or following a link.
    ///
    /// Returns what could not be applied. Setting it on an open file or directory is cheaper.
    pub fn set_child_metadata(
        &self,
        name: &[u8],
        restore: &WantedMetadata<'_>,
    ) -> Vec<RefusedMetadata> {
        match component(name) {
            Ok(name) => restore::apply(FileRef::Child(self.dir.as_fd(), name), restore, true),
            Err(error) => vec![RefusedMetadata { part: MetadataPart::All, error }],
        }
    }

    /// Sets the directory's metadata; last, since adding to it changes its time.
    ///
    /// Returns what could not be applied.
    pub fn set_metadata(&self, restore: &WantedMetadata<'_>) -> Vec<RefusedMetadata> {
        let refused = restore::apply(FileRef::Open(self.dir.as_fd()), restore, true);
        self.inherits.store(UNKNOWN, Ordering::Relaxed);
        refused
    }

    /// Sets the directory's mode alone.
    pub fn set_mode(&self, mode: u32) -> io::Result<()> {
        Ok(rustix::fs::fchmod(&self.dir, Mode::from_raw_mode(mode))?)
    }

    /// Waits until everything written to the file system that holds this directory is durable.
    pub fn sync_file_system(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(&self.dir)?)
    }

    /// Tells whether files made here inherit an ACL; read once.
    fn inherits(&self) -> bool {
        let known = self.inherits.load(Ordering::Relaxed);
        if known != UNKNOWN {
            return known == INHERITS;
        }
        let inherits = xattr::has(self.dir.as_fd(), b"system.posix_acl_default");
        self.inherits.store(if inherits { INHERITS } else { DOES_NOT_INHERIT }, Ordering::Relaxed);
        inherits
    }
}

/// Opens a directory by one name, refusing links of every sort.
fn open_beneath(dir: &OwnedFd, name: &[u8]) -> io::Result<OwnedFd> {
    static MISSING: AtomicBool = AtomicBool::new(false);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    if !MISSING.load(Ordering::Relaxed) {
        let resolve =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match rustix::fs::openat2(dir, name, flags, Mode::empty(), resolve) {
            // Before Linux 5.6, or refused by a seccomp filter. One name with O_NOFOLLOW is as safe;
            // openat2 checks it a second time.
            Err(Errno::NOSYS | Errno::PERM) => {
                let opened = rustix::fs::openat(dir, name, flags, Mode::empty())?;
                MISSING.store(true, Ordering::Relaxed);
                return Ok(opened);
            }
            opened => return Ok(opened?),
        }
    }
    Ok(rustix::fs::openat(dir, name, flags, Mode::empty())?)
}
