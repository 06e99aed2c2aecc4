//! Descriptors that this program inherited.

#![allow(unsafe_code)]

use std::fs;
use std::io;

/// The first descriptor that is none of standard input, output and error.
const FIRST: libc::c_int = 3;

/// Lets no program that this process starts inherit what it has open, apart from the three
/// standard streams.
///
/// Files that Rust opens are not inherited anyway; this is for those that a shell or a service manager left open.
pub(super) fn close_on_exec() -> io::Result<()> {
    for entry in fs::read_dir("/proc/self/fd")? {
        let number = entry?.file_name().to_str().and_then(|name| name.parse().ok());
        let Some(number) = number.filter(|number: &libc::c_int| *number >= FIRST) else { continue };
        // SAFETY: sets a flag that only `exec` reads; a number that is closed by now is refused.
        unsafe {
            libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC);
        }
    }
    Ok(())
}
