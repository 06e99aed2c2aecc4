//! Files that are being read, by number.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use yore_engine::read::OpenFile;
use yore_platform::{Ino, VolumeError};

use crate::read::prefetch::Progress;

/// Files that are kept open.
const OPEN: usize = 64;

/// A file that is being read.
pub(crate) struct OpenedFile {
    pub(crate) file: OpenFile,
    pub(crate) progress: Progress,
}

/// The files that were read last.
pub(crate) struct Files {
    /// Guards the files.
    open: Mutex<LruCache<Ino, Arc<OpenedFile>>>,
}

impl Files {
    pub(crate) fn new() -> Self {
        let open = NonZeroUsize::new(OPEN).expect("more than none");
        Self { open: Mutex::new(LruCache::new(open)) }
    }

    /// Returns a file; opens it with `open` if it is not kept.
    pub(crate) fn get(
        &self,
        ino: Ino,
        open: impl FnOnce() -> Result<OpenFile, VolumeError>,
    ) -> Result<Arc<OpenedFile>, VolumeError> {
        let lock = || self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(opened) = lock().get(&ino) {
            return Ok(Arc::clone(opened));
        }
        let opened = Arc::new(OpenedFile { file: open()?, progress: Progress::default() });
        let replaced = lock().push(ino, Arc::clone(&opened));
        drop(replaced);
        Ok(opened)
    }
}
