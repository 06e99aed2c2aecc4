//! A cache of sealed frames on disk, for destinations whose requests cost round trips.
//!
//! It holds frames as they were fetched, so it reveals no more than the destination does, and a frame from it is
//! authenticated like one from there. Nothing depends on it: any of its files may be deleted, truncated or damaged at
//! any time, and several processes may use it at once.
//!
//! Frames are appended to files, each of one kind of pack, by one process at a time:
//!
//! ```text
//! frames-1/tree-18c3a0f2b1d4e5f6-4711    frame, frame, frame, …
//! frames-1/data-18c3a0f3c2e5f607-4711    frame, frame, …
//! ```
//!
//! When they take more than the budget, whole files go: those of chunks before those of trees, and of one kind the one
//! that was used longest ago.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::SystemTime;

use yore_platform::{ReadBuffer, create_private_dir};

use crate::format::id::ObjectId;
use crate::format::pack::PackKind;
use crate::index::Location;

mod appender;
mod file;

use appender::Appender;
use file::{CacheFile, Place};

/// The folder in the cache folder of the repository; another layout has another name.
const FOLDER: &str = "frames-1";
/// The share of the budget that one file takes.
const FILE_SHARE: u64 = 32;
/// The bounds of that share in bytes.
const MIN_FILE: u64 = 64 << 10;
const MAX_FILE: u64 = 32 << 20;
/// The share of the budget that one frame may take.
const LARGEST_SHARE: u64 = 8;
/// The most files; processes that work at the same time leave files that are not full.
const MAX_FILES: usize = 128;

/// A frame of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct FrameKey {
    pub(crate) pack: ObjectId,
    pub(crate) number: u32,
}

/// The place of a frame in a file of the cache.
struct Stored {
    file: Arc<CacheFile>,
    place: Place,
}

/// The cache of one repository.
pub(crate) struct FrameCache {
    folder: PathBuf,
    budget: u64,
    /// Guards the places of the frames.
    stored: RwLock<HashMap<FrameKey, Stored>>,
    /// Guards the files to which frames are appended: chunks, trees.
    appenders: Mutex<[Appender; 2]>,
}

impl FrameCache {
    /// Opens the cache in the cache folder of a repository; `None` when there can be none.
    pub(crate) fn open(cache: &Path, budget: u64) -> Option<Self> {
        if budget < FILE_SHARE * MIN_FILE {
            return None;
        }
        let folder = cache.join(FOLDER);
        create_private_dir(&folder).ok()?;
        let mut stored = HashMap::new();
        let mut files = file::list(&folder);
        // A frame that was stored twice is taken from the newer file.
        files.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        for listed in &files {
            let Some((file, frames)) = CacheFile::open(&listed.path) else { continue };
            let file = Arc::new(file);
            let frames = frames.into_iter();
            stored.extend(frames.map(|(key, place)| (key, Stored { file: file.clone(), place })));
        }
        let appender = |kind| Appender::new(kind, (budget / FILE_SHARE).clamp(MIN_FILE, MAX_FILE));
        let appenders = [PackKind::Data, PackKind::Tree].map(appender);
        let (stored, appenders) = (RwLock::new(stored), Mutex::new(appenders));
        Some(Self { folder, budget, stored, appenders })
    }

    /// Returns true if a frame is in the cache, as far as is known.
    pub(crate) fn has(&self, key: &FrameKey) -> bool {
        self.stored.read().unwrap_or_else(PoisonError::into_inner).contains_key(key)
    }

    /// Reads the sealed bytes of a frame; returns false if the cache does not have them.
    pub(crate) fn read(&self, location: &Location, out: &mut ReadBuffer) -> bool {
        let key = FrameKey { pack: location.pack, number: location.number };
        let found = {
            let stored = self.stored.read().unwrap_or_else(PoisonError::into_inner);
            stored.get(&key).map(|stored| (Arc::clone(&stored.file), stored.place))
        };
        let Some((file, place)) = found else { return false };
        if place.length == location.frame.sealed && file.read(place, out).is_ok() {
            return true;
        }
        self.forget(&key);
        false
    }

    /// Forgets a frame whose bytes turned out to be damaged.
    pub(crate) fn forget(&self, key: &FrameKey) {
        self.stored.write().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// Stores frames of a pack that it does not have; an error only leaves them out.
    pub(crate) fn store(&self, kind: PackKind, pack: ObjectId, frames: &[(u32, &[u8])]) {
        for (number, bytes) in frames {
            let key = FrameKey { pack, number: *number };
            if self.has(&key) || file::size_of(bytes) > self.budget / LARGEST_SHARE {
                continue;
            }
            let Some((file, place)) = self.append(kind, &key, bytes) else { return };
            let mut stored = self.stored.write().unwrap_or_else(PoisonError::into_inner);
            stored.insert(key, Stored { file, place });
        }
    }

    /// Appends a frame to a file of its kind.
    fn append(
        &self,
        kind: PackKind,
        key: &FrameKey,
        bytes: &[u8],
    ) -> Option<(Arc<CacheFile>, Place)> {
        let mut appenders = self.appenders();
        let appender = &mut appenders[usize::from(kind == PackKind::Tree)];
        if !appender.has_room() && !appender.reuse(&self.folder) {
            if !self.make_room(kind, appender.file_size()) {
                return None;
            }
            appender.create(&self.folder);
        }
        appender.append(key, bytes)
    }

    /// Deletes files until a file of `bytes` fits; returns false if it does not: trees are not deleted for chunks.
    fn make_room(&self, kind: PackKind, bytes: u64) -> bool {
        let mut files = file::list(&self.folder);
        let mut total: u64 = files.iter().map(|file| file.size).sum();
        // The first to go comes last.
        files.sort_unstable_by_key(|file| {
            (file.kind == PackKind::Data, std::cmp::Reverse(file.used))
        });
        // Another file may be growing, too.
        while total.saturating_add(2 * bytes) > self.budget || files.len() >= MAX_FILES {
            let is_expendable =
                |kind_of_file| kind == PackKind::Tree || kind_of_file == PackKind::Data;
            let Some(file) = files.pop().filter(|file| is_expendable(file.kind)) else {
                return false;
            };
            total = total.saturating_sub(file.size);
            self.delete(&file.path);
        }
        true
    }

    fn delete(&self, path: &Path) {
        // Another process may have deleted it; one that stays costs space, nothing else.
        let _ = std::fs::remove_file(path);
        let mut stored = self.stored.write().unwrap_or_else(PoisonError::into_inner);
        stored.retain(|_, stored| stored.file.path() != path);
    }

    fn appenders(&self) -> MutexGuard<'_, [Appender; 2]> {
        self.appenders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file of the cache as its folder lists it.
struct ListedFile {
    path: PathBuf,
    kind: PackKind,
    size: u64,
    /// The time of its last use, to a minute.
    used: SystemTime,
}

#[cfg(test)]
mod tests;
