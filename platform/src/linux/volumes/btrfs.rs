//! Subvolumes of btrfs: finding them, and making and deleting snapshots of them.
//!
//! The numbers and layouts are those of linux/btrfs.h. No program is started.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, StatxFlags};
use rustix::io::Errno;

/// The type that statfs(2) has for btrfs.
const BTRFS: u64 = 0x9123_683e;
/// The inode number of the top folder of each subvolume (`BTRFS_FIRST_FREE_OBJECTID`).
const TOP: u64 = 256;
/// The size of every argument.
const ARGUMENT: usize = 4096;
/// The longest name (`BTRFS_VOL_NAME_MAX`).
const MAX_NAME: usize = 255;

/// `BTRFS_IOC_SUBVOL_CREATE`: `_IOW(0x94, 14, struct btrfs_ioctl_vol_args)`.
const SUBVOL_CREATE: libc::c_ulong = 0x5000_940e;
/// `BTRFS_IOC_SNAP_DESTROY`: `_IOW(0x94, 15, struct btrfs_ioctl_vol_args)`.
const SNAP_DESTROY: libc::c_ulong = 0x5000_940f;
/// `BTRFS_IOC_SNAP_CREATE_V2`: `_IOW(0x94, 23, struct btrfs_ioctl_vol_args_v2)`.
const SNAP_CREATE_V2: libc::c_ulong = 0x5000_9417;
/// `BTRFS_IOC_SUBVOL_GETFLAGS`: `_IOR(0x94, 25, __u64)`.
const SUBVOL_GETFLAGS: libc::c_ulong = 0x8008_9419;
/// `BTRFS_IOC_GET_SUBVOL_ROOTREF`, since Linux 4.18: `_IOWR(0x94, 61, …)`.
const GET_SUBVOL_ROOTREF: libc::c_ulong = 0xd000_943d;
/// `BTRFS_IOC_INO_LOOKUP_USER`, since Linux 4.18: `_IOWR(0x94, 62, …)`.
const INO_LOOKUP_USER: libc::c_ulong = 0xd000_943e;
/// `BTRFS_IOC_SUBVOL_SETFLAGS`: `_IOW(0x94, 26, __u64)`.
const SUBVOL_SETFLAGS: libc::c_ulong = 0x4008_941a;
/// `BTRFS_SUBVOL_RDONLY`.
const READ_ONLY: u64 = 1 << 1;

/// The offset of the name in `struct btrfs_ioctl_vol_args`.
const NAME_AT: usize = 8;
/// The offsets of flags and name in `struct btrfs_ioctl_vol_args_v2`.
const FLAGS_AT_V2: usize = 16;
const NAME_AT_V2: usize = 56;
/// The most references of one answer, and the offset of their number.
const MOST_REFERENCES: usize = 255;
const COUNT_AT: usize = 8 + MOST_REFERENCES * 16;
/// The offsets of name and path in `struct btrfs_ioctl_ino_lookup_user_args`.
const FOUND_NAME_AT: usize = 16;
const FOUND_PATH_AT: usize = FOUND_NAME_AT + MAX_NAME + 1;

/// A subvolume of btrfs, by its top folder.
#[derive(Debug)]
pub struct Subvolume {
    top: PathBuf,
    folder: OwnedFd,
}

impl Subvolume {
    /// Finds the subvolume that holds a path without links; `None` where that is not on btrfs.
    ///
    /// # Errors
    /// Its top folder can't be reached, as where only a part of it is mounted.
    pub fn holding(path: &Path) -> io::Result<Option<Self>> {
        let own = identity(path)?;
        for folder in path.ancestors() {
            let (device, inode) = identity(folder)?;
            if device != own.0 {
                break;
            }
            if rustix::fs::statfs(folder)?.f_type as u64 & 0xffff_ffff != BTRFS {
                return Ok(None);
            }
            if inode == TOP {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
                let opened = rustix::fs::open(folder, flags, Mode::empty())?;
                return Ok(Some(Self { top: folder.to_owned(), folder: opened }));
            }
        }
        match rustix::fs::statfs(path)?.f_type as u64 & 0xffff_ffff {
            BTRFS => Err(io::Error::other("only a part of its subvolume is mounted")),
            _ => Ok(None),
        }
    }

