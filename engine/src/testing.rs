//! Helpers of the tests of several modules: a small repository, and backups into it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use yore_platform::Timestamp;

pub(crate) mod distant;
pub(crate) mod forge;
mod hostile;

use crate::Run;
use crate::backend::Folder;
use crate::backup::{BackupOptions, BackupReport, backup};
use crate::backup::{EmptySources, Excludes, FileSystems, Reading, UnchangedBy};
use crate::error::Error;
use crate::format::{ClientId, Cost, Parameters, Secret, SnapshotId};
use crate::operation::observer::{Event, Observer, Problem};
use crate::path::TreePath;
use crate::read::reader::Reader;
use crate::read::state_tree::{DirRef, Lookup, find};
use crate::repository::Writer;
use crate::repository::{CreateOptions, Repository, create, open};
use crate::snapshots::SnapshotEntry;

/// A repository in a temporary folder, with small sizes, so that little makes many packs.
pub(crate) struct Sample {
    pub(crate) folder: TempDir,
    pub(crate) repository: Repository,
    secret: Secret,
}

/// An observer that records problems.
#[derive(Default)]
pub(crate) struct RecordingObserver {
    pub(crate) problems: Mutex<Vec<(Vec<u8>, Error)>>,
}

impl Observer for RecordingObserver {
    fn event(&self, _event: Event) {}

    fn problem(&self, problem: Problem) {
        self.problems.lock().expect("no test panicked").push((problem.subject, problem.error));
    }

    fn interrupted(&self) -> bool {
        false
    }
}

impl RecordingObserver {
    /// Returns the problems as lines, each with its cause.
    pub(crate) fn messages(&self) -> Vec<String> {
        let problems = self.problems.lock().expect("no test panicked");
        let text = |(subject, error): &(Vec<u8>, Error)| {
            format!("{}: {}", String::from_utf8_lossy(subject), error.with_cause())
        };
        problems.iter().map(text).collect()
    }
}

pub(crate) fn writer() -> Writer {
    Writer {
        host: "host".into(),
        user: "me".into(),
        client: ClientId([5; 16]),
        process: "1".into(),
        program: "yore test".into(),
    }
}

pub(crate) fn time(seconds: i64) -> Timestamp {
    Timestamp { seconds, nanos: 0 }
}

/// Returns the options of a backup at a time.
pub(crate) fn backup_options(now: i64) -> BackupOptions {
    BackupOptions {
        excludes: Excludes::default(),
        reading: Reading::Changed,
        unchanged_by: UnchangedBy::default(),
        file_systems: FileSystems::All,
        empty_sources: EmptySources::Accept,
        own_folders: Vec::new(),
        changed: None,
        only: None,
        run: Run::Real,
        tags: Vec::new(),
        time: Some(time(now)),
        utc_offset: 0,
        writer: writer(),
    }
}

/// Makes a snapshot in a repository.
pub(crate) fn back_up_to(repository: &Repository, source: &Path, now: i64) -> BackupReport {
    back_up(repository, source, &backup_options(now))
}

fn back_up(repository: &Repository, source: &Path, options: &BackupOptions) -> BackupReport {
    let observer = RecordingObserver::default();
    let report = backup(repository, &[source.to_owned()], options, &observer);
    assert_eq!(observer.messages(), Vec::<String>::new());
    report.expect("a backup")
}

impl Sample {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let secret = Secret::draw_key_file();
        let backend = Arc::new(Folder::new(folder.path().join("repository")));
        let parameters = Parameters { pack: 64 << 10, frame: 8 << 10, ..Parameters::default() };
        let options = CreateOptions {
            secrets: &[(&secret, "test")],
            cost: Cost::STANDARD,
            parameters,
            time: time(1),
        };
        let repository = create(backend, &options).expect("a repository");
        Self { folder, repository, secret }
    }

    /// Returns the secret that opens the repository.
    pub(crate) fn secret(&self) -> &Secret {
        &self.secret
    }

    /// Returns the folder of the repository.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    /// Opens the repository anew, as it is on disk now.
    pub(crate) fn reopen(&self) -> crate::Result<Repository> {
        open(Arc::new(Folder::new(self.path())), &self.secret, None)
    }

    /// Opens a copy of the repository in another folder.
    pub(crate) fn open_at(&self, path: &Path) -> crate::Result<Repository> {
        open(Arc::new(Folder::new(path.to_owned())), &self.secret, None)
    }

    /// Opens the repository anew, with a folder for its cache.
    pub(crate) fn reopen_with(&self, cache: Option<PathBuf>) -> Repository {
        open(Arc::new(Folder::new(self.path())), &self.secret, cache).expect("it opens")
    }

    /// Opens the repository at another backend of the same folder.
    pub(crate) fn open_through(
        &self,
        backend: Arc<dyn crate::backend::Backend>,
        cache: Option<PathBuf>,
    ) -> crate::Result<Repository> {
        open(backend, &self.secret, cache)
    }

    /// Forgets a snapshot.
    pub(crate) fn forget(&self, id: SnapshotId) {
        crate::repository::forget::forget(&self.repository, &[id], &writer(), time(9), "test")
            .expect("done");
    }

    pub(crate) fn back_up(&self, source: &Path, now: i64) -> BackupReport {
        self.back_up_as(source, now, writer())
    }

    /// Makes a snapshot of another writer.
    pub(crate) fn back_up_as(&self, source: &Path, now: i64, writer: Writer) -> BackupReport {
        self.back_up_with(source, now, writer, Excludes::default())
    }

    /// Makes a snapshot that leaves something out.
    pub(crate) fn back_up_without(
        &self,
        source: &Path,
        now: i64,
        excludes: Excludes,
    ) -> BackupReport {
        self.back_up_with(source, now, writer(), excludes)
    }

    fn back_up_with(
        &self,
        source: &Path,
        now: i64,
        writer: Writer,
        excludes: Excludes,
    ) -> BackupReport {
        let options = BackupOptions { excludes, writer, ..backup_options(now) };
        back_up(&self.repository, source, &options)
    }

    pub(crate) fn reader(&self) -> Reader {
        self.repository.reader(16 << 20).expect("a reader").0
    }

    /// Returns the newest snapshot.
    pub(crate) fn newest(&self) -> SnapshotEntry {
        self.repository.snapshots().expect("snapshots").list.pop().expect("one")
    }

    /// Finds a path in the newest snapshot.
    pub(crate) fn find(&self, reader: &Reader, path: &[u8]) -> Lookup {
        let root = DirRef::Tree(self.newest().snapshot.root);
        find(reader, &root, TreePath::new(path)).expect("it can be read").expect("it is there")
    }
}
