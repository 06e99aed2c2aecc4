//! A repository with small sizes, so that little data makes many objects.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use yore_engine::backend::Backend;
use yore_engine::backup::{
    BackupOptions, BackupReport, EmptySources, Excludes, FileSystems, Reading, UnchangedBy, backup,
};
use yore_engine::check::{CheckOptions, CheckReport, ReadData, check};
use yore_engine::format::{ClientId, Cost, Parameters, Secret, SnapshotId};
use yore_engine::read::{DirRef, find};
use yore_engine::repository::{CreateOptions, Repository, Writer, create, open};
use yore_engine::restore::{RestoreOptions, restore};
use yore_engine::{Run, TreePath};
use yore_platform::Timestamp;

use super::recorder::Recorder;

/// A repository at some destination, with the secret that opens it.
pub struct TestRepository {
    /// Its destination.
    pub backend: Arc<dyn Backend>,
    /// The secret that opens it.
    pub secret: Secret,
}

/// Returns parameters for small packs, frames and chunks.
pub fn small_parameters() -> Parameters {
    Parameters {
        chunk_min: 4 << 10,
        chunk_average: 16 << 10,
        chunk_max: 64 << 10,
        frame: 8 << 10,
        pack: 64 << 10,
        inline: 64,
        parity: 0,
    }
}

/// Returns the time at a whole second.
pub fn time(seconds: i64) -> Timestamp {
    Timestamp { seconds, nanos: 0 }
}

/// Returns a writer whose process has ended, so that others may take over its leftovers.
pub fn dead_writer() -> Writer {
    let here = yore_platform::process_identity();
    let mut words: Vec<&str> = here.split(' ').collect();
    // The same process number with another start is another process.
    words[3] = "1";
    Writer {
        host: "host".into(),
        user: "me".into(),
        client: ClientId([5; 16]),
        process: words.join(" "),
        program: "yore tests".into(),
    }
}

/// Returns the options of a backup at a time, or now.
pub fn options(at: Option<i64>) -> BackupOptions {
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
        time: at.map(time),
        utc_offset: 0,
        writer: dead_writer(),
    }
}

impl TestRepository {
    /// Makes a repository at an empty destination, opened by a key file.
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        Self::with(backend, small_parameters())
    }

    /// Makes a repository with these sizes.
    pub fn with(backend: Arc<dyn Backend>, parameters: Parameters) -> Self {
        let secret = Secret::draw_key_file();
        let options = CreateOptions {
            secrets: &[(&secret, "test")],
            cost: Cost::STANDARD,
            parameters,
            time: time(1),
        };
        create(Arc::clone(&backend), &options).expect("a new repository");
        Self { backend, secret }
    }

    /// Opens it as it is now.
    pub fn open(&self) -> Repository {
        self.open_at(Arc::clone(&self.backend)).expect("it opens")
    }

    /// Opens it at another destination that holds the same.
    pub fn open_at(&self, backend: Arc<dyn Backend>) -> yore_engine::Result<Repository> {
        open(backend, &self.secret, None)
    }

    /// Opens it at another destination that holds the same, with a folder for caches.
    pub fn open_with_cache(
        &self,
        backend: Arc<dyn Backend>,
        cache: PathBuf,
    ) -> yore_engine::Result<Repository> {
        open(backend, &self.secret, Some(cache))
    }

    /// Backs up, which must succeed without problems.
    pub fn back_up(&self, sources: &[PathBuf], at: Option<i64>) -> BackupReport {
        let recorder = Recorder::default();
        let report = backup(&self.open(), sources, &options(at), &recorder).expect("a backup");
        assert_eq!(recorder.texts(), Vec::<String>::new());
        report
    }

    /// Checks everything; fails with a report of the damage.
    pub fn assert_sound(&self) -> CheckReport {
        let report =
            check(&self.open(), &CheckOptions::reading(ReadData::All), &yore_engine::Unobserved)
                .expect("a report");
        assert!(report.is_sound(), "{report:#?}");
        report
    }

    /// Lists the committed snapshots in their order.
    pub fn snapshots(&self) -> Vec<yore_engine::snapshots::SnapshotEntry> {
        let snapshots = self.open().snapshots().expect("snapshots");
        assert!(snapshots.problems.is_empty(), "{:?}", snapshots.problems);
        snapshots.list
    }

    /// Restores `source` from a snapshot into `target`, which must succeed without problems; returns its path there.
    pub fn restore(&self, id: SnapshotId, source: &Path, target: &Path) -> PathBuf {
        let repository = self.open();
        let (reader, problems) = repository.reader(16 << 20).expect("a reader");
        assert!(problems.is_empty(), "{problems:?}");
        let snapshots = repository.snapshots().expect("snapshots").list;
        let entry = snapshots.iter().find(|entry| entry.id == id).expect("it counts");
        let path = yore_platform::snapshot_path(source);
        let what = find(&reader, &DirRef::Tree(entry.snapshot.root), TreePath::new(&path))
            .expect("it reads")
            .expect("the source is there");
        let recorder = Recorder::default();
        let report = restore(&reader, &what, &path, target, &RestoreOptions::default(), &recorder)
            .expect("a restore");
        assert_eq!((recorder.texts(), report.failed, report.refused), (Vec::new(), 0, 0));
        target.join(source.file_name().expect("a source has a name"))
    }
}
