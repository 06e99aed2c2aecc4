//! Random walks through the whole tree, compared with the model: a million calls of the volume, and a
//! hundred thousand through the kernel.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use yore_engine::TreePath;
use yore_platform::{Attr, Ino, Kind, MountOptions, Volume, VolumeError, mount};

use crate::harness::{Random, World, join, list_from, read};
use crate::model::{Whole, history, whole};

/// More than a day of them: one each hour.
const SNAPSHOTS: i64 = 30;
const CALLS: u64 = 1_000_000;
const CALLS_OF_THE_KERNEL: u64 = 100_000;

/// The model, as a walk asks for it.
struct Map {
    /// Every path and its content; `None` for directories.
    paths: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// The names that each directory lists.
    names: BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>>,
}

impl Map {
    fn new(whole: Whole) -> Map {
        let mut names: BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>> = BTreeMap::new();
        names.entry(Vec::new()).or_default();
        // What is only looked up is not listed, and what is in it is.
        let listed = whole.listed.iter().map(|entry| (entry, true));
        let hidden = whole.hidden.iter().map(|entry| (entry, false));
        let mut paths = vec![(Vec::new(), None)];
        for ((path, content), is_listed) in listed.chain(hidden) {
            let cut = path.iter().rposition(|byte| *byte == b'/');
            let (above, name) =
                cut.map_or((&[][..], &path[..]), |at| (&path[..at], &path[at + 1..]));
            if is_listed || !above.ends_with(b"/at") && above != b"at" {
                names.entry(above.to_vec()).or_default().insert(name.to_vec());
            }
            if content.is_none() {
                names.entry(path.clone()).or_default();
            }
            paths.push((path.clone(), content.clone()));
        }
        Map { paths, names }
    }

    fn any(&self, random: &mut Random) -> &(Vec<u8>, Option<Vec<u8>>) {
        &self.paths[random.below(self.paths.len() as u64) as usize]
    }
}

/// A name that is nowhere in the model, and no pattern or time.
const ABSENT: &[u8] = b"[never";

/// The volume, and how often it was asked.
struct Asked<'v> {
    volume: &'v dyn Volume,
    calls: Cell<u64>,
}

impl Asked<'_> {
    fn count(&self) -> &dyn Volume {
        self.calls.set(self.calls.get() + 1);
        self.volume
    }

    fn resolve(&self, path: &[u8]) -> Attr {
        let mut attr = self.count().attr(Ino::ROOT).expect("the root").attr;
        for name in TreePath::new(path).components() {
            attr = self
                .count()
                .lookup(attr.ino, name)
                .unwrap_or_else(|e| panic!("{}: {e}", shown(path)))
                .attr;
        }
        attr
    }

    /// One step: something there is looked at in one of several ways.
    fn step(&self, map: &Map, random: &mut Random) {
        let (path, content) = map.any(random);
        let attr = self.resolve(path);
        assert_eq!(self.count().attr(attr.ino).expect("attributes").attr, attr, "{}", shown(path));
        let Some(content) = content else {
            assert_eq!(attr.kind, Kind::Directory, "{}", shown(path));
            let absent = self.count().lookup(attr.ino, ABSENT).expect_err("not there");
            assert_eq!(absent, VolumeError::NotFound, "{}", shown(path));
            return self.list(attr.ino, path, &map.names[path], random);
        };
        assert_eq!((attr.kind, attr.size), (Kind::File, content.len() as u64), "{}", shown(path));
        let inside = self.count().lookup(attr.ino, ABSENT).expect_err("a file holds nothing");
        assert_eq!(inside, VolumeError::NotDirectory);
        let (from, length) = (random.below(content.len() as u64 + 5), random.below(60));
        let found = read(self.count(), attr.ino, from, length as u32).expect("it reads");
        assert_eq!(found, part(content, from, length), "{}", shown(path));
    }

    /// Lists from the beginning, and from somewhere in the middle.
    fn list(&self, ino: Ino, path: &[u8], names: &BTreeSet<Vec<u8>>, random: &mut Random) {
        let (all, answer) = list_from(self.count(), ino, 0);
        answer.expect("it lists");
        let found: BTreeSet<Vec<u8>> = all.iter().map(|(name, ..)| name.clone()).collect();
        assert_eq!(found.len(), all.len(), "{} lists a name twice", shown(path));
        assert_eq!(found, *names, "{}", shown(path));
        if !all.is_empty() {
            let at = random.below(all.len() as u64) as usize;
            let (rest, answer) = list_from(self.count(), ino, all[at].2);
            answer.expect("it lists");
            assert_eq!(rest, all[at + 1..], "{}", shown(path));
        }
    }
}

