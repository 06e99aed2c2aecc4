//! A backup that is killed at any call of the destination loses nothing that was committed and needs no
//! repair: the next one continues.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use yore_engine::backup::{BackupReport, backup, backup_stream};
use yore_engine::repository::forget;
use yore_engine::{Run, Unobserved};
use yore_tests::{
    Call, Fault, FaultKind, Faulty, Fingerprint, Ignoring, Memory, Recorder, Scratch,
    TestRepository, When, assert_same, change_source, fingerprint_folder, killed_so_far, options,
    print_measured, small_source, time,
};

/// A repository with one snapshot, and a source that has changed since.
struct Scene {
    scratch: Scratch,
    memory: Arc<Memory>,
    repo: TestRepository,
    source: PathBuf,
    first: Fingerprint,
    second: Fingerprint,
}

impl Scene {
    fn new() -> Self {
        let scratch = Scratch::new();
        let source = scratch.at("source");
        small_source(&source, 1);
        let memory = Arc::new(Memory::default());
        let repo = TestRepository::new(memory.clone());
        repo.back_up(std::slice::from_ref(&source), None);
        let first = fingerprint_folder(&source);
        change_source(&source, 50);
        let second = fingerprint_folder(&source);
        Self { scratch, memory, repo, source, first, second }
    }

    /// Backs up to a copy of the destination that has this fault. Returns the copy and the result.
    fn interrupted(
        &self,
        fault: Fault,
    ) -> (Arc<Memory>, Arc<Faulty>, yore_engine::Result<BackupReport>) {
        let memory = Arc::new(self.memory.copy());
        let faulty = Faulty::new(memory.clone(), fault);
        let made = self.repo.open_at(faulty.clone()).and_then(|repository| {
            let sources = std::slice::from_ref(&self.source);
            backup(&repository, sources, &options(None), &Unobserved)
        });
        (memory, faulty, made)
    }

    /// Asserts everything that must hold after any interruption.
    fn assert_goes_on(&self, memory: &Arc<Memory>, what: &str) {
        let repo = self.at(memory);
        repo.assert_sound();
        let snapshots = repo.snapshots();
        assert!((1..=2).contains(&snapshots.len()), "{what}: {} snapshots", snapshots.len());
        self.assert_restores(&repo, &self.first, 0, what);
        repo.back_up(std::slice::from_ref(&self.source), None);
        repo.assert_sound();
        let last = repo.snapshots().len() - 1;
        self.assert_restores(&repo, &self.second, last, what);
        assert_eq!(repo.snapshots().len(), snapshots.len() + 1, "{what}");
    }

    fn at(&self, memory: &Arc<Memory>) -> TestRepository {
        let text = self.repo.secret.to_text().expect("a key file");
        let secret = yore_engine::format::Secret::key_file("key", &text).expect("it reads");
        TestRepository { backend: memory.clone(), secret }
    }

    fn assert_restores(
        &self,
        repo: &TestRepository,
        expected: &Fingerprint,
        number: usize,
        what: &str,
    ) {
        let target = self.scratch.at("restored");
        let _ = std::fs::remove_dir_all(&target);
        let id = repo.snapshots()[number].id;
        let restored = repo.restore(id, &self.source, &target);
        let found = fingerprint_folder(&restored);
        assert_eq!(found.len(), expected.len(), "{what}");
        assert_same(&found, expected, Ignoring::Nothing);
    }
}

/// Counts the calls of an uninterrupted backup; threads make the number vary by a few.
fn calls_of_a_backup(scene: &Scene) -> u64 {
    let (_, faulty, made) = scene.interrupted(Fault::None);
    made.expect("a backup");
    faulty.calls().len() as u64
}

#[test]
fn a_backup_killed_before_or_after_any_call_leaves_a_sound_repository_and_the_next_one_completes() {
    let scene = Scene::new();
    let calls = calls_of_a_backup(&scene);
    assert!(calls > 30, "only {calls} calls");
    let mut stopped = 0;
    for number in 0..calls + 10 {
        for when in [When::Before, When::After] {
            let (memory, faulty, made) =
                scene.interrupted(Fault::At(number, FaultKind::Crash(when)));
            if !faulty.stopped() {
                continue;
            }
            stopped += 1;
            // The verdict may be stored although its writer got an error; a report is returned only for
            // a durable snapshot.
            let what = format!("{when:?} call {number}, {:?}", faulty.calls().last());
            if made.is_ok() {
                let committed = scene.at(&memory).snapshots().len();
                assert_eq!(committed, 2, "{what}: done, and not committed");
            }
            scene.assert_goes_on(&memory, &what);
        }
    }
    print_measured(format!(
        "backup: killed at {stopped} points of {calls} calls; {} by all tests so far",
        killed_so_far()
    ));
    assert!(stopped >= 2 * calls - 20, "only {stopped} of {} crashes happened", 2 * calls);
}

#[test]
fn a_torn_append_has_no_effect() {
    let scene = Scene::new();
    for number in 0..calls_of_a_backup(&scene) + 10 {
        let (memory, faulty, _) = scene.interrupted(Fault::At(number, FaultKind::CrashInAppend));
        if faulty.stopped() && matches!(faulty.calls().last(), Some(Call::Append(..))) {
            scene.assert_goes_on(&memory, &format!("torn at call {number}"));
        }
    }
}

