//! Files and folders of a server as the source of a backup: `sftp://pi@nas/home/pi`.
//!
//! The snapshot is of the machine that the server is, and never of this one, whose paths may be the same.

use yore_engine::Error;
use yore_engine::backend::{Patience, SftpSource};
use yore_engine::backup::{ChangeTime, Excludes, FileSystems, InodeNumbers, ServerFiles};
use yore_engine::globs::{Bases, Rule};
use yore_platform::{hostname, name_bytes};

use super::{BackupJob, ExcludeLists};
use crate::access::destination::ServerFolder;
use crate::args::exclude;
use crate::args::file_system_snapshot::FileSystemSnapshot;
use crate::config::{SourceKind, SourceSettings};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::text::escape;

/// Files and folders that were found on a server.
pub struct RemoteSources {
    server: SftpSource,
    /// The paths as the snapshot has them.
    paths: Vec<Vec<u8>>,
    /// The user's home, where `~` of a pattern is.
    home: Option<Vec<u8>>,
    machine: String,
    /// The machine that the snapshot is of.
    pub(super) host: String,
}

/// Returns the machine that the snapshots of places on a server are of.
pub fn host(folders: &[ServerFolder]) -> String {
    folders.first().map(ServerFolder::machine).unwrap_or_default()
}

/// Finds the files and folders of a job on their server.
pub(super) fn find(
    context: &Context,
    job: &BackupJob,
    folders: &[ServerFolder],
) -> Outcome<RemoteSources> {
    must_be_possible(job)?;
    let host = job.host.clone().unwrap_or_else(|| host(folders));
    must_be_another(&host)?;
    let (server, found) = locate(context, folders, Patience::COMMAND)?;
    let home = server.find("").ok();
    let mut paths = found;
    paths.sort_unstable();
    paths.dedup();
    let machine = folders.first().map(ServerFolder::machine).unwrap_or_default();
    Ok(RemoteSources { server, paths, home, machine: format!("sftp://{machine}"), host })
}

/// Finds places on one server; returns their paths without links.
pub fn locate(
    context: &Context,
    folders: &[ServerFolder],
    patience: Patience,
) -> Outcome<(SftpSource, Vec<Vec<u8>>)> {
    let first = folders.first().ok_or_else(|| {
        Failure::usage("no place on a server is named", "write sftp://user@host/path")
    })?;
    let server = context.source_server(first, patience)?;
    let found = folders.iter().map(|folder| server.find(folder.path()));
    let found =
        found.collect::<Result<Vec<_>, Error>>().map_err(|error| not_found(first, error))?;
    Ok((server, found))
}

/// Returns why a source of the configuration can't be read now; `None` where it can, or is not on a server.
pub fn trouble(context: &Context, source: &SourceSettings) -> Option<String> {
    let SourceKind::Remote(folders) = &source.kind else { return None };
    locate(context, folders, Patience::READER).err().map(|failure| failure.what)
}

fn not_found(folder: &ServerFolder, error: Error) -> Failure {
    let is_unreachable = matches!(error, Error::Backend { .. });
    let mut failure = Failure::from(error);
    if is_unreachable {
        let host = escape::text(folder.host());
        failure.hint =
            Some(format!("check that the machine is on and can be reached: `ssh {host}` shows it"));
    }
    failure
}

/// Refuses to do what needs more than SFTP tells.
fn must_be_possible(job: &BackupJob) -> Outcome<()> {
    if job.file_systems == FileSystems::One {
        return Err(Failure::usage(
            "SFTP does not tell which file systems a server has, so a backup can't stay on one",
            "leave out --one-file-system, and exclude what is mounted below",
        ));
    }
    if job.snapshot != FileSystemSnapshot::Never {
        return Err(Failure::usage(
            "SFTP can't make snapshots of a server's file systems",
            "leave out --snapshot, or name a folder in which the server shows a snapshot",
        ));
    }
    let by = job.unchanged_by;
    // By default more is compared where there is more.
    let is_default = by == Default::default();
    if !is_default && (by.change_time == ChangeTime::Compared || by.inode == InodeNumbers::Compared)
    {
        return Err(Failure::usage(
            "SFTP tells of a file neither the time of its last change (ctime) nor its number (inode)",
            "leave out --unchanged-by: files on a server are compared by size and mtime",
        ));
    }
    Ok(())
}

/// Refuses to take files of a server for those of this machine.
fn must_be_another(host: &str) -> Outcome<()> {
    if host != hostname() {
        return Ok(());
    }
    Err(Failure::usage(
        format!(
            "the server would go by the name of this machine, {}, and its files would be taken for those of this one",
            escape::text(host)
        ),
        "give it a name of its own: host = \"NAME\" in its [[source]], or --host NAME",
    ))
}

/// Returns true if these are the paths of a snapshot of some places.
pub(super) fn are_saved(saved: &[&[u8]], folders: &[ServerFolder]) -> bool {
    let is_of = |path: &[u8], folder: &ServerFolder| {
        let written = folder.path().trim_matches('/').as_bytes();
        match folder.path().starts_with('/') {
            true => path == written,
            // It lies in the home of the user, which the server alone knows.
            false => path
                .strip_suffix(written)
                .is_some_and(|home| written.is_empty() || home.is_empty() || home.ends_with(b"/")),
        }
    };
    let is_saved = |path: &&[u8]| folders.iter().any(|folder| is_of(path, folder));
    saved.len() == folders.len() && saved.iter().all(is_saved)
}

impl RemoteSources {
    /// Returns what the engine backs up.
    pub(super) fn files(&self) -> ServerFiles<'_> {
        let (paths, machine) = (self.paths.clone(), self.machine.clone());
        ServerFiles { server: &self.server, paths, machine }
    }

    /// Makes rules of what was typed and of what files list: paths in them are those of the server.
    pub(super) fn excludes(&self, lists: &ExcludeLists) -> Outcome<Excludes> {
        let (sources, home) = (self.paths.clone(), self.home.clone());
        let bases = Bases { sources, others: Vec::new(), home };
        let from_files = exclude::read_files(&lists.files)?;
        let patterns = lists.patterns.iter().chain(&from_files);
        let if_present = lists.if_present.iter().map(|name| name_bytes(name).to_vec());
        Ok(Excludes {
            rules: patterns.map(|pattern| Rule::typed(pattern, &bases)).collect(),
            caches: lists.caches,
            if_present: if_present.collect(),
            larger_than: lists.larger_than,
        })
    }
}
