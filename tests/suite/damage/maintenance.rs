//! Prune and repair of damaged repositories: whatever could be read before can be read after, and nothing is read
//! wrong.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use yore_engine::Run;
use yore_engine::Unobserved;
use yore_engine::check::ReadData;
use yore_engine::format::SnapshotId;
use yore_engine::prune::{PruneOptions, prune};
use yore_engine::read::OpenFile;
use yore_engine::repair::{RepairOptions, repair};
use yore_engine::repository::{Repository, forget};
use yore_tests::{
    Memory, Scratch, TestRepository, dead_writer, noise, options, print_measured, time,
};

/// What can be read: the content of each file of each snapshot.
type Readable = BTreeMap<(SnapshotId, Vec<u8>), Vec<u8>>;

struct Scene {
    _scratch: Scratch,
    repo: TestRepository,
    memory: Arc<Memory>,
    /// The same, before a snapshot was forgotten and pruned.
    earlier: Memory,
    /// Another repository of the same files.
    other: Arc<Memory>,
    source: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let scratch = Scratch::in_memory();
        let source = scratch.folder("source");
        std::fs::create_dir(source.join("sub")).expect("a folder");
        std::fs::write(source.join("sub/text"), "some words\n".repeat(60)).expect("a file");
        let memory = Arc::new(Memory::default());
        let repo = TestRepository::new(memory.clone());
        let back_up = |at: i64| repo.back_up(std::slice::from_ref(&source), Some(at));
        for round in 0..16 {
            back_up(1_400_000_000 + round);
        }
        for round in 0..4_u64 {
            std::fs::write(source.join(format!("noise{round}")), noise(9_000, round))
                .expect("a file");
            back_up(1_500_000_000 + round as i64);
        }
        let earlier = memory.copy();
        let (repository, writer) = (repo.open(), dead_writer());
        let ids: Vec<_> = repo.snapshots().iter().map(|entry| entry.id).collect();
        let forget = |ids| forget(&repository, ids, &writer, time(5), "test").expect("forgotten");
        // Those of long ago are in a list of tombstones, one has a tombstone of its own.
        forget(&ids[..16]);
        for now in [9_000_000_000, 9_000_000_001] {
            prune(&repository, &everything(), &writer, time(now), &Unobserved).expect("pruned");
        }
        forget(&ids[16..17]);
        prune(&repository, &everything(), &writer, time(9_000_000_002), &Unobserved)
            .expect("pruned");
        let tombstones = memory.names().into_iter().filter(|name| name.starts_with("forgotten/"));
        assert_eq!(tombstones.count(), 2, "a list and one alone");
        let other = Arc::new(Memory::default());
        TestRepository::new(other.clone()).back_up(std::slice::from_ref(&source), None);
        Self { _scratch: scratch, repo, memory, earlier, other, source }
    }

    /// Returns the damaged copies of the destination, each with a description.
    fn damaged(&self) -> Vec<(String, Memory)> {
        let kind = |name: &str| name.split('/').next().unwrap_or_default().to_owned();
        let names = self.memory.names();
        let mut found = Vec::new();
        let mut add = |what: String, change: &dyn Fn(&Memory)| {
            let memory = self.memory.copy();
            change(&memory);
            found.push((what, memory));
        };
        for name in &names {
            let bytes = self.memory.get(name);
            for at in [0, bytes.len() / 3, bytes.len() / 2, bytes.len() - 1] {
                let mut flipped = bytes.clone();
                flipped[at] ^= 0x20;
                add(format!("{name}, byte {at} flipped"), &|memory| {
                    memory.put(name, flipped.clone())
                });
            }
            add(format!("{name}, truncated"), &|memory| {
                memory.put(name, bytes[..bytes.len() / 2].to_vec());
            });
            add(format!("{name}, removed"), &|memory| memory.remove(name));
            for twin in names.iter().filter(|twin| *twin > name && kind(twin) == kind(name)) {
                add(format!("{name} and {twin} exchanged"), &|memory| {
                    memory.put(name, self.memory.get(twin));
                    memory.put(twin, bytes.clone());
                });
            }
            if let Some((folder, id)) = name.rsplit_once('/').filter(|(_, id)| id.len() == 64) {
                let other: String = id.chars().rev().collect();
                let copy = format!("{folder}/{other}");
                add(format!("{name}, twice"), &|memory| memory.put(&copy, bytes.clone()));
            }
            let foreign = self.other.names().into_iter().find(|other| kind(other) == kind(name));
            if let Some(foreign) = foreign {
                add(format!("{name}, of another repository"), &|memory| {
                    memory.put(name, self.other.get(&foreign));
                });
            }
        }
        for name in self.earlier.names().iter().filter(|name| !names.contains(name)) {
            add(format!("{name}, back from earlier"), &|memory| {
                memory.put(name, self.earlier.get(name));
            });
        }
        found
    }

    /// Reads everything that can be read; `None` if the repository does not open.
    fn readable(&self, memory: &Arc<Memory>) -> Option<Readable> {
        let repository = self.repo.open_at(memory.clone()).ok()?;
        let (mut found, Ok(known)) = (Readable::new(), repository.snapshots()) else {
            return Some(Readable::new());
        };
        let Ok((reader, _)) = repository.reader(1 << 20) else { return Some(found) };
        for entry in known.list {
            let mut left = vec![(entry.snapshot.root, Vec::new())];
            while let Some((tree, path)) = left.pop() {
                let Ok(mut nodes) = reader.nodes(&tree) else { continue };
                while let Ok(Some(node)) = nodes.try_next() {
                    let path = [&path[..], b"/", &node.name].concat();
                    if let Some(tree) = node.subtree {
                        left.push((tree, path));
                        continue;
                    }
                    let Ok(file) = OpenFile::open(&reader, &node) else { continue };
                    let mut bytes = Vec::new();
                    let read = file.read(&reader, 0, node.size as usize, &mut |part| {
                        bytes.extend_from_slice(part);
                    });
                    if read.is_ok() {
                        found.insert((entry.id, path), bytes);
                    }
                }
            }
        }
        Some(found)
    }

    /// Fails if something that could be read before can't be read now, or is read otherwise.
    fn assert_kept(&self, before: &Readable, memory: &Arc<Memory>, what: &str) {
        let after = self.readable(memory).unwrap_or_default();
        for (key, bytes) in before {
            let (id, path) = (key.0, String::from_utf8_lossy(&key.1));
            assert!(after.get(key) == Some(bytes), "{what}: {path} of {id:.8} is lost or altered");
        }
    }
}

