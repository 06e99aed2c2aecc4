//! A fanotify group: a queue of events, and the file systems that are marked for it.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::io::Errno;

/// Events of names: also on both sides of a rename.
pub(super) const OF_NAMES: u64 =
    libc::FAN_CREATE | libc::FAN_DELETE | libc::FAN_MOVED_FROM | libc::FAN_MOVED_TO;
/// Events of content and attributes.
pub(super) const OF_CONTENT: u64 = libc::FAN_MODIFY | libc::FAN_ATTRIB;
const WATCHED: u64 = OF_NAMES | OF_CONTENT | libc::FAN_CLOSE_WRITE | libc::FAN_ONDIR;

#[derive(Debug)]
pub(super) struct Group(OwnedFd);

impl Group {
    pub(super) fn new() -> io::Result<Self> {
        let flags = libc::FAN_CLASS_NOTIF
            | libc::FAN_CLOEXEC
            | libc::FAN_NONBLOCK
            | libc::FAN_REPORT_DFID_NAME;
        // SAFETY: the call takes no memory of this process.
        let number = unsafe { libc::fanotify_init(flags, libc::O_RDONLY.cast_unsigned()) };
        if number < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made the descriptor, so nothing else owns it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(number) }))
    }

    /// Marks the whole file system that holds an open folder.
    pub(super) fn mark(&self, folder: BorrowedFd<'_>) -> io::Result<()> {
        self.change(libc::FAN_MARK_ADD, WATCHED, folder)
    }

    /// Tells whether the file system that holds an open folder is marked: the mark goes when it is unmounted.
    pub(super) fn is_marked(&self, folder: BorrowedFd<'_>) -> bool {
        // An event that is not watched is removed from the mark, which is an error only where there is none.
        self.change(libc::FAN_MARK_REMOVE, libc::FAN_OPEN, folder).is_ok()
    }

    fn change(&self, how: libc::c_uint, mask: u64, folder: BorrowedFd<'_>) -> io::Result<()> {
        let flags = how | libc::FAN_MARK_FILESYSTEM;
        // SAFETY: without a path, the call takes no memory of this process.
        let status = unsafe {
            let (group, folder) = (self.0.as_raw_fd(), folder.as_raw_fd());
            libc::fanotify_mark(group, flags, mask as _, folder, std::ptr::null())
        };
        match status {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Reads whole events into a buffer; `Errno::AGAIN` when there are none.
    pub(super) fn read(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        rustix::io::read(&self.0, buffer)
    }
}

impl AsFd for Group {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
