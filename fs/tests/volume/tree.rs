//! The tree: what is under `latest` and under each name of `snapshots`.

use std::fs;
use std::path::Path;

use yore_platform::{
    FOREVER, Ino, Kind, Owner, TargetDir, Timestamp, Volume, VolumeError, WantedMetadata,
    snapshot_path,
};

use crate::harness::{
    HOUR, MORNING, Model, README, README_TEXT, Random, World, assert_is, assert_shows, at, capture,
    names, noise, read, read_all, resolve,
};

/// A folder with something of every kind that needs no privileges.
fn furnish(source: &Path) {
    let dir = TargetDir::create(source).expect("a folder");
    fs::write(source.join("small"), b"small").expect("a file");
    fs::write(source.join("empty"), b"").expect("a file");
    fs::write(source.join("large"), noise(5_000_000, 1)).expect("a file");
    fs::create_dir_all(source.join("a/b/c")).expect("a folder");
    fs::write(source.join("a/b/c/deep"), noise(70_000, 2)).expect("a file");
    dir.symlink(b"link", b"../nowhere \xff").expect("a link");
    dir.make_fifo(b"fifo").expect("a pipe");
    drop(dir.create_file(b"not \xff utf-8", 0).expect("a file"));
    let xattrs = vec![(b"user.colour".to_vec(), b"blue".to_vec())];
    fs::write(source.join("attributed"), b"x").expect("a file");
    let restore = WantedMetadata {
        kind: Kind::File,
        mode: Some(0o640),
        owner: None,
        modified: Timestamp { seconds: -5, nanos: 123_456_789 },
        xattrs: &xattrs,
        others: yore_platform::OtherXattrs::Removed,
    };
    // A file system without attributes refuses them; then the model has none either.
    drop(dir.set_child_metadata(b"attributed", &restore));
}

#[test]
fn a_snapshot_shows_what_was_backed_up() {
    let world = World::new();
    let source = world.source("source");
    furnish(&source);
    let model = capture(&source);
    world.back_up(&[&source], MORNING);
    let volume = world.volume();
    for state in ["latest", "snapshots/2026-01-15", "snapshots/2026-01-15T103000"] {
        assert_shows(&volume, &at(state, &source), &model);
    }
}

#[test]
fn a_random_history_is_shown_as_it_was() {
    let world = World::new();
    let source = world.source("source");
    furnish(&source);
    let mut random = Random(7);
    let mut history: Vec<(String, Model)> = Vec::new();
    for hour in 0..6 {
        for _ in 0..5 {
            change(&source, &mut random);
        }
        history.push((format!("snapshots/2026-01-15T1{hour}3000"), capture(&source)));
        world.back_up(&[&source], MORNING + hour * HOUR);
    }
    let volume = world.volume();
    for (state, model) in &history {
        assert_shows(&volume, &at(state, &source), model);
    }
    assert_shows(&volume, &at("latest", &source), &history[5].1);
    // The same in any order, with reads from anywhere.
    for _ in 0..20_000 {
        let (state, model) = &history[random.below(6) as usize];
        let (path, expected) =
            model.iter().nth(random.below(model.len() as u64) as usize).expect("a path");
        let full = [&at(state, &source)[..], b"/", path].concat();
        let attr = resolve(&volume, &full).expect("it is there").attr;
        let name = String::from_utf8_lossy(path);
        if attr.kind == Kind::File {
            let offset = random.below(attr.size + 10);
            let size = random.below(200_000) as u32;
            let start = expected.bytes.len().min(offset as usize);
            let end = expected.bytes.len().min((offset + u64::from(size)) as usize);
            let bytes = read(&volume, attr.ino, offset, size).expect("it reads");
            assert!(bytes == expected.bytes[start..end.max(start)], "{name} at {offset}");
        } else {
            assert_is(&volume, &name, &attr, expected);
        }
    }
}

fn change(source: &Path, random: &mut Random) {
    let dir = source.join(["", "a", "a/b", "new"][random.below(4) as usize]);
    fs::create_dir_all(&dir).expect("a folder");
    let path = dir.join(format!("file {}", random.below(6)));
    match random.below(5) {
        0 => drop(fs::remove_file(path)),
        size => {
            let size = [10, 600, 40_000, 1_500_000][size as usize - 1];
            fs::write(path, noise(size, random.below(1 << 30))).expect("a file");
        }
    }
}

