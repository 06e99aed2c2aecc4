//! Compared with walks over all snapshots, whatever happens to the file.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use super::*;
use crate::history::pattern::Pattern;
use crate::path::TreePath;
use crate::read::state_tree::{DirRef, ResolvedNode, children};
use crate::testing::{RecordingObserver, Sample};

type Searched = BTreeMap<Vec<u8>, (usize, usize, u64)>;

/// Walks every snapshot.
fn walked(reader: &Reader, timeline: &Timeline, pattern: &Pattern) -> Searched {
    let mut found = Searched::new();
    for (number, entry) in timeline.iter().enumerate() {
        let snapshot = &entry.snapshot;
        let mut pending = vec![(Vec::new(), DirRef::Tree(snapshot.root))];
        while let Some((path, dir)) = pending.pop() {
            let mut each = |entry: ResolvedNode| {
                let path = TreePath::new(&path).join(&entry.node.name).into_bytes();
                if pattern.fits_name(&entry.node.name) && pattern.fits_path(&path) {
                    let range = found.entry(path.clone()).or_insert((number, number, 0));
                    (range.1, range.2) = (number, entry.node.size);
                }
                if let Some(dir) = entry.dir {
                    pending.push((path, dir));
                }
                Ok(())
            };
            children(reader, &dir, &mut each).expect("it can be read");
        }
    }
    found
}

fn searched(
    catalog: &Catalog,
    reader: &Reader,
    timeline: &Timeline,
    pattern: &Pattern,
) -> Searched {
    let places: HashMap<SnapshotId, usize> =
        timeline.iter().enumerate().map(|(number, entry)| (entry.id, number)).collect();
    let query = Query::names(pattern.clone());
    let counts = |id: &SnapshotId| places.get(id).copied();
    let (hits, problems) = catalog
        .find((reader, timeline), &query, &counts, &RecordingObserver::default())
        .expect("it can be searched");
    assert!(problems.is_empty(), "{problems:?}");
    hits.into_iter().map(|hit| (hit.path.into_bytes(), (hit.first, hit.last, hit.size))).collect()
}

fn assert_agrees(catalog: &Catalog, repository: &Repository) {
    let (reader, _) = repository.reader(8 << 20).expect("a reader");
    let timeline = repository.snapshots().expect("snapshots").list;
    for text in ["*", "file-1*", "e-2", "dir?/*1", "nothing"] {
        let pattern = Pattern::parse(text).expect("a pattern");
        let expected = walked(&reader, &timeline, &pattern);
        assert_eq!(searched(catalog, &reader, &timeline, &pattern), expected, "{text}");
    }
}

/// Changes some of what is below a folder.
fn change(source: &std::path::Path, step: u64) {
    let mut state = step.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for _ in 0..6 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(step);
        let (dir, file, what) = (state >> 60 & 3, state >> 50 & 7, state >> 40 & 3);
        let dir = source.join(format!("dir{dir}"));
        let file = dir.join(format!("file-{file}"));
        match what {
            0 => drop(fs::remove_file(file)),
            1 if step.is_multiple_of(3) => drop(fs::remove_dir_all(dir)),
            _ => {
                fs::create_dir_all(&dir).expect("a folder");
                fs::write(file, vec![b'x'; (step * 7 + state % 5) as usize]).expect("a file");
            }
        }
    }
}

