//! The file of the log, and those before it.
//!
//! It is opened for each entry: another process may have put it aside meanwhile.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use yore_platform::{create_private_dir, open_log};

/// The size from which on a file is put aside.
const ENOUGH: u64 = 1 << 20;
/// The number of files that are kept besides the newest.
const KEPT: usize = 3;
/// The most bytes of a line.
const LONGEST: usize = 64 << 10;

/// Adds a line; where that fails, as on a full disk, the line is lost.
pub(super) fn append(path: &Path, line: &str) {
    // Nobody can be told.
    let _ = try_append(path, line);
}

fn try_append(path: &Path, line: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        create_private_dir(folder)?;
    }
    if is_large(path) {
        put_aside(path)?;
    }
    // A line that found the disk full may have been stored in part.
    let start = if ends_within_a_line(path)? { "\n" } else { "" };
    let line = &line[..line.floor_char_boundary(LONGEST)];
    // In one write, so that two processes do not mix their lines.
    open_log(path)?.write_all(format!("{start}{line}\n").as_bytes())
}

fn is_large(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.len() >= ENOUGH)
}

/// Moves each file one number further, the oldest away.
fn put_aside(path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    if file.try_lock().is_err() {
        // Another process does it.
        return Ok(());
    }
    // It may have done it before this one got the lock.
    if !is_large(path) {
        return Ok(());
    }
    for number in (1..KEPT).rev() {
        match std::fs::rename(numbered(path, number), numbered(path, number + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    std::fs::rename(path, numbered(path, 1))
}

fn numbered(path: &Path, number: usize) -> PathBuf {
    path.with_extension(format!("{number}.log"))
}

fn ends_within_a_line(path: &Path) -> io::Result<bool> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        opened => opened?,
    };
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_never_hold_more_than_four_times_their_size() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log-x.log");
        let line = "x".repeat(50_000);
        for number in 0..200 {
            append(&path, &format!("{number} {line}"));
        }
        let files: Vec<_> = std::fs::read_dir(folder.path()).expect("files").flatten().collect();
        assert_eq!(files.len(), KEPT + 1);
        for file in files {
            let length = file.metadata().expect("a size").len();
            assert!(length <= ENOUGH + LONGEST as u64, "{:?}: {length}", file.path());
        }
        let newest = std::fs::read_to_string(&path).expect("the newest");
        assert!(newest.lines().last().expect("a line").starts_with("199 "));
    }

    #[test]
    fn a_line_that_was_cut_off_does_not_damage_the_next() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log-x.log");
        std::fs::write(&path, "{\"half").expect("a file");
        append(&path, "{}");
        assert_eq!(std::fs::read_to_string(&path).expect("a file"), "{\"half\n{}\n");
    }
}
