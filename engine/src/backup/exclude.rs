//! What is left out: patterns as in `.gitignore`, and directories that say so themselves.

use ignore::Match;
use ignore::gitignore::Gitignore;
use yore_platform::{Kind, Listing, ReadMode, SourceDir, system_path};

use crate::backup::Excludes;
use crate::error::Result;
use crate::globs;

/// A directory that holds a file of this name is kept without its content.
pub(crate) const NO_BACKUP: &[u8] = b".nobackup";
const CACHE_TAG: &[u8] = b"CACHEDIR.TAG";
/// How a cache tag begins (Bryan Ford, *Cache Directory Tagging Specification*).
const CACHE_SIGNATURE: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55";

/// Excludes, ready to be matched.
pub(super) struct Excluder {
    patterns: Option<Gitignore>,
    caches: bool,
}

impl Excluder {
    /// Compiles the patterns.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) names the first pattern that is none.
    pub(super) fn new(excludes: &Excludes) -> Result<Self> {
        let patterns = globs::compile(&excludes.patterns)?;
        Ok(Self { patterns, caches: excludes.caches })
    }

    /// Whether patterns leave out `name` in the directory at `parent`.
    pub(super) fn leaves_out(&self, parent: &[u8], name: &[u8], kind: Kind) -> bool {
        let Some(patterns) = &self.patterns else { return false };
        let mut path = parent.to_vec();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        let path = system_path(&path);
        matches!(patterns.matched(path, kind == Kind::Directory), Match::Ignore(_))
    }

    /// The file by which a directory says that its content is not to be backed up.
    pub(super) fn marker(&self, dir: &SourceDir, listing: &Listing) -> Option<&'static [u8]> {
        let has = |name: &[u8]| {
            // The listing is sorted by the bytes of the names.
            let (mut low, mut high) = (0, listing.len());
            while low < high {
                let middle = low + (high - low) / 2;
                match listing.get(middle).map(|listed| listed.name.cmp(name)) {
                    Some(std::cmp::Ordering::Less) => low = middle + 1,
                    Some(std::cmp::Ordering::Equal) => return true,
                    Some(std::cmp::Ordering::Greater) | None => high = middle,
                }
            }
            false
        };
        if has(NO_BACKUP) {
            return Some(NO_BACKUP);
        }
        (self.caches && has(CACHE_TAG) && is_cache_tag(dir)).then_some(CACHE_TAG)
    }
}

fn is_cache_tag(dir: &SourceDir) -> bool {
    let mut start = [0; CACHE_SIGNATURE.len()];
    let read =
        dir.open_file(CACHE_TAG, ReadMode::Buffered).and_then(|file| file.read_at(&mut start, 0));
    read.is_ok_and(|length| length == start.len()) && start == CACHE_SIGNATURE
}