#[test]
fn a_state_takes_each_source_from_its_newest_snapshot() {
    let world = World::new();
    let (one, two) = (world.source("one"), world.source("two"));
    fs::write(one.join("file"), b"one").expect("a file");
    fs::write(two.join("file"), b"two").expect("a file");
    let (model_one, model_two) = (capture(&one), capture(&two));
    world.back_up(&[&one], MORNING);
    world.back_up(&[&two], MORNING + HOUR);
    let volume = world.volume();
    for state in ["latest", "snapshots/2026-01-15"] {
        assert_shows(&volume, &at(state, &one), &model_one);
        assert_shows(&volume, &at(state, &two), &model_two);
    }
    let alone = at("snapshots/2026-01-15T103000", &two);
    assert_eq!(resolve(&volume, &alone).expect_err("not there"), VolumeError::NotFound);
    let time = |path: &[u8]| {
        let ino = resolve(&volume, path).expect("it is there").attr.ino;
        String::from_utf8(volume.xattr(ino, b"user.yore.time").expect("a time")).expect("text")
    };
    assert_eq!(time(&at("latest", &one)), "2026-01-15T10:30:00+01:00");
    assert_eq!(time(&[&at("latest", &two)[..], b"/file"].concat()), "2026-01-15T11:30:00+01:00");
    assert_eq!(time(b"latest"), "2026-01-15T11:30:00+01:00");
}

const FOLDERS: [&str; 9] =
    ["latest", "snapshots", "at", "versions", "deleted", "changes", "search", "hosts", "tags"];

#[test]
fn an_empty_repository_has_an_empty_latest() {
    let volume = World::new().volume();
    assert_eq!(names(&volume, b""), FOLDERS.into_iter().chain([README]).collect::<Vec<_>>());
    for name in FOLDERS {
        assert!(names(&volume, name.as_bytes()).is_empty(), "{name}");
    }
    assert_eq!(volume.lookup(Ino::ROOT, b"x").expect_err("no name"), VolumeError::NotFound);
    assert_eq!(volume.attr(Ino(99)).expect_err("never given"), VolumeError::Stale);
    assert_eq!(volume.attr(Ino(99 << 32 | 1)).expect_err("never given"), VolumeError::Stale);
}

#[test]
fn only_lists_of_snapshots_expire() {
    let world = World::new();
    let source = world.source("source");
    fs::write(source.join("file"), b"x").expect("a file");
    world.back_up(&[&source], MORNING);
    let volume = world.volume();
    for path in ["", "latest", "snapshots", "snapshots/2026-01-15T103000"] {
        assert!(resolve(&volume, path.as_bytes()).expect("there").ttl.as_secs() <= 1, "{path}");
    }
    let ttl = |state: &str| {
        let top = at(state, &source);
        let ttl = resolve(&volume, &top).expect("there").ttl;
        assert_eq!(resolve(&volume, &[&top[..], b"/file"].concat()).expect("there").ttl, ttl);
        ttl
    };
    assert_eq!(ttl("snapshots/2026-01-15T103000"), FOREVER);
    // Hosts are told when what follows the list of snapshots changes, and ask again after a minute.
    assert_eq!((ttl("latest").as_secs(), ttl("snapshots/2026-01-15").as_secs()), (60, 60));
    // Words may mean another time at the next look-up.
    assert!(ttl("at/yesterday").as_secs() <= 1);
}

#[test]
fn owner_and_umask_are_mapped() {
    let world = World::new();
    let source = world.source("source");
    fs::write(source.join("file"), b"x").expect("a file");
    world.back_up(&[&source], MORNING);
    let owner = Owner { uid: 4242, gid: 4343 };
    let volume = world.volume_with(|options| {
        options.owner = Some(owner);
        options.umask = 0o077;
    });
    for path in [b"".to_vec(), b"latest".to_vec(), at("latest", &source.join("file"))] {
        let attr = resolve(&volume, &path).expect("there").attr;
        assert_eq!((attr.owner, attr.mode & 0o077), (owner, 0));
    }
}

#[test]
fn attributes_of_the_drive_are_readable_and_not_listed() {
    let world = World::new();
    let source = world.source("source");
    fs::write(source.join("file"), noise(1000, 3)).expect("a file");
    fs::write(source.join("same"), noise(1000, 3)).expect("a file");
    fs::write(source.join("other"), noise(1000, 4)).expect("a file");
    world.back_up(&[&source], MORNING);
    let volume = world.volume();
    let ask = |name: &str, what: &[u8]| {
        let ino = resolve(&volume, &at("latest", &source.join(name))).expect("there").attr.ino;
        assert!(
            volume.xattr_names(ino).expect("names").iter().all(|n| !n.starts_with(b"user.yore"))
        );
        volume.xattr(ino, what)
    };
    let id = world.repository.snapshots().expect("snapshots").list[0].id.to_string();
    assert_eq!(ask("file", b"user.yore.snapshot"), Ok(id.clone().into_bytes()));
    assert_eq!(ask("", b"user.yore.snapshot"), Ok(id.into_bytes()));
    assert_eq!(ask("file", b"user.yore.id"), ask("same", b"user.yore.id"));
    assert_ne!(ask("file", b"user.yore.id"), ask("other", b"user.yore.id"));
    assert_eq!(ask("", b"user.yore.id"), Err(VolumeError::NoAttribute));
    assert_eq!(ask("file", b"user.nothing"), Err(VolumeError::NoAttribute));
    assert_eq!(volume.xattr(Ino::ROOT, b"user.yore.time"), Err(VolumeError::NoAttribute));
    assert!(!snapshot_path(&source).is_empty());
}

