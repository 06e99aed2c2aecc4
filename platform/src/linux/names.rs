//! Names and paths as bytes, as snapshots hold them.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

/// Returns a system string as bytes.
pub fn name_bytes(name: &OsStr) -> &[u8] {
    name.as_bytes()
}

/// Makes a system string of bytes.
pub fn name_from_bytes(bytes: &[u8]) -> OsString {
    OsString::from_vec(bytes.to_vec())
}

/// Returns an absolute path as a snapshot holds it: its components joined by `/`, without a leading
/// one. `.` is left out; the path must have no `..`.
pub fn snapshot_path(path: &Path) -> Vec<u8> {
    let names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.as_bytes()),
        Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => {
            None
        }
    });
    names.collect::<Vec<_>>().join(&b'/')
}

/// Makes the system's absolute path of one that a snapshot holds.
pub fn system_path(snapshot_path: &[u8]) -> PathBuf {
    Path::new("/").join(OsStr::from_bytes(snapshot_path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_go_to_a_snapshot_and_back() {
        let path = Path::new(OsStr::from_bytes(b"/home/./m\xffe//docs/"));
        assert_eq!(snapshot_path(path), b"home/m\xffe/docs");
        assert_eq!(
            system_path(b"home/m\xffe/docs"),
            Path::new(OsStr::from_bytes(b"/home/m\xffe/docs"))
        );
        assert_eq!(snapshot_path(Path::new("/")), b"");
        assert_eq!(system_path(b""), Path::new("/"));
    }
}
