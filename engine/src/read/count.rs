//! Counting what is in a state or below a path of it.

use crate::error::Result;
use crate::format::tree::Node;
use crate::operation::observer::Observer;
use crate::read::reader::Reader;
use crate::read::state_tree::{DirRef, Lookup, ResolvedNode, children};

/// The number of files and bytes below a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// Files, links and devices.
    pub files: u64,
    /// Bytes of their data, without holes.
    pub bytes: u64,
}

impl Counted {
    fn add(&mut self, file: &Node) {
        self.files += 1;
        self.bytes += file.data_length();
    }
}

/// Counts the files below `what`; returns `None` when the observer is interrupted.
///
/// Unreadable directories count as nothing.
pub fn count_below(reader: &Reader, what: &Lookup, observer: &dyn Observer) -> Option<Counted> {
    let mut counted = Counted::default();
    let mut pending: Vec<DirRef> = Vec::new();
    match what {
        Lookup::Root(dir) => pending.push(dir.clone()),
        Lookup::Node(ResolvedNode { dir: Some(dir), .. }) => pending.push(dir.clone()),
        Lookup::Node(file) => counted.add(&file.node),
    }
    while let Some(dir) = pending.pop() {
        if observer.interrupted() {
            return None;
        }
        // A restore or a check reports what is damaged.
        let _: Result<()> = children(reader, &dir, &mut |child| {
            match child.dir {
                Some(dir) => pending.push(dir),
                None => counted.add(&child.node),
            }
            Ok(())
        });
    }
    Some(counted)
}
