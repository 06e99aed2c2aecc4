//! The sources as a tree of names.

use std::collections::BTreeMap;
use std::path::PathBuf;

use yore_platform::snapshot_path;

use crate::path::TreePath;

/// A node of that tree: a source, or a folder above one.
#[derive(Default)]
pub(in crate::backup) struct Sources {
    /// Set for a source; otherwise it is a folder above one.
    pub(super) is_source: bool,
    /// The sources below it, also those inside of a source.
    pub(super) below: BTreeMap<Vec<u8>, Sources>,
}

impl Sources {
    /// Sorts sources into a tree.
    pub(in crate::backup) fn new(paths: &[PathBuf]) -> Self {
        let mut root = Self::default();
        for path in paths {
            let path = snapshot_path(path);
            let mut at = &mut root;
            for name in TreePath::new(&path).components() {
                at = at.below.entry(name.to_vec()).or_default();
            }
            at.is_source = true;
        }
        root
    }
}
