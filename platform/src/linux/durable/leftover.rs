//! Leftovers of durable files: a killed writer leaves one where a file can't be without a name.
//!
//! Such a file is named `.tmp-<process>-<random>`. It is abandoned once this machine knows that the process
//! has ended, or, since another machine's processes can't be seen, after a week without a change.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags};

use super::folder::open_folder;
use crate::linux::process::{has_ended, process_mark};
use crate::linux::random::unused_name;
use crate::linux::{stat, tmpfile};
use crate::temporary_name::{PREFIX, is_temporary};

/// The seconds without a change after which a file counts as abandoned.
const ABANDONED_AFTER: i64 = 7 * 24 * 60 * 60;

/// Makes a file under a temporary name, which is returned.
pub(super) fn create_named(folder: &OwnedFd, access: OFlags) -> io::Result<(OwnedFd, Vec<u8>)> {
    let flags = access | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let prefix = format!("{PREFIX}{}-", process_mark());
    unused_name(prefix.as_bytes(), b"", |name| {
        Ok(rustix::fs::openat(folder, name, flags, Mode::RUSR | Mode::WUSR)?)
    })
}

/// Gives a file without a name a temporary one, which is returned.
pub(super) fn link_temporary(file: &OwnedFd, folder: &OwnedFd) -> io::Result<Vec<u8>> {
    let prefix = format!("{PREFIX}{}-", process_mark());
    let ((), name) =
        unused_name(prefix.as_bytes(), b"", |name| Ok(tmpfile::link(file, folder, name)?))?;
    Ok(name)
}

/// Tells whether a file with a temporary name has no writer any more.
///
/// Its age decides only where its process can't be known, measured by the clock of the file system itself:
/// so a wrong clock of this machine makes no file old that is being written.
pub fn is_abandoned(path: &Path) -> io::Result<bool> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if !is_temporary(name) {
        return Ok(false);
    }
    let mark = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-'));
    if mark.is_some_and(|(mark, _)| has_ended(mark)) {
        return Ok(true);
    }
    let folder = open_folder(path.parent().unwrap_or(Path::new("")))?;
    let changed = stat::child(folder.as_fd(), name.as_bytes())?.modified.seconds;
    Ok(clock_of(&folder)?.saturating_sub(changed) > ABANDONED_AFTER)
}

/// Returns the time, in seconds, that the file system of a folder gives to what changes now.
fn clock_of(folder: &OwnedFd) -> io::Result<i64> {
    if let Some(file) = tmpfile::create(folder, OFlags::WRONLY)? {
        return Ok(stat::open(file.as_fd())?.modified.seconds);
    }
    let (file, name) = create_named(folder, OFlags::WRONLY)?;
    let found = stat::open(file.as_fd());
    rustix::fs::unlinkat(folder, name, AtFlags::empty())?;
    Ok(found?.modified.seconds)
}

#[cfg(test)]
mod tests {
    use std::fs::{File, FileTimes};
    use std::time::{Duration, SystemTime};

    use super::*;

    fn age(path: &Path, days: u64) {
        let then = SystemTime::now() - Duration::from_secs(days * 24 * 60 * 60);
        let file = File::options().write(true).open(path).expect("a file");
        file.set_times(FileTimes::new().set_modified(then)).expect("a time");
    }

    #[test]
    fn a_file_is_abandoned_when_its_process_has_ended_or_after_a_week() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mark, random) = (process_mark(), "0123456789abcdef");
        let (origin, rest) = mark.split_once('.').expect("three numbers");
        let (pid, _) = rest.split_once('.').expect("three numbers");
        for (name, young, old) in [
            (format!("{PREFIX}{mark}-{random}"), false, true),
            (format!("{PREFIX}{origin}.{pid}.1-{random}"), true, true),
            // Of another machine or boot, and of a version that did not name the process.
            (format!("{PREFIX}0000000000000007.{pid}.1-{random}"), false, true),
            (format!("{PREFIX}{random}"), false, true),
            // A user's own.
            (format!("{PREFIX}report"), false, false),
            ("0123456789abcdef".into(), false, false),
        ] {
            let path = folder.path().join(&name);
            std::fs::write(&path, "a part").expect("a file");
            assert_eq!(is_abandoned(&path).expect("an answer"), young, "{name}");
            age(&path, 6);
            assert_eq!(is_abandoned(&path).expect("an answer"), young, "{name}");
            age(&path, 8);
            assert_eq!(is_abandoned(&path).expect("an answer"), old, "{name}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 6);
    }
}
