//! A model of the whole tree: computed from remembered states with nothing of the drive's own code, and
//! compared with walks of a volume after random histories.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use yore_engine::format::SnapshotId;
use yore_platform::{Ino, Kind, Volume, snapshot_path};

use crate::harness::{
    HOUR, MORNING, README, README_TEXT, Random, World, join, list_from, read_all, resolve,
};

/// The paths of a tree, each with the bytes of a file or `None` for a directory.
pub(crate) type Tree = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// A snapshot as it is remembered.
#[derive(Clone)]
pub(crate) struct Snap {
    label: String,
    seconds: i64,
    host: &'static str,
    tag: &'static str,
    source: Vec<u8>,
    /// All paths from the top, those above the source too.
    tree: Tree,
}

fn label(seconds: i64) -> String {
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(1));
    let time = jiff::Timestamp::from_second(seconds).expect("a time").to_zoned_datetime(zone);
    time.strftime("%Y-%m-%dT%H%M%S").to_string()
}

/// The examples that `at` lists, each with the last second of its state.
fn examples() -> [(&'static str, i64); 4] {
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(1));
    let now = jiff::Timestamp::now().to_zoned_datetime(zone);
    let today = now.start_of_day().expect("a day").timestamp().as_second();
    let before = |span: jiff::Span| now.checked_sub(span).expect("a time").timestamp().as_second();
    [
        ("yesterday", today - 1),
        ("a week ago", before(jiff::Span::new().weeks(1))),
        ("a month ago", before(jiff::Span::new().months(1))),
        ("a year ago", before(jiff::Span::new().years(1))),
    ]
}

fn above(path: &[u8]) -> Vec<Vec<u8>> {
    let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    slashes.map(|(at, _)| path[..at].to_vec()).collect()
}

fn below<'p>(folder: &[u8], path: &'p [u8]) -> Option<&'p [u8]> {
    path.strip_prefix(folder)?.strip_prefix(b"/")
}

/// The newest of each source, together.
fn state(snaps: &[&Snap]) -> Tree {
    let mut sources = BTreeSet::new();
    let newest = snaps.iter().rev().filter(|snap| sources.insert(snap.source.clone()));
    newest.flat_map(|snap| snap.tree.clone()).collect()
}

fn covers(snap: &Snap, path: &[u8]) -> bool {
    let within = |outer: &[u8], inner: &[u8]| outer == inner || below(outer, inner).is_some();
    within(&snap.source, path) || within(path, &snap.source)
}

/// The runs of snapshots in which a path was the same: first, last, content.
fn versions(snaps: &[&Snap], path: &[u8]) -> Vec<(usize, usize, Tree)> {
    let content = |snap: &Snap| -> Option<Tree> {
        let own = snap.tree.get(path)?.clone();
        let mut tree = Tree::from([(Vec::new(), own)]);
        let inside =
            snap.tree.iter().filter_map(|(p, c)| Some((below(path, p)?.to_vec(), c.clone())));
        tree.extend(inside);
        Some(tree)
    };
    let mut open: BTreeMap<&str, (usize, Option<Tree>)> = BTreeMap::new();
    let mut runs: Vec<(usize, usize, Option<Tree>)> = Vec::new();
    for (n, snap) in snaps.iter().enumerate().filter(|(_, snap)| covers(snap, path)) {
        let now = content(snap);
        match open.get(snap.host) {
            Some((run, before)) if *before == now => runs[*run].1 = n,
            None if now.is_none() => {}
            _ => {
                open.insert(snap.host, (runs.len(), now.clone()));
                runs.push((n, n, now));
            }
        }
    }
    runs.into_iter().filter_map(|(first, last, what)| Some((first, last, what?))).collect()
}

/// The name of a version: that of the file, with a time before its extension.
fn version_name(path: &[u8], label: &str) -> String {
    let name = path.rsplit(|byte| *byte == b'/').next().expect("a name");
    let name = std::str::from_utf8(name).expect("UTF-8");
    let end = name.rfind('.').filter(|at| *at > 0).unwrap_or(name.len());
    let end = name[..end].strip_suffix(".tar").map_or(end, str::len);
    format!("{}.{label}{}", &name[..end], &name[end..])
}

