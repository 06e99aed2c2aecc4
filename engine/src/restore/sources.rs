//! The sources of a state: the paths that are their content, the folders above them, and their excludes.

use super::RestoreOptions;
use crate::error::Result;
use crate::format::id::SnapshotId;
use crate::format::record::Exclusion;
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
    /// Set if its backup also left something out by a rule that this program does not know.
    pub has_unknown_rules: bool,
    /// The snapshot's flags of the file system's root, which has no node.
    pub root_flags: Flags,
    /// The label in the name of an old version beside a newer one, as the snapshot's time.
    pub label: String,
}

impl From<&Part<'_>> for SourcePart {
    fn from(part: &Part<'_>) -> Self {
        let rules = &part.snapshot.snapshot.excludes;
        Self {
            path: part.source.as_bytes().to_vec(),
            snapshot: part.snapshot.id,
            excludes: Exclusion::patterns(rules).map(str::to_owned).collect(),
            has_unknown_rules: rules.iter().any(|rule| matches!(rule, Exclusion::Unknown(_))),
            root_flags: part.snapshot.snapshot.root_flags,
            label: format!("{:.8}", part.snapshot.id),
        }
    }
}

/// The treatment of links on the path to a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinkPolicy {
    /// They are followed: the path is that of the file system from which the source came.
    Follow,
    /// They are errors: they could lead out of the target.
    Refuse,
}

/// The path from the target to the content that is restored.
pub(super) struct RestorePath {
    /// The path in the snapshot of the target itself.
    pub(super) base: Vec<u8>,
    /// The path of what is restored; the folders above it are not content.
    pub(super) top: Vec<u8>,
    pub(super) links: LinkPolicy,
}

/// The parts of a state, compiled.
pub(super) struct Sources {
    /// In the order of the state: a later part covers an earlier one.
    parts: Vec<SourceRules>,
    protected: Globs,
    pub(super) path: RestorePath,
}

struct SourceRules {
    path: Vec<u8>,
    snapshot: SnapshotId,
    excludes: Globs,
    has_unknown_rules: bool,
    root_flags: Flags,
    label: String,
    /// Set if another source lies in this one: then the state may have paths that this one left out.
    has_inner: bool,
}

impl SourceRules {
    /// Returns whether a path is in the source, and in no folder that the source left out.
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
            .all(|above| !self.excludes.matches(above, true))
    }
}

impl Sources {
    /// # Errors
    /// [`Refusal::InvalidPattern`](crate::Refusal) for a pattern that is malformed.
    pub(super) fn new(options: &RestoreOptions, path: RestorePath) -> Result<Self> {
        let rules_of = |part: &SourcePart| {
            Ok(SourceRules {
                path: part.path.clone(),
                snapshot: part.snapshot,
                excludes: Globs::recorded(&part.excludes)?,
                has_unknown_rules: part.has_unknown_rules,
                root_flags: part.root_flags,
                label: part.label.clone(),
                has_inner: options
                    .parts
                    .iter()
                    .any(|inner| inner.path != part.path && is_within(&inner.path, &part.path)),
            })
        };
        Ok(Self {
            parts: options.parts.iter().map(rules_of).collect::<Result<_>>()?,
            protected: Globs::recorded(&options.protected)?,
            path,
        })
    }

    fn holding(&self, path: &[u8]) -> impl DoubleEndedIterator<Item = &SourceRules> {
        self.parts.iter().filter(move |part| part.holds(path))
    }

    /// Returns whether a directory is only on the path to what is restored.
    pub(super) fn is_above_content(&self, path: &[u8]) -> bool {
        let to_source =
            self.parts.iter().any(|part| is_within(&part.path, path)) && !self.is_content(path);
        to_source || (path != self.path.top && is_within(&self.path.top, path))
    }

    /// Returns whether a directory and everything in it are the content of a source.
    pub(super) fn is_content(&self, path: &[u8]) -> bool {
        self.holding(path)
            .any(|part| part.path == path || !part.has_inner || !part.excludes.matches(path, true))
    }

    /// Returns the snapshot from which a path is taken; `None` without parts.
    pub(super) fn snapshot_of(&self, path: &[u8]) -> Option<SnapshotId> {
        self.holding(path).next_back().map(|part| part.snapshot)
    }

    /// Returns the label in the name of an old version of a path.
    pub(super) fn label_of(&self, path: &[u8]) -> String {
        self.holding(path).next_back().map_or_else(|| "restored".into(), |part| part.label.clone())
    }

    /// Returns whether something that the state does not have may be removed: each source that holds it would have
    /// backed it up, as far as its rules are known.
    pub(super) fn may_remove(&self, path: &[u8], is_dir: bool) -> bool {
        let saves =
            |part: &SourceRules| !part.has_unknown_rules && !part.excludes.matches(path, is_dir);
        self.holding(path).all(saves) && !self.protected.matches(path, is_dir)
    }

    /// Returns the flags of the file system's root.
    pub(super) fn root_flags(&self) -> Flags {
        Flags(self.parts.iter().fold(0, |flags, part| flags | part.root_flags.0))
    }
}

/// Returns whether `path` is `outer`, or below it.
fn is_within(path: &[u8], outer: &[u8]) -> bool {
    TreePath::new(path).starts_with(TreePath::new(outer))
}
