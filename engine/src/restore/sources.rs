//! Which paths are the content of a source, which are only the way to it, and what a source's own rules
//! say of a path.

use super::RestoreOptions;
use crate::error::Result;
use crate::format::id::SnapshotId;
use crate::format::tree::Flags;
use crate::globs::Globs;
use crate::path::TreePath;
use crate::snapshots::moment::Part;

/// A part of the state that is restored: a source, and what its backup says of all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcePart {
    /// The source's path.
    pub path: Vec<u8>,
    /// The snapshot from which the part is taken.
    pub snapshot: SnapshotId,
    /// The patterns of what its backup left out.
    pub excludes: Vec<String>,
    /// What the snapshot says of the file system's root, which has no node.
    pub root_flags: Flags,
    /// What names an old version that comes beside a newer one, as the snapshot's time.
    pub label: String,
}

impl From<&Part<'_>> for SourcePart {
    fn from(part: &Part<'_>) -> Self {
        Self {
            path: part.source.as_bytes().to_vec(),
            snapshot: part.snapshot.id,
            excludes: part.snapshot.snapshot.excludes.clone(),
            root_flags: part.snapshot.snapshot.root_flags,
            label: format!("{:.8}", part.snapshot.id),
        }
    }
}

/// Whether links on the way to a source are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Links {
    /// They are: the way is that of the file system from which the source came.
    Followed,
    /// They are not: they could lead out of the target.
    Refused,
}

/// How a restore comes to what it restores.
pub(super) struct Way {
    /// The path in the snapshot of the target itself.
    pub(super) base: Vec<u8>,
    /// What is restored; only what is above it is on the way.
    pub(super) to: Vec<u8>,
    pub(super) links: Links,
}

/// The parts of a state, ready to be asked about paths.
pub(super) struct Sources {
    /// In the order of the state: what comes later lies over what comes before.
    parts: Vec<Ruled>,
    protected: Globs,
    pub(super) way: Way,
}

struct Ruled {
    path: Vec<u8>,
    snapshot: SnapshotId,
    excludes: Globs,
    root_flags: Flags,
    label: String,
    /// Whether another source lies in this one: then the state may have what this one left out.
    has_inner: bool,
}

impl Ruled {
    /// Whether the source has told of a path: one that is in it, and in nothing that it left out.
    fn holds(&self, path: &[u8]) -> bool {
        if !is_within(path, &self.path) {
            return false;
        }
        if !self.has_inner || self.excludes.is_empty() {
            return true;
        }
        let between = self.path.len() + 1..path.len();
        let above = TreePath::new(path).prefixes().map(TreePath::as_bytes);
        above
            .filter(|above| between.contains(&above.len()))
            .all(|above| !self.excludes.name(above, true))
    }
}

impl Sources {
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) names a pattern that is none.
    pub(super) fn new(options: &RestoreOptions, way: Way) -> Result<Self> {
        let ruled = |part: &SourcePart| {
            Ok(Ruled {
                path: part.path.clone(),
                snapshot: part.snapshot,
                excludes: Globs::recorded(&part.excludes)?,
                root_flags: part.root_flags,
                label: part.label.clone(),
                has_inner: options
                    .parts
                    .iter()
                    .any(|inner| inner.path != part.path && is_within(&inner.path, &part.path)),
            })
        };
        Ok(Self {
            parts: options.parts.iter().map(ruled).collect::<Result<_>>()?,
            protected: Globs::recorded(&options.protected)?,
            way,
        })
    }

    fn holding(&self, path: &[u8]) -> impl DoubleEndedIterator<Item = &Ruled> {
        self.parts.iter().filter(move |part| part.holds(path))
    }

    /// Whether a directory is only on the way to what is restored.
    pub(super) fn is_way(&self, path: &[u8]) -> bool {
        let to_source =
            self.parts.iter().any(|part| is_within(&part.path, path)) && !self.is_covered(path);
        to_source || (path != self.way.to && is_within(&self.way.to, path))
    }

    /// Whether a directory and what is in it are the content of a source.
    pub(super) fn is_covered(&self, path: &[u8]) -> bool {
        self.holding(path)
            .any(|part| part.path == path || !part.has_inner || !part.excludes.name(path, true))
    }

    /// The snapshot from which a path is taken; `None` where no part is named.
    pub(super) fn snapshot_of(&self, path: &[u8]) -> Option<SnapshotId> {
        self.holding(path).next_back().map(|part| part.snapshot)
    }

    /// What names an old version of a path.
    pub(super) fn label_of(&self, path: &[u8]) -> String {
        self.holding(path).next_back().map_or_else(|| "restored".into(), |part| part.label.clone())
    }

    /// Whether something that the state does not have may be removed: each source that holds it
    /// would have backed it up.
    pub(super) fn may_remove(&self, path: &[u8], is_dir: bool) -> bool {
        let mut rules = self.holding(path).map(|part| &part.excludes);
        rules.all(|excludes| !excludes.name(path, is_dir)) && !self.protected.name(path, is_dir)
    }

    /// What is said of the file system's root.
    pub(super) fn root_flags(&self) -> Flags {
        Flags(self.parts.iter().fold(0, |flags, part| flags | part.root_flags.0))
    }
}

/// Whether `path` is, or is below, `outer`.
fn is_within(path: &[u8], outer: &[u8]) -> bool {
    TreePath::new(path).starts_with(TreePath::new(outer))
}
