//! Copies of files as slices of memory.

use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::ptr::NonNull;

use rustix::fs::{AtFlags, MemfdFlags, Mode, OFlags};
use rustix::mm::{MapFlags, ProtFlags};

use super::folder::open_folder;
use super::leftover::create_named;
use crate::linux::{stat, tmpfile};

/// The content that a file had when it was opened, mapped into memory, to be read as a slice.
///
/// A copy is mapped, without a name beside the file, or in memory where none can be made there: a
/// mapped file that is cut short kills the process that reads past its new end.
#[derive(Debug)]
pub struct MappedFile {
    /// `None` for an empty file, which can't be mapped.
    memory: Option<(NonNull<u8>, NonZeroUsize)>,
}

// SAFETY: the mapping is read-only and belongs to the value, not to a thread.
unsafe impl Send for MappedFile {}
// SAFETY: shared access only reads.
unsafe impl Sync for MappedFile {}

impl MappedFile {
    /// Copies and maps a regular file.
    pub fn open(path: &Path) -> io::Result<Self> {
        let copy = copy_beside(path).or_else(|_| copy_in_memory(path))?;
        let len = stat::open(std::os::fd::AsFd::as_fd(&copy))?.size;
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let Some(len) = NonZeroUsize::new(len) else { return Ok(Self { memory: None }) };
        // SAFETY: a new mapping at a place of the kernel's choice; it outlives the descriptor.
        let start = unsafe {
            let anywhere = std::ptr::null_mut();
            rustix::mm::mmap(anywhere, len.get(), ProtFlags::READ, MapFlags::SHARED, &copy, 0)?
        };
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { memory: Some((start, len)) })
    }
}

/// Copies a file to one without a name in the same folder. The kernel drops it from memory when it needs the
/// room, and never writes it to the disk if it is closed soon.
fn copy_beside(path: &Path) -> io::Result<OwnedFd> {
    let folder = open_folder(path.parent().unwrap_or(Path::new("")))?;
    let copy = match tmpfile::create(&folder, OFlags::RDWR)? {
        Some(file) => file,
        None => {
            let (file, name) = create_named(&folder, OFlags::RDWR)?;
            rustix::fs::unlinkat(&folder, name, AtFlags::empty())?;
            file
        }
    };
    fill(copy, path)
}

fn copy_in_memory(path: &Path) -> io::Result<OwnedFd> {
    fill(rustix::fs::memfd_create(c"yore", MemfdFlags::CLOEXEC)?, path)
}

fn fill(copy: OwnedFd, path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let mut original = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    if !original.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut copy = File::from(copy);
    io::copy(&mut original, &mut copy)?;
    Ok(copy.into())
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self.memory {
            // SAFETY: mapped for `len` bytes until dropped; no other process can reach the copy.
            Some((start, len)) => unsafe { std::slice::from_raw_parts(start.as_ptr(), len.get()) },
            None => &[],
        }
    }
}

impl Drop for MappedFile {
    fn drop(&mut self) {
        if let Some((start, len)) = self.memory {
            // SAFETY: mapped in `open` with this length, and nothing borrows from it any more.
            let _ = unsafe { rustix::mm::munmap(start.as_ptr().cast(), len.get()) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_mapped_stays_when_the_file_is_cut_short_or_overwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x");
        let content: Vec<u8> = (0..300_000_u32).map(|n| (n ^ (n >> 9)) as u8).collect();
        for open in [MappedFile::open, |path: &Path| {
            let memory = copy_in_memory(path)?;
            MappedFile::open(Path::new(&format!(
                "/proc/self/fd/{}",
                std::os::fd::AsRawFd::as_raw_fd(&memory)
            )))
        }] {
            std::fs::write(&path, &content).expect("a file");
            let map = open(&path).expect("mapped");
            assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1);
            std::fs::write(&path, "another").expect("a file");
            assert!(*map == *content);
            std::fs::File::create(&path).expect("it is cut short");
            assert!(*map == *content);
        }
    }
}
