use std::fs;

use super::*;
use crate::format::record::Annotation;
use crate::format::tree::{Node, Tree};
use crate::maintenance::check::{CheckOptions, ReadData, check};
use crate::operation::observer::Unobserved;
use crate::repository::annotate;
use crate::testing::{Sample, forge, time, writer};

/// Copies everything, and returns the numbers of copied, present and forgotten snapshots.
fn copied(from: &Sample, to: &Sample, repeat: Repeat) -> (usize, u64, u64) {
    let options = CopyOptions { machine: None, repeat, run: Run::Real };
    let (from, to) = (&from.repository, &to.repository);
    let report = copy(from, to, &|_| true, options, &writer(), &Unobserved).expect("a copy");
    assert_eq!((report.failed.len(), report.problems.len(), report.behind.len()), (0, 0, 0));
    let everything = CheckOptions::reading(ReadData::All);
    let checked = check(to, &everything, &Unobserved).expect("a report");
    assert!(checked.is_sound(), "{:?}", checked.problems);
    (report.copied.len(), report.present, report.forgotten)
}

fn with_snapshots(times: &[i64]) -> Sample {
    let sample = Sample::new();
    let source = sample.folder.path().join("source");
    fs::create_dir_all(source.join("sub")).expect("a folder");
    for &now in times {
        fs::write(source.join("sub/file"), now.to_string().repeat(500)).expect("a file");
        sample.back_up(&source, now);
    }
    sample
}

/// Returns every node of the newest snapshot, without the ids of blobs.
fn nodes(sample: &Sample) -> Vec<Node> {
    let reader = sample.reader();
    let (mut found, mut left) = (Vec::new(), vec![sample.newest().snapshot.root]);
    while let Some(id) = left.pop() {
        let Tree::Nodes { nodes, invalid } = reader.tree(&id).expect("a tree") else {
            panic!("small directories have no leaves")
        };
        assert!(invalid.is_empty());
        left.extend(nodes.iter().filter_map(|node| node.subtree));
        found.extend(nodes.into_iter().map(|node| Node {
            content: crate::format::tree::Content::Empty,
            subtree: None,
            ..node
        }));
    }
    found
}

#[test]
fn every_field_of_a_node_is_copied() {
    let (from, to) = (with_snapshots(&[1_000]), Sample::new());
    assert_eq!(copied(&from, &to, Repeat::Never), (1, 0, 0));
    let (source, copy) = (nodes(&from), nodes(&to));
    assert!(source.iter().any(|node| node.born.is_some()) && source.len() > 2);
    assert_eq!(copy, source);
}

#[test]
fn a_snapshot_that_went_around_is_recognised() {
    let (one, two, three) = (with_snapshots(&[1_000, 2_000]), Sample::new(), Sample::new());
    assert_eq!(copied(&one, &two, Repeat::Never), (2, 0, 0));
    // Back to where it came from, and on to a third by both ways.
    assert_eq!(copied(&two, &one, Repeat::Never), (0, 2, 0));
    assert_eq!(copied(&two, &three, Repeat::Never), (2, 0, 0));
    assert_eq!(copied(&one, &three, Repeat::Never), (0, 2, 0));
}

#[test]
fn a_forgotten_copy_is_made_again_only_if_it_is_wanted() {
    let (from, to) = (with_snapshots(&[1_000, 2_000]), Sample::new());
    assert_eq!(copied(&from, &to, Repeat::Never), (2, 0, 0));
    to.forget(to.newest().id);
    assert_eq!(copied(&from, &to, Repeat::Never), (0, 1, 1));
    assert_eq!(copied(&from, &to, Repeat::Forgotten), (1, 1, 0));
    assert_eq!(copied(&from, &to, Repeat::Never), (0, 2, 0));
}

#[test]
fn pins_tags_and_labels_travel_with_a_snapshot() {
    let (from, to) = (with_snapshots(&[1_000]), Sample::new());
    let change = |annotation: &mut Annotation| {
        annotation.pinned = true;
        annotation.tags = vec!["release".into()];
        annotation.labels.insert("suspicious".into(), "90 % changed".into());
    };
    annotate(&from.repository, from.newest().id, &writer(), time(5), change).expect("annotated");
    assert_eq!(copied(&from, &to, Repeat::Never), (1, 0, 0));
    let (old, new) = (from.newest(), to.newest());
    assert!(new.pinned);
    assert_eq!((new.labels, new.snapshot.tags), (old.labels, old.snapshot.tags));
}

#[test]
fn a_repository_is_not_copied_into_itself() {
    let sample = with_snapshots(&[1_000]);
    let options = CopyOptions { machine: None, repeat: Repeat::Never, run: Run::Real };
    let repository = &sample.repository;
    let refused = copy(repository, repository, &|_| true, options, &writer(), &Unobserved);
    assert!(matches!(refused, Err(Error::Refused(Refusal::SameRepository { .. }))));
}

#[test]
fn keys_of_a_newer_program_travel_and_one_that_binds_a_snapshot_is_an_error() {
    let (from, to) = (with_snapshots(&[1_000]), Sample::new());
    let known = from.newest().snapshot;
    let kept = forge::commit_with(&from.repository, known.clone(), &[(99, 5)]);
    assert_eq!(copied(&from, &to, Repeat::Never), (2, 0, 0));
    let list = |sample: &Sample| sample.repository.snapshots().expect("snapshots").list;
    let source = list(&from).into_iter().find(|entry| entry.id == kept).expect("it is there");
    let copies = list(&to).into_iter().map(|entry| entry.snapshot.unknown);
    assert!(copies.into_iter().any(|unknown| unknown == source.snapshot.unknown));
    assert_ne!(source.snapshot.unknown, known.unknown);
    let bound = forge::commit_with(&from.repository, known, &[(24, 5)]);
    for run in [Run::Dry, Run::Real] {
        let options = CopyOptions { machine: None, repeat: Repeat::Never, run };
        let (from, to) = (&from.repository, &to.repository);
        let report = copy(from, to, &|_| true, options, &writer(), &Unobserved).expect("a copy");
        assert_eq!((report.copied.len(), report.present), (0, 2));
        let [NotCopied { source, error, .. }] = &report.failed[..] else { panic!("{report:?}") };
        assert_eq!(source.id, bound);
        assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    }
}
