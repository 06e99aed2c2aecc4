//! New and forgotten snapshots while the drive is mounted.

use std::fs;

use yore_platform::{Ino, Volume, VolumeError};

use crate::harness::{HOUR, MORNING, World, assert_shows, at, capture, names, resolve};

#[test]
fn a_new_snapshot_appears_and_latest_follows_it() {
    let world = World::new();
    let source = world.source("source");
    fs::write(source.join("file"), b"before").expect("a file");
    let before = capture(&source);
    world.back_up(&[&source], MORNING);
    let volume = world.volume();
    let quiet = volume.refresh();
    assert!(quiet.directories.is_empty() && quiet.names.is_empty() && quiet.problems.is_empty());
    let root = volume.attr(Ino::ROOT).expect("the root").attr.modified;
    let old = resolve(&volume, b"latest").expect("there").attr;
    let old_file = resolve(&volume, &at("latest", &source.join("file"))).expect("there").attr;

    fs::write(source.join("file"), b"afterwards").expect("a file");
    let after = capture(&source);
    world.back_up(&[&source], MORNING + HOUR);
    let changed = volume.refresh();
    let snapshots = resolve(&volume, b"snapshots").expect("there").attr.ino;
    assert_eq!(changed.directories, [Ino::ROOT, snapshots]);
    let name = |name: &str| (snapshots, name.as_bytes().to_vec());
    // The names that were there keep their numbers, so no host has to forget them.
    assert_eq!(changed.names, [name("2026-01-15T113000")]);
    assert!(changed.problems.is_empty());
    assert_ne!(volume.attr(Ino::ROOT).expect("the root").attr.modified, root);
    assert_eq!(resolve(&volume, b"latest").expect("there").attr.ino, old.ino);
    assert_shows(&volume, &at("latest", &source), &after);
    assert_shows(&volume, &at("snapshots/2026-01-15T103000", &source), &before);

    assert_ne!(volume.attr(old.ino).expect("still valid").attr.modified, old.modified);
    assert_eq!(volume.attr(old_file.ino).expect("still valid").attr, old_file);
    assert_eq!(crate::harness::read(&volume, old_file.ino, 0, 10), Ok(b"before".to_vec()));
    // The position of a name stays, so that a listing under way goes on.
    let wanted = ["2026-01-15", "2026-01-15T103000", "2026-01-15T113000"];
    assert_eq!(names(&volume, b"snapshots"), wanted);
}

#[test]
fn a_new_snapshot_appears_without_anybody_refreshing() {
    let world = World::new();
    let source = world.source("source");
    fs::write(source.join("file"), b"x").expect("a file");
    let volume = world.volume();
    assert!(names(&volume, b"snapshots").is_empty());
    world.back_up(&[&source], MORNING);
    let mut tries = 0..100;
    while names(&volume, b"snapshots").is_empty() {
        assert!(tries.next().is_some(), "it never appears");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    // A later call of refresh returns the change all the same.
    assert!(!volume.refresh().names.is_empty());
}

#[test]
fn a_snapshot_that_no_longer_counts_goes_and_its_files_stay_valid() {
    let world = World::new();
    let source = world.source("source");
    fs::write(source.join("file"), b"first").expect("a file");
    world.back_up(&[&source], MORNING);
    let verdict = world.objects("sessions").into_iter().find(|path| path.extension().is_some());
    fs::write(source.join("file"), b"second").expect("a file");
    world.back_up(&[&source], MORNING + HOUR);
    let volume = world.volume();
    let path = at("snapshots/2026-01-15T103000", &source.join("file"));
    let ino = resolve(&volume, &path).expect("there").attr.ino;
    fs::remove_file(verdict.expect("a verdict")).expect("removed");
    assert!(!volume.refresh().names.is_empty());
    assert_eq!(names(&volume, b"snapshots"), ["2026-01-15", "2026-01-15T113000"]);
    assert_eq!(resolve(&volume, &path).expect_err("gone"), VolumeError::NotFound);
    assert_eq!(crate::harness::read(&volume, ino, 0, 10), Ok(b"first".to_vec()));
}

#[test]
fn a_destination_that_is_away_leaves_the_old_lists() {
    let world = World::new();
    let source = world.source("source");
    fs::write(source.join("file"), b"x").expect("a file");
    world.back_up(&[&source], MORNING);
    let volume = world.volume();
    let sessions = world.dir.path().join("repository/sessions");
    let away = world.dir.path().join("away");
    fs::rename(&sessions, &away).expect("moved");
    fs::write(&sessions, b"not a folder").expect("a file");
    let changed = volume.refresh();
    assert!(changed.names.is_empty());
    assert_eq!(changed.problems.len(), 1);
    assert_eq!(names(&volume, b"snapshots"), ["2026-01-15", "2026-01-15T103000"]);
    fs::remove_file(&sessions).expect("removed");
    fs::rename(&away, &sessions).expect("moved");
    assert!(volume.refresh().problems.is_empty());
}
