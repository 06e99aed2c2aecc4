//! A repair that is killed at any call of the destination: nothing that could be read is lost, no original is deleted
//! without its copy, and the next run finishes.

use std::path::PathBuf;
use std::sync::Arc;

use yore_engine::check::ReadData;
use yore_engine::format::SnapshotId;
use yore_engine::read::{DirRef, find};
use yore_engine::repair::{RepairOptions, RepairReport, repair};
use yore_engine::restore::{RestoreOptions, restore};
use yore_engine::{Result, Run, TreePath, Unobserved};
use yore_platform::snapshot_path;
use yore_tests::{
    Call, Fault, FaultKind, Faulty, Fingerprint, Memory, Scratch, TestRepository, When,
    change_source, dead_writer, fingerprint_folder, killed_so_far, print_measured, small_source,
    time,
};

/// Of so many reads one is killed.
const READS: u64 = 8;

/// A repository of which a pack and an index are damaged.
struct Scene {
    scratch: Scratch,
    memory: Arc<Memory>,
    repo: TestRepository,
    source: PathBuf,
    /// The damaged objects, as they are.
    damaged: Vec<(String, Vec<u8>)>,
}

impl Scene {
    fn new() -> Self {
        let scratch = Scratch::in_memory();
        let source = scratch.at("source");
        small_source(&source, 1);
        let memory = Arc::new(Memory::default());
        let repo = TestRepository::new(memory.clone());
        for round in 0..3 {
            change_source(&source, round);
            repo.back_up(std::slice::from_ref(&source), None);
        }
        let names = memory.names();
        let largest = |folder: &str| {
            let those = names.iter().filter(|name| name.starts_with(folder));
            those.max_by_key(|name| memory.get(name).len()).expect("one").clone()
        };
        let mut damaged = Vec::new();
        for name in [largest("packs/"), largest("index/")] {
            let mut bytes = memory.get(&name);
            let middle = bytes.len() / 3;
            bytes[middle] ^= 4;
            memory.put(&name, bytes.clone());
            damaged.push((name, bytes));
        }
        Self { scratch, memory, repo, source, damaged }
    }

    fn repair(&self, backend: Arc<dyn yore_engine::backend::Backend>) -> Result<RepairReport> {
        let repository = self.repo.open_at(backend)?;
        let options = RepairOptions { read_data: ReadData::All, run: Run::Real };
        let report = repair(&repository, &options, &dead_writer(), time(6), &Unobserved)?;
        match report.destinations.iter().any(|one| one.error.is_some() || !one.problems.is_empty())
        {
            true => Err(yore_engine::Error::Interrupted),
            false => Ok(report),
        }
    }

    /// Restores what can be restored of each snapshot.
    fn restored(&self, memory: &Arc<Memory>) -> Vec<(SnapshotId, Fingerprint)> {
        let repository = self.repo.open_at(memory.clone()).expect("it opens");
        let (reader, _) = repository.reader(16 << 20).expect("a reader");
        let path = snapshot_path(&self.source);
        let mut found = Vec::new();
        for entry in repository.snapshots().expect("snapshots").list {
            let target = self.scratch.at("restored");
            let root = DirRef::Tree(entry.snapshot.root);
            if let Ok(Some(what)) = find(&reader, &root, TreePath::new(&path)) {
                let options = RestoreOptions::default();
                restore(&reader, &what, &path, &target, &options, &Unobserved).expect("it runs");
                found.push((entry.id, fingerprint_folder(&target.join("source"))));
            }
            let _ = std::fs::remove_dir_all(&target);
        }
        found
    }

    /// Fails unless everything that was restored before is restored now, and the damaged bytes are somewhere.
    fn assert_kept(&self, before: &[(SnapshotId, Fingerprint)], memory: &Arc<Memory>, what: &str) {
        let after = self.restored(memory);
        for (id, files) in before {
            let now = after.iter().find(|(other, _)| other == id);
            let (_, now) = now.unwrap_or_else(|| panic!("{what}: {id} is gone"));
            for (path, file) in files {
                let is_same = now.get(path).is_some_and(|other| other.bytes == file.bytes);
                assert!(is_same, "{what}: {:?} of {id}", String::from_utf8_lossy(path));
            }
        }
        let names = memory.names();
        for (name, bytes) in &self.damaged {
            let aside = format!("quarantine/{}", name.replace('/', "-"));
            let is_kept = [name, &aside]
                .iter()
                .any(|place| names.contains(place) && memory.get(place) == *bytes);
            assert!(is_kept, "{what}: the original of {name} is gone");
        }
    }
}

#[test]
fn a_repair_that_is_killed_at_any_call_loses_nothing_and_the_next_one_finishes() {
    let scene = Scene::new();
    let before = scene.restored(&scene.memory);
    assert!(!before.is_empty(), "without the index, some are not found");
    let whole = Arc::new(scene.memory.copy());
    let faulty = Faulty::new(whole.clone(), Fault::None);
    let report = scene.repair(faulty.clone()).expect("it succeeds without a fault");
    assert_eq!(report.destinations[0].quarantined.len(), 2, "{report:?}");
    assert!(!report.saved.snapshots.is_empty(), "{report:?}");
    scene.assert_kept(&before, &whole, "without a fault");
    let calls = faulty.calls();
    let count = |memory: &Arc<Memory>| scene.restored(memory).len();
    let (usual, mut points) = (count(&whole), 0);
    for (at, call) in (0..).zip(&calls) {
        let is_read =
            matches!(call, Call::Read(..) | Call::List(_) | Call::Size(_) | Call::ChangeToken);
        let mut kinds = Vec::new();
        if !is_read || at % READS == 0 {
            kinds.push(FaultKind::Crash(When::Before));
        }
        if !is_read {
            kinds.push(FaultKind::Crash(When::After));
        }
        if matches!(call, Call::Append(..)) {
            kinds.push(FaultKind::CrashInAppend);
        }
        for kind in kinds {
            points += 1;
            let what = format!("{kind:?} at call {at}, {call:?}");
            let memory = Arc::new(scene.memory.copy());
            let _ = scene.repair(Faulty::new(memory.clone(), Fault::At(at, kind)));
            scene.assert_kept(&before, &memory, &what);
            let again = scene.repair(memory.clone());
            let again = again.unwrap_or_else(|error| panic!("{what}: {error}"));
            let left = again.destinations[0].left.as_ref().expect("a check");
            let is_loss =
                |error: &yore_engine::Error| matches!(error, yore_engine::Error::Missing { .. });
            assert!(left.problems.iter().all(|one| is_loss(&one.error)), "{what}: {left:#?}");
            assert_eq!(count(&memory), usual, "{what}: each snapshot is saved once");
            scene.assert_kept(&before, &memory, &what);
        }
    }
    print_measured(format!(
        "repair: killed at {points} points of {} calls; {} by all tests so far",
        calls.len(),
        killed_so_far()
    ));
}
