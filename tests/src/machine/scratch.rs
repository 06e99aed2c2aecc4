//! A temporary folder, in a place that has what the tests need.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A temporary folder that is removed with everything in it.
pub struct Scratch {
    folder: TempDir,
    path: PathBuf,
}

impl Scratch {
    /// Makes one below `YORE_TEST_TMP`, or in the system's folder for temporary files.
    pub fn new() -> Self {
        let mut builder = tempfile::Builder::new();
        builder.prefix("yore-test-");
        let folder = match std::env::var_os("YORE_TEST_TMP") {
            Some(base) => builder.tempdir_in(base),
            None => builder.tempdir(),
        };
        let folder = folder.expect("a temporary folder");
        let path = std::fs::canonicalize(folder.path()).expect("its path without links");
        Self { folder, path }
    }

    /// Makes one in memory, for tests that make and remove many thousands of files: ext4 looks through the inodes that
    /// were freed in the last seconds whenever it makes one.
    pub fn in_memory() -> Self {
        let folder = tempfile::Builder::new().prefix("yore-test-").tempdir_in("/dev/shm");
        let folder = folder.expect("a folder in memory");
        let path = folder.path().to_owned();
        Self { folder, path }
    }

    /// Makes one in a place that other tests leave alone: a snapshot has the times of the folders above its source.
    pub fn in_quiet_place() -> Self {
        let folder = tempfile::Builder::new().prefix("yore-test-").tempdir_in("/var/tmp");
        let folder = folder.expect("a temporary folder");
        let path = std::fs::canonicalize(folder.path()).expect("its path without links");
        Self { folder, path }
    }

    /// Its path, without links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns a path in it, without making anything there.
    pub fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Makes a folder in it.
    pub fn folder(&self, name: &str) -> PathBuf {
        let path = self.at(name);
        std::fs::create_dir_all(&path).expect("a folder");
        path
    }

    /// Keeps it after the test, to be inspected; returns its path.
    pub fn keep(self) -> PathBuf {
        self.folder.keep()
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}
