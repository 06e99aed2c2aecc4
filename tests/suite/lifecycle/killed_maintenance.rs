//! Forget and prune that are killed at any call of the destination: nothing is lost, and the next run finishes.

use std::path::PathBuf;
use std::sync::Arc;

use yore_engine::format::SnapshotId;
use yore_engine::prune::{PruneOptions, prune};
use yore_engine::repository::{Repository, forget};
use yore_engine::{Result, Unobserved};
use yore_tests::{
    Call, Fault, FaultKind, Faulty, Fingerprint, Memory, Scratch, TestRepository, When,
    change_source, dead_writer, fingerprint_folder, killed_so_far, print_measured, small_source,
    time,
};

/// Of so many reads one is killed.
const READS: u64 = 6;

/// A repository of several snapshots, of which some are forgotten, and many small objects.
struct Scene {
    scratch: Scratch,
    memory: Arc<Memory>,
    repo: TestRepository,
    source: PathBuf,
    /// The snapshots that stay, with what each restores to.
    kept: Vec<(SnapshotId, Fingerprint)>,
    /// Another snapshot, which is forgotten in the runs.
    goes: SnapshotId,
}

/// Without a grace, with everything moved that can be.
fn options() -> PruneOptions {
    PruneOptions { grace: 0, max_unused: 0.0, ..PruneOptions::default() }
}

impl Scene {
    fn new() -> Self {
        let scratch = Scratch::in_memory();
        let source = scratch.at("source");
        small_source(&source, 1);
        let memory = Arc::new(Memory::default());
        let repo = TestRepository::new(memory.clone());
        let mut states = Vec::new();
        // Enough sessions, indexes, small packs and tombstones to be put together.
        for round in 0..19 {
            change_source(&source, round);
            repo.back_up(std::slice::from_ref(&source), None);
            states.push(fingerprint_folder(&source));
        }
        let ids: Vec<SnapshotId> = repo.snapshots().iter().map(|entry| entry.id).collect();
        let repository = repo.open();
        forget(&repository, &ids[1..16], &dead_writer(), time(5), "test").expect("forgotten");
        let kept = [0, 16, 18].map(|at| (ids[at], states[at].clone())).to_vec();
        Self { scratch, memory, repo, source, kept, goes: ids[17] }
    }

    fn at(&self, memory: &Arc<Memory>) -> TestRepository {
        let text = self.repo.secret.to_text().expect("a key file");
        let secret = yore_engine::format::Secret::key_file("key", &text).expect("it reads");
        TestRepository { backend: memory.clone(), secret }
    }

    /// Forgets a snapshot and prunes, twice.
    fn maintain(&self, repository: &Repository) -> Result<()> {
        forget(repository, &[self.goes], &dead_writer(), time(6), "test")?;
        // The second run deletes the tombstones that the first one has put together.
        for now in [9_000_000_000, 9_000_000_001] {
            let report = prune(repository, &options(), &dead_writer(), time(now), &Unobserved)?;
            report.destinations.into_iter().find_map(|one| one.error).map_or(Ok(()), Err)?;
        }
        Ok(())
    }

    /// Runs on a copy of the destination that fails at a call; returns the copy and the calls.
    fn killed(&self, fault: Fault) -> (Arc<Memory>, Vec<Call>, Result<()>) {
        let memory = Arc::new(self.memory.copy());
        let faulty = Faulty::new(memory.clone(), fault);
        let outcome = self.repo.open_at(faulty.clone()).and_then(|one| self.maintain(&one));
        (memory, faulty.calls(), outcome)
    }

    /// Fails unless everything is sound and every snapshot that stays restores byte for byte.
    fn assert_whole(&self, memory: &Arc<Memory>, what: &str) {
        let repo = self.at(memory);
        repo.assert_sound();
        let left = repo.snapshots();
        let may_be_there =
            |id: &SnapshotId| *id == self.goes || self.kept.iter().any(|(kept, _)| kept == id);
        let back = left.iter().find(|entry| !may_be_there(&entry.id));
        assert!(back.is_none(), "{what}: a forgotten snapshot counts again");
        for (id, expected) in &self.kept {
            assert!(left.iter().any(|entry| entry.id == *id), "{what}: {id} is gone");
            let target = self.scratch.at("restored");
            let restored = repo.restore(*id, &self.source, &target);
            assert!(fingerprint_folder(&restored) == *expected, "{what}: {id} differs");
            std::fs::remove_dir_all(&target).expect("removed");
        }
    }
}

#[test]
fn forget_and_prune_that_are_killed_at_any_call_lose_nothing_and_the_next_run_finishes() {
    let scene = Scene::new();
    let (whole, calls, outcome) = scene.killed(Fault::None);
    outcome.expect("it succeeds without a fault");
    scene.assert_whole(&whole, "without a fault");
    let packs = |memory: &Arc<Memory>| memory.bytes_of("packs/");
    assert!(packs(&whole) < packs(&scene.memory), "space is freed");
    let tombstones = whole.names().into_iter().filter(|name| name.starts_with("forgotten/"));
    assert_eq!(tombstones.count(), 1, "a list");
    let mut points = 0;
    for at in 0..calls.len() as u64 {
        for kind in [
            FaultKind::Crash(When::Before),
            FaultKind::Crash(When::After),
            FaultKind::CrashInAppend,
        ] {
            let is_read = matches!(
                calls[at as usize],
                Call::Read(..) | Call::List(_) | Call::Size(_) | Call::ChangeToken
            );
            // A read that fails before or after its effect is the same, and there are many.
            let is_chosen = match kind {
                FaultKind::Crash(When::Before) => !is_read || at % READS == 0,
                FaultKind::CrashInAppend => matches!(calls[at as usize], Call::Append(..)),
                _ => !is_read,
            };
            if !is_chosen {
                continue;
            }
            points += 1;
            let what = format!("{kind:?} at call {at}, {:?}", calls[at as usize]);
            let (memory, _, outcome) = scene.killed(Fault::At(at, kind));
            assert!(outcome.is_err() || !is_read, "{what}: it went on");
            scene.assert_whole(&memory, &what);
            // The next one finishes, and has freed what one without a fault frees.
            let repository = scene.at(&memory).open();
            for _ in 0..2 {
                scene.maintain(&repository).unwrap_or_else(|error| panic!("{what}: {error}"));
            }
            scene.at(&memory).assert_sound();
            let (freed, usual) = (packs(&memory), packs(&whole));
            assert!(freed <= usual + usual / 10, "{what}: {freed} bytes are left, usually {usual}");
        }
    }
    print_measured(format!(
        "forget and prune: killed at {points} points of {} calls; {} by all tests so far",
        calls.len(),
        killed_so_far()
    ));
}
