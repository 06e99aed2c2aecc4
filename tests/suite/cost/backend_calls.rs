//! The number of backend calls of an operation: a call that is quick on a disk is a round trip on a distant
//! destination.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::tz::TimeZone;
use yore_engine::Unobserved;
use yore_engine::backend::{Folder, TIMESTAMP_GRANULARITY};
use yore_engine::backup::backup;
use yore_engine::format::{Parameters, SnapshotId};
use yore_engine::repository::{KnownSnapshots, forget};
use yore_fs::{SnapshotVolume, VolumeOptions};
use yore_platform::snapshot_path;
use yore_tests::{
    Call, Fault, Faulty, Memory, Scratch, TestRepository, dead_writer, fingerprint_volume, noise,
    options, print_measured, time,
};

struct Scene {
    _scratch: Scratch,
    memory: Arc<Memory>,
    repo: TestRepository,
    source: PathBuf,
}

/// A source of 40 folders of 50 files, in a repository with default parameters.
fn scene(snapshots: usize) -> Scene {
    let scratch = Scratch::new();
    let source = scratch.at("source");
    for folder in 0..40 {
        let folder_path = source.join(format!("{folder}"));
        std::fs::create_dir_all(&folder_path).expect("a folder");
        for file in 0..50 {
            let bytes = noise(200 + file * 30, (folder * 100 + file) as u64);
            std::fs::write(folder_path.join(format!("{file}")), bytes).expect("a file");
        }
    }
    let memory = Arc::new(Memory::default());
    let repo = TestRepository::with(memory.clone(), Parameters::default());
    for n in 0..snapshots {
        std::fs::write(source.join("0/0"), noise(100, n as u64)).expect("a file");
        repo.back_up(std::slice::from_ref(&source), None);
    }
    // Files that changed within seconds before the last snapshot are read again.
    std::thread::sleep(std::time::Duration::from_millis(3_500));
    repo.back_up(std::slice::from_ref(&source), None);
    Scene { _scratch: scratch, memory, repo, source }
}

fn counted(calls: &[Call]) -> (usize, usize, usize) {
    let reads = calls.iter().filter(|call| matches!(call, Call::Read(..) | Call::Size(_))).count();
    let lists = calls.iter().filter(|call| matches!(call, Call::List(_))).count();
    let published = calls.iter().filter(|call| matches!(call, Call::Publish(_))).count();
    (reads, lists, published)
}

#[test]
fn an_unchanged_backup_makes_a_bounded_number_of_calls() {
    let scene = scene(1);
    let faulty = Faulty::new(scene.memory.clone(), Fault::None);
    let repository = scene.repo.open_at(faulty.clone()).expect("it opens");
    let sources = std::slice::from_ref(&scene.source);
    let report = backup(&repository, sources, &options(None), &Unobserved).expect("a backup");
    assert_eq!((report.totals.new_files, report.totals.changed_files), (0, 0), "{report:?}");
    let calls = faulty.calls();
    let (reads, lists, published) = counted(&calls);
    // Session, snapshot, verdict; and a pack of trees with its index when a directory above the source
    // changed, where other tests work.
    let writes: Vec<_> = calls.iter().filter(|call| call.is_write()).collect();
    assert!((3..=5).contains(&published), "{published}: {writes:#?}");
    assert!(lists <= 16, "{lists} lists");
    assert!(reads <= 60, "{reads} reads: {calls:#?}");
    assert!(!calls.iter().any(|call| matches!(call, Call::Delete(_))));
}

#[test]
fn forgetting_many_snapshots_lists_as_often_as_forgetting_one() {
    let mut counts = Vec::new();
    for count in [1, 12] {
        let scene = scene(count + 1);
        let repository = scene.repo.open_at(scene.memory.clone()).expect("it opens");
        let known = repository.snapshots().expect("snapshots").list;
        let ids: Vec<SnapshotId> = known.iter().take(count).map(|entry| entry.id).collect();
        let faulty = Faulty::new(scene.memory.clone(), Fault::None);
        let repository = scene.repo.open_at(faulty.clone()).expect("it opens");
        let before = faulty.calls().len();
        let report = forget(&repository, &ids, &dead_writer(), time(2_000_000_000), "by hand");
        assert_eq!(report.expect("it forgets").forgotten.len(), count);
        let calls = faulty.calls().split_off(before);
        let (_, lists, published) = counted(&calls);
        assert_eq!(published, count, "a tombstone each: {calls:#?}");
        counts.push(lists);
        scene.repo.assert_sound();
    }
    assert_eq!(counts[0], counts[1], "lists");
}