fn everything() -> PruneOptions {
    PruneOptions { grace: 0, max_unused: 0.0, ..PruneOptions::default() }
}

fn prune_twice(repository: &Repository) {
    for _ in 0..2 {
        // It may refuse; then it has changed nothing that is needed.
        let _ = prune(repository, &everything(), &dead_writer(), time(9_000_000_000), &Unobserved);
    }
}

#[test]
fn a_prune_of_a_damaged_repository_loses_nothing_that_could_be_read() {
    let scene = Scene::new();
    let intact = scene.readable(&scene.memory).expect("it opens");
    assert!(intact.len() > 9, "{}", intact.len());
    let (mut count, mut opened) = (0, 0);
    for (what, memory) in scene.damaged() {
        count += 1;
        let memory = Arc::new(memory);
        let Some(before) = scene.readable(&memory) else { continue };
        opened += 1;
        for (key, bytes) in &before {
            // What comes back from earlier may be of the snapshot that was forgotten.
            assert!(intact.get(key).is_none_or(|right| right == bytes), "{what}: read wrong");
        }
        let Ok(repository) = scene.repo.open_at(memory.clone()) else { continue };
        prune_twice(&repository);
        scene.assert_kept(&before, &memory, &format!("{what}, then prune"));
    }
    print_measured(format!("prune of damaged repositories: {count}, of which {opened} open"));
}

#[test]
fn a_repair_keeps_what_can_be_read_and_the_next_backup_completes_it() {
    let scene = Scene::new();
    let (mut count, mut repaired, mut sound) = (0, 0, 0);
    for (what, memory) in scene.damaged() {
        count += 1;
        let memory = Arc::new(memory);
        let Some(before) = scene.readable(&memory) else { continue };
        let Ok(repository) = scene.repo.open_at(memory.clone()) else { continue };
        let settings = RepairOptions { read_data: ReadData::All, run: Run::Real };
        let report = repair(&repository, &settings, &dead_writer(), time(6), &Unobserved);
        scene.assert_kept(&before, &memory, &format!("{what}, then repair"));
        let Ok(report) = report else { continue };
        repaired += 1;
        for aside in report.destinations.iter().flat_map(|one| &one.quarantined) {
            let name = format!("quarantine/{}", aside.as_str().replace('/', "-"));
            assert!(memory.names().contains(&name), "{what}: {name} is not there");
        }
        // A backup stores again what the source still has: then nothing that the packs held is missing.
        let again = scene.repo.open_at(memory.clone()).expect("it opens");
        let everything = yore_engine::backup::BackupOptions {
            reading: yore_engine::backup::Reading::Everything,
            ..options(Some(1_600_000_000))
        };
        let sources = [scene.source.clone()];
        let Ok(made) = yore_engine::backup::backup(&again, &sources, &everything, &Unobserved)
        else {
            continue;
        };
        let made = made.snapshot.expect("a real one");
        let after = scene.readable(&memory).expect("it opens");
        let files = after.keys().filter(|(id, _)| *id == made).count();
        assert_eq!(files, 5, "{what}: the new snapshot is whole");
        sound += 1;
    }
    print_measured(format!(
        "repair of damaged repositories: {count}, {repaired} repaired, {sound} backed up again"
    ));
    assert!(sound * 10 > count * 8, "{sound} of {count}");
}
