//! Options that choose snapshots by machine, tag and path.

use std::path::PathBuf;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use yore_engine::format::Snapshot;

use crate::args::live_path;

/// The options that choose snapshots.
#[derive(Debug, Clone, Default, Args)]
pub struct SnapshotFilter {
    /// Only those of this machine (may be repeated)
    #[arg(long, value_name = "HOST", value_parser = NonEmptyStringValueParser::new())]
    pub host: Vec<String>,
    /// Only those with this tag (may be repeated: any of them)
    #[arg(long, value_name = "TAG", value_parser = NonEmptyStringValueParser::new())]
    pub tag: Vec<String>,
    /// Only those that hold this path (may be repeated: any of them)
    #[arg(long, value_name = "PATH")]
    pub path: Vec<PathBuf>,
}

impl SnapshotFilter {
    /// Reports whether a snapshot is chosen.
    pub fn accepts(&self, snapshot: &Snapshot) -> bool {
        let any = |wanted: &[String], of: &dyn Fn(&String) -> bool| {
            wanted.is_empty() || wanted.iter().any(of)
        };
        any(&self.host, &|host| *host == snapshot.host)
            && any(&self.tag, &|tag| snapshot.tags.contains(tag))
            && (self.path.is_empty() || self.paths().iter().any(|path| holds_path(snapshot, path)))
    }

    /// Returns the paths as snapshots may have them.
    pub fn paths(&self) -> Vec<Vec<u8>> {
        let spellings = |path: &PathBuf| live_path::spellings(live_path::absolute(path));
        self.path.iter().flat_map(spellings).collect()
    }
}

/// Reports whether a path is, or is below, one of the snapshot's sources.
fn holds_path(snapshot: &Snapshot, path: &[u8]) -> bool {
    snapshot.sources.iter().any(|source| {
        source.is_empty()
            || path
                .strip_prefix(source.as_slice())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    })
}
