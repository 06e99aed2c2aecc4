//! Backing up files of a machine on which nothing of this program runs.

use yore_platform::MountKind;

use super::Places;
use crate::backend::{RemoteFiles, SftpSource, Unwanted};
use crate::backup::walk::exclude::marks_of;
use crate::backup::{
    BackupOptions, BackupReport, ChangeTime, Excludes, FileSystems, InodeNumbers, UnchangedBy,
    back_up_paths,
};
use crate::error::{Refusal, Result};
use crate::globs::Globs;
use crate::operation::observer::Observer;
use crate::repository::Repository;

/// The folders of a Unix system that hold no files of their own; the server does not tell what is mounted.
const SYSTEM_FOLDERS: [(&str, &str); 3] = [("dev", "devtmpfs"), ("proc", "proc"), ("sys", "sysfs")];

/// Files and folders of a server.
pub struct ServerFiles<'a> {
    /// The server.
    pub server: &'a SftpSource,
    /// The paths, as [`SftpSource::find`] returned them.
    pub paths: Vec<Vec<u8>>,
    /// The text by which snapshots of the machine are recognised: its address, without secrets.
    pub machine: String,
}

/// The server of a backup, and the machine that it is.
pub(super) struct OfServer {
    pub(super) files: RemoteFiles,
    pub(super) machine: String,
    pub(super) system_folders: Vec<(Vec<u8>, MountKind)>,
}

/// Makes a snapshot of files and folders of a server; it is of the machine that the writer of `options` names.
///
/// Files are known to be unchanged by their sizes and modification times alone, and a server does not tell which file
/// systems it has.
///
/// # Errors
/// Those of [`backup`](crate::backup::backup()); a server that gets out of reach ends the backup, and nothing is
/// committed.
pub fn backup_server(
    repository: &Repository,
    source: &ServerFiles<'_>,
    options: &BackupOptions,
    observer: &dyn Observer,
) -> Result<BackupReport> {
    let ServerFiles { server, paths, machine } = source;
    if paths.is_empty() {
        return Err(Refusal::NothingToBackUp.into());
    }
    let options = BackupOptions {
        unchanged_by: UnchangedBy {
            change_time: ChangeTime::Ignored,
            inode: InodeNumbers::Ignored,
        },
        file_systems: FileSystems::All,
        own_folders: Vec::new(),
        changed: None,
        ..options.clone()
    };
    let files = server.files();
    files.list_ahead(unwanted(&options.excludes)?);
    let system_folders = SYSTEM_FOLDERS
        .map(|(path, kind)| (path.as_bytes().to_vec(), MountKind::System(kind.to_owned())));
    let system_folders = system_folders.to_vec();
    let places = Places::of_server(OfServer { files, machine: machine.clone(), system_folders });
    back_up_paths(repository, paths.clone(), &places, None, &options, observer)
}

/// Returns the folders that are not to be listed ahead, since the walk will not enter them.
fn unwanted(excludes: &Excludes) -> Result<Unwanted> {
    let globs = Globs::new(&excludes.rules)?;
    Ok(Unwanted {
        is_left_out: Box::new(move |path| !globs.is_empty() && globs.matches(path, true)),
        marks: marks_of(excludes),
    })
}
