//! Files and folders that are named one by one, or in lists.

use std::path::PathBuf;

use clap::Args;

/// The options that name files and folders.
#[derive(Debug, Clone, Args)]
pub struct FileArgs {
    /// Files and folders, of this machine or of a server (sftp://user@host/path)
    #[arg(value_name = "PATH", conflicts_with_all = ["stdin", "command"])]
    pub paths: Vec<PathBuf>,
    /// Back up the files and folders that are listed in a file, one a line; - reads the list from standard input
    /// (may be repeated)
    #[arg(long, value_name = "FILE|-", conflicts_with_all = ["stdin", "command"])]
    pub files_from: Vec<PathBuf>,
    /// The same, with a zero byte behind each, as `find -print0` writes them
    #[arg(long, value_name = "FILE|-", conflicts_with_all = ["stdin", "command"])]
    pub files_from0: Vec<PathBuf>,
}

impl FileArgs {
    /// Reports whether nothing is named.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.files_from.is_empty() && self.files_from0.is_empty()
    }
}