fn part(content: &[u8], from: u64, length: u64) -> &[u8] {
    let from = content.len().min(from as usize);
    &content[from..content.len().min(from + length as usize)]
}

fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

#[test]
fn a_million_random_calls_agree_with_the_model() {
    let (world, mut random) = (World::new(), Random(2026));
    let map = Map::new(whole(&history(&world, &mut random, SNAPSHOTS)));
    let volume = world.volume();
    let asked = Asked { volume: &volume, calls: Cell::new(0) };
    while asked.calls.get() < CALLS {
        asked.step(&map, &mut random);
    }
}

/// One step through the kernel; returns how many calls it took.
fn kernel_step(top: &Path, map: &Map, random: &mut Random) -> io::Result<u64> {
    let (path, content) = map.any(random);
    let place: PathBuf = path.split(|byte| *byte == b'/').fold(top.to_owned(), |at, name| {
        at.join(OsStr::new(std::str::from_utf8(name).expect("text")))
    });
    let found = fs::symlink_metadata(&place)?;
    let Some(content) = content else {
        assert!(found.is_dir(), "{}", shown(path));
        let absent = place.join(std::str::from_utf8(ABSENT).expect("text"));
        let error = fs::symlink_metadata(absent).expect_err("not there");
        assert_eq!(error.kind(), io::ErrorKind::NotFound, "{}", shown(path));
        let mut names = BTreeSet::new();
        for entry in fs::read_dir(&place)? {
            let name = entry?.file_name().into_encoded_bytes();
            assert!(names.insert(name), "{} lists a name twice", shown(path));
        }
        assert_eq!(names, map.names[path], "{}", shown(path));
        return Ok(3);
    };
    assert!(found.is_file() && found.len() == content.len() as u64, "{}", shown(path));
    let (from, length) = (random.below(content.len() as u64 + 5), random.below(60));
    let mut file = File::open(&place)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    assert_eq!(bytes, part(content, from, length), "{}", shown(path));
    Ok(3)
}

#[test]
fn a_hundred_thousand_random_kernel_calls_agree_with_the_model() {
    let (world, mut random) = (World::new(), Random(1970));
    let map = Map::new(whole(&history(&world, &mut random, SNAPSHOTS)));
    let mountpoint = world.source("drive");
    let volume = Arc::new(world.volume());
    let mounted = mount(volume, &mountpoint, &MountOptions::default()).expect("a drive");
    let mut calls = 0;
    while calls < CALLS_OF_THE_KERNEL {
        calls += kernel_step(&mountpoint, &map, &mut random).expect("an answer");
    }
    mounted.handle().unmount(Duration::ZERO).expect("it goes");
    mounted.wait().expect("an end");
}

#[test]
fn the_model_knows_every_part_of_the_tree() {
    let (world, mut random) = (World::new(), Random(2026));
    let map = Map::new(whole(&history(&world, &mut random, SNAPSHOTS)));
    for part in [
        "latest",
        "snapshots",
        "at",
        "versions",
        "deleted",
        "changes",
        "hosts/one/latest",
        "tags/red/deleted",
    ] {
        let below = join(part.as_bytes(), b"");
        let inside = map.paths.iter().filter(|(path, _)| path.starts_with(&below)).count();
        assert!(inside > 5, "only {inside} below {part}");
    }
}
