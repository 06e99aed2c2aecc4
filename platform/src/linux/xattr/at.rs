//! The calls of Linux 6.13 that take a directory and a name, which libc does not wrap yet.

#![allow(unsafe_code)]

use std::ffi::{CString, c_long};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::OnceLock;

use rustix::io::Errno;

// The same on every architecture that got its numbers since Linux 5.1 unified them; the others
// (alpha, mips) go through /proc.
const SETXATTRAT: c_long = 463;
const GETXATTRAT: c_long = 464;
const LISTXATTRAT: c_long = 465;
const REMOVEXATTRAT: c_long = 466;
const UNIFIED: bool = cfg!(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    target_arch = "riscv64",
    target_arch = "arm",
    target_arch = "x86"
));

/// `struct xattr_args` of linux/xattr.h.
#[repr(C, align(8))]
struct Arguments {
    value: u64,
    size: u32,
    flags: u32,
}

pub(super) fn known() -> bool {
    static KNOWN: OnceLock<bool> = OnceLock::new();
    *KNOWN.get_or_init(|| UNIFIED && probe())
}

fn probe() -> bool {
    // SAFETY: the path is a C string, and a null list of size 0 asks for the length only.
    let answer = unsafe {
        let nowhere = std::ptr::null_mut::<u8>();
        libc::syscall(LISTXATTRAT, libc::AT_FDCWD, c"/".as_ptr(), 0, nowhere, 0_usize)
    };
    // Besides ENOSYS, a seccomp filter may answer EPERM to a call that it does not know.
    !matches!(checked(answer), Err(Errno::NOSYS | Errno::PERM | Errno::ACCESS | Errno::INVAL))
}

pub(super) fn list(dir: BorrowedFd<'_>, name: &[u8], into: &mut [u8]) -> Result<usize, Errno> {
    let name = c_name(name)?;
    // SAFETY: `name` is a C string and `into` is writable for the length given.
    checked(unsafe {
        libc::syscall(
            LISTXATTRAT,
            dir.as_raw_fd(),
            name.as_ptr(),
            libc::AT_SYMLINK_NOFOLLOW,
            into.as_mut_ptr(),
            into.len(),
        )
    })
}

pub(super) fn get(
    dir: BorrowedFd<'_>,
    name: &[u8],
    attribute: &[u8],
    into: &mut [u8],
) -> Result<usize, Errno> {
    let size = u32::try_from(into.len()).unwrap_or(u32::MAX);
    let arguments = Arguments { value: into.as_mut_ptr() as u64, size, flags: 0 };
    // SAFETY: `arguments` points to `into`, which is writable for the length given.
    unsafe { with_value(GETXATTRAT, dir, name, attribute, &arguments) }
}

pub(super) fn set(
    dir: BorrowedFd<'_>,
    name: &[u8],
    attribute: &[u8],
    value: &[u8],
) -> Result<(), Errno> {
    let size = u32::try_from(value.len()).map_err(|_| Errno::TOOBIG)?;
    let arguments = Arguments { value: value.as_ptr() as u64, size, flags: 0 };
    // SAFETY: `arguments` points to `value`, which is readable for the length given, and
    // setxattrat only reads it.
    unsafe { with_value(SETXATTRAT, dir, name, attribute, &arguments) }.map(|_| ())
}

/// # Safety
///
/// `arguments` must describe memory that `call` may read or write.
unsafe fn with_value(
    call: c_long,
    dir: BorrowedFd<'_>,
    name: &[u8],
    attribute: &[u8],
    arguments: &Arguments,
) -> Result<usize, Errno> {
    let (name, attribute) = (c_name(name)?, c_name(attribute)?);
    // SAFETY: both names are C strings; the caller vouches for what `arguments` points to.
    checked(unsafe {
        libc::syscall(
            call,
            dir.as_raw_fd(),
            name.as_ptr(),
            libc::AT_SYMLINK_NOFOLLOW,
            attribute.as_ptr(),
            std::ptr::from_ref(arguments),
            size_of::<Arguments>(),
        )
    })
}

pub(super) fn remove(dir: BorrowedFd<'_>, name: &[u8], attribute: &[u8]) -> Result<(), Errno> {
    let (name, attribute) = (c_name(name)?, c_name(attribute)?);
    // SAFETY: both names are C strings.
    checked(unsafe {
        libc::syscall(
            REMOVEXATTRAT,
            dir.as_raw_fd(),
            name.as_ptr(),
            libc::AT_SYMLINK_NOFOLLOW,
            attribute.as_ptr(),
        )
    })
    .map(|_| ())
}

fn c_name(name: &[u8]) -> Result<CString, Errno> {
    CString::new(name).map_err(|_| Errno::INVAL)
}

fn checked(answer: c_long) -> Result<usize, Errno> {
    usize::try_from(answer)
        .map_err(|_| Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO))
}
