//! Storage that rclone reaches: `rclone serve sftp --stdio REMOTE:PATH` speaks SFTP on its standard streams.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::Sftp;
use super::program::Program;

/// The time for which rclone may answer from its own copy of a folder's names.
///
/// Each list waits for it, so that what other machines published before is in it. Without any copy, rclone would
/// list a whole folder for every single file.
pub(super) const DIRECTORY_CACHE: Duration = Duration::from_millis(250);

/// The settings of a destination behind rclone.
#[derive(Debug, Clone)]
pub struct RcloneOptions {
    /// The program: a path, or a name in one of the folders of `PATH`.
    pub program: OsString,
    /// Its configuration file; `None` for its own choice.
    pub config: Option<PathBuf>,
    /// The remote of that configuration and the path in it: `REMOTE:PATH`.
    pub remote: OsString,
}

impl Sftp {
    /// Creates a backend for storage that rclone reaches, without starting rclone.
    ///
    /// rclone serves its own view of the storage, in which a rename replaces another file and nothing is flushed.
    pub fn rclone(options: &RcloneOptions) -> Self {
        let location = format!("rclone:{}", options.remote.to_string_lossy());
        Self::served_by(program(options), location)
    }
}

fn program(options: &RcloneOptions) -> Program {
    let mut arguments: Vec<OsString> = Vec::new();
    if let Some(config) = &options.config {
        arguments.extend(["--config".into(), config.into()]);
    }
    let cached = format!("{}ms", DIRECTORY_CACHE.as_millis());
    let fixed = [
        // A question for a password would wait for ever.
        "--ask-password=false",
        "serve",
        "sftp",
        "--stdio",
        "--dir-cache-time",
        &cached,
        "--poll-interval",
        "0",
        // Requests of one file overtake each other inside rclone; the earlier ones are on their way. After one has
        // failed, the others wait as long.
        "--vfs-write-wait",
        "30s",
    ];
    arguments.extend(fixed.map(OsString::from));
    // A remote that looks like an option is none.
    arguments.extend(["--".into(), options.remote.clone()]);
    Program { program: options.program.clone(), arguments }
}
