//! The sources as a tree of names.

use std::collections::BTreeMap;
use std::path::PathBuf;

use yore_platform::snapshot_path;

use crate::path::TreePath;

/// The sources as a tree of names; above each, the way to it from the root.
#[derive(Default)]
pub(in crate::backup) struct Sources {
    /// Whether it is a source itself.
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
