use std::fs;

use super::*;
use crate::globs::Bases;
use crate::maintenance::check::{CheckOptions, ReadData, check};
use crate::operation::observer::Unobserved;
use crate::testing::{Sample, forge, time, writer};

fn options(pattern: &str, run: Run) -> RewriteOptions {
    RewriteOptions { exclude: vec![Rule::typed(pattern, &Bases::default())], run }
}

/// Returns the names of the files in the source folder of each snapshot.
fn names(sample: &Sample) -> Vec<Vec<String>> {
    let list = sample.repository.snapshots().expect("snapshots").list;
    let (reader, _) = sample.repository.reader(1 << 20).expect("a reader");
    let mut found = Vec::new();
    for entry in list {
        let (mut names, mut left) = (Vec::new(), vec![entry.snapshot.root]);
        while let Some(tree) = left.pop() {
            let mut nodes = reader.nodes(&tree).expect("a tree");
            while let Some(node) = nodes.try_next().expect("a node") {
                left.extend(node.subtree);
                if node.subtree.is_none() {
                    names.push(String::from_utf8_lossy(&node.name).into_owned());
                }
            }
        }
        names.sort();
        found.push(names);
    }
    found
}

#[test]
fn what_a_pattern_matches_is_in_no_snapshot_any_more_and_times_and_order_stay() {
    let sample = Sample::new();
    let source = sample.folder.path().join("source");
    fs::create_dir_all(source.join("sub/secret")).expect("a folder");
    fs::write(source.join("keep"), "kept").expect("a file");
    sample.back_up(&source, 1_000);
    fs::write(source.join("sub/secret/key"), vec![7; 5_000]).expect("a file");
    fs::write(source.join("sub/other"), "other").expect("a file");
    sample.back_up(&source, 2_000);
    sample.back_up(&source, 3_000);
    let before = sample.repository.snapshots().expect("snapshots").list;
    let dry = options("secret/", Run::Dry);
    let repository = &sample.repository;
    let report = rewrite(repository, &before, &dry, &writer(), time(9_000), &Unobserved);
    let report = report.expect("a report");
    assert_eq!((report.rewritten.len(), report.rewritten[0].removed.files), (3, 0));
    assert_eq!((report.rewritten[1].removed.files, report.rewritten[1].removed.bytes), (1, 5_000));
    assert_eq!(repository.snapshots().expect("snapshots").list, before);
    let real = options("secret/", Run::Real);
    let report = rewrite(repository, &before, &real, &writer(), time(9_000), &Unobserved);
    assert!(report.expect("a report").rewritten.iter().all(|one| one.new.is_some()));
    let after = repository.snapshots().expect("snapshots").list;
    let times = |list: &[SnapshotEntry]| list.iter().map(|one| one.since).collect::<Vec<_>>();
    assert_eq!(times(&after), times(&before));
    assert_eq!(after[2].snapshot.totals.files, before[2].snapshot.totals.files - 1);
    assert_eq!(names(&sample), [vec!["keep"], vec!["keep", "other"], vec!["keep", "other"]]);
    let everything = CheckOptions::reading(ReadData::All);
    let checked = check(repository, &everything, &Unobserved).expect("a report");
    assert!(checked.is_sound(), "{:?}", checked.problems);
    // Nothing is left to do.
    let report = rewrite(repository, &after, &real, &writer(), time(9_001), &Unobserved);
    assert!(report.expect("a report").rewritten.is_empty());
    // The next backup goes on from the newest.
    fs::remove_dir_all(source.join("sub/secret")).expect("removed");
    sample.back_up(&source, 10_000);
    assert_eq!(sample.repository.snapshots().expect("snapshots").list.len(), 4);
}

#[test]
fn keys_of_a_newer_program_stay_and_a_snapshot_that_one_binds_is_not_rewritten() {
    let sample = Sample::new();
    let source = sample.folder.path().join("source");
    fs::create_dir_all(source.join("secret")).expect("a folder");
    fs::write(source.join("secret/key"), vec![7; 5_000]).expect("a file");
    sample.back_up(&source, 1_000);
    let repository = &sample.repository;
    let known = sample.newest().snapshot;
    forge::commit_with(repository, known.clone(), &[(99, 5)]);
    let list = || repository.snapshots().expect("snapshots").list;
    let unknown = |list: &[SnapshotEntry]| {
        list.iter().map(|entry| entry.snapshot.unknown.clone()).collect::<Vec<_>>()
    };
    let before = list();
    let run = |options: &RewriteOptions| {
        rewrite(repository, &list(), options, &writer(), time(9_000), &Unobserved)
    };
    run(&options("secret/", Run::Real)).expect("a report");
    let after = list();
    assert!(after.iter().all(|new| before.iter().all(|old| old.id != new.id)));
    assert_eq!(unknown(&after), unknown(&before));
    assert_ne!(before[0].snapshot.unknown, before[1].snapshot.unknown);
    forge::commit_with(repository, known, &[(24, 5)]);
    let before = list();
    for how in [Run::Dry, Run::Real] {
        let refused = run(&options("secret/", how)).map(drop);
        assert!(matches!(refused, Err(crate::Error::Unsupported { .. })), "{refused:?}");
    }
    assert_eq!(list(), before);
}
