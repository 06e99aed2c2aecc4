//! Extended attributes of open files and of files known by directory and name.
//!
//! A file that is not open is reached by the `*xattrat` calls (Linux 6.13), or through
//! `/proc/self/fd` where the kernel has none; neither follows a link.

mod at;

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::fs::XattrFlags;
use rustix::io::Errno;

use crate::metadata::FoundXattrs;

/// A file, open or known by directory and name.
#[derive(Clone, Copy)]
pub(crate) enum FileRef<'a> {
    /// An open file.
    Open(BorrowedFd<'a>),
    /// A name in a directory, already known to be a single component.
    Child(BorrowedFd<'a>, &'a [u8]),
}

/// Attributes that belong to one inode on one machine, so that restoring them would be wrong.
const BOUND_TO_INODE: [&[u8]; 1] = [b"security.evm"];

/// Reads all attributes, sorted by name; one call where there are none.
///
/// Those of `trusted.`, `security.` and `system.` that the caller may not read are left out, as the
/// kernel itself does for `trusted.`.
pub(crate) fn read(file: FileRef<'_>) -> FoundXattrs {
    let mut found = FoundXattrs::default();
    let names = match names(file) {
        Ok(names) => names,
        // More than 64 KiB of names (E2BIG), of which the kernel lists none.
        Err(error) => {
            found.failed.push((Vec::new(), error));
            return found;
        }
    };
    for name in names {
        if BOUND_TO_INODE.contains(&name.as_slice()) {
            continue;
        }
        match value(file, &name) {
            Ok(value) => found.readable.push((name, value)),
            // Removed since it was listed, or listed by a layer that can't answer for it.
            Err(Errno::NODATA | Errno::OPNOTSUPP) => {}
            Err(Errno::PERM | Errno::ACCESS) if !name.starts_with(b"user.") => {}
            Err(error) => found.failed.push((name, error.into())),
        }
    }
    found.readable.sort_unstable();
    found
}

/// Lists the names alone; none where the file system keeps no attributes.
pub(crate) fn names(file: FileRef<'_>) -> io::Result<Vec<Vec<u8>>> {
    let mut space = [0; 1024];
    let names = match list(file, &mut space) {
        Ok(0) | Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
        Ok(len) => space[..len].to_vec(),
        Err(Errno::RANGE) => list_long(file)?,
        Err(error) => return Err(error.into()),
    };
    let names = names.split(|&byte| byte == 0).filter(|name| !name.is_empty());
    Ok(names.map(<[u8]>::to_vec).collect())
}

/// `XATTR_LIST_MAX` and `XATTR_SIZE_MAX` of linux/limits.h: no list and no value is longer.
const MAX_LEN: usize = 65536;

fn list_long(file: FileRef<'_>) -> io::Result<Vec<u8>> {
    let mut names = vec![0; MAX_LEN];
    let len = list(file, &mut names)?;
    names.truncate(len);
    Ok(names)
}

fn value(file: FileRef<'_>, name: &[u8]) -> Result<Vec<u8>, Errno> {
    let mut space = [0; 1024];
    match get(file, name, &mut space) {
        Ok(len) => Ok(space[..len].to_vec()),
        Err(Errno::RANGE) => {
            let mut value = vec![0; MAX_LEN];
            let len = get(file, name, &mut value)?;
            value.truncate(len);
            value.shrink_to_fit();
            Ok(value)
        }
        Err(error) => Err(error),
    }
}

/// Tells whether an attribute is there.
pub(crate) fn has(file: BorrowedFd<'_>, name: &[u8]) -> bool {
    rustix::fs::fgetxattr(file, name, &mut [0_u8; 0][..]).is_ok()
}

/// Tells whether an attribute is there and has this value.
pub(crate) fn is(file: FileRef<'_>, name: &[u8], wanted: &[u8]) -> bool {
    value(file, name).is_ok_and(|found| found == wanted)
}

fn list(file: FileRef<'_>, into: &mut [u8]) -> Result<usize, Errno> {
    match file {
        FileRef::Open(file) => rustix::fs::flistxattr(file, into),
        FileRef::Child(dir, name) if at::known() => at::list(dir, name, into),
        FileRef::Child(dir, name) => rustix::fs::llistxattr(through_proc(dir, name)?, into),
    }
}

fn get(file: FileRef<'_>, attribute: &[u8], into: &mut [u8]) -> Result<usize, Errno> {
    match file {
        FileRef::Open(file) => rustix::fs::fgetxattr(file, attribute, into),
        FileRef::Child(dir, name) if at::known() => at::get(dir, name, attribute, into),
        FileRef::Child(dir, name) => {
            rustix::fs::lgetxattr(through_proc(dir, name)?, attribute, into)
        }
    }
}

/// Sets one attribute, made or replaced.
pub(crate) fn set(file: FileRef<'_>, attribute: &[u8], value: &[u8]) -> Result<(), Errno> {
    let flags = XattrFlags::empty();
    match file {
        FileRef::Open(file) => rustix::fs::fsetxattr(file, attribute, value, flags),
        FileRef::Child(dir, name) if at::known() => at::set(dir, name, attribute, value),
        FileRef::Child(dir, name) => {
            rustix::fs::lsetxattr(through_proc(dir, name)?, attribute, value, flags)
        }
    }
}

/// Removes one attribute.
pub(crate) fn remove(file: FileRef<'_>, attribute: &[u8]) -> Result<(), Errno> {
    match file {
        FileRef::Open(file) => rustix::fs::fremovexattr(file, attribute),
        FileRef::Child(dir, name) if at::known() => at::remove(dir, name, attribute),
        FileRef::Child(dir, name) => rustix::fs::lremovexattr(through_proc(dir, name)?, attribute),
    }
}

fn through_proc(dir: BorrowedFd<'_>, name: &[u8]) -> Result<CString, Errno> {
    let mut path = format!("/proc/self/fd/{}/", dir.as_raw_fd()).into_bytes();
    path.extend_from_slice(name);
    CString::new(path).map_err(|_| Errno::INVAL)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;
    use crate::metadata::Xattrs;

    #[test]
    fn the_way_through_proc_gives_the_same() {
        let folder = tempfile::tempdir_in("/var/tmp").expect("a folder");
        std::fs::write(folder.path().join("file"), "").expect("a file");
        std::os::unix::fs::symlink("file", folder.path().join("link")).expect("a link");
        let dir = std::fs::File::open(folder.path()).expect("a folder");
        for (name, attribute) in [(&b"file"[..], &b"user.x"[..]), (b"link", b"trusted.x")] {
            let file = FileRef::Child(dir.as_fd(), name);
            let path = through_proc(dir.as_fd(), name).expect("a path");
            let flags = XattrFlags::empty();
            rustix::fs::lsetxattr(&path, attribute, b"through proc", flags).expect("set");
            assert_eq!(value(file, attribute).expect("got"), b"through proc");
            set(file, attribute, b"by name").expect("set");
            let mut space = [0; 64];
            let len = rustix::fs::lgetxattr(&path, attribute, &mut space).expect("got");
            assert_eq!(&space[..len], b"by name");
            assert_eq!(
                read(file).all().expect("read"),
                [(attribute.to_vec(), b"by name".to_vec())]
            );
            let len = rustix::fs::llistxattr(&path, &mut space).expect("listed");
            assert_eq!(space[..len].strip_suffix(b"\0"), Some(attribute));
            remove(file, attribute).expect("removed");
            assert_eq!(read(file).all().expect("read"), Xattrs::new());
        }
    }
}
