//! Targets that are not case-sensitive, and take `Readme` for `README`.
//!
//! Names that differ in case alone are not rare (`Makefile` and `makefile`), and most targets are case-sensitive. So
//! only a directory that gets such names is tested, and if it is not, the second name is changed.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::context::Context;
use super::directory::OpenDir;
use super::labelled_name::labelled;
use crate::error::Deviation;
use crate::format::tree::Node;
use crate::operation::run::Run;
use crate::path::join;

/// The names of a directory, folded to lower case.
#[derive(Default)]
pub(super) struct FoldedNames {
    folded: HashSet<u64>,
    /// Set if the target is case-sensitive; `None` while that is not known.
    case_sensitive: Option<bool>,
}

impl FoldedNames {
    /// Adds a name; returns whether an earlier one may be the same in the target.
    pub(super) fn add(&mut self, name: &[u8]) -> bool {
        !self.folded.insert(fold(name))
    }

    /// Returns whether a name of the directory differs from this one in case at most.
    pub(super) fn has(&self, name: &[u8]) -> bool {
        self.folded.contains(&fold(name))
    }

    /// Gives a node another name where the target takes its own for an earlier one, and reports it.
    pub(super) fn rename_if_equal(
        &mut self,
        context: &Context<'_>,
        open: &OpenDir<'_>,
        node: &mut Node,
    ) {
        let case_sensitive =
            *self.case_sensitive.get_or_insert_with(|| is_case_sensitive(context, open));
        if case_sensitive {
            return;
        }
        let own = std::mem::take(&mut node.name);
        let names = (2_u64..).map(|number| labelled(&own, &number.to_string(), 1));
        node.name = names.into_iter().find(|name| self.add_new(name)).unwrap_or_default();
        let name = String::from_utf8_lossy(&node.name).into_owned();
        context.failed(join(&open.path, &own), Deviation::RenamedForCase { name }.into());
    }

    fn add_new(&mut self, name: &[u8]) -> bool {
        !self.add(name)
    }
}

/// Returns whether a directory of the target is case-sensitive.
fn is_case_sensitive(context: &Context<'_>, open: &OpenDir<'_>) -> bool {
    match (open.for_writing(), context.options.run) {
        (Some(dir), Run::Real) => dir.is_case_sensitive().unwrap_or(true),
        (None, _) | (_, Run::Dry) => true,
    }
}

/// Returns whether another case of a name leads to the same file in the target.
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

/// Returns the name with the other case of every letter; `None` where there is no other.
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
        let mut names = FoldedNames::default();
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
