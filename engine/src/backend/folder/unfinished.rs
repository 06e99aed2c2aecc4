//! Files that a killed writer left in a folder whose file system can't make a file without a name.
//!
//! They are met while objects are listed, so that to look for them costs nothing of its own.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use yore_platform::{is_abandoned, is_temporary};

use crate::backend::UnfinishedFile;
use crate::error::{Error, Result};
use crate::format::object::Area;

/// The temporary files among the objects of each area, as it was listed last.
#[derive(Default)]
pub(super) struct TemporaryFiles(Mutex<HashMap<Area, BTreeSet<PathBuf>>>);

impl TemporaryFiles {
    /// Forgets those of an area that is listed anew.
    pub(super) fn clear(&self, area: Area) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&area);
    }

    /// Keeps a file that is no object, if it is a temporary one.
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

    /// Describes those that are still there, and those in `root` itself.
    pub(super) fn describe(&self, root: &Path) -> Result<Vec<UnfinishedFile>> {
        let mut found = Vec::new();
        for path in self.all().into_iter().chain(in_folder(root)?) {
            let described = std::fs::symlink_metadata(&path)
                .and_then(|metadata| Ok((metadata.len(), is_abandoned(&path)?)));
            let (size, is_abandoned) = match described {
                Ok(described) => described,
                // Published or removed meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(source) => return Err(Error::local(&path, source)),
            };
            let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            found.push(UnfinishedFile { name, size, is_abandoned });
        }
        Ok(found)
    }
}

/// Finds the temporary files in the repository's own folder, where header and destination are made.
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