    /// Returns the path of its top folder.
    #[must_use]
    pub fn top(&self) -> &Path {
        &self.top
    }

    /// Returns true if nothing in it can be changed.
    ///
    /// # Errors
    /// The file system does not answer.
    pub fn is_read_only(&self) -> io::Result<bool> {
        let mut argument = Argument::new();
        argument.call(&self.folder, SUBVOL_GETFLAGS)?;
        Ok(argument.number(0) & READ_ONLY != 0)
    }

    /// Returns the top folders of the subvolumes that lie directly in it; those that this process may not see are
    /// left out.
    ///
    /// # Errors
    /// The kernel is older than 4.18, or the file system does not answer.
    pub fn below(&self) -> io::Result<Vec<PathBuf>> {
        let (mut found, mut from) = (Vec::new(), 0);
        loop {
            let mut argument = Argument::new();
            argument.put_number(0, from);
            let has_more = match argument.call(&self.folder, GET_SUBVOL_ROOTREF) {
                Ok(()) => false,
                Err(Errno::OVERFLOW) => true,
                Err(error) => return Err(error.into()),
            };
            let count = usize::from(argument.0[COUNT_AT]).min(MOST_REFERENCES);
            let references =
                (0..count).map(|at| (argument.number(8 + at * 16), argument.number(16 + at * 16)));
            for (tree, folder) in references {
                found.extend(self.place_of(tree, folder)?);
            }
            if !has_more || argument.number(0) <= from {
                return Ok(found);
            }
            from = argument.number(0);
        }
    }

    /// Returns where a subvolume lies, by the number of its tree and that of the folder that has its name.
    fn place_of(&self, tree: u64, folder: u64) -> io::Result<Option<PathBuf>> {
        let mut argument = Argument::new();
        argument.put_number(0, folder);
        argument.put_number(8, tree);
        match argument.call(&self.folder, INO_LOOKUP_USER) {
            Ok(()) => {}
            // It is in a folder that this process may not enter, or was deleted.
            Err(Errno::ACCESS | Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let above = argument.text(FOUND_PATH_AT).to_owned();
        let name = argument.text(FOUND_NAME_AT);
        Ok(Some(self.top.join(OsStr::from_bytes(&above)).join(OsStr::from_bytes(name))))
    }

    /// Makes a read-only snapshot of it, a folder `name` in its top folder.
    ///
    /// What this process could not delete again, it does not make.
    ///
    /// # Errors
    /// This process may not do it, or the file system can't.
    pub fn snapshot(&self, name: &str) -> io::Result<()> {
        if !may_delete_all() {
            self.try_deletion(name)?;
        }
        let mut argument = Argument::new();
        argument.put_number(0, self.folder.as_raw_fd().unsigned_abs().into());
        argument.put_number(FLAGS_AT_V2, READ_ONLY);
        argument.put_name(NAME_AT_V2, name)?;
        Ok(argument.call(&self.folder, SNAP_CREATE_V2)?)
    }

    /// Deletes a snapshot that [`snapshot`](Self::snapshot) made; anything else of this name stays.
    ///
    /// # Errors
    /// It is no read-only subvolume, or this process may not delete it.
    pub fn delete_snapshot(&self, name: &str) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let folder = rustix::fs::openat(&self.folder, name, flags, Mode::empty())?;
        let found = rustix::fs::fstat(&folder)?;
        let its = Self { top: self.top.join(name), folder };
        if found.st_ino != TOP || !its.is_read_only()? {
            return Err(io::Error::other("it is no snapshot"));
        }
        match self.delete(name) {
            // Only root may delete one that can't be written to.
            Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => {
                its.set_flags(0)?;
                self.delete(name).inspect_err(|_| {
                    // By this it is known as a snapshot the next time.
                    let _ = its.set_flags(READ_ONLY);
                })
            }
            deleted => deleted,
        }
    }

    fn set_flags(&self, flags: u64) -> io::Result<()> {
        let mut argument = Argument::new();
        argument.put_number(0, flags);
        Ok(argument.call(&self.folder, SUBVOL_SETFLAGS)?)
    }

    fn delete(&self, name: &str) -> io::Result<()> {
        let mut argument = Argument::new();
        argument.put_name(NAME_AT, name)?;
        Ok(argument.call(&self.folder, SNAP_DESTROY)?)
    }

    /// Makes an empty subvolume and deletes it, which not every user may who may make one.
    fn try_deletion(&self, name: &str) -> io::Result<()> {
        let mut argument = Argument::new();
        argument.put_name(NAME_AT, name)?;
        argument.call(&self.folder, SUBVOL_CREATE)?;
        self.delete(name).inspect_err(|_| {
            // Its owner may always remove an empty one as a folder.
            let _ = rustix::fs::unlinkat(&self.folder, name, AtFlags::REMOVEDIR);
        })
    }
}

/// Returns true if this process may delete subvolumes wherever it may remove a folder: it has `CAP_SYS_ADMIN`, and
/// not in a user namespace only.
fn may_delete_all() -> bool {
    use rustix::thread::{CapabilitySet, capabilities};
    let is_capable =
        capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN));
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    is_capable && map.split_ascii_whitespace().eq(["0", "0", "4294967295"])
}

