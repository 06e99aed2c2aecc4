//! The handle of a folder, which names it on its file system wherever it is moved.

use std::ffi::{OsString, c_int};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use rustix::fs::CWD;
use rustix::io::Errno;

/// `MAX_HANDLE_SZ` of linux/exportfs.h.
const MOST_BYTES: usize = 128;

/// `struct file_handle` of open_by_handle_at(2). The bytes after `length` are zero.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct FileHandle {
    length: u32,
    kind: i32,
    bytes: [u8; MOST_BYTES],
}

impl FileHandle {
    /// Reads a handle at the beginning of some bytes, and returns what follows it; `None` if it is none.
    pub(super) fn parse(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (length, rest) = bytes.split_first_chunk()?;
        let (kind, rest) = rest.split_first_chunk()?;
        let (length, kind) = (u32::from_ne_bytes(*length), i32::from_ne_bytes(*kind));
        let (bytes, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        let mut handle = Self { length, kind, bytes: [0; MOST_BYTES] };
        handle.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        (!bytes.is_empty()).then_some((handle, rest))
    }

    /// Returns the handle of an open folder.
    ///
    /// # Errors
    /// The file system has no handles by which folders are opened.
    pub(super) fn of(folder: BorrowedFd<'_>) -> io::Result<Self> {
        let length = u32::try_from(MOST_BYTES).expect("128");
        let mut handle = Self { length, kind: 0, bytes: [0; MOST_BYTES] };
        let mut mount: c_int = 0;
        // SAFETY: the path is a C string, `handle` has room for `length` bytes, and `mount` can be written.
        let status = unsafe {
            libc::syscall(
                libc::SYS_name_to_handle_at,
                folder.as_raw_fd(),
                c"".as_ptr(),
                &raw mut handle,
                &raw mut mount,
                libc::AT_EMPTY_PATH,
            )
        };
        match status {
            0 => Ok(handle),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Opens the folder, to find out its path only; `mount` is a folder of any mount of its file system.
    pub(super) fn open(&self, mount: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
        let flags = libc::O_PATH | libc::O_CLOEXEC | libc::O_DIRECTORY;
        // SAFETY: the kernel reads the head of `self`, and then no more than the bytes that are there.
        let number = unsafe {
            let (mount, handle) = (mount.as_raw_fd(), &raw const *self);
            libc::syscall(libc::SYS_open_by_handle_at, mount, handle, flags)
        };
        if number < 0 {
            let error = io::Error::last_os_error();
            return Err(Errno::from_io_error(&error).unwrap_or(Errno::IO));
        }
        let number = c_int::try_from(number).expect("a descriptor is an int");
        // SAFETY: the kernel has just made the descriptor, so nothing else owns it.
        Ok(unsafe { OwnedFd::from_raw_fd(number) })
    }

    /// Lays out a handle as in an event.
    #[cfg(test)]
    pub(super) fn to_bytes(length: u32, bytes: &[u8]) -> Vec<u8> {
        [&length.to_ne_bytes(), &1i32.to_ne_bytes(), bytes].concat()
    }
}

/// Returns the path of an open folder; `None` if the folder is deleted.
pub(super) fn path_of(folder: &OwnedFd) -> Result<Option<PathBuf>, Errno> {
    if rustix::fs::fstat(folder)?.st_nlink == 0 {
        return Ok(None);
    }
    let link = format!("/proc/self/fd/{}", folder.as_raw_fd());
    let path = rustix::fs::readlinkat(CWD, link, Vec::new())?;
    Ok(Some(PathBuf::from(OsString::from_vec(path.into_bytes()))))
}