fn all_paths(snaps: &[&Snap]) -> BTreeMap<Vec<u8>, bool> {
    let mut paths: BTreeMap<Vec<u8>, bool> = BTreeMap::new();
    for (path, content) in snaps.iter().flat_map(|snap| &snap.tree) {
        *paths.entry(path.clone()).or_default() |= content.is_none();
    }
    paths
}

fn expected_versions(snaps: &[&Snap]) -> Tree {
    let mut tree = Tree::new();
    for (path, ever_directory) in all_paths(snaps) {
        tree.insert(path.clone(), None);
        if !ever_directory {
            for (first, _, what) in versions(snaps, &path) {
                let name = version_name(&path, &snaps[first].label);
                tree.insert(join(&path, name.as_bytes()), what[&Vec::new()].clone());
            }
        }
    }
    tree
}

fn expected_deleted(snaps: &[&Snap]) -> Tree {
    let now = state(snaps);
    let mut tree = Tree::new();
    for (path, ever_directory) in all_paths(snaps) {
        let is_gone = match now.get(&path) {
            None => true,
            Some(Some(_)) => ever_directory,
            Some(None) => false,
        };
        let parent_is_there = above(&path).last().is_none_or(|p| now.get(p) == Some(&None));
        if !is_gone || !parent_is_there {
            continue;
        }
        let runs = versions(snaps, &path);
        let directories = runs.iter().filter(|(.., what)| what[&Vec::new()].is_none());
        let last = directories.max_by_key(|run| run.1).or(runs.iter().max_by_key(|run| run.1));
        for (inside, content) in &last.expect("it was there").2 {
            let inside = if inside.is_empty() { path.clone() } else { join(&path, inside) };
            tree.insert(inside, content.clone());
        }
        tree.extend(above(&path).into_iter().map(|path| (path, None)));
    }
    tree
}

/// Paths in one state and not in the other, or different in both, with the directories above.
fn expected_changes(from: &Tree, to: &Tree, which: &str) -> Tree {
    let (from, to) = if which == "removed" { (to, from) } else { (from, to) };
    let mut tree = Tree::new();
    for (path, content) in to {
        let is_it = match (which, from.get(path)) {
            ("modified", Some(Some(before))) => content.as_ref().is_some_and(|now| now != before),
            ("modified", _) => false,
            (_, None) => true,
            (_, Some(before)) => before.is_none() != content.is_none(),
        };
        if is_it {
            tree.insert(path.clone(), content.clone());
            tree.extend(above(path).into_iter().map(|path| (path, None)));
        }
    }
    tree
}

/// Everything below a directory of the drive.
fn walk(volume: &dyn Volume, top: &str) -> Tree {
    let mut tree = Tree::new();
    let ino = resolve(volume, top.as_bytes()).unwrap_or_else(|e| panic!("{top}: {e}")).attr.ino;
    let mut pending: Vec<(Vec<u8>, Ino)> = vec![(Vec::new(), ino)];
    while let Some((path, ino)) = pending.pop() {
        let (names, answer) = list_from(volume, ino, 0);
        answer.unwrap_or_else(|error| panic!("{top}/{}: {error}", String::from_utf8_lossy(&path)));
        for (name, attr, _) in names {
            let found = volume.lookup(ino, &name).expect("what is listed is found");
            assert_eq!(found.attr, attr, "lookups and listings agree");
            assert_eq!(volume.attr(attr.ino).expect("attributes").attr, attr);
            let path = if path.is_empty() { name } else { join(&path, &name) };
            if attr.kind == Kind::Directory {
                pending.push((path.clone(), attr.ino));
                tree.insert(path, None);
            } else {
                tree.insert(path, Some(read_all(volume, attr.ino).expect("it reads")));
            }
        }
    }
    tree
}

fn assert_same(what: &str, found: Tree, expected: Tree) {
    let show = |tree: &Tree| -> Vec<String> {
        let line = |(path, content): (&Vec<u8>, &Option<Vec<u8>>)| {
            let content = content.as_ref().map(|c| String::from_utf8_lossy(c).into_owned());
            format!("{} {content:?}", String::from_utf8_lossy(path))
        };
        tree.iter().map(line).collect()
    };
    let (found, expected) = (show(&found), show(&expected));
    let more: Vec<_> = found.iter().filter(|line| !expected.contains(line)).collect();
    let less: Vec<_> = expected.iter().filter(|line| !found.contains(line)).collect();
    assert!(more.is_empty() && less.is_empty(), "{what}: too much {more:#?}, missing {less:#?}");
}

