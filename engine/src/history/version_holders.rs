//! The snapshots that hold the last versions of files.
//!
//! A version of a file may be in many snapshots; the newest of them holds it for a policy that keeps versions, so one
//! snapshot is kept for each. What was deleted is held by the last snapshot that has it.
//!
//! Example: the last two versions of a file that changed twice and was then deleted.
//!
//! ```text
//! snapshot   1    2    3    4    5    6
//! content    a    a    b    c    c    deleted
//! holds                2nd       last
//! ```

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::diff::{Change, diff};
use crate::error::{Error, Result};
use crate::path::TreePath;
use crate::read::reader::Reader;
use crate::read::state_tree::DirRef;
use crate::snapshots::SnapshotEntry;
use crate::snapshots::retention::Held;

/// Finds the snapshots of a group that hold one of the last `count` versions of some file.
///
/// `snapshots` are those of one group in their order. A folder that was deleted counts as one file.
///
/// # Errors
/// A tree that can't be read: which versions there are is not known.
pub fn version_holders(reader: &Reader, snapshots: &[&SnapshotEntry], count: u32) -> Result<Held> {
    let mut holders = Held::new();
    // For each path, the versions in the snapshots that were compared so far.
    let mut versions: HashMap<Vec<u8>, u32> = HashMap::new();
    for pair in snapshots.windows(2).rev() {
        let [older, newer] = pair else { continue };
        let root = |entry: &SnapshotEntry| DirRef::Tree(entry.snapshot.root);
        let mut failure: Option<Error> = None;
        let mut each = |path: TreePath<'_>, change: Change| {
            if let Some(ordinal) = ordinal(&mut versions, path, &change)
                && ordinal <= count
            {
                holders.entry(older.id).or_insert_with(|| path.as_bytes().to_vec());
            }
            ControlFlow::Continue(())
        };
        let mut each_error = |_: TreePath<'_>, error| {
            failure.get_or_insert(error);
        };
        diff(reader, &root(older), &root(newer), &mut each, &mut each_error);
        if let Some(error) = failure {
            return Err(error);
        }
    }
    Ok(holders)
}

/// Counts the version that the older of two snapshots has, from the newest as 1; `None` where it has none of its own.
fn ordinal(
    versions: &mut HashMap<Vec<u8>, u32>,
    path: TreePath<'_>,
    change: &Change,
) -> Option<u32> {
    let known = versions.get(path.as_bytes()).copied().unwrap_or(0);
    let (newer, has_own) = match change {
        Change::Modified { from, to } if from.dir.is_some() && to.dir.is_some() => return None,
        Change::Added(_) => (known.max(1), false),
        Change::Modified { .. } => (known.max(1), true),
        Change::Removed(_) => (known, true),
    };
    versions.insert(path.as_bytes().to_vec(), newer + u32::from(has_own));
    has_own.then_some(newer + 1)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::testing::Sample;

    #[test]
    fn each_of_the_last_versions_is_held_by_the_newest_snapshot_that_has_it() {
        let sample = Sample::new();
        let source = sample.folder.path().join("source");
        fs::create_dir(&source).expect("a folder");
        fs::write(source.join("stays"), "always").expect("a file");
        for (number, content) in ["a", "a", "b", "c", "c"].into_iter().enumerate() {
            fs::write(source.join("file"), content).expect("a file");
            sample.back_up(&source, 1_000 + number as i64);
        }
        fs::remove_file(source.join("file")).expect("removed");
        sample.back_up(&source, 2_000);
        let list = sample.repository.snapshots().expect("snapshots").list;
        let group: Vec<&SnapshotEntry> = list.iter().collect();
        let (reader, _) = sample.repository.reader(1 << 20).expect("a reader");
        let held = |count| {
            let holders = version_holders(&reader, &group, count).expect("holders");
            let numbers = (0..list.len()).filter(|at| holders.contains_key(&list[*at].id));
            numbers.collect::<Vec<_>>()
        };
        assert_eq!(held(1), [4]);
        assert_eq!(held(2), [2, 4]);
        assert_eq!(held(3), [1, 2, 4]);
        assert_eq!(held(9), [1, 2, 4]);
    }
}
