//! Excludes: patterns as in `.gitignore`, and files that mark directories whose content is left out.

use yore_platform::{Kind, Listing, ReadMode};

use crate::backup::Excludes;
use crate::backup::source::Dir;
use crate::error::Result;
use crate::format::header::{MAX_HEADER, Unverified};
use crate::format::id::RepositoryId;
use crate::format::object::ObjectName;
use crate::globs::Globs;
use crate::path::join;

const CACHE_TAG: &[u8] = b"CACHEDIR.TAG";
/// The beginning of a cache tag (Bryan Ford, *Cache Directory Tagging Specification*).
const CACHE_SIGNATURE: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55";

/// Excludes, ready to be matched.
pub(in crate::backup) struct Excluder<'a> {
    globs: Globs,
    excludes: &'a Excludes,
}

impl<'a> Excluder<'a> {
    /// Compiles the patterns.
    ///
    /// # Errors
    /// [`Refusal::InvalidPattern`](crate::Refusal) for the first pattern that is malformed.
    pub(in crate::backup) fn new(excludes: &'a Excludes) -> Result<Self> {
        Ok(Self { globs: Globs::new(&excludes.rules)?, excludes })
    }

    /// Returns whether patterns leave out `name` in the directory at `parent`.
    pub(in crate::backup) fn leaves_out(&self, parent: &[u8], name: &[u8], kind: Kind) -> bool {
        !self.globs.is_empty() && self.globs.matches(&join(parent, name), kind == Kind::Directory)
    }

    /// Finds the file that marks a directory whose content is left out.
    pub(in crate::backup) fn marker(&self, dir: &Dir, listing: &Listing) -> Option<&[u8]> {
        let marks = self.excludes.if_present.iter().map(Vec::as_slice);
        let mut marks = marks.filter(|mark| listing.has(mark));
        let cache = || self.excludes.caches && listing.has(CACHE_TAG) && is_cache_tag(dir);
        marks.next().or_else(|| cache().then_some(CACHE_TAG))
    }

    /// Returns whether a directory is the repository of this id, under whatever name.
    pub(in crate::backup) fn is_repository(dir: &Dir, listing: &Listing, id: RepositoryId) -> bool {
        let name = ObjectName::header();
        listing.has(name.as_str().as_bytes()) && {
            let mut start = vec![0; MAX_HEADER as usize];
            let file = dir.open_file(name.as_str().as_bytes(), ReadMode::Buffered);
            let read = file.and_then(|file| file.read_at(&mut start, 0)).unwrap_or(0);
            let header =
                start.get(..read).and_then(|bytes| Unverified::decode(name.as_str(), bytes).ok());
            header.is_some_and(|header| header.header.repository == id)
        }
    }

    /// Returns the patterns, as they were typed, that matched nothing.
    pub(in crate::backup) fn unused(&self) -> Vec<String> {
        let rule = |at: usize| self.excludes.rules.get(at)?.typed.clone();
        self.globs.unused().into_iter().filter_map(rule).collect()
    }
}

/// Returns the names of all files that may mark a directory.
#[cfg(feature = "sftp")]
pub(in crate::backup) fn marks_of(excludes: &Excludes) -> Vec<Vec<u8>> {
    let cache_tag = excludes.caches.then(|| CACHE_TAG.to_vec());
    excludes.if_present.iter().cloned().chain(cache_tag).collect()
}

fn is_cache_tag(dir: &Dir) -> bool {
    let mut start = [0; CACHE_SIGNATURE.len()];
    let read =
        dir.open_file(CACHE_TAG, ReadMode::Buffered).and_then(|file| file.read_at(&mut start, 0));
    read.is_ok_and(|length| length == start.len()) && start == CACHE_SIGNATURE
}
