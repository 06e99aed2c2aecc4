//! Leftovers: what a killed process leaves under a temporary name, and how they are recognised.
//!
//! Such a name ends in a mark that follows from the rest of it and from the directory's inode number: a
//! file that was restored under it, moved to another folder, or named so by a user has another mark. The
//! process that writes a file holds a lock on it as long as it lives; what can't be locked has such a name
//! only for the instant before it replaces something.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, RawDir};
use rustix::io::Errno;

use super::TargetDir;
use crate::linux::random::unused_name_of;
use crate::linux::stat;
use crate::metadata::Kind;

const PREFIX: &str = ".yore-";

/// The use of a temporary name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Temporary {
    /// A file that is being written, locked.
    Written,
    /// Anything that is about to replace something, or was replaced.
    Replacing,
}

impl Temporary {
    fn suffix(self) -> &'static str {
        match self {
            Temporary::Written => ".tmp",
            Temporary::Replacing => ".new",
        }
    }
}

/// Makes something in a directory under a temporary name that nothing has.
pub(super) fn unused_name<T>(
    dir: &OwnedFd,
    what: Temporary,
    make: impl FnMut(&[u8]) -> io::Result<T>,
) -> io::Result<(T, Vec<u8>)> {
    let inode = stat::open(dir.as_fd())?.inode;
    unused_name_of(|number| name_of(number, inode, what), make)
}

fn name_of(number: u64, inode: u64, what: Temporary) -> Vec<u8> {
    let mark = mix(number ^ mix(inode));
    format!("{PREFIX}{number:016x}-{mark:016x}{}", what.suffix()).into_bytes()
}

/// The finisher of SplitMix64 (Steele, Lea, Flood 2014): other numbers give other marks.
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// Returns the use of a temporary name in the directory of this inode number; `None` for any other name.
fn parse_name(name: &[u8], inode: u64) -> Option<Temporary> {
    let digits = name.strip_prefix(PREFIX.as_bytes())?.get(..16)?;
    let number = u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    let both = [Temporary::Written, Temporary::Replacing];
    both.into_iter().find(|what| name_of(number, inode, *what) == name)
}

/// Tells whether a directory distinguishes a temporary name from the same in capital letters.
pub(super) fn is_case_sensitive(dir: &TargetDir) -> io::Result<bool> {
    let ((), name) = unused_name(&dir.dir, Temporary::Replacing, |name| {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        rustix::fs::openat(&dir.dir, name, flags, Mode::RUSR | Mode::WUSR)?;
        Ok(())
    })?;
    let found = dir.child_metadata(&name.to_ascii_uppercase());
    rustix::fs::unlinkat(&dir.dir, &name, AtFlags::empty())?;
    Ok(found?.is_none())
}

/// Locks a file that was just made under a temporary name.
///
/// A process that removes leftovers may have come between: then the file is not there any more, and
/// [`io::ErrorKind::AlreadyExists`] asks for another name.
pub(super) fn lock_named(file: &OwnedFd) -> io::Result<()> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => Err(io::ErrorKind::AlreadyExists.into()),
        Ok(()) if stat::open(file.as_fd())?.links == 0 => Err(io::ErrorKind::AlreadyExists.into()),
        // Without locks, no process removes anything.
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Locks a file before it gets a temporary name.
pub(super) fn lock_unnamed(file: &OwnedFd) {
    // Without locks, no process removes anything.
    let _ = rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive);
}

/// Removes every leftover in a directory.
pub(super) fn remove_all(dir: &OwnedFd) -> io::Result<u64> {
    let (mut removed, mut wrong) = (0, Ok(()));
    for (name, what) in find(dir)? {
        let outcome = match what {
            Temporary::Written => remove(dir, &name),
            Temporary::Replacing => remove_replacing(dir, &name),
        };
        match outcome {
            Ok(Outcome::Removed) => removed += 1,
            Ok(Outcome::Kept) => {}
            Err(error) => wrong = Err(error),
        }
    }
    wrong.map(|()| removed)
}

fn find(dir: &OwnedFd) -> io::Result<Vec<(Vec<u8>, Temporary)>> {
    let inode = stat::open(dir.as_fd())?.inode;
    let mut buffer = Vec::with_capacity(32 << 10);
    let mut found = Vec::new();
    rustix::fs::seek(dir, rustix::fs::SeekFrom::Start(0))?;
    let mut listing = RawDir::new(dir, buffer.spare_capacity_mut());
    while let Some(entry) = listing.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if let Some(what) = parse_name(name, inode) {
            found.push((name.to_vec(), what));
        }
    }
    Ok(found)
}

enum Outcome {
    Removed,
    Kept,
}

fn remove(dir: &OwnedFd, name: &[u8]) -> io::Result<Outcome> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let open = |access| rustix::fs::openat(dir, name, flags | access, Mode::empty());
    // Some network shares lock only what is open for writing.
    let file = match open(OFlags::RDWR).or_else(|_| open(OFlags::RDONLY)) {
        Ok(file) => file,
        Err(Errno::NOENT | Errno::LOOP) => return Ok(Outcome::Kept),
        Err(error) => return Err(error.into()),
    };
    let opened = stat::open(file.as_fd())?;
    if opened.kind != Kind::File
        || rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err()
    {
        return Ok(Outcome::Kept);
    }
    let named = stat::child(dir.as_fd(), name)?;
    if (named.inode, named.device) != (opened.inode, opened.device) {
        return Ok(Outcome::Kept);
    }
    rustix::fs::unlinkat(dir, name, AtFlags::empty())?;
    Ok(Outcome::Removed)
}

