//! Names that come to mean another state while a host holds directories below them.

use std::cell::RefCell;
use std::fs;

use yore_engine::TreePath;
use yore_fs::{Changed, SnapshotVolume};
use yore_platform::{Ino, Volume, VolumeError};

use crate::harness::{HOUR, MORNING, Random, World, at, list_from, names, read_all, resolve};

/// Looks a path up as a kernel does, which holds all that it learns.
fn hold(volume: &SnapshotVolume, path: &[u8]) -> Ino {
    let mut ino = Ino::ROOT;
    for name in TreePath::new(path).components() {
        ino = volume.lookup(ino, name).expect("it is there").attr.ino;
        volume.hold(ino).expect("it is known");
    }
    ino
}

fn child(volume: &SnapshotVolume, directory: Ino, name: &str) -> String {
    let ino = volume.lookup(directory, name.as_bytes()).expect("it is there").attr.ino;
    String::from_utf8(read_all(volume, ino).expect("it reads")).expect("text")
}

#[test]
fn a_folder_keeps_its_number_when_its_name_means_another_state() {
    let world = World::new();
    let source = world.source("source");
    fs::create_dir_all(source.join("deep/er")).expect("folders");
    fs::create_dir(source.join("goes")).expect("a folder");
    fs::write(source.join("goes/file"), "gone").expect("a file");
    for (name, text) in [("file", "one"), ("deep/er/file", "one"), ("same", "same")] {
        fs::write(source.join(name), text).expect("a file");
    }
    world.back_up_as("host", &["tag"], &[&source], MORNING);
    let volume = world.volume();
    let tops = ["latest", "snapshots/2026-01-15", "hosts/host/latest", "tags/tag/latest", "at/now"];
    let below = |name: &str| tops.map(|top| hold(&volume, &at(top, &source.join(name))));
    let (top, deep, same, goes) = (below(""), below("deep/er"), below("same"), below("goes"));
    let tops_held = tops.map(|top| hold(&volume, top.as_bytes()));

    fs::remove_dir_all(source.join("goes")).expect("it goes");
    for (name, text) in [("file", "two"), ("deep/er/file", "two"), ("comes", "new")] {
        fs::write(source.join(name), text).expect("a file");
    }
    world.back_up_as("host", &["tag"], &[&source], MORNING + HOUR);
    let told = RefCell::new(Vec::new());
    let changed = volume.refresh_and_tell(&|changed: &Changed| {
        if !changed.names.is_empty() {
            assert_eq!(child(&volume, top[0], "file"), "one", "it is told before it is shown");
        }
        told.borrow_mut().extend(changed.names.clone());
    });
    assert!(changed.problems.is_empty());
    for n in 0..tops.len() {
        assert_eq!(hold(&volume, tops[n].as_bytes()), tops_held[n], "{}", tops[n]);
        assert_eq!(hold(&volume, &at(tops[n], &source.join("deep/er"))), deep[n], "{}", tops[n]);
        // A program inside sees the new state, without looking the name up.
        assert_eq!(child(&volume, deep[n], "file"), "two", "{}", tops[n]);
        assert_eq!(child(&volume, top[n], "comes"), "new", "{}", tops[n]);
        assert_eq!(hold(&volume, &at(tops[n], &source.join("same"))), same[n], "{}", tops[n]);
        assert_eq!(names(&volume, &at(tops[n], &source)), ["comes", "deep", "file", "same"]);
        // A directory that is not there any more stays what it was for a program in it.
        assert_eq!(child(&volume, goes[n], "file"), "gone", "{}", tops[n]);
        assert_eq!(volume.lookup(top[n], b"goes").map(|_| ()), Err(VolumeError::NotFound));
        assert_eq!(volume.parent(deep[n]), Ok(hold(&volume, &at(tops[n], &source.join("deep")))));
    }
    // Names that differ between the two states are told, and no others.
    let told = told.into_inner();
    for (n, top) in top.iter().enumerate().take(4) {
        let mut names: Vec<_> = told.iter().filter(|(dir, _)| dir == top).collect();
        names.sort();
        let names: Vec<&[u8]> = names.iter().map(|(_, name)| name.as_slice()).collect();
        assert_eq!(names, [&b"comes"[..], b"file", b"goes"], "{}", tops[n]);
    }
    assert!(told.iter().any(|(dir, name)| *dir == deep[0] && name == b"file"));
    assert!(!told.iter().any(|(_, name)| name == b"same" || name == b"deep" || name == b"latest"));
}

#[test]
fn a_name_below_at_shows_its_new_state_at_the_next_lookup() {
    let world = World::new();
    let source = world.source("source");
    for n in 0..3 {
        fs::write(source.join("file"), n.to_string()).expect("a file");
        world.back_up(&[&source], MORNING + n * HOUR);
    }
    let volume = world.volume();
    let inside = hold(&volume, &at("at/latest~1", &source));
    assert_eq!(child(&volume, inside, "file"), "1");
    fs::write(source.join("file"), "3").expect("a file");
    world.back_up(&[&source], MORNING + 3 * HOUR);
    assert!(volume.refresh().problems.is_empty());
    // The name was not looked up again.
    assert_eq!(child(&volume, inside, "file"), "1");
    assert_eq!(hold(&volume, &at("at/latest~1", &source)), inside);
    assert_eq!(child(&volume, inside, "file"), "2");
    // So do the differences between two times.
    let path = at("changes/latest~1..latest/modified", &source.join("file"));
    let file = resolve(&volume, &path).expect("there").attr.ino;
    assert_eq!(read_all(&volume, file), Ok(b"3".to_vec()));
    let above = hold(&volume, &at("changes/latest~1..latest/modified", &source));
    fs::write(source.join("file"), "4").expect("a file");
    world.back_up(&[&source], MORNING + 4 * HOUR);
    assert!(volume.refresh().problems.is_empty());
    assert_eq!(hold(&volume, &at("changes/latest~1..latest/modified", &source)), above);
    assert_eq!(child(&volume, above, "file"), "4");
    assert_eq!(read_all(&volume, file), Ok(b"3".to_vec()));
}

