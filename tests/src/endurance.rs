//! Years of a repository in minutes: a backup each hour, rules of retention each day, a prune each week, with faults at
//! random, compared with a model that knows what each snapshot holds.
//!
//! The clock is simulated: backups get the time of their hour, and prune is told that it is that time.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::tz::TimeZone;
use yore_engine::Unobserved;
use yore_engine::backup::backup;
use yore_engine::format::SnapshotId;
use yore_engine::history::{Catalog, Pattern, Query};
use yore_engine::prune::{PruneOptions, prune};
use yore_engine::repository::{Repository, forget};
use yore_engine::snapshots::retention::{GroupBy, Held, Policy, group, retain};

use crate::files::fingerprint_folder;
use crate::machine::{Random, Scratch, noise};
use crate::repository::{
    Fault, FaultKind, Faulty, Memory, TestRepository, When, dead_writer, options, time,
};

mod plot;

pub use plot::plot;

/// The first hour, in seconds since 1970: 14 September 2020.
const BEGIN: i64 = 1_600_041_600;
const HOUR: i64 = 3600;
/// Of so many operations one has a fault.
const FAULTS: u64 = 40;
/// The number of files.
const FILES: u64 = 40;

/// The state of the source: the version of each file that is there.
type State = BTreeMap<u64, u64>;

/// The sizes after some hours.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// The day, from 0.
    pub day: i64,
    /// Bytes of the repository.
    pub repository: u64,
    /// Bytes of the catalog of names.
    pub catalog: u64,
    /// Objects of the repository.
    pub objects: u64,
    /// Snapshots that count.
    pub snapshots: u64,
    /// Bytes that the files of the newest state have.
    pub source: u64,
}

/// The result of a simulation.
#[derive(Debug, Default)]
pub struct Endurance {
    /// The sizes, every ten days.
    pub sizes: Vec<Sizes>,
    /// Backups that were made.
    pub backups: u64,
    /// Operations that a fault ended.
    pub faults: u64,
    /// Snapshots that were restored and compared.
    pub restored: u64,
}

struct World {
    scratch: Scratch,
    memory: Arc<Memory>,
    repo: TestRepository,
    cache: PathBuf,
    source: PathBuf,
    random: Random,
    state: State,
    /// The states that snapshots hold.
    model: BTreeMap<SnapshotId, State>,
    result: Endurance,
}

/// Simulates so many days.
///
/// # Panics
/// When a snapshot that counts does not restore to what the model knows, or the repository is not sound.
pub fn endure(days: i64, seed: u64) -> Endurance {
    let mut world = World::new(seed);
    for hour in 0..days * 24 {
        let now = BEGIN + hour * HOUR;
        world.change();
        world.back_up(now);
        if hour % 24 == 23 {
            world.forget(now);
        }
        if hour % (24 * 7) == 24 * 7 - 1 {
            world.prune(now);
        }
        if hour % (24 * 10) == 24 * 10 - 1 {
            world.measure(hour / 24);
            world.verify(4);
        }
    }
    world.repo.assert_sound();
    world.verify(usize::MAX);
    world.result
}

/// Returns the content of a version of a file.
fn content(file: u64, version: u64) -> Vec<u8> {
    // Most of a file stays from version to version, as in documents that people write.
    let mut bytes = noise(2_000 + (file * 977 % 9_000) as usize, file);
    let at = (version * 131 % 1_900) as usize;
    bytes[at..at + 64].copy_from_slice(&noise(64, version));
    bytes
}

impl World {
    fn new(seed: u64) -> Self {
        let scratch = Scratch::in_memory();
        let source = scratch.folder("source");
        let memory = Arc::new(Memory::default());
        let repo = TestRepository::new(memory.clone());
        let cache = scratch.at("cache");
        let mut world = Self {
            scratch,
            memory,
            repo,
            cache,
            source,
            random: Random(seed),
            state: State::new(),
            model: BTreeMap::new(),
            result: Endurance::default(),
        };
        for file in 0..FILES {
            world.write(file, 0);
        }
        world
    }

    fn write(&mut self, file: u64, version: u64) {
        let path = self.source.join(format!("file {file}"));
        fs::write(path, content(file, version)).expect("a file");
        self.state.insert(file, version);
    }

    /// Changes a file or two, and now and then removes one or brings one back.
    fn change(&mut self) {
        let file = self.random.below(FILES);
        let next = self.state.get(&file).map_or(1, |version| version + 1);
        match self.random.below(12) {
            0 => {
                let _ = fs::remove_file(self.source.join(format!("file {file}")));
                self.state.remove(&file);
            }
            _ => self.write(file, next),
        }
    }

