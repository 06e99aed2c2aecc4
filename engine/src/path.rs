//! Paths and names inside a snapshot.
//!
//! A path is names joined by `/`, without one at either end: `home/me/docs`. The empty path is the
//! root. A name is bytes, as the file system has it: it need not be UTF-8, and nothing in a
//! repository changes its case or its Unicode form. [`TreePath`] is to [`TreePathBuf`] as
//! [`std::path::Path`] is to [`std::path::PathBuf`]; it is `Copy`, and none of its methods but
//! [`join`](TreePath::join) allocates.
//!
//! ```text
//! path            components      parent    file_name   starts_with("home/me")
//! ""              (none)          ""        ""          no
//! home            home            ""        home        no
//! home/me         home, me        home      me          yes
//! home/me/docs    home, me, docs  home/me   docs        yes
//! home/meadow     home, meadow    home      meadow      no: compared name by name
//! ```
//!
//! # Names of other systems
//!
//! This module is the home of every translation between names and what a system allows. Each must
//! be injective: two names of one directory never become one. Linux stores names as bytes, so the
//! platform's `snapshot_path` and `system_path` pass them through, and no translation is implemented.
//! For Windows two are foreseen: its names, UTF-16 that need not be valid, as WTF-8, with a path of
//! the drive and the names, `C/Users/me`; and an escape for names that it forbids, such as `aux`,
//! `a:b`, or one that ends in a dot.

use std::borrow::Borrow;
use std::fmt::{self, Write};
use std::ops::Deref;

/// The byte between the names of a path.
const SEPARATOR: u8 = b'/';
/// The most bytes of a name that a tree may hold.
const MAX_NAME: usize = 65_535;

/// A name that may stand in a directory: not empty, not `.` or `..`, without `/` and zero bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name<'a>(&'a [u8]);

impl<'a> Name<'a> {
    /// Checks a name; returns `None` for one that may not stand in a directory.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        let is_allowed = !matches!(bytes, b"" | b"." | b"..")
            && bytes.len() <= MAX_NAME
            && !bytes.iter().any(|byte| matches!(*byte, SEPARATOR | 0));
        is_allowed.then_some(Self(bytes))
    }

    /// Returns its bytes.
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }
}

/// A borrowed path inside a snapshot.
///
/// Paths compare byte by byte, which is not the order in which a walk meets them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreePath<'a>(&'a [u8]);

impl<'a> TreePath<'a> {
    /// The path of the top of a snapshot.
    pub const ROOT: TreePath<'static> = TreePath(b"");

    /// Takes bytes as a path. Bytes of a repository may be hostile:
    /// [`components`](Self::components) passes over empty names, and [`Name::new`] judges the
    /// others.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Returns its bytes.
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Reports whether it is the root.
    pub fn is_root(self) -> bool {
        self.0.is_empty()
    }

    /// Yields its names from the root down; none for the root.
    pub fn components(self) -> impl DoubleEndedIterator<Item = &'a [u8]> + Clone {
        self.0.split(|byte| *byte == SEPARATOR).filter(|name| !name.is_empty())
    }

    /// Counts its names.
    pub fn depth(self) -> usize {
        self.components().count()
    }

    /// Splits off the last name; the root has an empty one.
    pub fn split(self) -> (TreePath<'a>, &'a [u8]) {
        match self.0.iter().rposition(|byte| *byte == SEPARATOR) {
            Some(at) => (Self(&self.0[..at]), &self.0[at + 1..]),
            None => (Self(&[]), self.0),
        }
    }

    /// Returns the path of the directory that holds it; the root's is the root.
    pub fn parent(self) -> TreePath<'a> {
        self.split().0
    }

    /// Returns its last name; empty for the root.
    pub fn file_name(self) -> &'a [u8] {
        self.split().1
    }

    /// Yields the root, every directory on the way down, and the path itself.
    pub fn prefixes(self) -> impl Iterator<Item = TreePath<'a>> + Clone {
        let ends = (1..=self.0.len())
            .filter(move |end| self.0.get(*end).is_none_or(|byte| *byte == SEPARATOR));
        std::iter::once(0).chain(ends).map(move |end| Self(&self.0[..end]))
    }

    /// Reports whether it is `outer` or lies below it.
    pub fn starts_with(self, outer: TreePath<'_>) -> bool {
        self.strip_prefix(outer).is_some()
    }

    /// Returns the rest of the path below `outer`; `None` where it is not `outer` or below it.
    pub fn strip_prefix(self, outer: TreePath<'_>) -> Option<TreePath<'a>> {
        if outer.is_root() {
            return Some(self);
        }
        match self.0.strip_prefix(outer.0)? {
            [] => Some(Self(&[])),
            [SEPARATOR, rest @ ..] => Some(Self(rest)),
            _ => None,
        }
    }

    /// Appends a name, or a path relative to this one.
    pub fn join(self, name: &[u8]) -> TreePathBuf {
        let mut bytes = Vec::with_capacity(self.0.len() + 1 + name.len());
        bytes.extend_from_slice(self.0);
        let mut path = TreePathBuf(bytes);
        path.push(name);
        path
    }
}

/// Appends a name to a path that its owner keeps as bytes.
pub(crate) fn join(path: &[u8], name: &[u8]) -> Vec<u8> {
    TreePath(path).join(name).0
}

/// An owned path inside a snapshot.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreePathBuf(Vec<u8>);

