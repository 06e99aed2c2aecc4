//! Restores in place over random trees: nothing outside the sources changes, no file without a backup is
//! removed, and the plan is executed as it was made.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use yore_engine::backup::{BackupOptions, Excludes, backup};
use yore_engine::globs::Rule;
use yore_engine::read::{DirRef, Reader, merge};
use yore_engine::restore::{
    Extra, Overwrite, RestoreOptions, RestorePlan, RestoreReport, SourcePart, restore_in_place,
};
use yore_engine::snapshots::{Moment, state};
use yore_platform::{Kind, snapshot_path};
use yore_tests::{
    FileFingerprint, Fingerprint, Memory, Random, Recorder, Scratch, TestRepository,
    fingerprint_folder, in_shell, options,
};

/// Few names, so that entries of different kinds collide.
const NAMES: [&str; 7] = ["a", "b", "c", "x.o", "keep.o", "t.tmp", "sub"];

struct Scene {
    random: Random,
    scratch: Scratch,
    top: PathBuf,
    repo: TestRepository,
    /// The time of the next backup.
    now: i64,
}

impl Scene {
    fn new(seed: u64) -> Self {
        let scratch = Scratch::new();
        let top = scratch.folder("top");
        let repo = TestRepository::new(Arc::new(Memory::default()));
        Self { random: Random(seed * 7919 + 1), scratch, top, repo, now: 1_700_000_000 }
    }

    fn one_in(&mut self, of: u64) -> bool {
        self.random.below(of) == 0
    }

    /// Draws a path below the top, which may exist.
    fn path(&mut self, depth: u64) -> PathBuf {
        let levels = 1 + self.random.below(depth);
        (0..levels).fold(self.top.clone(), |path, _| {
            path.join(NAMES[self.random.below(NAMES.len() as u64) as usize])
        })
    }

    /// Makes an entry at a random path, in place of the one that is there.
    fn make(&mut self) {
        let path = self.path(4);
        let parent = path.parent().expect("a parent").to_owned();
        if fs::create_dir_all(&parent).is_err() {
            return;
        }
        if self.one_in(3) {
            remove(&path);
        }
        // An entry that can't replace the existing one is not made.
        match self.random.below(6) {
            0 => drop(fs::create_dir_all(&path)),
            1 => link(["a", "../b", "c/sub", "nowhere"][self.random.below(4) as usize], &path),
            2 => {
                let other = self.path(3);
                if other.symlink_metadata().is_ok_and(|found| found.is_file()) {
                    drop(fs::hard_link(&other, &path));
                }
            }
            _ => {
                let length = 1 + self.random.below(200) as usize;
                drop(fs::write(&path, "text".repeat(length)));
            }
        }
    }

    /// Changes an entry, if there is one.
    fn change(&mut self) {
        let path = self.path(4);
        match self.random.below(5) {
            0 => remove(&path),
            1 => drop(fs::rename(&path, self.path(3))),
            // A folder moves, and a link takes its place.
            2 if path.symlink_metadata().is_ok_and(|found| found.is_dir()) => {
                let name = path.file_name().expect("a name").to_string_lossy().into_owned();
                let moved = path.with_file_name(format!("moved {name}"));
                if fs::rename(&path, &moved).is_ok() {
                    link(&format!("moved {name}"), &path);
                }
            }
            3 if path.symlink_metadata().is_ok() => {
                let mode = ["700", "755", "711"][self.random.below(3) as usize];
                in_shell("[ -L \"$1\" ] || chmod $2 \"$1\"", &[&path, Path::new(mode)]);
            }
            _ => self.make(),
        }
    }

    fn folders(&self) -> Vec<PathBuf> {
        let fingerprint = fingerprint_folder(&self.top);
        let folders = fingerprint.iter().filter(|(_, seen)| seen.kind == Kind::Directory);
        folders.map(|(path, _)| self.top.join(yore_platform::name_from_bytes(path))).collect()
    }

    fn back_up(&mut self) {
        let folders = self.folders();
        let count = 1 + self.random.below(2) as usize;
        let mut sources: Vec<PathBuf> = Vec::new();
        for _ in 0..count {
            sources.push(folders[self.random.below(folders.len() as u64) as usize].clone());
        }
        sources.sort();
        sources.dedup();
        let all = [&[][..], &["*.o"], &["*.o", "!keep.o"], &["*.tmp", "sub/"], &["*.tmp"]];
        let patterns = all[self.random.below(all.len() as u64) as usize];
        let patterns = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
        let excludes = Excludes { rules: vec![Rule::added(patterns)], ..Excludes::default() };
        let how = BackupOptions { excludes, ..options(Some(self.now)) };
        self.now += 60;
        let recorder = Recorder::default();
        backup(&self.repo.open(), &sources, &how, &recorder).expect("a backup");
        assert_eq!(recorder.texts(), Vec::<String>::new());
    }
}

