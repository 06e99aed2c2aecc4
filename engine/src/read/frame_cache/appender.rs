//! Appending frames to the files of the cache.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use yore_platform::create_private_file;

use super::FrameKey;
use super::file::{self, CacheFile, Place};
use crate::format::pack::PackKind;

/// The most frames of a file: their places are in memory.
const MAX_FRAMES: usize = 4096;

/// The file of a kind to which this process appends.
pub(super) struct Appender {
    kind: PackKind,
    file_size: u64,
    open: Option<OpenFile>,
}

/// A file that is locked by this process.
struct OpenFile {
    file: File,
    end: u64,
    frames: usize,
    shared: Arc<CacheFile>,
}

impl Appender {
    /// Appends to files of about `file_size` bytes.
    pub(super) fn new(kind: PackKind, file_size: u64) -> Self {
        Self { kind, file_size, open: None }
    }

    /// Returns the size at which a file is full.
    pub(super) fn file_size(&self) -> u64 {
        self.file_size
    }

    /// Returns true if a file is open and not full.
    pub(super) fn has_room(&self) -> bool {
        let open = self.open.as_ref();
        open.is_some_and(|open| open.end < self.file_size && open.frames < MAX_FRAMES)
    }

    /// Goes on with a file that is not full and that no other process appends to; returns false without one.
    pub(super) fn reuse(&mut self, folder: &Path) -> bool {
        let mut files = file::list(folder);
        files.retain(|file| file.kind == self.kind && file.size < self.file_size);
        files.sort_unstable_by(|one, other| other.path.cmp(&one.path));
        self.open = files.into_iter().find_map(|file| lock(file.path));
        self.open.is_some()
    }

    /// Begins a new file.
    pub(super) fn create(&mut self, folder: &Path) {
        let path = folder.join(file::new_name(self.kind));
        self.open = create_private_file(&path).ok().and_then(|()| lock(path));
    }

    /// Appends a frame; returns its file and its place there.
    pub(super) fn append(
        &mut self,
        key: &FrameKey,
        bytes: &[u8],
    ) -> Option<(Arc<CacheFile>, Place)> {
        let open = self.open.as_mut()?;
        let (bytes, place) = file::encode(key, bytes, open.end)?;
        // What a crash cuts off is not found by a scan, and is overwritten by the next process.
        if open.file.write_all(&bytes).is_err() {
            self.open = None;
            return None;
        }
        open.end += bytes.len() as u64;
        open.frames += 1;
        Some((Arc::clone(&open.shared), place))
    }
}

/// Locks a file of the cache and finds its end.
fn lock(path: PathBuf) -> Option<OpenFile> {
    let mut file = OpenOptions::new().read(true).write(true).open(&path).ok()?;
    // The lock ends with the process.
    file.try_lock().ok()?;
    let (frames, end) = file::scan(&mut file).ok()?;
    if frames.len() >= MAX_FRAMES {
        return None;
    }
    file.set_len(end).ok()?;
    file.seek(SeekFrom::Start(end)).ok()?;
    let shared = Arc::new(CacheFile::of(path.clone(), File::open(path).ok()?));
    Some(OpenFile { file, end, frames: frames.len(), shared })
}
