//! What changed since the previous snapshot, where somebody watches the sources: everything else is not looked at.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

use yore_platform::Kind;

use crate::error::Result;
use crate::format::id::BlobId;
use crate::format::record::Totals;
use crate::path::TreePath;
use crate::read::reader::Reader;

/// The paths of a snapshot that may differ from the previous one.
///
/// Example: after the file `home/me/a` was written and the folder `home/me/new` was moved into its place:
///
/// ```text
/// folders  home/me              it is listed, and its files are looked at
/// trees    home/me/new          everything below is looked at
/// home/me/other                 is taken from the previous snapshot, unseen
/// ```
#[derive(Debug, Clone, Default)]
pub struct ChangedPaths {
    folders: BTreeSet<Vec<u8>>,
    trees: BTreeSet<Vec<u8>>,
    /// The numbers of subtrees that were counted; kept from one backup to the next.
    counts: Arc<Mutex<HashMap<BlobId, Totals>>>,
}

/// The most subtrees whose numbers are kept.
const MOST_COUNTS: usize = 1 << 16;

impl ChangedPaths {
    /// Notes that something at a path changed, appeared or is gone.
    pub fn add(&mut self, path: &[u8]) {
        self.folders.insert(TreePath::new(path).parent().as_bytes().to_vec());
        self.trees.insert(path.to_vec());
    }

    /// Returns true if nothing changed.
    pub fn is_empty(&self) -> bool {
        self.trees.is_empty()
    }

    /// Takes all paths, and leaves none; what was counted stays known to both.
    pub fn take(&mut self) -> Self {
        let counts = Arc::clone(&self.counts);
        let (folders, trees) = (std::mem::take(&mut self.folders), std::mem::take(&mut self.trees));
        Self { folders, trees, counts }
    }

    /// Adds the paths of another, as after a backup that failed.
    pub fn extend(&mut self, other: Self) {
        self.folders.extend(other.folders);
        self.trees.extend(other.trees);
    }

    /// Returns true if nothing at or below a folder changed.
    pub(in crate::backup) fn spares(&self, path: &[u8]) -> bool {
        let path = TreePath::new(path);
        let mut above = path;
        loop {
            if self.trees.contains(above.as_bytes()) {
                return false;
            }
            if above.as_bytes().is_empty() {
                break;
            }
            above = above.parent();
        }
        let is_below = |set: &BTreeSet<Vec<u8>>| {
            // What is below a folder follows it, but for names with a sign before the slash.
            let prefix = [path.as_bytes(), b"/"].concat();
            let from = (Bound::Included(prefix.as_slice()), Bound::Unbounded);
            let next = set.range::<[u8], _>(from).next();
            set.contains(path.as_bytes()) || next.is_some_and(|next| next.starts_with(&prefix))
        };
        !is_below(&self.folders) && !is_below(&self.trees)
    }

    /// Counts what is below a directory of the previous snapshot.
    pub(in crate::backup) fn count(&self, reader: &Reader, tree: &BlobId) -> Result<Totals> {
        if let Some(known) = self.counts().get(tree) {
            return Ok(*known);
        }
        let mut totals = Totals { directories: 1, ..Totals::default() };
        let mut open = vec![*tree];
        while let Some(tree) = open.pop() {
            let mut nodes = reader.nodes(&tree)?;
            while let Some(node) = nodes.try_next()? {
                match node.kind {
                    Kind::File => {
                        totals.files += 1;
                        totals.bytes = totals.bytes.saturating_add(node.size);
                    }
                    Kind::Directory => totals.directories += 1,
                    _ => totals.others += 1,
                }
                open.extend(node.subtree);
            }
        }
        let mut counts = self.counts();
        if counts.len() >= MOST_COUNTS {
            counts.clear();
        }
        counts.insert(*tree, totals);
        Ok(totals)
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, HashMap<BlobId, Totals>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::backup::{BackupOptions, backup};
    use crate::testing::{RecordingObserver, Sample, backup_options};

    fn changed(paths: &[&str]) -> ChangedPaths {
        let mut changed = ChangedPaths::default();
        paths.iter().for_each(|path| changed.add(path.as_bytes()));
        changed
    }

    #[test]
    fn only_what_is_beside_a_change_is_spared() {
        let set = changed(&["a/b/file", "a/new"]);
        for (path, spared) in [
            ("a", false),
            ("a/b", false),
            ("a/b/c", true),
            ("a/b/file", false),
            ("a/new", false),
            ("a/new/below", false),
            ("a/other", true),
            ("a/b-1", true),
            ("b", true),
        ] {
            assert_eq!(set.spares(path.as_bytes()), spared, "{path}");
        }
        assert!(!changed(&["file"]).spares(b""));
    }

    #[test]
    fn a_backup_of_what_changed_is_that_of_everything() {
        let sample = Sample::new();
        let source = sample.folder.path().join("source");
        let put = |name: &str, text: &str| {
            let path = source.join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        };
        for folder in ["a", "b/deep", "c"] {
            put(&format!("{folder}/one"), folder);
            put(&format!("{folder}/two"), folder);
        }
        sample.back_up(&source, 100);
        put("a/one", "changed");
        put("b/new/file", "new");
        fs::remove_file(source.join("a/two")).expect("it is there");
        // Nobody told of this one: it shows what was looked at.
        put("c/one", "unseen!");
        let base = yore_platform::snapshot_path(&source);
        let mut paths = ChangedPaths::default();
        for name in ["a/one", "a/two", "b/new"] {
            paths.add(&[&base, b"/".as_slice(), name.as_bytes()].concat());
        }
        let options = BackupOptions { changed: Some(paths), ..backup_options(200) };
        let observer = RecordingObserver::default();
        let report = backup(&sample.repository, std::slice::from_ref(&source), &options, &observer);
        let report = report.expect("a backup");
        assert_eq!(observer.messages(), Vec::<String>::new());
        let totals = report.totals;
        assert_eq!((totals.files, totals.new_files, totals.changed_files), (6, 1, 1));
        assert_eq!(report.removed_files, 1);
        put("c/one", "c");
        let full = sample.back_up(&source, 300);
        // Its time changed.
        assert_eq!((full.totals.new_files, full.totals.changed_files), (0, 1));
        let (partial, whole) = (totals, full.totals);
        assert_eq!(
            (partial.files, partial.bytes, partial.directories),
            (whole.files, whole.bytes, whole.directories)
        );
    }
}
