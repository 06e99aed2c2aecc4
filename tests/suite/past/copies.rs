//! Copies of snapshots between repositories of other keys and sizes.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use yore_engine::backend::Backend;
use yore_engine::copy::{CopyOptions, CopyReport, copy};
use yore_engine::format::{Parameters, SnapshotId};
use yore_engine::read::DirRef;
use yore_engine::repository::{Repository, create_copy};
use yore_engine::snapshots::SnapshotEntry;
use yore_engine::{Repeat, Result, Run};
use yore_tests::{
    Call, Fault, FaultKind, Faulty, Memory, Recorder, Scratch, TestRepository, When,
    assert_same_tree, build_matrix, change_source, dead_writer, describe, killed_so_far,
    print_measured, small_source, time,
};

/// Copies everything that is not there yet.
fn copy_all(from: &Repository, to: &Repository) -> Result<CopyReport> {
    let options = CopyOptions { machine: None, repeat: Repeat::Never, run: Run::Real };
    copy(from, to, &|_| true, options, &dead_writer(), &yore_engine::Unobserved)
}

/// Describes every node of a snapshot.
fn described(repo: &TestRepository, entry: &SnapshotEntry) -> Vec<Value> {
    let (reader, problems) = repo.open().reader(16 << 20).expect("a reader");
    assert!(problems.is_empty(), "{problems:?}");
    describe(&reader, &DirRef::Tree(entry.snapshot.root)).expect("it reads")
}

/// Fails unless a repository has one copy of each snapshot of another, at its time and with every node.
#[track_caller]
fn assert_copied(from: &TestRepository, to: &TestRepository) {
    let (sources, copies) = (from.snapshots(), to.snapshots());
    assert_eq!(copies.len(), sources.len());
    for (source, copy) in sources.iter().zip(&copies) {
        assert!(described(from, source) == described(to, copy), "{} differs", source.id);
        let (old, new) = (&source.snapshot, &copy.snapshot);
        assert_eq!((new.time, new.end, new.utc_offset), (source.since, old.end, old.utc_offset));
        assert_eq!((&new.host, &new.user, &new.sources), (&old.host, &old.user, &old.sources));
        assert_eq!((&new.tags, &new.excludes), (&old.tags, &old.excludes));
        assert_eq!((new.totals.files, new.totals.bytes), (old.totals.files, old.totals.bytes));
        assert_eq!(new.root_flags, old.root_flags);
    }
    to.assert_sound();
}

/// A repository in memory with a history of a small folder.
struct Past {
    _scratch: Scratch,
    source: PathBuf,
    memory: Arc<Memory>,
    repo: TestRepository,
}

impl Past {
    fn new(snapshots: u64) -> Self {
        let scratch = Scratch::in_memory();
        let source = scratch.at("source");
        small_source(&source, 1);
        let memory = Arc::new(Memory::default());
        let repo = TestRepository::new(memory.clone());
        let past = Self { _scratch: scratch, source, memory, repo };
        for round in 0..snapshots {
            past.back_up(round);
        }
        past
    }

    fn back_up(&self, round: u64) {
        change_source(&self.source, round);
        self.repo.back_up(std::slice::from_ref(&self.source), None);
    }
}

fn with_large_chunks() -> TestRepository {
    TestRepository::with(Arc::new(Memory::default()), Parameters::default())
}

#[test]
fn a_copy_with_other_keys_and_sizes_has_everything_and_restores_byte_for_byte() {
    let scratch = Scratch::new();
    let source = scratch.folder("source");
    build_matrix(&source);
    let from = TestRepository::new(Arc::new(Memory::default()));
    from.back_up(std::slice::from_ref(&source), Some(1_000));
    change_source(&source, 5);
    from.back_up(std::slice::from_ref(&source), None);
    let to = with_large_chunks();
    let report = copy_all(&from.open(), &to.open()).expect("a copy");
    assert_eq!((report.copied.len(), report.failed.len(), report.problems.len()), (2, 0, 0));
    to.assert_sound();
    // And from there into a third one, of small sizes again.
    let third = TestRepository::new(Arc::new(Memory::default()));
    assert_eq!(copy_all(&to.open(), &third.open()).expect("a copy").copied.len(), 2);
    third.assert_sound();
    let first = |repo: &TestRepository, name: &str| {
        repo.restore(repo.snapshots()[0].id, &source, &scratch.at(name))
    };
    let expected = first(&from, "expected");
    for (name, repo) in [("second", &to), ("third", &third)] {
        assert_same_tree(&first(repo, &format!("{name}, first")), &expected);
        let newest = repo.snapshots().pop().expect("a copy");
        let restored = repo.restore(newest.id, &source, &scratch.at(name));
        assert_same_tree(&restored, &source);
    }
}

