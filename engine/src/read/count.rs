//! How much is in a state or below a path of it.

use crate::error::Result;
use crate::observer::Observer;
use crate::read::reader::Reader;
use crate::read::state_tree::{DirRef, Lookup, children};

/// Counts the files below `what`, links and devices among them, and their bytes; `None` when the observer is
/// interrupted.
///
/// What can't be read counts as nothing.
pub fn count_below(reader: &Reader, what: &Lookup, observer: &dyn Observer) -> Option<(u64, u64)> {
    let (mut files, mut bytes) = (0, 0);
    let mut pending: Vec<DirRef> = Vec::new();
    match what {
        Lookup::Root(dir) => pending.push(dir.clone()),
        Lookup::Node(seen) => match &seen.dir {
            Some(dir) => pending.push(dir.clone()),
            None => return Some((1, seen.node.data_length())),
        },
    }
    while let Some(dir) = pending.pop() {
        if observer.interrupted() {
            return None;
        }
        // Whoever restores it tells of what is damaged.
        let _: Result<()> = children(reader, &dir, &mut |seen| {
            match seen.dir {
                Some(dir) => pending.push(dir),
                None => {
                    files += 1;
                    bytes += seen.node.data_length();
                }
            }
            Ok(())
        });
    }
    Some((files, bytes))
}