/// Walks everything below a directory and holds it.
fn walk(volume: &SnapshotVolume, top: Ino, held: &mut Vec<Ino>) {
    let (found, answer) = list_from(volume, top, 0);
    answer.expect("it lists");
    for (_, attr, _) in found {
        volume.hold(attr.ino).expect("it is known");
        held.push(attr.ino);
        if attr.kind == yore_platform::Kind::Directory {
            walk(volume, attr.ino, held);
        }
    }
}

#[test]
fn a_long_crawl_takes_no_more_memory_than_a_short_one() {
    let world = World::new();
    let source = world.source("source");
    let mut random = Random(5);
    for folder in 0..100 {
        fs::create_dir_all(source.join(format!("{folder}/below"))).expect("folders");
        fs::write(source.join(format!("{folder}/one")), folder.to_string()).expect("a file");
        fs::hard_link(
            source.join(format!("{folder}/one")),
            source.join(format!("{folder}/below/two")),
        )
        .expect("a link");
    }
    for hour in 0..40 {
        let changed = source.join(format!("{}/one", random.below(100)));
        fs::write(changed, format!("at {hour}")).expect("a file");
        world.back_up(&[&source], MORNING + hour * HOUR);
    }
    let volume = world.volume_with(|options| options.cache_size = 1 << 20);
    let snapshots = names(&volume, b"snapshots");
    let crawl = |some: &[String], times: usize| {
        for _ in 0..times {
            for name in some.iter().filter(|name| name.contains('T')) {
                let top = resolve(&volume, format!("snapshots/{name}").as_bytes()).expect("there");
                let mut held = Vec::new();
                walk(&volume, top.attr.ino, &mut held);
                held.iter().for_each(|ino| volume.forget(*ino, 1));
            }
        }
        volume.table_sizes()
    };
    let short = crawl(&snapshots[..6], 1);
    let long = crawl(&snapshots, 2);
    let all = |sizes: yore_fs::TableSizes| sizes.places + sizes.trees + sizes.links;
    assert_eq!((short.held, long.held), (0, 0));
    // Over ten times as much was walked: 17,000 folders.
    assert!(all(long) <= 2 * all(short) && all(long) < 6_000, "{short:?} {long:?}");
}

#[test]
fn held_inodes_survive_a_crawl_of_everything_else() {
    let world = World::new();
    let source = world.source("source");
    for folder in 0..60 {
        fs::create_dir_all(source.join(folder.to_string())).expect("folders");
        fs::write(source.join(format!("{folder}/file")), folder.to_string()).expect("a file");
        fs::write(source.join(format!("{folder}/same")), folder.to_string()).expect("a file");
    }
    fs::create_dir(source.join("alone")).expect("a folder");
    fs::write(source.join("alone/file"), "alone").expect("a file");
    world.back_up(&[&source], MORNING - HOUR);
    fs::remove_dir_all(source.join("alone")).expect("it goes");
    for hour in 0..40 {
        for folder in 0..60 {
            fs::write(source.join(format!("{folder}/file")), format!("{hour} {folder}"))
                .expect("a file");
        }
        world.back_up(&[&source], MORNING + hour * HOUR);
    }
    let volume = world.volume_with(|options| options.cache_size = 1 << 20);
    let first = at("snapshots/2026-01-15T103000", &source);
    let second = at("snapshots/2026-01-15T113000", &source);
    let join = |top: &[u8], name: &str| [top, b"/", name.as_bytes()].concat();
    let folder = hold(&volume, &join(&first, "7"));
    let file = hold(&volume, &join(&first, "8/file"));
    let shared = hold(&volume, &join(&second, "7/same"));
    assert_eq!(hold(&volume, &join(&first, "7/same")), shared);
    // These are looked at, and let go.
    let before = at("snapshots/2026-01-15T093000", &source);
    let idle = resolve(&volume, &join(&before, "alone/file")).expect("there").attr.ino;
    for name in names(&volume, b"snapshots").iter().skip(2) {
        let mut held = Vec::new();
        let top = resolve(&volume, format!("snapshots/{name}").as_bytes()).expect("there");
        walk(&volume, top.attr.ino, &mut held);
        held.iter().for_each(|ino| volume.forget(*ino, 1));
    }
    assert_eq!(child(&volume, folder, "file"), "0 7");
    assert_eq!(read_all(&volume, file), Ok(b"0 8".to_vec()));
    assert_eq!(read_all(&volume, shared), Ok(b"7".to_vec()));
    assert_eq!(resolve(&volume, &join(&first, "8/file")).expect("there").attr.ino, file);
    assert_eq!(resolve(&volume, &join(&first, "7/same")).expect("there").attr.ino, shared);
    // A number that was forgotten is never anything else.
    assert_eq!(read_all(&volume, idle), Err(VolumeError::Stale));
    assert_eq!(volume.hold(idle), Err(VolumeError::Stale));
    let again = resolve(&volume, &join(&before, "alone/file")).expect("there").attr.ino;
    assert_ne!(again, idle);
    assert_eq!(read_all(&volume, again), Ok(b"alone".to_vec()));
}
