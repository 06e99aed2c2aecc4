//! Which paths are restored, by patterns.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ignore::gitignore::Gitignore;

use super::RestoreOptions;
use super::sources::{Sources, Way, fits};
use crate::error::Result;
use crate::globs;

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
    include: Option<Gitignore>,
    /// The patterns that choose something, each by itself.
    choosing: Vec<Choosing>,
    /// How many of them have chosen nothing yet.
    left: AtomicUsize,
    exclude: Option<Gitignore>,
    pub(super) sources: Sources,
}

/// A pattern that chooses something, and whether it has.
struct Choosing {
    pattern: String,
    compiled: Option<Gitignore>,
    has: AtomicBool,
}

impl Selection {
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) names a pattern that is none.
    pub(super) fn new(options: &RestoreOptions, way: Way) -> Result<Self> {
        let chooses = |pattern: &&String| {
            let text = pattern.trim();
            !text.is_empty() && !text.starts_with(['#', '!'])
        };
        let mut choosing = Vec::new();
        for pattern in options.include.iter().filter(chooses) {
            let compiled = globs::compile(std::slice::from_ref(pattern))?;
            choosing.push(Choosing { pattern: pattern.clone(), compiled, has: false.into() });
        }
        Ok(Self {
            include: globs::compile(&options.include)?,
            left: AtomicUsize::new(choosing.len()),
            choosing,
            exclude: globs::compile(&options.exclude)?,
            sources: Sources::new(options, way)?,
        })
    }

    /// What a selected directory begins with.
    pub(super) fn at_top(&self) -> Selected {
        if self.include.is_some() { Selected::Through } else { Selected::In }
    }

    /// Chooses about a path in a directory about which `above` was chosen.
    pub(super) fn choose(&self, path: &[u8], above: Selected, is_dir: bool) -> Selected {
        if fits(self.exclude.as_ref(), path, is_dir) {
            return Selected::Out;
        }
        let included = self.is_included(path, is_dir, above);
        match (included, is_dir) {
            (true, _) => Selected::In,
            (false, true) => Selected::Through,
            (false, false) => Selected::Out,
        }
    }

    /// Whether a path is included, by itself or with the directory in which it is.
    fn is_included(&self, path: &[u8], is_dir: bool, above: Selected) -> bool {
        let inside = above == Selected::In;
        if self.left.load(Ordering::Relaxed) > 0 {
            for one in self.choosing.iter().filter(|one| !one.has.load(Ordering::Relaxed)) {
                if fits(one.compiled.as_ref(), path, is_dir)
                    && !one.has.swap(true, Ordering::Relaxed)
                {
                    self.left.fetch_sub(1, Ordering::Relaxed);
                }
            }
        }
        inside || fits(self.include.as_ref(), path, is_dir)
    }

    /// The patterns that have chosen nothing.
    pub(super) fn unfitted(&self) -> Vec<String> {
        let unfitted = self.choosing.iter().filter(|one| !one.has.load(Ordering::Relaxed));
        unfitted.map(|one| one.pattern.clone()).collect()
    }

    /// Whether something that the snapshot does not have may be removed.
    pub(super) fn may_remove(&self, path: &[u8], is_dir: bool) -> bool {
        !fits(self.exclude.as_ref(), path, is_dir) && self.sources.may_remove(path, is_dir)
    }
}