#[test]
fn a_random_history_is_found_as_walks_find_it() {
    let sample = Sample::new();
    let source = sample.folder.path().join("source");
    fs::create_dir(&source).expect("a folder");
    let cache = sample.folder.path().join("cache");
    let reopened = sample.reopen_with(Some(cache.clone()));
    let catalog = Catalog::open(&reopened).expect("a catalog");
    for step in 0..25u64 {
        change(&source, step);
        // Some come late: earlier than the newest that is there.
        let late = if step % 7 == 6 { 1_500 } else { 0 };
        sample.back_up(&source, 1_000 + (step as i64) * 1_000 - late);
        if step % 5 == 4 {
            let list = sample.repository.snapshots().expect("snapshots").list;
            let id = &list[step as usize % list.len()].id;
            sample.forget(*id);
        }
        if step % 3 == 0 {
            assert_agrees(&catalog, &sample.repository);
        }
    }
    assert_agrees(&catalog, &sample.repository);
    // Another process, and one without a place to keep it.
    assert_agrees(&Catalog::open(&reopened).expect("a catalog"), &sample.repository);
    assert_agrees(&Catalog::open(&sample.repository).expect("one in memory"), &sample.repository);
}

#[test]
fn a_file_that_is_damaged_old_or_foreign_costs_time_only() {
    let sample = Sample::new();
    let source = sample.folder.path().join("source");
    fs::create_dir(&source).expect("a folder");
    let cache = sample.folder.path().join("cache");
    let repository = sample.reopen_with(Some(cache));
    change(&source, 1);
    sample.back_up(&source, 1_000);
    let catalog = Catalog::open(&repository).expect("a catalog");
    assert_agrees(&catalog, &sample.repository);
    let file = catalog.file.clone().expect("a file");
    drop(catalog);
    let old = fs::read(&file).expect("the file");
    change(&source, 2);
    sample.back_up(&source, 2_000);
    assert_agrees(&Catalog::open(&repository).expect("a catalog"), &sample.repository);
    let other = Sample::new();
    let foreign = other.reopen_with(Some(other.folder.path().join("cache")));
    let foreign = Catalog::open(&foreign).expect("a catalog").file.clone().expect("a file");
    let mut cut = old.clone();
    cut.truncate(old.len() / 2);
    let mut overwritten = old.clone();
    let half = overwritten.len() / 3;
    overwritten[half..].fill(0xa5);
    let contents =
        [old, fs::read(foreign).expect("the file"), cut, overwritten, b"nonsense".to_vec(), vec![]];
    for content in contents {
        remove(&file);
        fs::write(&file, content).expect("the file");
        assert_agrees(&Catalog::open(&repository).expect("a catalog"), &sample.repository);
    }
    // A folder that can't be used.
    remove(&file);
    fs::create_dir(&file).expect("a folder in its place");
    let catalog = Catalog::open(&repository).expect("one in memory");
    assert_eq!(catalog.file, None);
    assert_agrees(&catalog, &sample.repository);
}

fn mode(path: &Path) -> Option<u32> {
    yore_platform::path_metadata(path).expect("the file").mode
}

#[test]
fn only_its_owner_may_read_the_catalog_and_the_files_beside_it() {
    let sample = Sample::new();
    let source = sample.folder.path().join("source");
    fs::create_dir(&source).expect("a folder");
    change(&source, 1);
    sample.back_up(&source, 1_000);
    let repository = sample.reopen_with(Some(sample.folder.path().join("cache")));
    let catalog = Catalog::open(&repository).expect("a catalog");
    assert_agrees(&catalog, &sample.repository);
    let file = catalog.file.clone().expect("a file");
    let beside = |end: &str| file.with_file_name(format!("{FILE}{end}"));
    for end in ["", "-wal", "-shm"] {
        assert_eq!(mode(&beside(end)), Some(0o600), "{end}");
    }
    let connection = catalog.lock();
    connection
        .execute_batch(
            "PRAGMA journal_mode = DELETE; BEGIN; INSERT INTO problem VALUES (1, '', '')",
        )
        .expect("a transaction");
    assert_eq!(mode(&beside("-journal")), Some(0o600));
    drop(connection);
    drop(catalog);
    // One that an earlier version has left.
    fs::remove_file(&file).expect("the file");
    fs::write(&file, "").expect("a file");
    drop(Catalog::open(&repository).expect("a catalog"));
    assert_eq!(mode(&file), Some(0o600));
}
