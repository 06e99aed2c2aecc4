//! Files without a name, for bytes that nobody needs once they are closed.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{AtFlags, OFlags};

use super::folder::open_folder;
use super::leftover::create_named;
use crate::linux::tmpfile;

/// Makes a file without a name in a folder, which must exist; closed, nothing of it is left.
///
/// The permissions are 0600.
pub fn create_scratch_file(folder: &Path) -> io::Result<File> {
    let folder = open_folder(folder)?;
    if let Some(file) = tmpfile::create(&folder, OFlags::RDWR)? {
        return Ok(File::from(file));
    }
    let (file, name) = create_named(&folder, OFlags::RDWR)?;
    rustix::fs::unlinkat(&folder, name, AtFlags::empty())?;
    Ok(File::from(file))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, Write};

    use super::*;

    #[test]
    fn a_scratch_file_keeps_its_bytes_and_has_no_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut file = create_scratch_file(folder.path()).expect("a file");
        file.write_all(b"some bytes").expect("written");
        file.rewind().expect("at its start");
        let mut read = Vec::new();
        file.read_to_end(&mut read).expect("read");
        assert_eq!(read, b"some bytes");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
        assert!(create_scratch_file(&folder.path().join("absent")).is_err());
    }
}
