//! Differences between two trees. Trees with the same id are equal and are not read.
//!
//! Two directories are walked side by side in order of names, as in the merge step of a sort; names
//! that are directories in both are entered if their trees differ.
//!
//! Example: `dir` has the tree T1 before and T2 after; `dir/same` is T3 in both.
//!
//! ```text
//! before                after                 walk
//! dir (T1)              dir (T2)              entered
//!   a                     a, other content    Modified dir/a
//!   old                                       Removed dir/old
//!   same (T3)             same (T3)           not read
//!   x, a file             x, a directory      Removed dir/x, Added dir/x, not entered
//! ```

use std::ops::ControlFlow;

use yore_platform::Kind;

use crate::error::{Error, Result};
use crate::format::content_id::content_id;
use crate::format::tree::Node;
use crate::path::{TreePath, TreePathBuf};
use crate::read::dir_entries::DirEntries;
use crate::read::reader::Reader;
use crate::read::state_tree::{DirRef, ResolvedNode, check_length, unreadable};

/// A difference in one name.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "one is alive at a time")]
pub enum Change {
    /// It was not there before, nor anything below it.
    Added(ResolvedNode),
    /// It is not there any more, nor anything below it.
    Removed(ResolvedNode),
    /// It is there in both, with another content, kind, permissions, owner or attributes.
    Modified {
        /// Before.
        from: ResolvedNode,
        /// After.
        to: ResolvedNode,
    },
}

/// A kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// [`Change::Added`].
    Added,
    /// [`Change::Modified`].
    Modified,
    /// [`Change::Removed`].
    Removed,
}

/// A name in both of two directories, or in one of them.
#[derive(Debug, Clone)]
pub struct Pair {
    /// In the first.
    pub from: Option<ResolvedNode>,
    /// In the second.
    pub to: Option<ResolvedNode>,
}

/// Reports whether a node differs: in kind, content, permissions, owner or attributes.
///
/// Times make no difference, nor do the entries of a directory.
pub fn is_modified(from: &Node, to: &Node) -> bool {
    from.kind != to.kind
        || from.mode != to.mode
        || from.owner != to.owner
        || from.xattrs != to.xattrs
        || from.target != to.target
        || from.device_number != to.device_number
        || from.kind == Kind::File && is_other_content(from, to)
}

fn is_other_content(from: &Node, to: &Node) -> bool {
    from.size != to.size
        || (from.content != to.content || from.holes != to.holes)
            && content_id(from) != content_id(to)
}

impl Pair {
    /// Returns the name.
    pub(crate) fn name(&self) -> Option<&[u8]> {
        let side = self.to.as_ref().or(self.from.as_ref())?;
        Some(&side.node.name)
    }

    /// Returns the changes of the name itself: two where one side is a directory and the other is
    /// not.
    pub fn changes(&self) -> Vec<Change> {
        match (&self.from, &self.to) {
            (Some(from), Some(to)) if (from.dir.is_some()) != (to.dir.is_some()) => {
                vec![Change::Removed(from.clone()), Change::Added(to.clone())]
            }
            (Some(from), Some(to)) if is_modified(&from.node, &to.node) => {
                vec![Change::Modified { from: from.clone(), to: to.clone() }]
            }
            (Some(_), Some(_)) | (None, None) => Vec::new(),
            (Some(from), None) => vec![Change::Removed(from.clone())],
            (None, Some(to)) => vec![Change::Added(to.clone())],
        }
    }

    /// Returns the directories of this name on both sides, if they may differ.
    pub fn below(&self) -> Option<(&DirRef, &DirRef)> {
        let (from, to) = (self.from.as_ref()?.dir.as_ref()?, self.to.as_ref()?.dir.as_ref()?);
        (!is_same(from, to)).then_some((from, to))
    }
}

/// Reports whether two directories are certainly equal.
fn is_same(from: &DirRef, to: &DirRef) -> bool {
    match (from, to) {
        (DirRef::Tree(from), DirRef::Tree(to)) => from == to,
        (DirRef::Merged(from), DirRef::Merged(to)) => std::sync::Arc::ptr_eq(from, to),
        (DirRef::Tree(_) | DirRef::Merged(_) | DirRef::Unreadable | DirRef::Damaged(_), _) => false,
    }
}

/// Walks two directories side by side, name by name.
pub struct Pairs<'r> {
    from: Side<'r>,
    to: Side<'r>,
}

struct Side<'r> {
    children: Option<DirEntries<'r>>,
    next: Option<ResolvedNode>,
}