fn remove(path: &Path) {
    match path.symlink_metadata() {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path).expect("removed"),
        Ok(_) => fs::remove_file(path).expect("removed"),
        Err(_) => {}
    }
}

fn link(target: &str, path: &Path) {
    in_shell("[ -e \"$2\" ] || [ -L \"$2\" ] || ln -s \"$1\" \"$2\"", &[Path::new(target), path]);
}

/// Returns the present path of a source: links above it are followed, a link at its end is not.
fn place_of(source: &Path) -> PathBuf {
    let (parent, name) = (source.parent().expect("a parent"), source.file_name().expect("a name"));
    fs::canonicalize(parent).map_or_else(|_| source.to_owned(), |parent| parent.join(name))
}

/// Returns true if `path` is `outer` or below it.
fn within(path: &[u8], outer: &[u8]) -> bool {
    path.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

/// Returns true if a rule excludes the path, or a folder above it within its innermost source; a source
/// itself is never excluded, since it was named.
fn is_left_out(path: &[u8], kind: Kind, parts: &[SourcePart]) -> bool {
    let holding = || parts.iter().filter(|part| within(path, &part.path));
    let Some(inner) = holding().map(|part| part.path.len()).max() else { return false };
    holding().any(|part| {
        let names = path[inner..].split(|byte| *byte == b'/').filter(|name| !name.is_empty());
        let mut names = names.peekable();
        std::iter::from_fn(|| names.next().map(|name| (name, names.peek().is_some())))
            .any(|(name, is_above)| fits(name, is_above || kind == Kind::Directory, &part.excludes))
    })
}

fn fits(name: &[u8], is_dir: bool, patterns: &[String]) -> bool {
    let mut out = false;
    for pattern in patterns {
        match pattern.as_str() {
            "*.o" => out |= name.ends_with(b".o"),
            "!keep.o" => out &= name != b"keep.o",
            "*.tmp" => out |= name.ends_with(b".tmp"),
            "sub/" => out |= is_dir && name == b"sub",
            other => panic!("an unknown pattern {other}"),
        }
    }
    out
}

/// Returns the entries that a restore of another path must not change.
///
/// A file that has another name in a source gets the metadata that it has there.
fn kept(seen: &FileFingerprint) -> impl PartialEq + std::fmt::Debug {
    let is_dir = seen.kind == Kind::Directory;
    let own = (seen.same_as.1 == 1).then(|| {
        let modified = (!is_dir).then_some(seen.modified);
        (seen.mode, seen.owner, modified, seen.xattrs.clone())
    });
    (seen.kind, own, String::from_utf8_lossy(&seen.bytes).into_owned())
}

struct Restored {
    parts: Vec<SourcePart>,
    how: RestoreOptions,
    /// The tree before the restore, after that file was changed.
    before: Fingerprint,
    /// The file that was changed after the plan was made.
    touched: Option<Vec<u8>>,
    report: RestoreReport,
}

impl Scene {
    fn how(&mut self, parts: &[SourcePart]) -> RestoreOptions {
        let overwrite = match self.random.below(5) {
            0 => Overwrite::Never,
            1 => Overwrite::Newer,
            2 => Overwrite::Always,
            _ => Overwrite::Different,
        };
        let extra = if self.one_in(2) { Extra::Delete } else { Extra::Keep };
        let include = if self.one_in(5) { vec![Rule::added(vec!["b".into()])] } else { Vec::new() };
        let exclude = if self.one_in(5) { vec![Rule::added(vec!["a".into()])] } else { Vec::new() };
        let parts = parts.to_vec();
        RestoreOptions { overwrite, extra, include, exclude, parts, ..RestoreOptions::default() }
    }

    /// Draws a path to restore: the root, a source, or one above or below a source.
    fn what(&mut self, parts: &[SourcePart]) -> Vec<u8> {
        match self.random.below(4) {
            0 => parts[self.random.below(parts.len() as u64) as usize].path.clone(),
            1 => snapshot_path(&self.top),
            2 => snapshot_path(&self.path(3)),
            _ => Vec::new(),
        }
    }

    /// Plans and restores; `None` if the snapshot has nothing at the path.
    fn restore(
        &mut self,
        reader: &Reader,
        root: &DirRef,
        parts: &[SourcePart],
    ) -> Option<Restored> {
        let how = self.how(parts);
        let path = self.what(parts);
        let (top, recorder) = (PathBuf::from("/"), Recorder::default());
        let before = fingerprint_folder(&self.top);
        let plan = RestorePlan::new(reader, root, &path, &top, &how, &recorder).ok()?;
        assert!(before == fingerprint_folder(&self.top), "a plan changes nothing");
        let mut touched = None;
        if self.one_in(2) {
            let files = before.iter().filter(|(_, seen)| seen.kind == Kind::File);
            let files: Vec<_> = files.map(|(path, _)| path.clone()).collect();
            if let Some(file) = files.get(self.random.below(files.len() as u64) as usize) {
                let place = self.top.join(yore_platform::name_from_bytes(file));
                fs::write(place, "newer work of somebody, which is longer").expect("written");
                touched = Some(file.clone());
            }
        }
        let before = fingerprint_folder(&self.top);
        let planned = *plan.report();
        let report = plan.execute(&recorder).expect("a restore");
        if touched.is_none() {
            let changes = |report: &RestoreReport| (report.replaced, report.newer, report.deleted);
            assert_eq!(changes(&planned), changes(&report), "{:?}", recorder.texts());
        }
        if how.overwrite == Overwrite::Different && report.failed == 0 {
            let after = fingerprint_folder(&self.top);
            let again =
                restore_in_place(reader, root, &path, &top, &how, &recorder).expect("again");
            let written = again.files + again.others + again.links + again.deleted;
            assert_eq!(written, 0, "{report:?} {again:?}");
            assert!(after == fingerprint_folder(&self.top), "the second changes nothing");
        }
        Some(Restored { parts: parts.to_vec(), how, before, touched, report })
    }
}

fn check(top: &Path, after: &Fingerprint, places: &[Vec<u8>], restored: &Restored) {
    let Restored { parts, how, before, touched, .. } = restored;
    let base = snapshot_path(top);
    for (path, seen) in before {
        let absolute = match path.is_empty() {
            true => base.clone(),
            false => [&base[..], b"/", path].concat(),
        };
        let shown = String::from_utf8_lossy(path).into_owned();
        let now = after.get(path);
        let holding = places.iter().zip(parts).filter(|(place, _)| within(&absolute, place));
        let names: Vec<Vec<u8>> = holding
            .map(|(place, part)| [&part.path[..], &absolute[place.len()..]].concat())
            .collect();
        if names.is_empty() {
            let now = now.unwrap_or_else(|| panic!("{shown} is gone, outside of all sources"));
            let now = &FileFingerprint { same_as: seen.same_as.clone(), ..now.clone() };
            assert_eq!(format!("{:?}", kept(now)), format!("{:?}", kept(seen)), "{shown}");
        }
        // A link above may give it several paths, each with rules of its own.
        if how.extra == Extra::Keep || names.iter().all(|name| is_left_out(name, seen.kind, parts))
        {
            assert!(now.is_some(), "{shown} is gone: {:?} {parts:?}", restored.report);
        }
        if how.overwrite == Overwrite::Never && seen.kind != Kind::Directory {
            assert_eq!(now.map(|now| &now.bytes), Some(&seen.bytes), "{shown}");
        }
        if touched.as_ref() == Some(path) {
            let content = now.map(|now| now.bytes.starts_with(b"newer work"));
            assert_eq!(content, Some(true), "{shown} changed after the plan, and is replaced");
        }
    }
    for path in after.keys().filter(|path| !before.contains_key(*path)) {
        let absolute = [&base[..], b"/", path].concat();
        let allowed = places.iter().chain(parts.iter().map(|part| &part.path));
        let is_known =
            allowed.into_iter().any(|place| within(&absolute, place) || within(place, &absolute));
        assert!(is_known, "{} came, outside of all sources", String::from_utf8_lossy(path));
    }
}

fn play(seed: u64) {
    let mut scene = Scene::new(seed);
    (0..25).for_each(|_| scene.make());
    for _ in 0..1 + scene.random.below(3) {
        scene.back_up();
        (0..6).for_each(|_| scene.change());
    }
    let snapshots = scene.repo.snapshots();
    let state = state(&snapshots, &Moment::Latest).expect("a state");
    let parts: Vec<SourcePart> = state.iter().map(SourcePart::from).collect();
    let (reader, problems) = scene.repo.open().reader(16 << 20).expect("a reader");
    assert!(problems.is_empty(), "{problems:?}");
    let root = merge(&reader, &state).expect("a tree");
    for _ in 0..3 {
        let place =
            |part: &SourcePart| snapshot_path(&place_of(&yore_platform::system_path(&part.path)));
        let places: Vec<Vec<u8>> = parts.iter().map(place).collect();
        if let Some(restored) = scene.restore(&reader, &root, &parts) {
            let after = fingerprint_folder(&scene.top);
            check(&scene.top, &after, &places, &restored);
        }
        (0..4).for_each(|_| scene.change());
    }
    assert!(scene.scratch.path().exists());
}

#[test]
fn a_restore_in_place_changes_nothing_outside_its_path() {
    for seed in 0..200 {
        let played = std::panic::catch_unwind(|| play(seed));
        assert!(played.is_ok(), "with the seed {seed}");
    }
}
