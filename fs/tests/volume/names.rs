//! Names under `snapshots`.

use std::fs;

use crate::harness::{HOUR, MORNING, World, at, names, read_all, resolve};

#[test]
fn snapshots_are_named_by_local_time_and_days_by_date() {
    let world = World::new();
    let source = world.source("source");
    for (n, seconds) in [MORNING, MORNING + 13 * HOUR, MORNING + 14 * HOUR].into_iter().enumerate()
    {
        fs::write(source.join("file"), n.to_string()).expect("a file");
        world.back_up(&[&source], seconds);
    }
    // The zone is an hour east: 22:30 UTC is 23:30, and 23:30 UTC is the next day.
    let wanted =
        ["2026-01-15", "2026-01-15T103000", "2026-01-15T233000", "2026-01-16", "2026-01-16T003000"];
    assert_eq!(names(&world.volume(), b"snapshots"), wanted);
}

#[test]
fn a_second_snapshot_in_a_second_has_its_id_appended() {
    let world = World::new();
    let source = world.source("source");
    for n in 0..3 {
        fs::write(source.join("file"), n.to_string()).expect("a file");
        world.back_up(&[&source], MORNING);
    }
    let mut ids: Vec<_> = world.repository.snapshots().expect("snapshots").list;
    ids.sort_by_key(|entry| entry.id);
    let plain = "2026-01-15T103000";
    let wanted = [
        "2026-01-15".to_owned(),
        plain.to_owned(),
        format!("{plain}-{:.8}", ids[1].id),
        format!("{plain}-{:.8}", ids[2].id),
    ];
    assert_eq!(names(&world.volume(), b"snapshots"), wanted);
}

#[test]
fn a_filter_hides_snapshots_and_renames_none() {
    let world = World::new();
    let source = world.source("source");
    for n in 0..2 {
        fs::write(source.join("file"), n.to_string()).expect("a file");
        world.back_up(&[&source], MORNING);
    }
    let mut ids: Vec<_> = world.repository.snapshots().expect("snapshots").list;
    ids.sort_by_key(|entry| entry.id);
    let second = ids[1].id;
    let volume = world.volume_with(|options| {
        options.filter = Some(std::sync::Arc::new(move |id, _| *id == second));
    });
    let wanted = ["2026-01-15".to_owned(), format!("2026-01-15T103000-{second:.8}")];
    assert_eq!(names(&volume, b"snapshots"), wanted);
}

#[test]
fn names_in_utc_end_in_z() {
    let world = World::new();
    let source = world.source("source");
    for (n, seconds) in [MORNING, MORNING + 14 * HOUR].into_iter().enumerate() {
        fs::write(source.join("file.txt"), n.to_string()).expect("a file");
        world.back_up(&[&source], seconds);
    }
    let volume = world.volume_with(|options| options.naming = yore_fs::Naming::Utc);
    let wanted = ["2026-01-15Z", "2026-01-15T093000Z", "2026-01-15T233000Z"];
    let mut wanted = wanted.map(str::to_owned);
    wanted.sort();
    assert_eq!(names(&volume, b"snapshots"), wanted);
    let versions = names(&volume, &at("versions", &source.join("file.txt")));
    let wanted = ["file.2026-01-15T093000Z.txt", "file.2026-01-15T233000Z.txt"];
    assert_eq!(versions, wanted);
    assert_eq!(names(&volume, b"changes"), ["2026-01-15T093000Z..2026-01-15T233000Z"]);
    // Words and times without a zone are those of the person; names of both kinds are understood.
    for (state, content) in [
        ("at/2026-01-15T10:30", "0"),
        ("at/2026-01-15T093000Z", "0"),
        ("at/2026-01-15", "0"),
        ("at/2026-01-15Z", "1"),
        ("snapshots/2026-01-15Z", "1"),
    ] {
        let file = resolve(&volume, &at(state, &source.join("file.txt"))).expect("there");
        let bytes = read_all(&volume, file.attr.ino).expect("it reads");
        assert_eq!(String::from_utf8(bytes).expect("text"), content, "{state}");
    }
    assert!(resolve(&volume, b"snapshots/2026-01-15").is_err());
}