fn assert_scope(volume: &dyn Volume, top: &str, snaps: &[&Snap]) {
    assert_same(top, walk(volume, &format!("{top}latest")), state(snaps));
    assert_same(top, walk(volume, &format!("{top}versions")), expected_versions(snaps));
    assert_same(top, walk(volume, &format!("{top}deleted")), expected_deleted(snaps));
    for (n, pair) in snaps.windows(2).enumerate() {
        let name = format!("{top}changes/{}..{}", pair[0].label, pair[1].label);
        let (from, to) = (state(&snaps[..=n]), state(&snaps[..n + 2]));
        for which in ["added", "modified", "removed"] {
            let found = walk(volume, &format!("{name}/{which}"));
            assert_same(&format!("{name}/{which}"), found, expected_changes(&from, &to, which));
        }
        let at = format!("{top}at/{}", pair[0].label);
        assert_same(&at, walk(volume, &at), from);
    }
}

/// The snapshots of machine `one`, which the volume shows, or of the only other one.
fn of_wanted_machine<'s>(snaps: impl Iterator<Item = &'s Snap> + Clone) -> Vec<&'s Snap> {
    let one: Vec<_> = snaps.clone().filter(|snap| snap.host == "one").collect();
    if one.is_empty() { snaps.collect() } else { one }
}

fn assert_tree(volume: &dyn Volume, snaps: &[Snap]) {
    assert_scope(volume, "", &of_wanted_machine(snaps.iter()));
    for host in ["one", "two"] {
        let own: Vec<&Snap> = snaps.iter().filter(|snap| snap.host == host).collect();
        if !own.is_empty() {
            assert_scope(volume, &format!("hosts/{host}/"), &own);
        }
    }
    let tagged = of_wanted_machine(snaps.iter().filter(|snap| snap.tag == "red"));
    if !tagged.is_empty() {
        assert_scope(volume, "tags/red/", &tagged);
    }
}

/// Everything that a drive has, by its whole path.
pub(crate) struct Whole {
    /// Paths that listings have.
    pub(crate) listed: Tree,
    /// Paths that are only looked up.
    pub(crate) hidden: Tree,
}

/// Works out the whole tree.
pub(crate) fn whole(snaps: &[Snap]) -> Whole {
    let mut whole = Whole { listed: Tree::new(), hidden: Tree::new() };
    add_scope(&mut whole, "", &of_wanted_machine(snaps.iter()));
    let mut words: BTreeMap<String, Vec<&Snap>> = BTreeMap::new();
    for snap in snaps {
        words.entry(format!("hosts/{}", snap.host)).or_default().push(snap);
        if !snap.tag.is_empty() {
            words.entry(format!("tags/{}", snap.tag)).or_default().push(snap);
        }
    }
    whole.listed.extend(["hosts", "tags"].map(|name| (name.into(), None)));
    whole.listed.insert(README.into(), Some(README_TEXT.into()));
    for (name, own) in words {
        add_scope(&mut whole, &format!("{name}/"), &of_wanted_machine(own.into_iter()));
        whole.listed.insert(name.into(), None);
    }
    whole
}

