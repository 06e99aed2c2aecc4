//! A backup to two destinations, one of which fails or is slow.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use yore_engine::backend::{
    Backend, Capabilities, ListedObject, NewObject, Published, UnfinishedFile,
};
use yore_engine::backup::{BackupReport, backup};
use yore_engine::check::{CheckOptions, ReadData, check_each};
use yore_engine::format::{Area, ObjectName, Parameters};
use yore_engine::repository::{Behind, BehindCause, Repository, create_copy};
use yore_engine::sync::{SyncOptions, sync};
use yore_engine::{Error, Result, Unobserved};
use yore_platform::{ReadBuffer, Space};
use yore_tests::{
    Fault, Faulty, Memory, Scratch, TestRepository, dead_writer, noise, options, time,
};

/// A repository in memory with a copy, and a source.
struct Scene {
    repo: TestRepository,
    second: Arc<Memory>,
    source: Vec<PathBuf>,
    _scratch: Scratch,
}

impl Scene {
    fn new(parameters: Parameters, bytes: usize) -> Self {
        let scratch = Scratch::new();
        let source = scratch.folder("source");
        std::fs::write(source.join("file"), noise(bytes, 1)).expect("a file");
        let repo = TestRepository::with(Arc::new(Memory::default()), parameters);
        let second = Arc::new(Memory::default());
        let backend: Arc<dyn Backend> = second.clone();
        create_copy(&repo.open(), &backend, time(2)).expect("a copy");
        Self { repo, second, source: vec![source], _scratch: scratch }
    }

    fn small() -> Self {
        Self::new(yore_tests::small_parameters(), 400_000)
    }

    /// Opens both destinations.
    fn open(&self, first: Arc<dyn Backend>, second: Arc<dyn Backend>) -> Repository {
        let mut repository = self.repo.open_at(first).expect("it opens");
        repository.add_destination(second).expect("it is a copy");
        repository
    }

    fn first(&self) -> Arc<dyn Backend> {
        self.repo.backend.clone()
    }

    fn back_up(&self, repository: &Repository) -> Result<BackupReport> {
        backup(repository, &self.source, &options(None), &Unobserved)
    }

    /// Returns the number of snapshots that a destination commits.
    fn snapshots_at(&self, destination: Arc<dyn Backend>) -> usize {
        let found = self.repo.open_at(destination).expect("it opens").snapshots();
        let found = found.expect("snapshots");
        assert!(found.problems.is_empty(), "{:?}", found.problems);
        found.list.len()
    }

    /// Copies what each lacks, and checks both.
    fn sync_and_check(&self, snapshots: usize) {
        let repository = self.open(self.first(), self.second.clone());
        let report = sync(&repository, &SyncOptions::default(), &dead_writer(), &Unobserved);
        let report = report.expect("a sync");
        assert!(report.is_whole(), "{report:?}");
        let options = CheckOptions::reading(ReadData::All);
        for report in check_each(&repository, &options, &Unobserved).expect("a check") {
            assert!(report.is_sound(), "{report:?}");
            assert_eq!(report.snapshots, snapshots as u64);
        }
    }
}

#[test]
fn a_destination_that_is_full_is_behind_and_the_other_gets_the_snapshot() {
    for is_first in [true, false] {
        let scene = Scene::small();
        let full = |inner| -> Arc<dyn Backend> { Faulty::new(inner, Fault::Full(100_000)) };
        let (first, second): (Arc<dyn Backend>, Arc<dyn Backend>) = match is_first {
            true => (full(scene.first()), scene.second.clone()),
            false => (scene.first(), full(scene.second.clone())),
        };
        let report = scene.back_up(&scene.open(first, second)).expect("one destination has it");
        let [Behind { destination, cause: BehindCause::Failed(Error::Backend { source, .. }) }] =
            &*report.behind
        else {
            panic!("{:?}", report.behind)
        };
        assert_eq!(*destination, usize::from(!is_first));
        assert_eq!(source.kind(), std::io::ErrorKind::StorageFull);
        let second = scene.snapshots_at(scene.second.clone());
        let committed = (scene.snapshots_at(scene.first()), second);
        assert_eq!(committed, if is_first { (0, 1) } else { (1, 0) });
        scene.sync_and_check(1);
    }
}

#[test]
fn a_backup_fails_and_commits_nothing_when_every_destination_fails() {
    let scene = Scene::small();
    let full = |inner| -> Arc<dyn Backend> { Faulty::new(inner, Fault::Full(100_000)) };
    let repository = scene.open(full(scene.first()), full(scene.second.clone()));
    let failed = scene.back_up(&repository).expect_err("no destination has room");
    assert!(matches!(failed, Error::Backend { .. }), "{failed}");
    assert_eq!(scene.snapshots_at(scene.first()) + scene.snapshots_at(scene.second.clone()), 0);
    scene.back_up(&scene.open(scene.first(), scene.second.clone())).expect("now there is room");
    scene.sync_and_check(1);
}

/// A destination whose every append takes a while.
struct Slow(Arc<Memory>);

struct SlowObject<'s>(Box<dyn NewObject + 's>);

impl NewObject for SlowObject<'_> {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        std::thread::sleep(Duration::from_millis(400));
        self.0.append(bytes)
    }

    fn publish(self: Box<Self>) -> Result<Published> {
        self.0.publish()
    }

    fn replace(self: Box<Self>) -> Result<()> {
        self.0.replace()
    }
}

impl Backend for Slow {
    fn location(&self) -> String {
        "slow".into()
    }

    fn prepare(&self) -> Result<()> {
        self.0.prepare()
    }

    fn create(&self, name: &ObjectName) -> Result<Box<dyn NewObject + '_>> {
        Ok(Box::new(SlowObject(self.0.create(name)?)))
    }

    fn read_into(&self, name: &ObjectName, range: Range<u64>, out: &mut ReadBuffer) -> Result<()> {
        self.0.read_into(name, range, out)
    }

    fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
        self.0.size(name)
    }

    fn list(&self, area: Area) -> Result<Vec<ListedObject>> {
        self.0.list(area)
    }

    fn delete(&self, name: &ObjectName) -> Result<()> {
        self.0.delete(name)
    }

    fn space(&self) -> Result<Option<Space>> {
        self.0.space()
    }

    fn unfinished(&self) -> Result<Vec<UnfinishedFile>> {
        self.0.unfinished()
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }
}

#[test]
fn a_destination_that_keeps_the_others_waiting_is_behind_and_is_filled_later() {
    // More than its queue holds.
    let scene = Scene::new(Parameters::default(), 80 << 20);
    let slow = Arc::new(Slow(scene.second.clone()));
    let report = scene.back_up(&scene.open(scene.first(), slow)).expect("a backup");
    let [Behind { destination: 1, cause: BehindCause::Slow }] = &*report.behind else {
        panic!("{:?}", report.behind)
    };
    assert_eq!(scene.snapshots_at(scene.first()), 1);
    assert_eq!(scene.snapshots_at(scene.second.clone()), 0);
    scene.sync_and_check(1);
}
