//! The files that are saved first.

use yore_platform::Timestamp;

use crate::error::Result;
use crate::globs::{GlobMatch, Globs, Rule};
use crate::path::TreePath;

/// The files of which a part of a backup reads new content; of the others it keeps the last state.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Patterns as in `.gitignore`. Everything in a folder that one fits is meant.
    pub rules: Vec<Rule>,
    /// Files that were modified at this time or later are meant, too.
    pub modified_since: Option<Timestamp>,
}

/// A selection, ready to be matched.
pub(in crate::backup) struct Selector {
    globs: Globs,
    modified_since: Option<Timestamp>,
}

impl Selector {
    /// Compiles the patterns.
    ///
    /// # Errors
    /// [`Refusal::InvalidPattern`](crate::Refusal) for the first pattern that is malformed.
    pub(in crate::backup) fn new(selection: &Selection) -> Result<Self> {
        let modified_since = selection.modified_since;
        Ok(Self { globs: Globs::new(&selection.rules)?, modified_since })
    }

    /// Returns true for a file that is meant.
    pub(super) fn selects(&self, path: &[u8], modified: Timestamp) -> bool {
        self.modified_since.is_some_and(|since| modified >= since) || self.fits(path)
    }

    /// Returns true if a pattern fits a file, or else the nearest folder above it that any pattern fits.
    fn fits(&self, path: &[u8]) -> bool {
        let (mut at, mut is_folder) = (TreePath::new(path), false);
        while !at.as_bytes().is_empty() {
            match self.globs.decide(at.as_bytes(), is_folder) {
                GlobMatch::Match => return true,
                GlobMatch::Negated => return false,
                GlobMatch::NoMatch => (at, is_folder) = (at.parent(), true),
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_a_folder_above_or_the_time_selects_a_file() {
        let patterns = ["*.docx", "thesis/", "!cache/"];
        let rules = vec![Rule::added(patterns.map(str::to_owned).to_vec())];
        let since = Timestamp { seconds: 1000, nanos: 0 };
        let selection = Selection { rules, modified_since: Some(since) };
        let selector = Selector::new(&selection).expect("patterns");
        let before = Timestamp { seconds: 999, nanos: 999_999_999 };
        for (path, modified, selected) in [
            ("home/a.docx", before, true),
            ("home/a.doc", before, false),
            ("home/a.doc", since, true),
            ("home/thesis/chapter/1.tex", before, true),
            ("home/thesis/cache/1.tex", before, false),
            ("thesis", before, false),
        ] {
            assert_eq!(selector.selects(path.as_bytes(), modified), selected, "{path}");
        }
    }
}