fn add_scope(whole: &mut Whole, top: &str, snaps: &[&Snap]) {
    let add = |to: &mut Tree, name: &str, tree: Tree| {
        let name = format!("{top}{name}").into_bytes();
        to.extend(tree.into_iter().map(|(path, content)| (join(&name, &path), content)));
        to.insert(name, None);
    };
    for name in ["snapshots", "at", "changes", "search"] {
        add(&mut whole.listed, name, Tree::new());
    }
    add(&mut whole.listed, "latest", state(snaps));
    add(&mut whole.listed, "versions", expected_versions(snaps));
    add(&mut whole.listed, "deleted", expected_deleted(snaps));
    for (n, snap) in snaps.iter().enumerate() {
        let until = state(&snaps[..=n]);
        add(&mut whole.listed, &format!("snapshots/{}", snap.label), snap.tree.clone());
        // The last of a day stays.
        let day = format!("snapshots/{}", &snap.label[.."2026-01-15".len()]);
        whole.listed.retain(|path, _| below(format!("{top}{day}").as_bytes(), path).is_none());
        add(&mut whole.listed, &day, until.clone());
        add(&mut whole.hidden, &format!("at/{}", snap.label), until);
    }
    for (name, until) in examples() {
        let then: Vec<&Snap> = snaps.iter().filter(|snap| snap.seconds <= until).copied().collect();
        if !then.is_empty() {
            add(&mut whole.listed, &format!("at/{name}"), state(&then));
        }
    }
    for (n, pair) in snaps.windows(2).enumerate() {
        let name = format!("changes/{}..{}", pair[0].label, pair[1].label);
        let (from, to) = (state(&snaps[..=n]), state(&snaps[..n + 2]));
        add(&mut whole.listed, &name, Tree::new());
        for which in ["added", "modified", "removed"] {
            add(&mut whole.listed, &format!("{name}/{which}"), expected_changes(&from, &to, which));
        }
    }
}

/// Changes something below a folder: files of few names come, change, go, and become folders.
fn change(random: &mut Random, folder: &Path) {
    for _ in 0..=random.below(3) {
        let mut path = folder.to_path_buf();
        for _ in 0..random.below(3) {
            let next = path.join(["a", "b.d", "c"][random.below(3) as usize]);
            if next.is_file() {
                break;
            }
            path = next;
        }
        let file = path.join(["a", "f.txt", "g.tar.gz", ".h"][random.below(4) as usize]);
        match random.below(4) {
            0 if file.is_dir() => fs::remove_dir_all(file).expect("it goes"),
            0 => drop(fs::remove_file(file)),
            _ if file.is_dir() => {}
            _ => {
                fs::create_dir_all(&path).expect("a folder");
                fs::write(file, format!("{}", random.below(4)).repeat(10)).expect("a file");
            }
        }
    }
}

fn remember(folder: &Path, tree: &mut Tree) {
    tree.insert(snapshot_path(folder), None);
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            remember(&path, tree);
        } else {
            tree.insert(snapshot_path(&path), Some(fs::read(&path).expect("a file")));
        }
    }
}

fn snap(world: &World, n: i64, host: &'static str, tag: &'static str, source: &Path) -> Snap {
    let seconds = MORNING + n * HOUR;
    let tags: &[&str] = if tag.is_empty() { &[] } else { &[tag] };
    world.back_up_as(host, tags, &[source], seconds);
    let mut tree = Tree::new();
    remember(source, &mut tree);
    let path = snapshot_path(source);
    tree.extend(above(&path).into_iter().map(|path| (path, None)));
    Snap { label: label(seconds), seconds, host, tag, source: path, tree }
}

/// A random history of so many snapshots.
pub(crate) fn history(world: &World, random: &mut Random, steps: i64) -> Vec<Snap> {
    let sources = [world.source("x/first"), world.source("x/second")];
    let step = |n| {
        let source = &sources[random.below(2) as usize];
        let host = ["one", "two"][usize::from(random.below(4) == 0)];
        let tag = ["", "red"][random.below(2) as usize];
        change(random, source);
        snap(world, n, host, tag, source)
    };
    (0..steps).map(step).collect()
}

/// A history, compared at its end, and after some of it was forgotten.
fn assert_history(seed: u64, steps: i64) {
    let mut random = Random(seed);
    let world = World::new();
    let volume = world.volume();
    let mut snaps = history(&world, &mut random, steps);
    assert!(volume.refresh().problems.is_empty());
    assert_tree(&volume, &snaps);
    let ids: Vec<SnapshotId> = world
        .repository
        .snapshots()
        .expect("snapshots")
        .list
        .iter()
        .map(|entry| entry.id)
        .collect();
    let forgotten = random.below(steps as u64) as usize;
    world.forget(ids[forgotten]);
    snaps.remove(forgotten);
    assert!(volume.refresh().problems.is_empty());
    assert_tree(&volume, &snaps);
}

#[test]
fn the_whole_tree_equals_the_model() {
    for seed in 1..=6 {
        assert_history(seed, 9);
    }
}