#[test]
fn the_header_of_a_distant_destination_is_read_when_it_is_opened_and_after_a_verdict() {
    let scratch = Scratch::new();
    let source = scratch.folder("source");
    let memory = Arc::new(Memory::distant());
    let repo = TestRepository::with(memory.clone(), Parameters::default());
    repo.back_up(std::slice::from_ref(&source), None);
    let faulty = Faulty::new(memory, Fault::None);
    let header = || {
        let calls = faulty.calls();
        let of_header = |call: &&Call| call.object() == Some("yore.cbor");
        (calls.iter().filter(of_header).count(), calls.len())
    };
    let repository = repo.open_at(faulty.clone()).expect("it opens");
    assert_eq!(header().0, 2, "its size, and the header");
    backup(&repository, &[source], &options(None), &Unobserved).expect("a backup");
    let (of_header, calls) = header();
    assert_eq!(of_header, 4, "{:#?}", faulty.calls());
    print_measured(format!("an unchanged backup of one folder: {calls} calls"));
    let (reader, _) = repository.reader(1 << 20).expect("a reader");
    repository.snapshots().expect("snapshots");
    drop(reader);
    assert_eq!(header().0, 4, "reading trusts what was verified");
}

#[test]
fn opening_a_mount_makes_a_bounded_number_of_calls_for_any_number_of_files() {
    let scene = scene(1);
    let faulty = Faulty::new(scene.memory.clone(), Fault::None);
    let repository = scene.repo.open_at(faulty.clone()).expect("it opens");
    let volume = SnapshotVolume::open(Arc::new(repository), VolumeOptions::new(TimeZone::UTC));
    let (volume, _) = volume.expect("a volume");
    let opened = counted(&faulty.calls());
    assert!(opened.0 <= 40 && opened.1 <= 12 && opened.2 == 0, "{opened:?}");
    faulty.forget_calls();
    let path = [b"latest/".as_slice(), &snapshot_path(&scene.source)].concat();
    let fingerprint = fingerprint_volume(&volume, &path).expect("it reads");
    assert_eq!(fingerprint.len(), 2041);
    // 2.4 MB of small files: about one read a frame, and not one a file.
    let (reads, _, published) = counted(&faulty.calls());
    assert!(reads <= 120 && published == 0, "{reads} reads");
}

#[test]
fn listing_snapshots_makes_a_constant_number_of_calls_for_each() {
    let calls = |snapshots| {
        let scene = scene(snapshots);
        let faulty = Faulty::new(scene.memory.clone(), Fault::None);
        let repository = scene.repo.open_at(faulty.clone()).expect("it opens");
        repository.snapshots().expect("snapshots");
        faulty.calls().len()
    };
    let (few, more) = (calls(1), calls(6));
    assert!(more <= few + 5 * 8, "{few} calls with two snapshots, {more} with seven");
}

#[test]
fn while_nothing_changes_one_stamp_replaces_all_lists() {
    // A tmpfs dates every change of a folder.
    let folder = tempfile::tempdir_in("/dev/shm").expect("a folder in memory");
    let source = vec![folder.path().join("source")];
    std::fs::create_dir(&source[0]).expect("a folder");
    let inner = Arc::new(Folder::new(folder.path().join("repository")));
    let repo = TestRepository::with(inner.clone(), Parameters::default());
    repo.back_up(&source, None);
    let faulty = Faulty::new(inner, Fault::None);
    let repository = repo.open_at(faulty.clone()).expect("it opens");
    let mut known = KnownSnapshots::default();
    let mut found = || known.update(&repository).expect("it answers").map(|all| all.list.len());
    assert_eq!(found(), Some(1));
    for snapshots in [2, 3] {
        // A change in the same clock tick as the list before it is noticed, too.
        repo.back_up(&source, None);
        assert_eq!(found(), Some(snapshots));
    }
    std::thread::sleep(TIMESTAMP_GRANULARITY);
    assert_eq!(found(), None);
    faulty.forget_calls();
    for _ in 0..5 {
        assert_eq!(found(), None);
    }
    assert_eq!(faulty.calls(), vec![Call::ChangeToken; 5]);
    repo.back_up(&source, None);
    assert_eq!(found(), Some(4));
}