/// Removes what was to replace something, or was replaced; a directory only if it is empty.
fn remove_replacing(dir: &OwnedFd, name: &[u8]) -> io::Result<Outcome> {
    let flags = match stat::child(dir.as_fd(), name)?.kind {
        Kind::Directory => AtFlags::REMOVEDIR,
        _ => AtFlags::empty(),
    };
    match rustix::fs::unlinkat(dir, name, flags) {
        Ok(()) => Ok(Outcome::Removed),
        Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST) => Ok(Outcome::Kept),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::file::TemporaryFile;
    use super::*;
    use crate::file_options::Replace;

    fn names(folder: &std::path::Path) -> Vec<Vec<u8>> {
        let listing = fs::read_dir(folder).expect("a folder");
        let name = |entry: io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
        listing.map(name).map(|name| crate::linux::names::name_bytes(&name).to_vec()).collect()
    }

    /// Makes a leftover: its writer has ended without removing its file.
    fn leave(folder: &std::path::Path, dir: &TargetDir) -> String {
        let file = TemporaryFile::create_named(dir, 0).expect("a file");
        let (name, _) = find(&dir.dir).expect("names").pop().expect("its name");
        drop(file);
        let name = String::from_utf8(name).expect("text");
        fs::write(folder.join(&name), "a part").expect("the same name");
        name
    }

    #[test]
    fn a_leftover_goes_and_a_file_that_is_being_written_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = TargetDir::create(folder.path()).expect("a target");
        leave(folder.path(), &dir);
        let living = TemporaryFile::create_named(&dir, 0).expect("a file");
        assert_eq!(names(folder.path()).len(), 2);
        assert_eq!(dir.remove_leftovers().expect("removed"), 1);
        assert_eq!(names(folder.path()).len(), 1);
        living.write_at(b"whole", 0).expect("written");
        living.publish(b"file", Replace::Never).expect("published");
        assert_eq!(dir.remove_leftovers().expect("nothing to remove"), 0);
        assert_eq!(fs::read(folder.path().join("file")).expect("the file"), b"whole");
    }

    #[test]
    fn files_of_somebody_with_a_name_alike_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = TargetDir::create(folder.path()).expect("a target");
        let left = leave(folder.path(), &dir);
        let other = folder.path().join("other");
        fs::create_dir(&other).expect("a folder");
        fs::write(other.join(&left), "moved to another folder").expect("a file");
        for name in [".yore-0123456789abcdef.tmp", ".yore-0123456789abcdef-0123456789abcdef.tmp"] {
            fs::write(folder.path().join(name), "somebody's").expect("a file");
        }
        fs::write(folder.path().join(left.to_uppercase()), "somebody's").expect("a file");
        fs::write(folder.path().join(format!("{left}~")), "somebody's").expect("a file");
        assert_eq!(dir.remove_leftovers().expect("removed"), 1);
        assert_eq!(names(folder.path()).len(), 5);
        let inner = dir.open_child(b"other").expect("a folder");
        assert_eq!(inner.remove_leftovers().expect("nothing to remove"), 0);
        assert_eq!(names(&other).len(), 1);
        // Nor is anything else of that name, such as a link to a user's file.
        fs::write(folder.path().join("precious"), "precious").expect("a file");
        dir.symlink(left.as_bytes(), b"precious").expect("a link");
        assert_eq!(dir.remove_leftovers().expect("nothing to remove"), 0);
        assert_eq!(names(folder.path()).len(), 7);
    }

    #[test]
    fn what_was_about_to_take_a_place_goes_unless_something_is_in_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = TargetDir::create(folder.path()).expect("a target");
        let inode = stat::open(dir.dir.as_fd()).expect("metadata").inode;
        let name = |number| name_of(number, inode, Temporary::Replacing);
        dir.symlink(&name(1), b"x").expect("a link");
        dir.make_fifo(&name(2)).expect("a pipe");
        dir.make_dir(&name(3)).expect("a folder");
        let (full, _) = dir.make_dir(&name(4)).expect("a folder");
        full.symlink(b"x", b"x").expect("a link");
        assert_eq!(dir.remove_leftovers().expect("removed"), 3);
        assert_eq!(names(folder.path()), [name(4)]);
    }

    #[test]
    fn replacing_leaves_no_temporary_name_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = TargetDir::create(folder.path()).expect("a target");
        for round in 0..3 {
            for create in [TemporaryFile::create, TemporaryFile::create_named] {
                let file = create(&dir, 0).expect("a file");
                file.write_at(&[round], 0).expect("written");
                file.publish(b"file", Replace::Always).expect("published");
                assert_eq!(names(folder.path()), [b"file"]);
            }
        }
    }
}
