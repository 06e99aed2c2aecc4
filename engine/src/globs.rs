//! Patterns of paths as in `.gitignore`, against paths from the root.
//!
//! The last pattern that matches decides. The caller walks from the top, as Git does, and not into a directory that is
//! left out, so nothing in it can be taken back.

use std::sync::atomic::{AtomicBool, Ordering};

use regex::bytes::{RegexSet, RegexSetBuilder};

use crate::error::{Refusal, Result};
use crate::path::TreePath;

mod rule;
#[cfg(test)]
mod tests;
mod translate;

pub use rule::{Bases, Rule, escape_glob};

use translate::translate;

/// A directory that holds a file of this name keeps its content when files are removed.
pub(crate) const NO_BACKUP: &[u8] = b".nobackup";
/// The most memory that all compiled patterns together may take: some 50,000 lines.
const COMPILED: usize = 256 << 20;

/// Returns what is wrong with a pattern that a person types, in words.
pub fn check_glob(pattern: &str) -> std::result::Result<(), String> {
    let Some(translated) = translate(pattern)? else { return Ok(()) };
    RegexSet::new([&translated.regex]).map(drop).map_err(|_| "it is too long".into())
}

/// Patterns, ready to be matched.
#[derive(Debug, Default)]
pub(crate) struct Globs {
    /// Matched against names.
    names: PatternSet,
    /// Matched against paths.
    paths: PatternSet,
    globs: Vec<Glob>,
    /// For each rule, set once one of its patterns matched anything.
    matched: Vec<AtomicBool>,
}

#[derive(Debug)]
struct Glob {
    rule: usize,
    negated: bool,
    dirs_only: bool,
}

/// Compiled patterns, and their positions.
#[derive(Debug, Default)]
struct PatternSet {
    regexes: Option<RegexSet>,
    globs: Vec<usize>,
}

/// The result of matching a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GlobMatch {
    /// No pattern matches it.
    NoMatch,
    /// The last pattern that matches it has no `!`.
    Match,
    /// The last pattern that matches it has a `!`.
    Negated,
}

impl Globs {
    /// Compiles rules; a later one outweighs an earlier one.
    ///
    /// # Errors
    /// [`Refusal::InvalidPattern`] for the first that is malformed.
    pub(crate) fn new(rules: &[Rule]) -> Result<Self> {
        let patterns = rules.iter().enumerate();
        let patterns = patterns.flat_map(|(at, rule)| rule.patterns.iter().map(move |p| (at, p)));
        Self::build(patterns, rules.len(), |pattern, reason| {
            Err(Refusal::InvalidPattern { pattern: pattern.to_owned(), reason }.into())
        })
    }

    /// Compiles patterns that a snapshot records; a line that older programs took for a pattern and that is none
    /// matches nothing.
    pub(crate) fn recorded(patterns: &[String]) -> Result<Self> {
        Self::build(patterns.iter().enumerate(), patterns.len(), |_, _| Ok(()))
    }

    fn build<'p>(
        patterns: impl Iterator<Item = (usize, &'p String)>,
        rules: usize,
        refuse: impl Fn(&str, String) -> Result<()>,
    ) -> Result<Self> {
        let mut globs = Vec::new();
        let (mut names, mut paths) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
        for (rule, pattern) in patterns {
            let translated = match translate(pattern) {
                Ok(Some(translated)) => translated,
                Ok(None) => continue,
                Err(reason) => {
                    refuse(pattern, reason)?;
                    continue;
                }
            };
            let set = if translated.is_name { &mut names } else { &mut paths };
            set.0.push(translated.regex);
            set.1.push(globs.len());
            let (negated, dirs_only) = (translated.negated, translated.dirs_only);
            globs.push(Glob { rule, negated, dirs_only });
        }
        let matched = (0..rules).map(|_| AtomicBool::new(false)).collect();
        Ok(Self { names: PatternSet::new(names)?, paths: PatternSet::new(paths)?, globs, matched })
    }

    /// Returns whether there are no patterns.
    pub(crate) fn is_empty(&self) -> bool {
        self.globs.is_empty()
    }

    /// Matches one path, given by components joined by `/`.
    pub(crate) fn decide(&self, path: &[u8], is_dir: bool) -> GlobMatch {
        let name = TreePath::new(path).file_name();
        let mut last = None;
        for at in self.names.matching(name).chain(self.paths.matching(path)) {
            let Some(glob) = self.globs.get(at).filter(|glob| is_dir || !glob.dirs_only) else {
                continue;
            };
            if let Some(matched) = self.matched.get(glob.rule) {
                matched.store(true, Ordering::Relaxed);
            }
            last = last.max(Some((at, glob.negated)));
        }
        match last {
            None => GlobMatch::NoMatch,
            Some((_, false)) => GlobMatch::Match,
            Some((_, true)) => GlobMatch::Negated,
        }
    }

    /// Returns whether the last pattern that matches a path has no `!`.
    pub(crate) fn matches(&self, path: &[u8], is_dir: bool) -> bool {
        self.decide(path, is_dir) == GlobMatch::Match
    }

    /// Returns the positions of the rules of which no pattern matched anything so far.
    pub(crate) fn unused(&self) -> Vec<usize> {
        let unused = |at: &usize| self.matched.get(*at).is_some_and(|f| !f.load(Ordering::Relaxed));
        (0..self.matched.len()).filter(unused).collect()
    }
}

impl PatternSet {
    fn new((regexes, globs): (Vec<String>, Vec<usize>)) -> Result<Self> {
        if regexes.is_empty() {
            return Ok(Self::default());
        }
        let built = RegexSetBuilder::new(&regexes).size_limit(COMPILED).build();
        let too_long = |_| Refusal::PatternsTooLong;
        Ok(Self { regexes: Some(built.map_err(too_long)?), globs })
    }

    /// Returns the positions of the patterns that match.
    fn matching(&self, text: &[u8]) -> impl Iterator<Item = usize> {
        // Most paths match nothing, and this test costs no allocation.
        let matching = self.regexes.as_ref().filter(|regexes| regexes.is_match(text));
        let matching =
            matching.map(|regexes| regexes.matches(text).into_iter().collect::<Vec<_>>());
        matching.into_iter().flatten().filter_map(|at| self.globs.get(at).copied())
    }
}
