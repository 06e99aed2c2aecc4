//! Histories of real backups.

use std::fs;

use yore_platform::snapshot_path;

use super::*;
use crate::testing::Sample;

/// What the versions of a name were: first and last snapshot, and the size where it was there.
type Told = Vec<(usize, usize, Option<u64>)>;

fn told(sample: &Sample, folder: &std::path::Path, name: &[u8]) -> Told {
    let reader = sample.reader();
    let timeline = sample.repository.snapshots().expect("snapshots").list;
    let dir = dir_history(&reader, &timeline, &snapshot_path(folder)).expect("a history");
    let versions = versions(&reader, &timeline, &dir, name).expect("versions");
    let told = |version: Version| {
        let size = version.what.map(|seen| {
            let holder = reader.tree(&seen.tree).expect("its tree");
            let Tree::Nodes { nodes, .. } = holder else { panic!("nodes") };
            assert_eq!(nodes[seen.position], seen.node, "it is where it is said to be");
            seen.node.size
        });
        (version.first, version.last, size)
    };
    versions.into_iter().map(told).collect()
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
    assert_eq!(told(&sample, &source.join("sub"), b"file"), expected);
    assert_eq!(told(&sample, &source.join("sub"), b"never"), vec![]);
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
    assert_eq!(told(&sample, &one, b"file"), vec![(0, 2, Some(1))]);
    assert_eq!(told(&sample, &other, b"file"), vec![(1, 3, Some(1))]);
}

#[test]
fn names_are_those_of_all_snapshots() {
    let sample = Sample::new();
    let source = sample.folder.path().join("source");
    fs::create_dir(&source).expect("a folder");
    fs::write(source.join("both"), "x").expect("a file");
    fs::write(source.join("gone"), "x").expect("a file");
    sample.back_up(&source, 100);
    fs::remove_file(source.join("gone")).expect("it goes");
    fs::remove_file(source.join("both")).expect("it goes");
    fs::create_dir(source.join("both")).expect("a folder");
    sample.back_up(&source, 101);
    let reader = sample.reader();
    let timeline = sample.repository.snapshots().expect("snapshots").list;
    let dir = dir_history(&reader, &timeline, &snapshot_path(&source)).expect("a history");
    let (names, outcome) = names(&reader, &dir);
    outcome.expect("all can be read");
    let both = Kinds { directory: true, other: true };
    let gone = Kinds { directory: false, other: true };
    assert_eq!(names, BTreeMap::from([(b"both".to_vec(), both), (b"gone".to_vec(), gone)]));
    assert_eq!(enter(&reader, &dir, b"both").expect("a history").states.len(), 1);
}
