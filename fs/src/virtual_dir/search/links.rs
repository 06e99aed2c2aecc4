//! The names of links to paths.
//!
//! A name is the path with another letter for `/`. Where that is too long, or names another path already, it
//! has digits of the path's digest.

use std::collections::HashMap;

use sha2::{Digest, Sha256};
use yore_engine::format::encode_hex;

use crate::history::version_name::extension;
use crate::path::{MAX_NAME, shortened, split};

/// The letter shown for `/`.
const SLASH: &str = "\u{2215}";
/// Digits of the digest that tells apart paths that would have the same name.
const DIGITS: usize = 16;

/// Paths, in order.
#[derive(Default)]
pub(super) struct Paths {
    bytes: Vec<u8>,
    /// The beginning and the end of each in the bytes.
    spans: Vec<(u32, u32)>,
    /// There were more than 32 bits can address.
    pub(super) overflowed: bool,
}

impl Paths {
    pub(super) fn add(&mut self, path: &[u8]) {
        let end = |len: usize| u32::try_from(len).ok();
        match (end(self.bytes.len()), end(self.bytes.len() + path.len())) {
            (Some(start), Some(end)) => {
                self.bytes.extend_from_slice(path);
                self.spans.push((start, end));
            }
            _ => self.overflowed = true,
        }
    }

    fn sort(&mut self) {
        let Self { bytes, spans, .. } = self;
        spans.sort_unstable_by_key(|(start, end)| &bytes[*start as usize..*end as usize]);
        bytes.shrink_to_fit();
        spans.shrink_to_fit();
    }

    fn get(&self, at: usize) -> Option<&[u8]> {
        let (start, end) = self.spans.get(at)?;
        self.bytes.get(*start as usize..*end as usize)
    }

    fn find(&self, path: &[u8]) -> Option<usize> {
        let path_at = |(start, end): &(u32, u32)| &self.bytes[*start as usize..*end as usize];
        self.spans.binary_search_by(|place| path_at(place).cmp(path)).ok()
    }
}

/// Links to paths, by their positions. A link takes nothing but its path, as long as its name says the path.
pub(super) struct PathLinks {
    paths: Paths,
    /// The positions of the names that do not say their paths.
    named: HashMap<Vec<u8>, usize>,
}

impl PathLinks {
    pub(super) fn new(mut paths: Paths) -> Self {
        paths.sort();
        let mut named = HashMap::new();
        for (at, path) in (0..).map_while(|at| Some((at, paths.get(at)?))) {
            let mut name = link_name(path);
            if says(&name, path) {
                continue;
            }
            let is_taken = path_of(&name).is_some_and(|path| paths.find(&path).is_some());
            if is_taken || named.contains_key(&name) {
                name = with_digest(path, &name);
            }
            named.insert(name, at);
        }
        Self { paths, named }
    }

    /// Returns the memory that they take, in bytes.
    pub(super) fn memory_size(&self) -> usize {
        let names = self.named.keys().map(|name| name.len() + size_of::<(Vec<u8>, usize)>());
        let spans = self.paths.spans.len() * size_of::<(u32, u32)>();
        self.paths.bytes.len() + spans + names.sum::<usize>()
    }

    /// The path at a position.
    pub(super) fn path(&self, at: usize) -> Option<&[u8]> {
        self.paths.get(at)
    }

    /// The name at a position.
    pub(super) fn name(&self, at: usize) -> Option<Vec<u8>> {
        let path = self.paths.get(at)?;
        let name = link_name(path);
        let is_its = says(&name, path) || self.named.get(&name) == Some(&at);
        Some(if is_its { name } else { with_digest(path, &name) })
    }

    /// The position of a name.
    pub(super) fn find(&self, name: &[u8]) -> Option<usize> {
        let by_path = || self.paths.find(&path_of(name)?);
        self.named.get(name).copied().or_else(by_path)
    }
}

/// Returns the path that a link of this name leads to, if the name says it.
fn path_of(name: &[u8]) -> Option<Vec<u8>> {
    let mut path = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((first, after)) = rest.split_first() {
        let slash = rest.strip_prefix(SLASH.as_bytes());
        path.push(if slash.is_some() { b'/' } else { *first });
        rest = slash.unwrap_or(after);
    }
    (name.len() <= MAX_NAME).then_some(path)
}

/// Reports whether a name says that it leads to a path.
fn says(name: &[u8], path: &[u8]) -> bool {
    path_of(name).as_deref() == Some(path)
}

/// The path as a name.
fn link_name(path: &[u8]) -> Vec<u8> {
    let parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
    let name = parts.join(SLASH.as_bytes());
    if name.len() > MAX_NAME { with_digest(path, &name) } else { name }
}

/// A name with digits that depend on the path alone, before the extension.
fn with_digest(path: &[u8], name: &[u8]) -> Vec<u8> {
    let end = extension(split(path).1);
    let digits = &encode_hex(&Sha256::digest(path))[..DIGITS];
    let end: &[u8] = if end.len() > MAX_NAME / 2 { b"" } else { end };
    let room = MAX_NAME - end.len() - digits.len() - 1;
    let kept = shortened(name.strip_suffix(end).unwrap_or(name), room);
    [kept, b"~", digits.as_bytes(), end].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_link_is_found_by_its_own_name() {
        let long = "x/".repeat(200);
        let paths = [
            "a/b",
            "a\u{2215}b",
            "a\u{2215}b/c",
            "a/b\u{2215}c",
            "c",
            "\u{2215}",
            &long,
            "b/\u{2215}d",
        ];
        let mut all = Paths::default();
        paths.iter().for_each(|path| all.add(path.as_bytes()));
        all.add(b"not \xff/UTF-8");
        let links = PathLinks::new(all);
        let mut names = std::collections::HashSet::new();
        for at in 0..=paths.len() {
            let name = links.name(at).expect("a name");
            assert!(name.len() <= MAX_NAME && !name.contains(&b'/'));
            assert_eq!(links.find(&name), Some(at), "{}", name.escape_ascii());
            assert!(names.insert(name));
        }
        assert_eq!(links.name(paths.len() + 1), None);
        assert_eq!(links.find(b"d"), None);
        assert!(names.contains("a\u{2215}b".as_bytes()), "the plain path has the plain name");
    }

    #[test]
    fn names_of_links_are_short_and_differ() {
        assert_eq!(link_name(b"home/a.odt"), "home∕a.odt".as_bytes());
        let long = |last: char| format!("{}/{}{last}.odt", "ä".repeat(100), "ö".repeat(100));
        let (one, other) = (link_name(long('x').as_bytes()), link_name(long('y').as_bytes()));
        for name in [&one, &other] {
            assert!(name.len() <= MAX_NAME && name.ends_with(b".odt"));
            assert!(std::str::from_utf8(name).is_ok());
        }
        assert_ne!(one, other);
    }
}
