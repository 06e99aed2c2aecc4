//! What a watch reports of real changes, on the file system of `/dev/shm`, which every Linux has.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::*;

/// A bound for what hangs, no measure of speed.
const DEADLINE: Duration = Duration::from_secs(20);

/// A watched folder `in` beside another one, `out`, on one file system.
struct Scene {
    folder: TempDir,
    watch: FileSystemWatch,
    reports: Receiver<Vec<FileSystemChange>>,
    seen: HashSet<FileSystemChange>,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir_in("/dev/shm").expect("a folder");
        for name in ["in/deep/er", "out"] {
            fs::create_dir_all(folder.path().join(name)).expect("folders");
        }
        let (sender, reports) = channel();
        let watch = FileSystemWatch::start(move |changes| {
            let _ = sender.send(changes);
        });
        let watch = watch.expect("Linux 5.9");
        let added = watch.add(&folder.path().join("in"));
        added.expect("only root can watch a file system: run the tests as root");
        Self { folder, watch, reports, seen: HashSet::new() }
    }

    fn at(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.folder.path().join(name.as_ref())
    }

    /// Waits until a change is reported.
    #[track_caller]
    fn assert_seen(&mut self, change: &FileSystemChange) {
        let began = Instant::now();
        while !self.seen.contains(change) {
            assert!(began.elapsed() < DEADLINE, "{change:?} is not among {:?}", self.seen);
            let report = self.reports.recv_timeout(PAUSE);
            self.seen.extend(report.into_iter().flatten());
        }
    }

    #[track_caller]
    fn assert_name(&mut self, name: &str) {
        self.assert_seen(&FileSystemChange::Name(self.at(name)));
    }

    /// Fails if a path was reported that a test on a word finds wrong. Something else is reported first, so that all
    /// before it is known.
    #[track_caller]
    fn assert_none(&mut self, is_wrong: impl Fn(&Path) -> bool) {
        fs::write(self.at("in/end"), "").expect("a file");
        self.assert_name("in/end");
        let wrong = self.seen.iter().find(|change| match change {
            FileSystemChange::Unknown => true,
            FileSystemChange::Name(path)
            | FileSystemChange::Content(path)
            | FileSystemChange::Closed(path) => is_wrong(path),
        });
        assert_eq!(wrong, None);
    }
}

#[test]
fn changes_at_any_depth_are_reported_and_those_beside_are_not() {
    let mut scene = Scene::new();
    let odd = OsStr::from_bytes(b"in/deep/er/na\xffme\nline");
    fs::write(scene.at(odd), "content").expect("a file");
    fs::write(scene.at("out/file"), "content").expect("a file");
    fs::write(scene.at("in-side"), "content").expect("a file");
    scene.assert_seen(&FileSystemChange::Name(scene.at(odd)));
    fs::write(scene.at(odd), "more content").expect("a file");
    scene.assert_seen(&FileSystemChange::Content(scene.at(odd)));
    fs::hard_link(scene.at(odd), scene.at("in/link")).expect("a link");
    scene.assert_name("in/link");
    fs::remove_file(scene.at("in/link")).expect("it is there");
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(scene.at("in/deep"), permissions).expect("a folder");
    scene.assert_seen(&FileSystemChange::Content(scene.at("in/deep")));
    let top = scene.at("in");
    scene.assert_none(|path| !path.starts_with(&top));
}

#[test]
fn a_file_that_was_open_for_writing_is_reported_when_it_is_closed() {
    let mut scene = Scene::new();
    fs::write(scene.at("in/file"), "content").expect("a file");
    scene.assert_seen(&FileSystemChange::Content(scene.at("in/file")));
    std::thread::sleep(PAUSE * 4);
    drop(fs::OpenOptions::new().write(true).open(scene.at("in/file")).expect("a file"));
    scene.assert_seen(&FileSystemChange::Closed(scene.at("in/file")));
}

#[test]
fn both_names_of_a_renamed_folder_are_reported_and_then_those_in_it() {
    let mut scene = Scene::new();
    fs::write(scene.at("in/deep/er/file"), "content").expect("a file");
    fs::rename(scene.at("in/deep"), scene.at("in/moved")).expect("it is there");
    scene.assert_name("in/deep");
    scene.assert_name("in/moved");
    fs::write(scene.at("in/moved/er/later"), "content").expect("a file");
    scene.assert_name("in/moved/er/later");
}

#[test]
fn a_folder_that_comes_from_beside_or_goes_there_is_reported() {
    let mut scene = Scene::new();
    fs::create_dir(scene.at("out/folder")).expect("a folder");
    fs::write(scene.at("out/folder/file"), "content").expect("a file");
    fs::rename(scene.at("out/folder"), scene.at("in/came")).expect("it is there");
    scene.assert_name("in/came");
    fs::rename(scene.at("in/deep"), scene.at("out/went")).expect("it is there");
    scene.assert_name("in/deep");
    fs::write(scene.at("out/went/file"), "content").expect("a file");
    let out = scene.at("out");
    scene.assert_none(|path| path.starts_with(&out));
}

#[test]
fn of_a_deleted_tree_the_name_at_its_top_is_reported() {
    let mut scene = Scene::new();
    fs::write(scene.at("in/deep/er/file"), "content").expect("a file");
    fs::remove_dir_all(scene.at("in/deep")).expect("it is there");
    scene.assert_name("in/deep");
    scene.assert_none(|path| path.to_string_lossy().contains("(deleted)"));
}

#[test]
fn a_watched_folder_that_goes_leaves_a_gap_also_when_it_is_back() {
    let mut scene = Scene::new();
    let top = scene.at("in");
    assert!(scene.watch.has_no_gap(&top));
    fs::rename(&top, scene.at("away")).expect("it is there");
    assert!(!scene.watch.has_no_gap(&top));
    fs::write(scene.at("away/unseen"), "content").expect("a file");
    std::thread::sleep(PAUSE * 8);
    fs::rename(scene.at("away"), &top).expect("it is there");
    assert!(!scene.watch.has_no_gap(&top));
    scene.watch.add(&top).expect("it is there");
    assert!(scene.watch.has_no_gap(&top));
    scene.assert_none(|path| path.ends_with("unseen"));
    scene.watch.remove(&top);
    assert!(!scene.watch.has_no_gap(&top));
}

#[test]
fn a_watched_file_is_reported_and_its_neighbours_are_not() {
    let mut scene = Scene::new();
    scene.watch.remove(&scene.at("in"));
    let file = scene.at("out/file");
    fs::write(&file, "content").expect("a file");
    scene.watch.add(&file).expect("it is there");
    fs::write(scene.at("out/neighbour"), "content").expect("a file");
    fs::write(scene.at("out/new"), "other content").expect("a file");
    fs::rename(scene.at("out/new"), &file).expect("it is there");
    scene.assert_seen(&FileSystemChange::Name(file.clone()));
    scene.watch.add(&scene.at("in")).expect("it is there");
    scene.assert_none(|path| path.starts_with(file.with_file_name("")) && path != file);
}

#[test]
fn a_file_system_without_handles_is_refused() {
    let watch = FileSystemWatch::start(|_| ()).expect("Linux 5.9");
    watch.add(Path::new("/proc/self")).expect_err("no files are there");
    watch.add(Path::new("/no/such/folder")).expect_err("it is not there");
}
