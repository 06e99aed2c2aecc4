//! Repositories of every released format are read for ever; those of the future are refused by name.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use yore_engine::Unobserved;
use yore_engine::backend::Folder;
use yore_engine::check::{CheckOptions, ReadData, check};
use yore_engine::format::{FORMAT_VERSION, Secret};
use yore_engine::read::DirRef;
use yore_engine::repository::open;
use yore_tests::{Yore, describe, reader, root};

/// What a golden repository's passphrase slot opens with.
const PASSPHRASE: &str = "correct horse battery staple";

fn folder(version: &str) -> PathBuf {
    root().join("tests/golden").join(version)
}

/// Readers must not write, and checkouts may be read-only; still they work on a copy.
fn copy_of(version: &str, yore: &Yore) -> PathBuf {
    let copy = yore.scratch.at(version);
    yore_tests::in_shell("cp -r \"$1\" \"$2\"", &[&folder(version), &copy]);
    copy
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn lines(path: &Path) -> Vec<Value> {
    text(path).lines().map(|line| serde_json::from_str(line).expect("an object")).collect()
}

/// The lists of snapshots, with the nodes of each, as they were written down when it was made.
fn expected(version: &str) -> BTreeMap<String, Vec<Value>> {
    let list = lines(&folder(version).join("list.json"));
    let ids = list.iter().map(|line| line["id"].as_str().expect("an id").to_owned());
    ids.map(|id| {
        let nodes = lines(&folder(version).join(format!("{id}.json")));
        (id, nodes)
    })
    .collect()
}

#[test]
fn every_released_format_has_a_golden_repository() {
    for version in 1..=FORMAT_VERSION {
        let folder = folder(&format!("v{version}"));
        for part in ["repository/yore.cbor", "key", "recovery", "list.json"] {
            assert!(folder.join(part).is_file(), "{} has no {part}", folder.display());
        }
    }
    assert!(folder("future/repository/yore.cbor").is_file());
}

#[test]
fn golden_repositories_hold_what_they_held_when_they_were_made() {
    for version in 1..=FORMAT_VERSION {
        let version = format!("v{version}");
        let at = folder(&version);
        let key = Secret::key_file("key", &text(&at.join("key"))).expect("a key file");
        let recovery = Secret::recovery(text(&at.join("recovery")).trim()).expect("a recovery key");
        for secret in [key, recovery, Secret::passphrase(PASSPHRASE)] {
            let backend = Arc::new(Folder::new(at.join("repository")));
            let repository = open(backend, &secret, None).expect("it opens");
            let all = CheckOptions::reading(ReadData::All);
            let report = check(&repository, &all, &Unobserved).expect("a report");
            assert!(report.is_sound(), "{version}: {report:#?}");
            let snapshots = repository.snapshots().expect("snapshots");
            assert!(snapshots.problems.is_empty(), "{:?}", snapshots.problems);
            let expected = expected(&version);
            let ids: Vec<String> =
                snapshots.list.iter().map(|entry| entry.id.to_string()).collect();
            assert_eq!(ids.len(), expected.len(), "{version}");
            let (reader, problems) = repository.reader(8 << 20).expect("a reader");
            assert!(problems.is_empty(), "{problems:?}");
            for yore_engine::snapshots::SnapshotEntry { id, snapshot, .. } in &snapshots.list {
                let nodes = describe(&reader, &DirRef::Tree(snapshot.root)).expect("it reads");
                assert_same_nodes(&nodes, &expected[&id.to_string()]);
            }
        }
    }
}

fn assert_same_nodes(found: &[Value], expected: &[Value]) {
    assert_eq!(found.len(), expected.len());
    assert!(expected.len() > 1);
    for (found, expected) in found.iter().zip(expected) {
        for (key, value) in found.as_object().expect("an object") {
            assert_eq!(value, &expected[key], "{key} of {}", expected["path"]);
        }
    }
}

#[test]
fn the_second_reader_reads_golden_repositories_too() {
    for version in 1..=FORMAT_VERSION {
        let version = format!("v{version}");
        let (repository, key) = (folder(&version).join("repository"), folder(&version).join("key"));
        let secret = [OsStr::new("--key-file"), key.as_os_str()];
        assert_eq!(
            reader(&repository, secret, &["list"]),
            lines(&folder(&version).join("list.json"))
        );
        for (id, nodes) in expected(&version) {
            assert_eq!(reader(&repository, secret, &["dump", &id]), nodes);
        }
        reader(&repository, secret, &["check"]);
    }
}

#[test]
fn the_program_goes_on_with_a_golden_repository() {
    for version in 1..=FORMAT_VERSION {
        let yore = Yore::new();
        let copy = copy_of(&format!("v{version}"), &yore);
        let source = yore.scratch.folder("source");
        std::fs::write(source.join("file"), "new in an old repository").expect("a file");
        let run = |words: &[&str]| {
            let mut command = yore.bare_command(words);
            command
                .env("YORE_REPO", copy.join("repository"))
                .env("YORE_KEY_FILE", copy.join("key"));
            Yore::finish(&mut command)
        };
        run(&["backup", source.to_str().expect("text")]).assert_code(0);
        let place = format!("latest:{}/file", source.display());
        assert_eq!(run(&["cat", &place]).assert_code(0).out, "new in an old repository");
        assert_eq!(
            run(&["cat", "2026-01-16T09:00:00Z:/dumps/stream.sql", "--host", "golden"])
                .assert_code(0)
                .out,
            "a stream"
        );
        run(&["check", "--read-data"]).assert_code(0);
    }
}

#[test]
fn a_repository_of_the_future_is_refused_by_the_name_of_what_it_needs() {
    let yore = Yore::new();
    let copy = copy_of("future", &yore);
    let target = yore.scratch.at("target");
    let mountpoint = yore.scratch.folder("drive");
    for words in [
        vec!["snapshots"],
        vec!["check"],
        vec!["backup", "/etc/hostname"],
        vec!["restore", "latest", "--target", target.to_str().expect("text")],
        vec!["mount", mountpoint.to_str().expect("text")],
    ] {
        let mut command = yore.bare_command(&words);
        command.env("YORE_REPO", copy.join("repository")).env("YORE_KEY_FILE", copy.join("key"));
        let ended = Yore::finish(&mut command).assert_code(1);
        assert!(ended.err.contains("time-crystals"), "{words:?}: {}", ended.err);
        assert!(ended.err.contains("newer"), "{words:?}: {}", ended.err);
    }
    assert!(!target.exists());
}
