//! Sources that were dropped: their last backup may get old.
//!
//! The state folder lists them, each with its last snapshot at that time: a source that is backed up again counts
//! again. A line of the file is a repository, a snapshot, and host and path in hexadecimal digits.

use std::collections::HashSet;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use yore_engine::format::{RepositoryId, SnapshotId, encode_hex};
use yore_platform::create_private_dir;

use crate::access::state;
use crate::failure::{Exit, Failure, Outcome};

const FILE: &str = "dropped-sources";

/// The sources of a repository that were dropped.
pub struct Dropped {
    repository: RepositoryId,
    lines: HashSet<String>,
}

impl Dropped {
    /// Reads the list; it is empty where there is no state folder.
    pub fn read(repository: RepositoryId) -> Outcome<Self> {
        let Some(path) = path() else { return Ok(Self { repository, lines: HashSet::new() }) };
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Self { repository, lines: text.lines().map(str::to_owned).collect() }),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Ok(Self { repository, lines: HashSet::new() })
            }
            Err(error) => Err(Failure::local(&path, error)),
        }
    }

    /// Reports whether a source was dropped, and has no snapshot since.
    pub fn has(&self, host: &str, source: &[u8], last: SnapshotId) -> bool {
        self.lines.contains(&self.line(host, source, last))
    }

    /// Drops a source whose last snapshot is `last`.
    pub fn add(&mut self, host: &str, source: &[u8], last: SnapshotId) -> Outcome<()> {
        let line = self.line(host, source, last);
        let path = path().ok_or_else(|| {
            Failure::new(
                Exit::Failed,
                "there is no home folder in which to remember this",
                "name a folder: export YORE_STATE_DIR=/var/lib/yore",
            )
        })?;
        let local = |error| Failure::local(&path, error);
        create_private_dir(path.parent().unwrap_or(&path)).map_err(local)?;
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&path);
        // In one write, so that two processes do not mix their lines.
        file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes())).map_err(local)?;
        self.lines.insert(line);
        Ok(())
    }

    fn line(&self, host: &str, source: &[u8], last: SnapshotId) -> String {
        let (host, source) = (encode_hex(host.as_bytes()), encode_hex(source));
        format!("{} {last} {host} {source}", self.repository)
    }
}

fn path() -> Option<PathBuf> {
    state::state_folder().map(|folder| folder.join(FILE))
}
