//! Which paths are restored, by patterns.

use super::RestoreOptions;
use super::sources::{Sources, Way};
use crate::error::Result;
use crate::globs::Globs;

/// What the patterns say about a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Selected {
    /// It is restored, and everything in it that is not left out.
    In,
    /// It is a directory in which something may be restored, and is made only then.
    Through,
    /// It is not restored.
    Out,
}

pub(super) struct Selection {
    include: Globs,
    exclude: Globs,
    pub(super) sources: Sources,
}

impl Selection {
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) names a pattern that is none.
    pub(super) fn new(options: &RestoreOptions, way: Way) -> Result<Self> {
        Ok(Self {
            include: Globs::new(&options.include)?,
            exclude: Globs::new(&options.exclude)?,
            sources: Sources::new(options, way)?,
        })
    }

    /// What a selected directory begins with.
    pub(super) fn at_top(&self) -> Selected {
        if self.include.is_empty() { Selected::In } else { Selected::Through }
    }

    /// Chooses about a path in a directory about which `above` was chosen.
    pub(super) fn choose(&self, path: &[u8], above: Selected, is_dir: bool) -> Selected {
        if self.exclude.name(path, is_dir) {
            return Selected::Out;
        }
        let included = above == Selected::In || self.include.name(path, is_dir);
        match (included, is_dir) {
            (true, _) => Selected::In,
            (false, true) => Selected::Through,
            (false, false) => Selected::Out,
        }
    }

    /// Whether something that the snapshot does not have may be removed.
    pub(super) fn may_remove(&self, path: &[u8], is_dir: bool) -> bool {
        !self.exclude.name(path, is_dir) && self.sources.may_remove(path, is_dir)
    }
}
