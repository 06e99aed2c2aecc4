//! Targets that do not tell `Readme` from `README`.
//!
//! Names that differ in case alone are met often enough (`Makefile` and `makefile`), and most targets
//! tell them apart. So only a directory that has such names is looked at, and what it does not tell
//! apart gets names that it does.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::context::Context;
use super::directory::OpenDir;
use super::labelled_name::labelled;
use crate::error::Error;
use crate::format::tree::Node;
use crate::path::join;
use crate::run::Run;

/// The names of a directory, without their case.
#[derive(Default)]
pub(super) struct Names {
    folded: HashSet<u64>,
    /// Whether the target tells names apart that differ in case; `None` while nobody asked.
    told_apart: Option<bool>,
}

impl Names {
    /// Takes in a name; tells whether one was there before that may be the same in the target.
    pub(super) fn add(&mut self, name: &[u8]) -> bool {
        !self.folded.insert(fold(name))
    }

    /// Whether a name of the directory differs from this one in case at most.
    pub(super) fn has(&self, name: &[u8]) -> bool {
        self.folded.contains(&fold(name))
    }

    /// Gives a node another name where the target takes its own for one that was there before, and
    /// tells so.
    pub(super) fn settle(&mut self, context: &Context<'_>, open: &OpenDir<'_>, node: &mut Node) {
        let told_apart = *self.told_apart.get_or_insert_with(|| tells_apart(context, open));
        if told_apart {
            return;
        }
        let own = std::mem::take(&mut node.name);
        let names = (2_u64..).map(|number| labelled(&own, &number.to_string(), 1));
        node.name = names.into_iter().find(|name| self.add_new(name)).unwrap_or_default();
        let what = format!(
            "the target takes it for another name that differs in case alone: it is restored as {:?}",
            String::from_utf8_lossy(&node.name)
        );
        context.failed(join(&open.path, &own), Error::Refused { what });
    }

    fn add_new(&mut self, name: &[u8]) -> bool {
        !self.add(name)
    }
}

/// Whether a directory of the target tells names apart that differ in case.
fn tells_apart(context: &Context<'_>, open: &OpenDir<'_>) -> bool {
    match (open.for_writing(), context.options.run) {
        (Some(dir), Run::Real) => dir.is_case_sensitive().unwrap_or(true),
        (None, _) | (_, Run::Dry) => true,
    }
}

/// Whether another case of a name leads to the same file in the target.
pub(super) fn has_alias(open: &OpenDir<'_>, name: &[u8]) -> bool {
    let (Some(dir), Some(other)) = (&open.dir, swapped(name)) else { return false };
    let number = |name: &[u8]| {
        dir.child_metadata(name).ok().flatten().map(|found| (found.inode, found.device))
    };
    number(&other).is_some_and(|other| number(name) == Some(other))
}

fn fold(name: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    match std::str::from_utf8(name) {
        Ok(text) => text.to_lowercase().as_bytes().hash(&mut hasher),
        Err(_) => name.to_ascii_lowercase().hash(&mut hasher),
    }
    hasher.finish()
}

/// The name with the other case of every letter; `None` where there is no other.
fn swapped(name: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(name).ok()?;
    let mut other = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter.is_lowercase() {
            true => other.extend(letter.to_uppercase()),
            false => other.extend(letter.to_lowercase()),
        }
    }
    (other != text).then(|| other.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_in_case_alone_are_one() {
        let mut names = Names::default();
        for name in ["README", "Ärger", "a", "1"] {
            assert!(!names.add(name.as_bytes()), "{name}");
        }
        for name in ["Readme", "äRGER", "A"] {
            assert!(names.has(name.as_bytes()) && names.add(name.as_bytes()), "{name}");
        }
        assert!(!names.has(b"b") && !names.has(b"\xff"));
        assert_eq!(swapped("aBä1".as_bytes()).as_deref(), Some("AbÄ1".as_bytes()));
        assert_eq!(swapped(b"123"), None);
    }
}
