//! The damage matrix: every object altered, truncated, removed or exchanged. A check finds the damage, and no
//! reader gets a wrong byte.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::tz::TimeZone;
use yore_engine::check::{CheckOptions, ReadData, check};
use yore_engine::read::{DirRef, Lookup, find};
use yore_engine::restore::{RestoreOptions, restore};
use yore_engine::{TreePath, Unobserved};
use yore_fs::{SnapshotVolume, VolumeOptions};
use yore_platform::{Kind, VolumeError, snapshot_path};
use yore_tests::{
    Fingerprint, Memory, Recorder, Scratch, TestRepository, fingerprint_folder, fingerprint_volume,
    noise,
};

struct Scene {
    scratch: Scratch,
    memory: Arc<Memory>,
    repo: TestRepository,
    source: std::path::PathBuf,
    fingerprint: Fingerprint,
}

/// Makes a repository of few bytes with two snapshots.
fn scene() -> Scene {
    let scratch = Scratch::new();
    let source = scratch.folder("source");
    std::fs::create_dir(source.join("sub")).expect("a folder");
    std::fs::write(source.join("inline"), "short").expect("a file");
    std::fs::write(source.join("sub/text"), "some words\n".repeat(60)).expect("a file");
    let memory = Arc::new(Memory::default());
    let repo = TestRepository::new(memory.clone());
    repo.back_up(std::slice::from_ref(&source), Some(1_500_000_000));
    std::fs::write(source.join("sub/noise"), noise(700, 1)).expect("a file");
    std::fs::write(source.join("larger"), noise(5000, 2)).expect("a file");
    repo.back_up(std::slice::from_ref(&source), Some(1_500_000_100));
    let fingerprint = fingerprint_folder(&source);
    Scene { scratch, memory, repo, source, fingerprint }
}

/// The effects of damage.
#[derive(Debug, Default)]
struct Effect {
    /// The repository opens.
    opens: bool,
    /// The number of problems that a full check lists.
    problems: usize,
    /// The number of notes that it lists.
    notes: usize,
    /// The newest state on a volume is as it was.
    whole: bool,
}

fn effect(scene: &Scene, memory: Arc<Memory>, what: &dyn Fn() -> String) -> Effect {
    let Ok(repository) = scene.repo.open_at(memory) else { return Effect::default() };
    let all = CheckOptions::reading(ReadData::All);
    let report = check(&repository, &all, &Unobserved).expect("a report");
    let mut effect = Effect {
        opens: true,
        problems: report.problems.len(),
        notes: report.notes.len(),
        whole: false,
    };
    let mut options = VolumeOptions::new(TimeZone::UTC);
    options.prefetch_threads = 0;
    options.cache_size = 1 << 20;
    let repository = Arc::new(repository);
    if let Ok((volume, _)) = SnapshotVolume::open(Arc::clone(&repository), options) {
        let path = [b"latest/".as_slice(), &snapshot_path(&scene.source)].concat();
        effect.whole = is_never_wrong(&volume, &path, scene, what);
    }
    effect
}

/// Reads every file by itself: each is as it was in one of the snapshots, or an error. Returns true
/// if all could be read.
fn is_never_wrong(
    volume: &SnapshotVolume,
    path: &[u8],
    scene: &Scene,
    what: &dyn Fn() -> String,
) -> bool {
    let mut whole = true;
    for (below, expected) in &scene.fingerprint {
        let at = if below.is_empty() { path.to_vec() } else { [path, b"/", below].concat() };
        if expected.kind == Kind::Directory {
            continue;
        }
        match fingerprint_volume(volume, &at) {
            Ok(found) => {
                let found = &found[&Vec::new()];
                let same = found.bytes == expected.bytes
                    && (found.mode, found.modified) == (expected.mode, expected.modified)
                    && found.size == expected.size;
                assert!(same, "{}: a wrong {:?}", what(), String::from_utf8_lossy(below));
            }
            // Without the newest snapshot, the files that it added are missing.
            Err(VolumeError::NotFound | VolumeError::Stale) => whole = false,
            Err(_) => whole = false,
        }
    }
    whole
}

fn assert_noticed(scene: &Scene, memory: Memory, what: &dyn Fn() -> String) {
    let effect = effect(scene, Arc::new(memory), what);
    assert!(!effect.opens || effect.problems > 0, "{} is not found", what());
}

#[test]
fn every_flipped_byte_of_every_object_is_found_and_no_wrong_byte_is_read() {
    let scene = scene();
    let places: Vec<(String, usize)> = scene
        .memory
        .names()
        .into_iter()
        .flat_map(|name| {
            let length = scene.memory.get(&name).len();
            (0..length).map(move |at| (name.clone(), at))
        })
        .collect();
    assert!((5_000..60_000).contains(&places.len()), "{} bytes in all", places.len());
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some((name, at)) = places.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let memory = scene.memory.copy();
                    let mut bytes = memory.get(name);
                    bytes[*at] ^= 1 << (at % 8);
                    memory.put(name, bytes);
                    assert_noticed(&scene, memory, &|| format!("byte {at} of {name}"));
                }
            });
        }
    });
}