impl TreePathBuf {
    /// Takes bytes as a path, as [`TreePath::new`] does.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Borrows it.
    pub fn as_path(&self) -> TreePath<'_> {
        TreePath(&self.0)
    }

    /// Returns its bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Appends a name, or a path relative to this one.
    pub fn push(&mut self, name: &[u8]) {
        if !self.0.is_empty() && !name.is_empty() {
            self.0.push(SEPARATOR);
        }
        self.0.extend_from_slice(name);
    }

    /// Removes the last name; the root stays the root.
    pub fn pop(&mut self) {
        let length = self.as_path().parent().as_bytes().len();
        self.0.truncate(length);
    }

    /// Shortens it to its first `length` bytes, which must be the length of one of its
    /// [`prefixes`](TreePath::prefixes).
    pub fn truncate(&mut self, length: usize) {
        self.0.truncate(length);
    }
}

impl Deref for TreePathBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Borrow<[u8]> for TreePathBuf {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl<'n> FromIterator<&'n [u8]> for TreePathBuf {
    fn from_iter<I: IntoIterator<Item = &'n [u8]>>(names: I) -> Self {
        let mut path = Self::default();
        names.into_iter().for_each(|name| path.push(name));
        path
    }
}

impl From<TreePath<'_>> for TreePathBuf {
    fn from(path: TreePath<'_>) -> Self {
        Self(path.0.to_vec())
    }
}

/// Writes bytes for a message: what is not UTF-8 as `\xff`, control characters as `\n` or `\u{7}`.
///
/// A backslash stays as it is, so this is for people, not to be read back.
fn escape(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character.is_control() {
                true => write!(f, "{}", character.escape_default())?,
                false => f.write_char(character)?,
            }
        }
        chunk.invalid().iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))?;
    }
    Ok(())
}

macro_rules! shown_escaped {
    ($($type:ty),*) => {
        $(impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                escape(&self.0, f)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "\"{self}\"")
            }
        })*
    };
}

shown_escaped!(Name<'_>, TreePath<'_>, TreePathBuf);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(text: &str) -> TreePath<'_> {
        TreePath::new(text.as_bytes())
    }

    #[test]
    fn a_path_splits_where_its_names_meet() {
        let names = |text| path(text).components().map(<[u8]>::to_vec).collect::<Vec<_>>();
        assert_eq!(names("home/me/docs"), [b"home".to_vec(), b"me".to_vec(), b"docs".to_vec()]);
        assert_eq!(names(""), Vec::<Vec<u8>>::new());
        assert_eq!(names("/a//b/"), [b"a", b"b"], "names that say nothing are passed over");
        assert_eq!(path("home/me/docs").split(), (path("home/me"), b"docs".as_slice()));
        assert_eq!(path("home").split(), (TreePath::ROOT, b"home".as_slice()));
        assert_eq!((TreePath::ROOT.parent(), TreePath::ROOT.file_name()), (path(""), &b""[..]));
        let prefixes = |text| path(text).prefixes().collect::<Vec<_>>();
        assert_eq!(prefixes("a/bc/d"), [path(""), path("a"), path("a/bc"), path("a/bc/d")]);
        assert_eq!(prefixes(""), [TreePath::ROOT]);
    }

    #[test]
    fn a_path_starts_with_itself_and_what_holds_it() {
        for (outer, inner) in [("", "home"), ("home", "home"), ("home", "home/me"), ("", "")] {
            assert!(path(inner).starts_with(path(outer)), "{inner} {outer}");
        }
        for (outer, inner) in [("home", "homes"), ("home/me", "home"), ("home", ""), ("a", "b/a")] {
            assert!(!path(inner).starts_with(path(outer)), "{inner} {outer}");
        }
        assert_eq!(path("home/me/docs").strip_prefix(path("home")), Some(path("me/docs")));
        assert_eq!(path("home").strip_prefix(path("home")), Some(TreePath::ROOT));
        assert_eq!(path("home").strip_prefix(TreePath::ROOT), Some(path("home")));
    }

    #[test]
    fn names_that_leave_their_directory_are_none() {
        for bad in [&b""[..], b".", b"..", b"a/b", b"/", b"nul\0", &[b'x'; MAX_NAME + 1]] {
            assert_eq!(Name::new(bad), None);
        }
        for good in [&b"..."[..], b" ", b"\xff", b"a\nb", &[b'x'; MAX_NAME]] {
            assert_eq!(Name::new(good).map(Name::as_bytes), Some(good));
        }
    }

    #[test]
    fn a_message_shows_what_is_no_text_byte_by_byte() {
        let shown = TreePath::new("b\u{fc}cher/caf\u{e9}\n".as_bytes()).to_string();
        assert_eq!(shown, "b\u{fc}cher/caf\u{e9}\\n");
        assert_eq!(TreePath::new(b"caf\xe9/\x1b[2J").to_string(), "caf\\xe9/\\u{1b}[2J");
        assert_eq!(format!("{:?}", Name::new(b"a b").expect("a name")), "\"a b\"");
    }

    proptest! {
        #[test]
        fn a_path_is_its_names_joined(names in proptest::collection::vec("[a-z.]{1,4}", 0..6)) {
            let whole: TreePathBuf = names.iter().map(String::as_bytes).collect();
            let joined = names.join("/");
            prop_assert_eq!(&whole[..], joined.as_bytes());
            prop_assert!(whole.as_path().components().eq(names.iter().map(String::as_bytes)));
            prop_assert_eq!(whole.as_path().depth(), names.len());
            prop_assert_eq!(whole.as_path().prefixes().count(), names.len() + 1);
            for (number, prefix) in whole.as_path().prefixes().enumerate() {
                prop_assert_eq!(prefix.depth(), number);
                let rest = whole.as_path().strip_prefix(prefix).expect("it lies there");
                prop_assert_eq!(prefix.join(rest.as_bytes()), whole.clone());
            }
            let (parent, name) = whole.as_path().split();
            prop_assert_eq!(parent.join(name), whole.clone());
            let mut popped = whole.clone();
            popped.pop();
            prop_assert_eq!(popped.as_path(), parent);
        }
    }
}
