//! The selection of paths by patterns.

use super::RestoreOptions;
use super::sources::{RestorePath, Sources};
use crate::error::Result;
use crate::globs::{Globs, Rule};

/// The choice about a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Selected {
    /// It is restored, with everything in it that is not left out.
    In,
    /// It is a directory in which something may be restored, and is made only then.
    Through,
    /// It is not restored.
    Out,
}

pub(super) struct Selection {
    include: Globs,
    rules: Vec<Rule>,
    exclude: Globs,
    pub(super) sources: Sources,
}

impl Selection {
    /// # Errors
    /// [`Refusal::InvalidPattern`](crate::Refusal) for a pattern that is malformed.
    pub(super) fn new(options: &RestoreOptions, path: RestorePath) -> Result<Self> {
        Ok(Self {
            include: Globs::new(&options.include)?,
            rules: options.include.clone(),
            exclude: Globs::new(&options.exclude)?,
            sources: Sources::new(options, path)?,
        })
    }

    /// Returns the choice about the top.
    pub(super) fn at_top(&self) -> Selected {
        if self.include.is_empty() { Selected::In } else { Selected::Through }
    }

    /// Chooses about a path in a directory about which `above` was chosen.
    pub(super) fn choose(&self, path: &[u8], above: Selected, is_dir: bool) -> Selected {
        if self.exclude.matches(path, is_dir) {
            return Selected::Out;
        }
        let is_matched = !self.include.is_empty() && self.include.matches(path, is_dir);
        let included = above == Selected::In || is_matched;
        match (included, is_dir) {
            (true, _) => Selected::In,
            (false, true) => Selected::Through,
            (false, false) => Selected::Out,
        }
    }

    /// Returns the patterns, as they were typed, that have chosen nothing.
    pub(super) fn unused_patterns(&self) -> Vec<String> {
        let rules = self.include.unused().into_iter().filter_map(|at| self.rules.get(at));
        let typed = rules.filter_map(|rule| rule.typed.clone().or(rule.patterns.first().cloned()));
        typed.filter(|pattern| !pattern.starts_with('!')).collect()
    }

    /// Returns whether something that the snapshot does not have may be removed.
    pub(super) fn may_remove(&self, path: &[u8], is_dir: bool) -> bool {
        !self.exclude.matches(path, is_dir) && self.sources.may_remove(path, is_dir)
    }
}
