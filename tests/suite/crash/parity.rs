//! Backups that write parity, and repairs that rebuild from it, killed at any call of the destination.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use yore_engine::backup::backup;
use yore_engine::check::ReadData;
use yore_engine::format::Parameters;
use yore_engine::prune::{PruneOptions, prune};
use yore_engine::repair::{DestinationRepair, RepairOptions, repair};
use yore_engine::repository::Repository;
use yore_engine::{Result, Run, Unobserved};
use yore_tests::{
    Call, Fault, FaultKind, Faulty, Fingerprint, Memory, Scratch, TestRepository, When,
    change_source, dead_writer, fingerprint_folder, killed_so_far, options, print_measured,
    small_parameters, small_source, time,
};

/// Of so many reads one is killed.
const READS: u64 = 16;

/// A repository with parity, and a source.
struct Scene {
    scratch: Scratch,
    source: PathBuf,
    memory: Arc<Memory>,
    repo: TestRepository,
}

impl Scene {
    fn new() -> Self {
        let scratch = Scratch::in_memory();
        let source = scratch.at("source");
        small_source(&source, 1);
        let memory = Arc::new(Memory::default());
        let parameters = Parameters { parity: 20, ..small_parameters() };
        let repo = TestRepository::with(memory.clone(), parameters);
        Self { scratch, source, memory, repo }
    }

    fn at(&self, memory: &Arc<Memory>) -> TestRepository {
        let text = self.repo.secret.to_text().expect("a key file");
        let secret = yore_engine::format::Secret::key_file("key", &text).expect("it reads");
        TestRepository { backend: memory.clone(), secret }
    }

    /// Runs an operation on a copy of the destination that fails at a call; returns the copy and the calls.
    fn killed<T>(
        &self,
        fault: Fault,
        operation: impl FnOnce(&Repository) -> Result<T>,
    ) -> (Arc<Memory>, Vec<Call>, Result<T>) {
        let memory = Arc::new(self.memory.copy());
        let faulty = Faulty::new(memory.clone(), fault);
        let outcome = self.repo.open_at(faulty.clone()).and_then(|one| operation(&one));
        (memory, faulty.calls(), outcome)
    }

    /// Runs an operation that is killed at each call that writes, and at some of those that read.
    fn at_each_call<T>(
        &self,
        operation: impl Fn(&Repository) -> Result<T>,
        then: impl Fn(&Arc<Memory>, &str),
    ) {
        let (whole, calls, outcome) = self.killed(Fault::None, &operation);
        assert!(outcome.is_ok(), "it succeeds without a fault: {:?}", outcome.err());
        then(&whole, "without a fault");
        let mut points = 0;
        for (at, call) in (0..).zip(&calls) {
            let kinds: &[FaultKind] = match call {
                Call::Append(..) => &[
                    FaultKind::Crash(When::Before),
                    FaultKind::CrashInAppend,
                    FaultKind::Crash(When::After),
                ],
                call if call.is_write() => {
                    &[FaultKind::Crash(When::Before), FaultKind::Crash(When::After)]
                }
                _ if at % READS == 0 => &[FaultKind::Crash(When::Before)],
                _ => &[],
            };
            for kind in kinds {
                points += 1;
                let what = format!("{kind:?} at call {at}, {call:?}");
                let (memory, _, _) = self.killed(Fault::At(at, *kind), &operation);
                then(&memory, &what);
            }
        }
        print_measured(format!(
            "with parity: killed at {points} points of {} calls; {} by all tests so far",
            calls.len(),
            killed_so_far()
        ));
    }

    /// Fails unless the newest snapshot restores to what the source was.
    fn assert_restores(&self, repo: &TestRepository, expected: &Fingerprint, what: &str) {
        let newest = repo.snapshots().pop().expect("a snapshot").id;
        let target = self.scratch.at("restored");
        let restored = repo.restore(newest, &self.source, &target);
        assert!(fingerprint_folder(&restored) == *expected, "{what}: it differs");
        std::fs::remove_dir_all(&target).expect("removed");
    }
}

/// Returns the ids of packs, or of their parity.
fn ids(memory: &Memory, area: &str) -> BTreeSet<String> {
    let names = memory.names().into_iter().filter(|name| name.starts_with(area));
    names.map(|name| name.rsplit('/').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_backup_that_is_killed_at_any_call_leaves_no_pack_without_parity_and_prune_deletes_the_rest() {
    let scene = Scene::new();
    let first = scene.repo.back_up(std::slice::from_ref(&scene.source), None);
    assert!(first.snapshot.is_some());
    change_source(&scene.source, 3);
    let expected = fingerprint_folder(&scene.source);
    let sources = [scene.source.clone()];
    let save = |repository: &Repository| backup(repository, &sources, &options(None), &Unobserved);
    scene.at_each_call(save, |memory, what| {
        let (packs, parity) = (ids(memory, "packs/"), ids(memory, "parity/"));
        assert!(packs.is_subset(&parity), "{what}: a pack without parity");
        let repo = scene.at(memory);
        repo.assert_sound();
        repo.back_up(&sources, None);
        let settings = PruneOptions { grace: 0, ..PruneOptions::default() };
        let pruned =
            prune(&repo.open(), &settings, &dead_writer(), time(9_000_000_000), &Unobserved);
        let pruned = pruned.expect("a prune").destinations.remove(0);
        assert!(pruned.error.is_none(), "{what}: {pruned:?}");
        assert_eq!(ids(memory, "packs/"), ids(memory, "parity/"), "{what}");
        let notes = repo.assert_sound().notes;
        assert!(!notes.iter().any(|note| note.contains("parity")), "{what}: {notes:?}");
        scene.assert_restores(&repo, &expected, what);
    });
}

#[test]
fn a_repair_that_is_killed_while_it_rebuilds_loses_nothing_and_the_next_one_finishes() {
    let scene = Scene::new();
    scene.repo.back_up(std::slice::from_ref(&scene.source), None);
    let expected = fingerprint_folder(&scene.source);
    // A hole in each pack, a pack that is cut, and parity that is damaged and missing.
    let packs: Vec<String> =
        scene.memory.names().into_iter().filter(|name| name.starts_with("packs/")).collect();
    for name in &packs {
        let mut bytes = scene.memory.get(name);
        bytes[80..90].fill(0);
        scene.memory.put(name, bytes);
    }
    let largest = packs.iter().max_by_key(|name| scene.memory.get(name).len()).expect("a pack");
    let mut cut = scene.memory.get(largest);
    cut.truncate(cut.len() - 700);
    scene.memory.put(largest, cut);
    let parity = largest.replace("packs/", "parity/");
    let mut damaged = scene.memory.get(&parity);
    damaged[3] ^= 1;
    scene.memory.put(&parity, damaged);
    let mend = |repository: &Repository| -> Result<DestinationRepair> {
        let settings = RepairOptions { read_data: ReadData::All, run: Run::Real };
        let mut reports = repair(repository, &settings, &dead_writer(), time(9), &Unobserved)?;
        match reports.destinations.remove(0) {
            DestinationRepair { error: Some(error), .. } => Err(error),
            report => Ok(report),
        }
    };
    scene.at_each_call(mend, |memory, what| {
        let repo = scene.at(memory);
        let report = mend(&repo.open()).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(report.quarantined.is_empty() && report.lost == 0, "{what}: {report:?}");
        assert!(report.problems.is_empty(), "{what}: {report:?}");
        assert_eq!(ids(memory, "packs/"), ids(memory, "parity/"), "{what}");
        repo.assert_sound();
        scene.assert_restores(&repo, &expected, what);
    });
}