impl<'r> Side<'r> {
    fn open(reader: &'r Reader, dir: Option<&DirRef>) -> Result<Self> {
        let children = match dir {
            None => None,
            // Its entries are unknown, not absent.
            Some(DirRef::Unreadable) => return Err(unreadable()),
            Some(dir) => Some(DirEntries::open(reader, dir)?),
        };
        let mut side = Self { children, next: None };
        side.advance()?;
        Ok(side)
    }

    fn advance(&mut self) -> Result<()> {
        self.next = match &mut self.children {
            Some(children) => children.next()?,
            None => None,
        };
        Ok(())
    }

    fn take(&mut self) -> Result<Option<ResolvedNode>> {
        let taken = self.next.take();
        self.advance()?;
        Ok(taken)
    }
}

impl<'r> Pairs<'r> {
    /// Opens two directories; one of them may be absent.
    ///
    /// # Errors
    /// One of them can't be read, or could not be when it was backed up.
    pub fn open(reader: &'r Reader, from: Option<&DirRef>, to: Option<&DirRef>) -> Result<Self> {
        Ok(Self { from: Side::open(reader, from)?, to: Side::open(reader, to)? })
    }

    /// Returns the next name; `None` at the end.
    pub fn try_next(&mut self) -> Result<Option<Pair>> {
        let name = |side: &Side<'_>| side.next.as_ref().map(|next| next.node.name.clone());
        let (from, to) = (name(&self.from), name(&self.to));
        let (takes_from, takes_to) = match (from, to) {
            (None, None) => return Ok(None),
            (Some(from), Some(to)) => (from <= to, to <= from),
            (from, to) => (from.is_some(), to.is_some()),
        };
        let from = if takes_from { self.from.take()? } else { None };
        let to = if takes_to { self.to.take()? } else { None };
        Ok(Some(Pair { from, to }))
    }
}

/// A pair of directories that is being walked, and the length of its path.
struct Level<'r> {
    pairs: Pairs<'r>,
    path: usize,
}

/// Hands every change between two trees to `each`, in order of paths, until it breaks.
///
/// Added and removed directories are one change each. A directory that can't be read is handed to
/// `each_error`, and the walk goes on beside it.
pub fn diff(
    reader: &Reader,
    from: &DirRef,
    to: &DirRef,
    each: &mut dyn FnMut(TreePath<'_>, Change) -> ControlFlow<()>,
    each_error: &mut dyn FnMut(TreePath<'_>, Error),
) {
    if is_same(from, to) {
        return;
    }
    let mut levels: Vec<Level<'_>> = Vec::new();
    let mut path = TreePathBuf::default();
    match Pairs::open(reader, Some(from), Some(to)) {
        Ok(pairs) => levels.push(Level { pairs, path: 0 }),
        Err(error) => return each_error(path.as_path(), error),
    }
    while let Some(Level { pairs, path: length }) = levels.last_mut() {
        path.truncate(*length);
        let pair = match pairs.try_next() {
            Ok(Some(pair)) => pair,
            Ok(None) => {
                levels.pop();
                continue;
            }
            Err(error) => {
                each_error(path.as_path(), error);
                levels.pop();
                continue;
            }
        };
        let Some(name) = pair.name() else { continue };
        path.push(name);
        for change in pair.changes() {
            if each(path.as_path(), change).is_break() {
                return;
            }
        }
        if let Some((from, to)) = pair.below() {
            let opened = check_length(path.as_path())
                .and_then(|()| Pairs::open(reader, Some(from), Some(to)));
            match opened {
                Ok(pairs) => levels.push(Level { pairs, path: path.len() }),
                Err(error) => each_error(path.as_path(), error),
            }
        }
    }
}

/// Reports whether there is a change of a kind anywhere between two trees; stops at the first.
///
/// # Errors
/// A tree that can't be read, if no such change was found elsewhere.
pub fn any_change(reader: &Reader, from: &DirRef, to: &DirRef, which: ChangeKind) -> Result<bool> {
    let (mut found, mut first_error) = (false, None);
    let mut each = |_: TreePath<'_>, change: Change| {
        found = matches!(
            (&change, which),
            (Change::Added(_), ChangeKind::Added)
                | (Change::Modified { .. }, ChangeKind::Modified)
                | (Change::Removed(_), ChangeKind::Removed)
        );
        if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let mut each_error = |_: TreePath<'_>, error| {
        first_error.get_or_insert(error);
    };
    diff(reader, from, to, &mut each, &mut each_error);
    match (found, first_error) {
        (false, Some(error)) => Err(error),
        (found, _) => Ok(found),
    }
}

#[cfg(test)]
mod tests;
