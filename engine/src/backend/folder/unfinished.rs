//! Temporary files that killed writers left, on file systems that can't create a file without a name.
//!
//! Listing objects finds them, so they cost no requests of their own.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use yore_platform::{is_abandoned, is_temporary};

use crate::backend::UnfinishedFile;
use crate::error::{Error, Result};
use crate::format::object::Area;

/// The temporary files of each area, as found by its latest list.
#[derive(Default)]
pub(super) struct TemporaryFiles(Mutex<HashMap<Area, BTreeSet<PathBuf>>>);

impl TemporaryFiles {
    /// Forgets the files of an area before it is listed again.
    pub(super) fn clear(&self, area: Area) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&area);
    }

    /// Adds a file that is not an object, if its name is temporary.
    pub(super) fn record(&self, area: Area, path: PathBuf) {
        if path.file_name().and_then(|name| name.to_str()).is_some_and(is_temporary) {
            let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            files.entry(area).or_default().insert(path);
        }
    }

    fn all(&self) -> Vec<PathBuf> {
        let files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.values().flatten().cloned().collect()
    }

    /// Describes the files that still exist, and those in `root` itself.
    pub(super) fn describe(&self, root: &Path) -> Result<Vec<UnfinishedFile>> {
        let mut found = Vec::new();
        for path in self.all().into_iter().chain(in_folder(root)?) {
            let described = std::fs::symlink_metadata(&path)
                .and_then(|metadata| Ok((metadata.len(), is_abandoned(&path)?)));
            let (size, is_abandoned) = match described {
                Ok(described) => described,
                // Published or removed since the list.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(source) => return Err(Error::local(&path, source)),
            };
            let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            found.push(UnfinishedFile { name, size, is_abandoned });
        }
        Ok(found)
    }
}

/// Finds the temporary files in the root, where the header and `destination` are created.
fn in_folder(root: &Path) -> Result<Vec<PathBuf>> {
    let failed = |source| Error::local(root, source);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_name().to_str().is_some_and(is_temporary) {
            found.push(entry.path());
        }
    }
    Ok(found)
}