    /// Opens the repository; now and then at a destination that fails at some call.
    fn open(&mut self) -> Option<Repository> {
        if self.random.below(FAULTS) > 0 {
            let opened = self.repo.open_with_cache(self.memory.clone(), self.cache.clone());
            return Some(opened.expect("it opens"));
        }
        let kind = [
            FaultKind::Crash(When::Before),
            FaultKind::Crash(When::After),
            FaultKind::CrashInAppend,
        ][self.random.below(3) as usize];
        let fault = Fault::At(self.random.below(60), kind);
        let faulty = Faulty::new(self.memory.clone(), fault);
        self.repo.open_with_cache(faulty, self.cache.clone()).ok()
    }

    fn back_up(&mut self, now: i64) {
        let sources = [self.source.clone()];
        let made = self.open().map(|one| backup(&one, &sources, &options(Some(now)), &Unobserved));
        match made {
            Some(Ok(report)) => {
                self.model.insert(report.snapshot.expect("a real one"), self.state.clone());
                self.result.backups += 1;
            }
            // It may have been committed all the same, by a verdict whose answer was lost.
            _ => {
                self.result.faults += 1;
                for entry in self.repo.snapshots() {
                    self.model.entry(entry.id).or_insert_with(|| self.state.clone());
                }
            }
        }
    }

    fn forget(&mut self, now: i64) {
        let policy = Policy { hourly: 48, daily: 30, weekly: 26, monthly: 36, ..Policy::default() };
        let Some(repository) = self.open() else { return };
        let Ok(known) = repository.snapshots() else { return };
        let groups = group(&known.list, GroupBy::default());
        for group in &groups {
            let retained = retain(group, (&policy, &Held::new()), &TimeZone::UTC, false);
            let ids = retained.dropped_ids();
            if forget(&repository, &ids, &dead_writer(), time(now), "policy").is_err() {
                self.result.faults += 1;
            }
        }
        let left: Vec<SnapshotId> = self.repo.snapshots().iter().map(|entry| entry.id).collect();
        self.model.retain(|id, _| left.contains(id));
        assert_eq!(self.model.len(), left.len(), "the model knows every snapshot");
    }

    fn prune(&mut self, now: i64) {
        let Some(repository) = self.open() else { return };
        let settings = PruneOptions::default();
        let report = prune(&repository, &settings, &dead_writer(), time(now), &Unobserved);
        let has_failed =
            report.map_or(true, |report| report.destinations.iter().any(|one| one.error.is_some()));
        self.result.faults += u64::from(has_failed);
    }

    fn measure(&mut self, day: i64) {
        let repository = self.repo.open_with_cache(self.memory.clone(), self.cache.clone());
        let repository = repository.expect("it opens");
        let list = repository.snapshots().expect("snapshots").list;
        let (reader, _) = repository.reader(16 << 20).expect("a reader");
        let catalog = Catalog::open(&repository).expect("a catalog");
        let query = Query::names(Pattern::parse("no such name").expect("a pattern"));
        let place = |id: &SnapshotId| list.iter().position(|entry| entry.id == *id);
        catalog.find((&reader, &list), &query, &place, &Unobserved).expect("a search");
        let bytes = |path: &Path| {
            let entries = fs::read_dir(path).into_iter().flatten().flatten();
            let files =
                entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("catalog"));
            files.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum::<u64>()
        };
        let folder = self.cache.join(repository.id().to_string());
        self.result.sizes.push(Sizes {
            day,
            repository: self.memory.bytes_of(""),
            catalog: bytes(&folder),
            objects: self.memory.names().len() as u64,
            snapshots: list.len() as u64,
            source: self.state.iter().map(|(file, n)| content(*file, *n).len() as u64).sum(),
        });
    }

    /// Restores some snapshots, or all, and compares them with the model.
    fn verify(&mut self, count: usize) {
        let all: Vec<SnapshotId> = self.model.keys().copied().collect();
        let chosen: Vec<SnapshotId> = match count >= all.len() {
            true => all,
            false => {
                (0..count).map(|_| all[self.random.below(all.len() as u64) as usize]).collect()
            }
        };
        for id in chosen {
            let target = self.scratch.at("restored");
            let restored = self.repo.restore(id, &self.source, &target);
            let expected = &self.model[&id];
            let names = fingerprint_folder(&restored).len();
            assert_eq!(names, expected.len() + 1, "{id} has other files");
            for (file, version) in expected {
                let bytes = fs::read(restored.join(format!("file {file}"))).expect("a file");
                assert!(bytes == content(*file, *version), "file {file} of {id} differs");
            }
            fs::remove_dir_all(&target).expect("removed");
            self.result.restored += 1;
        }
    }
}