#[test]
fn a_destination_that_fails_once_at_any_call_fails_the_backup_or_does_not_matter() {
    let scene = Scene::new();
    for number in 0..calls_of_a_backup(&scene) + 10 {
        let fault = Fault::At(number, FaultKind::Once(std::io::ErrorKind::TimedOut, When::Before));
        let (memory, _, made) = scene.interrupted(fault);
        let committed = scene.at(&memory).snapshots().len();
        match made {
            Ok(_) => assert_eq!(committed, 2, "call {number}: done, and not committed"),
            Err(_) => assert_eq!(committed, 1, "call {number}: failed, and committed"),
        }
        scene.assert_goes_on(&memory, &format!("call {number} failed"));
    }
}

#[test]
fn a_full_destination_commits_nothing_and_the_next_backup_continues() {
    let scene = Scene::new();
    let whole = {
        let (memory, _, made) = scene.interrupted(Fault::None);
        made.expect("a backup");
        memory.bytes_of("") - scene.memory.bytes_of("")
    };
    for part in 0..20 {
        let (memory, _, made) = scene.interrupted(Fault::Full(whole * part / 20));
        let Err(error) = made else { panic!("{part} twentieths were enough") };
        assert!(error.with_cause().contains("a fault of the test"), "{error}");
        assert_eq!(scene.at(&memory).snapshots().len(), 1, "nothing is committed");
        scene.assert_goes_on(&memory, &format!("full after {part} twentieths"));
    }
}

/// Returns the number of bytes in published packs.
fn published_packs(faulty: &Faulty) -> u64 {
    let calls = faulty.calls();
    let published: Vec<&String> = calls
        .iter()
        .filter_map(|call| match call {
            Call::Publish(name) if name.starts_with("packs/") => Some(name),
            _ => None,
        })
        .collect();
    let bytes = calls.iter().filter_map(|call| match call {
        Call::Append(name, bytes) if published.contains(&name) => Some(*bytes),
        _ => None,
    });
    bytes.sum()
}

#[test]
fn a_resumed_backup_uploads_no_published_pack_again() {
    let scene = Scene::new();
    let (_, faulty, made) = scene.interrupted(Fault::None);
    made.expect("a backup");
    let whole = published_packs(&faulty);
    let calls = faulty.calls().len() as u64;
    let mut helped = 0;
    for number in 0..calls {
        let (memory, faulty, _) =
            scene.interrupted(Fault::At(number, FaultKind::Crash(When::After)));
        if !faulty.stopped() {
            continue;
        }
        let before = memory.bytes_of("packs/") - scene.memory.bytes_of("packs/");
        let again = Faulty::new(memory.clone(), Fault::None);
        let repository = scene.repo.open_at(again.clone()).expect("it opens");
        let sources = std::slice::from_ref(&scene.source);
        backup(&repository, sources, &options(None), &Unobserved).expect("a backup");
        let after = published_packs(&again);
        // Each pack has its own table of contents, salt and padding: two packs in place of one cost a little.
        assert!(
            before + after <= whole + 16_384,
            "crash after call {number}: {before} bytes of packs had arrived, and {after} were written again, instead of {whole}"
        );
        helped += u64::from(before > 0);
    }
    assert!(helped > 5, "only {helped} crashes left packs");
}

#[test]
fn a_stream_and_forgetting_killed_at_any_call_lose_nothing() {
    let scene = Scene::new();
    let run = |fault| {
        let memory = Arc::new(scene.memory.copy());
        let faulty = Faulty::new(memory.clone(), fault);
        let made = scene.repo.open_at(faulty.clone()).and_then(|repository| {
            let mut input: &[u8] = &yore_tests::noise(100_000, 3);
            backup_stream(&repository, b"dump.sql", &mut input, &options(None), &Unobserved)?;
            let first = repository.snapshots()?.list.into_iter().map(|entry| entry.id).take(1);
            let ids: Vec<_> = first.collect();
            forget(&repository, &ids, &options(None).writer, time(2), "a test")
        });
        (memory, faulty, made)
    };
    let calls = run(Fault::None).1.calls().len() as u64;
    for number in 0..calls + 5 {
        for when in [When::Before, When::After] {
            let (memory, faulty, _) = run(Fault::At(number, FaultKind::Crash(when)));
            if !faulty.stopped() {
                continue;
            }
            let repo = scene.at(&memory);
            repo.assert_sound();
            let left = repo.snapshots().len();
            assert!((1..=2).contains(&left), "{when:?} call {number}: {left} snapshots");
        }
    }
}

#[test]
fn a_dry_run_writes_nothing() {
    let scene = Scene::new();
    let faulty = Faulty::new(scene.memory.clone(), Fault::None);
    let repository = scene.repo.open_at(faulty.clone()).expect("it opens");
    let recorder = Recorder::default();
    let dry = yore_engine::backup::BackupOptions { run: Run::Dry, ..options(None) };
    let sources: &[PathBuf] = &[Path::new(&scene.source).to_owned()];
    let report = backup(&repository, sources, &dry, &recorder).expect("a dry run");
    assert!(report.snapshot.is_none() && report.totals.new_bytes > 100_000, "{report:?}");
    let writes: Vec<Call> = faulty.calls().into_iter().filter(Call::is_write).collect();
    assert_eq!(writes, []);
}