#[test]
fn every_truncated_empty_extended_or_garbled_object_is_found() {
    let scene = scene();
    for name in scene.memory.names() {
        let bytes = scene.memory.get(&name);
        let mut versions: Vec<(String, Vec<u8>)> = (0..bytes.len())
            .step_by(7)
            .chain([bytes.len() - 1])
            .map(|length| (format!("cut to {length}"), bytes[..length].to_vec()))
            .collect();
        versions.push(("a byte longer".into(), [bytes.as_slice(), &[0]].concat()));
        versions.push(("twice".into(), [bytes.as_slice(), &bytes].concat()));
        versions.push(("zeros".into(), vec![0; bytes.len()]));
        versions.push(("noise".into(), noise(bytes.len(), 9)));
        for (how, version) in versions {
            let memory = scene.memory.copy();
            memory.put(&name, version);
            assert_noticed(&scene, memory, &|| format!("{name}, {how}"));
        }
    }
}

#[test]
fn every_removed_object_is_missed() {
    let scene = scene();
    for name in scene.memory.names() {
        let memory = scene.memory.copy();
        memory.remove(&name);
        let what = || format!("{name}, taken away");
        let effect = effect(&scene, Arc::new(memory), &what);
        // A backup without its verdict counts as interrupted, unless the next snapshot of its client
        // refers to it. Nothing refers to the newest: its removal is a rollback, which only a client
        // notices that has seen it.
        let is_verdict = name.ends_with(".end");
        let noticed = !effect.opens || effect.problems > 0 || (is_verdict && effect.notes > 0);
        assert!(noticed, "{name} is not missed: {effect:?}");
        assert!(!effect.whole || !name.starts_with("packs/") || effect.problems > 0, "{name}");
    }
}

#[test]
fn every_two_exchanged_objects_of_a_kind_are_found() {
    let scene = scene();
    let kind = |name: &str| name.split('/').next().unwrap_or_default().to_owned();
    let names = scene.memory.names();
    let mut pairs = 0;
    for a in &names {
        for b in names.iter().filter(|b| *b > a && kind(b) == kind(a)) {
            let memory = scene.memory.copy();
            let (x, y) = (memory.get(a), memory.get(b));
            memory.put(a, y.clone());
            memory.put(b, x);
            assert_noticed(&scene, memory, &|| format!("{a} and {b} exchanged"));
            let memory = scene.memory.copy();
            memory.put(a, y);
            assert_noticed(&scene, memory, &|| format!("{b} in place of {a}"));
            pairs += 1;
        }
    }
    assert!(pairs > 5, "only {pairs} pairs");
}

#[test]
fn an_object_of_another_repository_is_refused() {
    let (here, there) = (scene(), scene());
    let kind = |name: &str| name.split('/').next().unwrap_or_default().to_owned();
    for name in here.memory.names() {
        for other in there.memory.names().iter().filter(|other| kind(other) == kind(&name)) {
            let memory = here.memory.copy();
            memory.put(&name, there.memory.get(other));
            assert_noticed(&here, memory, &|| format!("{name}, of another repository"));
        }
    }
}

#[test]
fn a_restore_from_a_damaged_repository_is_right_or_lists_the_loss() {
    let scene = scene();
    let path = snapshot_path(&scene.source);
    let mut losses = 0;
    for (count, name) in scene.memory.names().into_iter().enumerate() {
        let length = scene.memory.get(&name).len();
        for at in (count % 7..length).step_by(61) {
            let memory = scene.memory.copy();
            let mut bytes = memory.get(&name);
            bytes[at] ^= 0x10;
            memory.put(&name, bytes);
            let Ok(repository) = scene.repo.open_at(Arc::new(memory)) else { continue };
            let Ok((reader, _)) = repository.reader(1 << 20) else { continue };
            let Ok(snapshots) = repository.snapshots() else { continue };
            let Some(newest) = snapshots.list.last() else { continue };
            if newest.snapshot.time.seconds != 1_500_000_100 {
                assert!(!snapshots.problems.is_empty(), "byte {at} of {name}: a silent loss");
                continue;
            }
            let root = DirRef::Tree(newest.snapshot.root);
            let Ok(Some(what @ Lookup::Node(_))) = find(&reader, &root, TreePath::new(&path))
            else {
                continue;
            };
            let target = scene.scratch.at("restored");
            let _ = std::fs::remove_dir_all(&target);
            let recorder = Recorder::default();
            let options = RestoreOptions::default();
            let Ok(report) = restore(&reader, &what, &path, &target, &options, &recorder) else {
                continue;
            };
            let found = fingerprint_folder(&target.join("source"));
            for (below, seen) in &found {
                let right = scene.fingerprint.get(below).map(|expected| &expected.bytes);
                assert_eq!(right, Some(&seen.bytes), "byte {at} of {name}: a wrong byte");
            }
            let lost = scene.fingerprint.len() - found.len();
            assert_eq!(report.failed > 0, lost > 0, "byte {at} of {name}: {lost} lost, {report:?}");
            assert_eq!(recorder.texts().is_empty(), lost == 0, "byte {at} of {name}");
            losses += usize::from(lost > 0);
        }
    }
    assert!(losses > 10, "only {losses} losses");
}