#[test]
fn a_second_run_copies_what_is_new_and_reads_what_has_changed() {
    let past = Past::new(3);
    let to = with_large_chunks();
    assert_eq!(copy_all(&past.repo.open(), &to.open()).expect("a copy").copied.len(), 3);
    let faulty = Faulty::new(past.memory.clone(), Fault::None);
    let from = past.repo.open_at(faulty.clone()).expect("it opens");
    let report = copy_all(&from, &to.open()).expect("a copy");
    assert_eq!((report.copied.len(), report.present), (0, 3));
    let of_packs = |calls: Vec<Call>| {
        let bytes = |call: &Call| match call {
            Call::Read(name, bytes) if name.starts_with("packs/") => *bytes,
            _ => 0,
        };
        calls.iter().map(bytes).sum::<u64>()
    };
    assert_eq!(of_packs(faulty.calls()), 0, "nothing of the contents is read");
    // One small file more.
    std::fs::write(past.source.join("one more"), "content\n".repeat(100)).expect("a file");
    past.repo.back_up(std::slice::from_ref(&past.source), None);
    let faulty = Faulty::new(past.memory.clone(), Fault::None);
    let from = past.repo.open_at(faulty.clone()).expect("it opens");
    let report = copy_all(&from, &to.open()).expect("a copy");
    assert_eq!((report.copied.len(), report.present), (1, 3));
    let (read, all) = (of_packs(faulty.calls()), past.memory.bytes_of("packs/"));
    assert!(read < all / 4, "{read} of {all} bytes were read for one small file");
    assert_copied(&past.repo, &to);
    print_measured(format!("copy of one changed file: {read} of {all} bytes of packs read"));
}

#[test]
fn a_copy_that_is_killed_at_any_write_is_completed_by_the_next_run_without_duplicates() {
    let past = Past::new(3);
    let from = past.repo.open();
    let empty = Arc::new(Memory::default());
    let to = TestRepository::with(empty.clone(), Parameters::default());
    let at = |memory: &Arc<Memory>| TestRepository {
        backend: memory.clone(),
        secret: yore_engine::format::Secret::key_file(
            "key",
            &to.secret.to_text().expect("a key file"),
        )
        .expect("it reads"),
    };
    let killed = |fault: Fault| {
        let memory = Arc::new(empty.copy());
        let faulty = Faulty::new(memory.clone(), fault);
        let outcome = to.open_at(faulty.clone()).and_then(|to| copy_all(&from, &to));
        (memory, faulty.calls(), outcome)
    };
    let (_, calls, outcome) = killed(Fault::None);
    assert_eq!(outcome.expect("it succeeds").copied.len(), 3);
    let mut points = 0;
    for (number, call) in calls.iter().enumerate().filter(|(_, call)| call.is_write()) {
        let kinds = [
            FaultKind::Crash(When::Before),
            FaultKind::Crash(When::After),
            FaultKind::CrashInAppend,
        ];
        for kind in kinds {
            if kind == FaultKind::CrashInAppend && !matches!(call, Call::Append(..)) {
                continue;
            }
            points += 1;
            let what = format!("{kind:?} at {call:?}");
            let (memory, _, outcome) = killed(Fault::At(number as u64, kind));
            let to = at(&memory);
            let before = to.snapshots().len();
            // After the last verdict, what fails is only tidying.
            assert!(outcome.is_err() || before == 3, "{what}: {before} copies and no error");
            let report = copy_all(&from, &to.open()).unwrap_or_else(|e| panic!("{what}: {e}"));
            assert_eq!(
                (report.copied.len(), report.present),
                (3 - before, before as u64),
                "{what}"
            );
            assert_copied(&past.repo, &to);
        }
    }
    print_measured(format!(
        "copy: killed at {points} points of {} calls; {} by all tests so far",
        calls.len(),
        killed_so_far()
    ));
}

