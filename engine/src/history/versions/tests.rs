//! Histories of real backups.

use std::collections::BTreeMap;
use std::fs;

use yore_platform::snapshot_path;

use super::dir_history::enter;
use super::*;
use crate::format::tree::Tree;
use crate::testing::Sample;

/// Versions of a name: first and last snapshot, and the size where it was there.
type Brief = Vec<(usize, usize, Option<u64>)>;

fn versions_of(sample: &Sample, folder: &std::path::Path, name: &[u8]) -> Brief {
    let reader = sample.reader();
    let timeline = sample.repository.snapshots().expect("snapshots").list;
    let dir =
        dir_history(&reader, &timeline, TreePath::new(&snapshot_path(folder))).expect("a history");
    let versions = versions(&reader, &timeline, &dir, name).expect("versions");
    let brief = |version: Version| {
        let size = version.what.map(|located| {
            let holder = reader.tree(&located.tree).expect("its tree");
            let Tree::Nodes { nodes, .. } = holder else { panic!("nodes") };
            assert_eq!(nodes[located.position], located.node, "it is where it is said to be");
            located.node.size
        });
        (version.first, version.last, size)
    };
    versions.into_iter().map(brief).collect()
}

#[test]
fn a_version_ends_where_content_changes_or_goes() {
    let sample = Sample::new();
    let source = sample.folder.path().join("source");
    fs::create_dir_all(source.join("sub")).expect("a folder");
    let contents: [Option<&str>; 7] =
        [None, Some("a"), Some("a"), Some("bb"), Some("a"), None, Some("a")];
    for (now, content) in (100..).zip(contents) {
        let file = source.join("sub/file");
        match content {
            Some(content) => fs::write(file, content).expect("a file"),
            None => drop(fs::remove_file(file)),
        }
        sample.back_up(&source, now);
    }
    let expected =
        vec![(1, 2, Some(1)), (3, 3, Some(2)), (4, 4, Some(1)), (5, 5, None), (6, 6, Some(1))];
    assert_eq!(versions_of(&sample, &source.join("sub"), b"file"), expected);
    assert_eq!(versions_of(&sample, &source.join("sub"), b"never"), vec![]);
}

#[test]
fn snapshots_of_other_folders_say_nothing_of_a_path() {
    let sample = Sample::new();
    let (one, other) = (sample.folder.path().join("one"), sample.folder.path().join("other"));
    for folder in [&one, &other] {
        fs::create_dir(folder).expect("a folder");
        fs::write(folder.join("file"), "x").expect("a file");
    }
    for (now, folder) in (100..).zip([&one, &other, &one, &other]) {
        sample.back_up(folder, now);
    }
    assert_eq!(versions_of(&sample, &one, b"file"), vec![(0, 2, Some(1))]);
    assert_eq!(versions_of(&sample, &other, b"file"), vec![(1, 3, Some(1))]);
}

#[test]
fn names_are_those_of_all_snapshots() {
    let sample = Sample::new();
    let source = sample.folder.path().join("source");
    fs::create_dir(&source).expect("a folder");
    fs::write(source.join("both"), "x").expect("a file");
    fs::write(source.join("removed"), "x").expect("a file");
    sample.back_up(&source, 100);
    fs::remove_file(source.join("removed")).expect("it goes");
    fs::remove_file(source.join("both")).expect("it goes");
    fs::create_dir(source.join("both")).expect("a folder");
    sample.back_up(&source, 101);
    let reader = sample.reader();
    let timeline = sample.repository.snapshots().expect("snapshots").list;
    let dir =
        dir_history(&reader, &timeline, TreePath::new(&snapshot_path(&source))).expect("a history");
    let (names, outcome) = names_ever(&reader, &dir);
    outcome.expect("all can be read");
    let both = Kinds { directory: true, other: true };
    let removed = Kinds { directory: false, other: true };
    assert_eq!(names, BTreeMap::from([(b"both".to_vec(), both), (b"removed".to_vec(), removed)]));
    assert_eq!(enter(&reader, &timeline, &dir, b"both").expect("a history").states.len(), 1);
}

/// Returns the versions of `name`, and its states as a directory, as text.
fn of_name(reader: &Reader, timeline: &Timeline, dir: &DirHistory, name: &[u8]) -> String {
    let versions = versions(reader, timeline, dir, name).expect("versions");
    let node =
        |version: Version| (version.first, version.last, version.what.map(|located| located.node));
    let versions: Vec<_> = versions.into_iter().map(node).collect();
    let states = enter(reader, timeline, dir, name).expect("a history").states;
    format!("{versions:?} {states:?}")
}

#[test]
fn names_looked_up_where_they_changed_have_the_same_history_as_in_every_tree() {
    let sample = Sample::new();
    let source = sample.folder.path().join("source");
    fs::create_dir(&source).expect("a folder");
    let name = |number: u64| format!("a name of some length {number}");
    let many = 4_200;
    for number in 0..many {
        fs::write(source.join(name(number)), "x").expect("a file");
    }
    let mut random = 1_u64;
    let mut next = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) % below
    };
    let mut numbers: Vec<u64> = vec![0, many - 1];
    for now in 100..130 {
        for _ in 0..8 {
            // Few names, so that they change often; and the first and the last of all.
            let number = [next(12) * 350, 0, many - 1, many + next(3)][next(4) as usize];
            numbers.push(number);
            let path = source.join(name(number));
            let _ = fs::remove_file(&path);
            let _ = fs::remove_dir(&path);
            match next(4) {
                0 => {}
                1 => fs::create_dir(&path).expect("a folder"),
                size => fs::write(&path, vec![b'x'; size as usize]).expect("a file"),
            }
        }
        sample.back_up(&source, now);
    }
    numbers.sort_unstable();
    numbers.dedup();
    let reader = sample.reader();
    let mut timeline = sample.repository.snapshots().expect("snapshots").list;
    for SnapshotEntry { snapshot, .. } in &mut timeline {
        snapshot.host = ["one", "other"][next(2) as usize].into();
    }
    let history = || {
        let mut dir = dir_history(&reader, &timeline, TreePath::new(&snapshot_path(&source)))
            .expect("a history");
        dir.states[7].tree = None;
        dir
    };
    let shared = history();
    let first = reader.tree(&shared.states[0].tree.expect("a tree")).expect("it can be read");
    assert!(matches!(first, Tree::Leaves(_)), "a directory of several leaves");
    for number in numbers {
        let name = name(number).into_bytes();
        let expected = of_name(&reader, &timeline, &history(), &name);
        assert_eq!(of_name(&reader, &timeline, &shared, &name), expected, "{number}");
    }
    assert!(shared.index.is_compared());
}
