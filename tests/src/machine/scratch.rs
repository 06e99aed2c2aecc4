//! A temporary folder, in a place that has what the tests need.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A temporary folder that is removed with everything in it.
pub struct Scratch {
    folder: TempDir,
    path: PathBuf,
}

impl Scratch {
    /// Makes one below `YORE_TEST_TMP`, or where temporary files belong.
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

    /// Where it is, without links in its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path in it, at which nothing is made.
    pub fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A folder in it, which is made.
    pub fn folder(&self, name: &str) -> PathBuf {
        let path = self.at(name);
        std::fs::create_dir_all(&path).expect("a folder");
        path
    }

    /// Keeps it, for somebody who wants to look.
    pub fn keep(self) -> PathBuf {
        self.folder.keep()
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}