#[test]
fn a_snapshot_with_a_damaged_part_is_reported_and_the_others_are_copied() {
    let past = Past::new(1);
    let before = past.memory.names();
    let secret = past.source.join("only in the second");
    std::fs::write(&secret, yore_tests::noise(50_000, 9)).expect("a file");
    past.repo.back_up(std::slice::from_ref(&past.source), None);
    let new: Vec<String> = past
        .memory
        .names()
        .into_iter()
        .filter(|name| name.starts_with("packs/") && !before.contains(name))
        .collect();
    std::fs::remove_file(&secret).expect("removed");
    past.repo.back_up(std::slice::from_ref(&past.source), None);
    let whole: Vec<(String, Vec<u8>)> =
        new.iter().map(|name| (name.clone(), past.memory.get(name))).collect();
    for (name, bytes) in &whole {
        let mut damaged = bytes.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 1;
        past.memory.put(name, damaged);
    }
    let to = with_large_chunks();
    let report = copy_all(&past.repo.open(), &to.open()).expect("a copy");
    let ids: Vec<SnapshotId> = past.repo.snapshots().iter().map(|entry| entry.id).collect();
    let failed: Vec<SnapshotId> = report.failed.iter().map(|one| one.source.id).collect();
    let copied: Vec<SnapshotId> = report.copied.iter().map(|one| one.source.id).collect();
    assert_eq!((failed, copied), (vec![ids[1]], vec![ids[0], ids[2]]));
    to.assert_sound();
    // Once it is healed, the next run copies it, to its place.
    for (name, bytes) in whole {
        past.memory.put(&name, bytes);
    }
    let report = copy_all(&past.repo.open(), &to.open()).expect("a copy");
    assert_eq!((report.copied.len(), report.present), (1, 2));
    assert_copied(&past.repo, &to);
}

#[test]
fn a_copy_that_has_lost_a_part_does_not_pass_that_on_to_the_next() {
    let past = Past::new(1);
    let memory = Arc::new(Memory::default());
    let to = TestRepository::new(memory.clone());
    copy_all(&past.repo.open(), &to.open()).expect("a copy");
    let packs = memory.names().into_iter().filter(|name| name.starts_with("packs/"));
    packs.for_each(|name| memory.remove(&name));
    past.back_up(2);
    let report = copy_all(&past.repo.open(), &to.open()).expect("a copy");
    assert_eq!(report.copied.len(), 1);
    // Nothing of the second one was taken from the first.
    for (source, copy) in past.repo.snapshots().iter().zip(to.snapshots()).skip(1) {
        assert!(described(&past.repo, source) == described(&to, &copy));
    }
}

#[test]
fn copies_are_committed_on_every_destination() {
    let past = Past::new(2);
    let to = with_large_chunks();
    let second: Arc<dyn Backend> = Arc::new(Memory::default());
    create_copy(&to.open(), &second, time(2)).expect("a destination");
    let mut both = to.open();
    both.add_destination(second.clone()).expect("a destination of the repository");
    let report = copy_all(&past.repo.open(), &both).expect("a copy");
    assert_eq!((report.copied.len(), report.behind.len()), (2, 0));
    assert_copied(&past.repo, &to);
    assert_copied(&past.repo, &TestRepository { backend: second, secret: to.secret });
}

#[test]
fn a_backup_after_a_copy_compares_with_its_own_machine_alone() {
    let past = Past::new(1);
    let from = &past.repo;
    let to = TestRepository::new(Arc::new(Memory::default()));
    // The copy is of another machine, and of the same paths with the same times.
    copy_all(&from.open(), &to.open()).expect("a copy");
    let here = yore_engine::repository::Writer { host: "another".into(), ..dead_writer() };
    let options = yore_engine::backup::BackupOptions { writer: here, ..yore_tests::options(None) };
    let recorder = Recorder::default();
    let sources: [PathBuf; 1] = [past.source.clone()];
    let report = yore_engine::backup::backup(&to.open(), &sources, &options, &recorder);
    let totals = report.expect("a backup").totals;
    assert_eq!(totals.new_files, totals.files, "no file is known of another machine");
    to.assert_sound();
}