#[test]
fn a_shared_file_names_the_snapshot_in_which_its_directory_was_first_seen() {
    let world = World::new();
    let source = world.same_beside_changing();
    let ids: Vec<Vec<u8>> = world
        .repository
        .snapshots()
        .expect("snapshots")
        .list
        .iter()
        .map(|entry| entry.id.to_string().into_bytes())
        .collect();
    let states = ["snapshots/2026-01-15T103000", "snapshots/2026-01-15T113000"];
    for seen_first in [0, 1] {
        let volume = world.volume();
        for state in [states[seen_first], states[1 - seen_first]] {
            let path = at(state, &source.join("same/file"));
            let ino = resolve(&volume, &path).expect("there").attr.ino;
            let told = volume.xattr(ino, b"user.yore.snapshot");
            assert_eq!(told.as_ref(), Ok(&ids[seen_first]), "{state}");
        }
    }
}

#[test]
fn space_is_what_the_repository_takes() {
    let world = World::new();
    let source = world.source("source");
    fs::write(source.join("file"), noise(3_000_000, 3)).expect("a file");
    world.back_up(&[&source], MORNING);
    let space = world.volume().space().expect("sizes");
    assert!((3_000_000..4_500_000).contains(&space.total), "{space:?}");
    assert_eq!(space.free, 0);
    assert!(space.files >= 2, "{space:?}");
}

#[test]
fn file_managers_find_a_name_and_an_icon() {
    let world = World::new();
    let volume = world.volume_with(|options| options.label = Some("Yore: backup".into()));
    for (name, group) in [(".xdg-volume-info", "[Volume Info]"), (".directory", "[Desktop Entry]")]
    {
        let entry = resolve(&volume, name.as_bytes()).expect("looked up");
        let text = read_all(&volume, entry.attr.ino).expect("read");
        let expected = format!("{group}\nName=Yore: backup\nIcon=document-open-recent\n");
        assert_eq!(String::from_utf8(text).expect("text"), expected);
        assert_eq!(entry.attr.size, expected.len() as u64);
        assert!(!names(&volume, b"").contains(&name.to_owned()));
        assert!(resolve(&volume, format!("latest/{name}").as_bytes()).is_err());
        assert!(resolve(&world.volume(), name.as_bytes()).is_err());
    }
}

#[test]
fn a_file_at_the_top_explains_the_folders() {
    let world = World::new();
    let source = world.source("source");
    fs::write(source.join("file"), "one").expect("a file");
    world.back_up_as("one", &["tag"], &[&source], MORNING);
    let volume = world.volume_with(|options| options.label = Some("Yore: backup".into()));
    let before = resolve(&volume, README.as_bytes()).expect("there").attr;
    let text = String::from_utf8(read_all(&volume, before.ino).expect("it reads")).expect("text");
    assert_eq!((text.as_str(), before.size), (README_TEXT, README_TEXT.len() as u64));
    for folder in FOLDERS {
        assert!(text.contains(&format!("\n  {folder} ")), "{folder} is not explained");
    }
    assert!(text.lines().all(|line| line.len() < 80) && text.is_ascii());
    assert!(names(&volume, b"").contains(&README.to_owned()));
    assert_eq!((before.kind, before.mode & 0o222), (Kind::File, 0));
    assert_eq!(volume.lookup(before.ino, b"x").map(|_| ()), Err(VolumeError::NotDirectory));
    assert_eq!(volume.parent(before.ino), Ok(Ino::ROOT));
    for folder in ["latest", "snapshots", "versions", "deleted", "hosts", "tags"]
        .into_iter()
        .chain(["hosts/one", "tags/tag", "snapshots/2026-01-15T103000"])
    {
        let path = format!("{folder}/{README}");
        assert_eq!(resolve(&volume, path.as_bytes()).err(), Some(VolumeError::NotFound), "{path}");
        assert!(!names(&volume, folder.as_bytes()).contains(&README.to_owned()), "{folder}");
    }

    // It is the same file after a refresh, and in another mount.
    world.back_up_as("one", &[], &[&source], MORNING + HOUR);
    assert!(volume.refresh().problems.is_empty());
    assert_eq!(resolve(&volume, README.as_bytes()).expect("there").attr, before);
    assert_eq!(resolve(&world.volume(), README.as_bytes()).expect("there").attr.ino, before.ino);

    let volume = world.volume_with(|options| options.no_readme = true);
    assert_eq!(names(&volume, b""), FOLDERS);
    assert_eq!(resolve(&volume, README.as_bytes()).err(), Some(VolumeError::NotFound));
}
