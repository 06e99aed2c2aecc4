//! Names and paths as bytes: components joined by `/`.

use std::sync::Arc;

use yore_engine::TreePath;

/// A path within states.
pub(crate) type Path = Arc<[u8]>;

/// The longest name that a host can show, in bytes.
pub(crate) const MAX_NAME: usize = 255;

/// Joins a directory's path and a name; the empty path is the top.
pub(crate) fn join(path: &[u8], name: &[u8]) -> Vec<u8> {
    TreePath::new(path).join(name).into_bytes()
}

/// Splits a path into its directory and its last name.
pub(crate) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    let (folder, name) = TreePath::new(path).split();
    (folder.as_bytes(), name)
}

/// Returns the first `room` bytes of a name, or fewer, so that no UTF-8 letter is cut.
pub(crate) fn shortened(name: &[u8], room: usize) -> &[u8] {
    if name.len() <= room {
        return name;
    }
    let kept = &name[..room];
    let cut = kept.utf8_chunks().last().map_or(0, |last| match last.invalid().len() {
        part @ 1..=3 => part,
        _ => 0,
    });
    &kept[..kept.len() - cut]
}
