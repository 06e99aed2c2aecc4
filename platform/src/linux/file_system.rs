//! Properties of file systems: whether a folder's times show that a name in it came or went.

use std::io;
use std::path::Path;

use crate::linux::source::path_metadata;
use crate::metadata::Metadata;

/// File systems that change a folder's times whenever any process adds or removes a name in it:
/// ext2 to ext4, XFS, Btrfs, F2FS, tmpfs, ZFS, bcachefs, overlays. Of others, such as shares and file systems
/// in user space, that can't be told.
const KEEPS_FOLDER_TIMES: [u64; 8] = [
    0xef53,
    0x5846_5342,
    0x9123_683e,
    0xf2f5_2010,
    0x0102_1994,
    0x2fc1_2fc1,
    0xca45_1a4e,
    0x794c_7630,
];

/// Returns the metadata of a path, following a link at its end.
pub fn folder_metadata(path: &Path) -> io::Result<Metadata> {
    path_metadata(&path.join("."))
}

/// Tells whether the times of folders on the file system that holds `path` change whenever a name in
/// them comes or goes.
pub fn keeps_folder_times(path: &Path) -> io::Result<bool> {
    let kind = rustix::fs::statfs(path)?.f_type;
    // The C library has it signed on some machines.
    Ok(KEEPS_FOLDER_TIMES.contains(&(kind as u64 & 0xffff_ffff)))
}

/// Lets everybody read a file, and its owner alone write it.
pub fn make_readable(path: &Path) -> io::Result<()> {
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o644))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_keeps_times_and_proc_does_not() {
        assert!(keeps_folder_times(Path::new("/dev/shm")).expect("memory"));
        assert!(!keeps_folder_times(Path::new("/proc")).expect("no disk"));
    }

    #[test]
    fn a_folder_is_looked_at_through_a_link() {
        let folder = tempfile::tempdir().expect("a folder");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path(), &link).expect("a link");
        let through = folder_metadata(&link).expect("a folder");
        assert_eq!(through.inode, folder_metadata(folder.path()).expect("a folder").inode);
    }
}