/// Returns the numbers of the file system and of the file at a path.
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let wanted = StatxFlags::INO;
    let found = rustix::fs::statx(rustix::fs::CWD, path, AtFlags::NO_AUTOMOUNT, wanted)?;
    Ok((rustix::fs::makedev(found.stx_dev_major, found.stx_dev_minor), found.stx_ino))
}

/// The argument of a call; all have one size, and numbers are those of this processor.
struct Argument([u8; ARGUMENT]);

impl Argument {
    fn new() -> Self {
        Self([0; ARGUMENT])
    }

    fn number(&self, at: usize) -> u64 {
        let bytes = self.0[at..at + 8].try_into().expect("a number has eight bytes");
        u64::from_ne_bytes(bytes)
    }

    fn put_number(&mut self, at: usize, number: u64) {
        self.0[at..at + 8].copy_from_slice(&number.to_ne_bytes());
    }

    fn put_name(&mut self, at: usize, name: &str) -> io::Result<()> {
        if name.is_empty() || name.len() > MAX_NAME || name.contains(['/', '\0']) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no name"));
        }
        self.0[at..at + name.len()].copy_from_slice(name.as_bytes());
        Ok(())
    }

    /// Returns the text at an offset, without the zero byte at its end.
    fn text(&self, at: usize) -> &[u8] {
        let rest = &self.0[at..];
        let end = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
        &rest[..end]
    }

    fn call(&mut self, folder: &OwnedFd, request: libc::c_ulong) -> Result<(), Errno> {
        // SAFETY: each request reads and writes at most the bytes of which its number tells, at most those here.
        let status = unsafe { libc::ioctl(folder.as_raw_fd(), request as _, self.0.as_mut_ptr()) };
        match status {
            0 => Ok(()),
            _ => Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_on_btrfs_has_no_subvolume() {
        assert!(Subvolume::holding(Path::new("/proc/self")).expect("it is there").is_none());
        assert!(Subvolume::holding(Path::new("/no/such/path")).is_err());
    }

    #[test]
    fn a_name_of_a_snapshot_is_a_single_name() {
        let mut argument = Argument::new();
        for name in ["", "a/b", "a\0b", &"x".repeat(256)] {
            assert!(argument.put_name(NAME_AT, name).is_err(), "{name:?}");
        }
        argument.put_name(NAME_AT, "name").expect("a name");
        assert_eq!(argument.text(NAME_AT), b"name");
        argument.put_number(0, 7);
        assert_eq!(argument.number(0), 7);
    }
}
