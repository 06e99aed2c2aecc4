use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::backend::{Backend, Folder};
use crate::format::object::Area;
use crate::maintenance::check::{CheckOptions, ReadData, check};
use crate::operation::observer::{Event, Problem};
use crate::path::TreePath;
use crate::read::file::OpenFile;
use crate::read::state_tree::{DirRef, Lookup, find};
use crate::repository::{adopt_copy, create_copy, restore_header};
use crate::testing::{RecordingObserver, Sample, time, writer};

/// A repository with a second destination that has nothing yet, and a source.
struct Mirrored {
    sample: Sample,
    second: PathBuf,
    source: PathBuf,
}

impl Mirrored {
    fn new() -> Self {
        let sample = Sample::new();
        let folder = sample.folder.path();
        let (second, source) = (folder.join("second"), folder.join("data"));
        fs::create_dir(&source).expect("a folder");
        let this = Self { sample, second, source };
        this.change(0);
        this
    }

    /// Gives the source another content.
    fn change(&self, state: u32) {
        for number in 0..8_u32 {
            let seed = number * 1_000_003 + state * 77;
            let content = (0..9_000_u32).flat_map(|n| n.wrapping_mul(seed + 7).to_be_bytes());
            let content: Vec<u8> = content.collect();
            fs::write(self.source.join(number.to_string()), content).expect("a file");
        }
    }

    fn backend(&self) -> Arc<dyn Backend> {
        Arc::new(Folder::new(self.second.clone()))
    }

    fn add_second(&mut self) {
        create_copy(&self.sample.repository, &self.backend(), time(2)).expect("a copy");
        self.sample.repository.add_destination(self.backend()).expect("it is a copy");
    }

    /// Opens both destinations anew.
    fn reopen(&mut self) {
        self.sample.repository = self.sample.reopen().expect("it opens");
        self.sample.repository.add_destination(self.backend()).expect("it is a copy");
    }

    fn reopen_first(&mut self) {
        self.sample.repository = self.sample.reopen().expect("it opens");
    }

    fn sync(&self, verify: Verify) -> SyncReport {
        let options = SyncOptions { verify, ..SyncOptions::default() };
        let observer = RecordingObserver::default();
        sync(&self.sample.repository, &options, &writer(), &observer).expect("a sync")
    }

    fn sync_whole(&self, verify: Verify) -> SyncReport {
        let report = self.sync(verify);
        assert!(report.is_whole(), "{report:?}");
        report
    }

    /// Fails unless a destination opened alone is sound, and its newest snapshot equals the source.
    fn assert_whole(&self, folder: &Path, snapshots: usize) {
        let repository = self.sample.open_at(folder).expect("it opens alone");
        let options = CheckOptions::reading(ReadData::All);
        let report = check(&repository, &options, &RecordingObserver::default()).expect("it ends");
        assert!(report.problems.is_empty(), "{:?}", report.problems);
        let found = repository.snapshots().expect("snapshots");
        assert_eq!(found.list.len(), snapshots);
        assert!(self.reads_right(&repository), "the newest snapshot equals the source");
    }

    /// Returns whether the newest snapshot equals the source.
    fn reads_right(&self, repository: &Repository) -> bool {
        let found = repository.snapshots().expect("snapshots");
        let root = DirRef::Tree(found.list.last().expect("one").snapshot.root);
        let (reader, _) = repository.reader(16 << 20).expect("a reader");
        (0..8).all(|number| {
            let file = self.source.join(number.to_string());
            let path = yore_platform::snapshot_path(&file);
            let Ok(found) = find(&reader, &root, TreePath::new(&path)) else { return false };
            let Some(Lookup::Node(found)) = found else { panic!("a file has a node") };
            let open = OpenFile::open(&reader, &found.node).expect("it opens");
            let mut content = Vec::new();
            let mut take = |bytes: &[u8]| content.extend_from_slice(bytes);
            let read = open.read(&reader, 0, found.node.size as usize, &mut take);
            read.is_ok() && content == fs::read(&file).expect("the file")
        })
    }

    fn objects(&self, folder: &Path) -> BTreeSet<PathBuf> {
        let mut found = BTreeSet::new();
        let mut left = vec![folder.to_owned()];
        while let Some(at) = left.pop() {
            for entry in fs::read_dir(at).expect("a folder") {
                let path = entry.expect("an entry").path();
                match path.is_dir() {
                    true => left.push(path),
                    false => drop(found.insert(path)),
                }
            }
        }
        found
    }
}

#[test]
fn a_destination_that_is_added_later_gets_every_snapshot_in_order() {
    let mut scene = Mirrored::new();
    for state in 0..3 {
        scene.change(state);
        scene.sample.back_up(&scene.source, 100 + i64::from(state));
    }
    scene.add_second();
    let report = scene.sync_whole(Verify::Suspects);
    assert_eq!(report.destinations[1].committed, 3);
    assert!(report.destinations[0].is_unchanged());
    scene.assert_whole(&scene.second, 3);
    let ids = |folder: &Path| -> Vec<SnapshotId> {
        let repository = scene.sample.open_at(folder).expect("it opens");
        repository.snapshots().expect("snapshots").list.iter().map(|entry| entry.id).collect()
    };
    assert_eq!(ids(&scene.second), ids(&scene.sample.path()));
    let before = scene.objects(&scene.second);
    let again = scene.sync_whole(Verify::Everything);
    assert!(again.destinations.iter().all(FillReport::is_unchanged), "{again:?}");
    assert_eq!(scene.objects(&scene.second), before);
}

#[test]
fn two_destinations_that_were_written_apart_get_what_the_other_has() {
    let mut scene = Mirrored::new();
    scene.sample.back_up(&scene.source, 100);
    scene.add_second();
    scene.sync_whole(Verify::Suspects);
    // Each gets a snapshot while the other is away.
    let first = scene.sample.reopen().expect("it opens");
    let both = std::mem::replace(&mut scene.sample.repository, first);
    scene.change(1);
    scene.sample.back_up(&scene.source, 200);
    scene.sample.repository = scene.sample.open_at(&scene.second).expect("it opens");
    scene.change(2);
    scene.sample.back_up(&scene.source, 300);
    scene.sample.repository = both;
    scene.sync_whole(Verify::Suspects);
    for folder in [scene.sample.path(), scene.second.clone()] {
        scene.assert_whole(&folder, 3);
    }
}

#[test]
fn a_snapshot_that_was_forgotten_on_one_destination_does_not_come_back() {
    let mut scene = Mirrored::new();
    let old = scene.sample.back_up(&scene.source, 100).snapshot.expect("a snapshot");
    scene.change(1);
    scene.sample.back_up(&scene.source, 200);
    scene.add_second();
    scene.sync_whole(Verify::Suspects);
    let first = scene.sample.reopen().expect("it opens");
    let both = std::mem::replace(&mut scene.sample.repository, first);
    scene.sample.forget(old);
    scene.sample.repository = both;
    scene.sync_whole(Verify::Suspects);
    for folder in [scene.sample.path(), scene.second.clone()] {
        scene.assert_whole(&folder, 1);
    }
}

/// Damages every object of the second destination in each of three ways, one after the other.
#[test]
fn whatever_a_mirror_loses_is_read_from_the_other_and_healed_by_a_sync() {
    let mut scene = Mirrored::new();
    scene.sample.back_up(&scene.source, 100);
    scene.add_second();
    scene.sync_whole(Verify::Suspects);
    scene.change(1);
    scene.sample.back_up(&scene.source, 200);
    let mut cases = 0;
    for path in scene.objects(&scene.second) {
        // The parts of a session that was damaged in a case before are deleted with it.
        let Ok(bytes) = fs::read(&path) else { continue };
        for damage in ["flip", "truncate", "delete"] {
            cases += 1;
            let case = format!("{damage} {}", path.display());
            match damage {
                "flip" => {
                    let mut flipped = bytes.clone();
                    flipped[bytes.len() / 2] ^= 1;
                    fs::write(&path, flipped).expect("written");
                }
                "truncate" => fs::write(&path, &bytes[..bytes.len() / 2]).expect("written"),
                _ => drop(fs::remove_file(&path)),
            }
            heal_identity(&mut scene);
            scene.reopen();
            assert!(scene.reads_right(&scene.sample.repository), "{case}");
            let report = scene.sync(Verify::Everything);
            assert!(report.is_whole(), "{case}: {report:?}");
            let destination = scene.second.clone();
            scene.assert_whole(&destination, 2);
            // The next case begins with a mirror that is as it was, but for sessions.
            if !path.exists() {
                assert!(case.contains("sessions/"), "{case} is not healed");
            }
        }
    }
    assert!(cases > 50, "{cases} cases");
}

/// Does what `sync` of the program does first: a destination that does not open gets its identity back.
fn heal_identity(scene: &mut Mirrored) {
    scene.sample.repository = scene.sample.reopen().expect("it opens");
    let backend = scene.backend();
    if scene.sample.repository.add_destination(scene.backend()).is_err()
        && !restore_header(&scene.sample.repository, &backend).expect("the header")
    {
        adopt_copy(&scene.sample.repository, &backend, &writer(), time(9)).expect("an id");
    }
}

#[test]
fn damage_that_a_reader_finds_is_healed_at_once() {
    let mut scene = Mirrored::new();
    scene.add_second();
    scene.sample.back_up(&scene.source, 100);
    // The first destination is the nearest.
    let first = scene.sample.path();
    let is_pack = |path: &PathBuf| path.display().to_string().contains("/packs/");
    let packs: Vec<PathBuf> = scene.objects(&first).into_iter().filter(is_pack).collect();
    let whole: Vec<Vec<u8>> = packs.iter().map(|pack| fs::read(pack).expect("a pack")).collect();
    for (pack, bytes) in packs.iter().zip(&whole) {
        let mut flipped = bytes.clone();
        flipped.iter_mut().skip(100).step_by(1000).for_each(|byte| *byte ^= 1);
        fs::write(pack, flipped).expect("written");
    }
    scene.reopen();
    assert!(scene.reads_right(&scene.sample.repository));
    let report = heal(&scene.sample.repository, &RecordingObserver::default()).expect("healed");
    assert!(report.problems.is_empty(), "{report:?}");
    assert_eq!(report.healed.len(), packs.len());
    for (pack, bytes) in packs.iter().zip(&whole) {
        assert!(fs::read(pack).expect("a pack") == *bytes, "{}", pack.display());
    }
    scene.assert_whole(&first, 1);
}

#[test]
fn a_snapshot_that_no_destination_has_whole_is_not_committed_elsewhere() {
    let mut scene = Mirrored::new();
    scene.sample.back_up(&scene.source, 100);
    scene.change(1);
    scene.sample.back_up(&scene.source, 200);
    let first = scene.sample.path();
    // A pack of data of the first snapshot alone: the second one has other data.
    let is_pack = |path: &PathBuf| path.display().to_string().contains("/packs/");
    let lost = scene.objects(&first).into_iter().filter(is_pack).find(|pack| {
        let bytes = fs::read(pack).expect("a pack");
        fs::remove_file(pack).expect("removed");
        // Opened anew, since an open file of a removed pack can still be read.
        let is_of_first_alone = scene.reads_right(&scene.sample.reopen().expect("it opens"));
        fs::write(pack, bytes).expect("written");
        is_of_first_alone && pack.metadata().expect("a pack").len() > 40_000
    });
    fs::remove_file(lost.expect("a pack of the first snapshot")).expect("removed");
    scene.add_second();
    let report = scene.sync(Verify::Suspects);
    assert!(!report.is_whole());
    assert_eq!((report.destinations[1].committed, report.destinations[1].incomplete.len()), (1, 1));
    let alone = scene.sample.open_at(&scene.second).expect("it opens");
    assert_eq!(alone.snapshots().expect("snapshots").list.len(), 1);
    assert!(scene.reads_right(&alone));
}

/// Interrupts after so many events.
struct InterruptAfter(AtomicU64);

impl Observer for InterruptAfter {
    fn event(&self, _: Event) {
        let _ =
            self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
    }

    fn problem(&self, _: Problem) {}

    fn interrupted(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

#[test]
fn a_sync_that_was_interrupted_goes_on_with_what_is_lacking() {
    let mut scene = Mirrored::new();
    scene.sample.back_up(&scene.source, 100);
    scene.add_second();
    let mut before = scene.objects(&scene.second).len();
    let mut interrupts = 0;
    for events in (4..).step_by(4) {
        let observer = InterruptAfter(AtomicU64::new(events));
        match sync(&scene.sample.repository, &SyncOptions::default(), &writer(), &observer) {
            Err(Error::Interrupted) => interrupts += 1,
            done => {
                assert!(done.expect("a sync").is_whole());
                break;
            }
        }
        let alone = scene.sample.open_at(&scene.second).expect("it opens");
        assert_eq!(alone.snapshots().expect("snapshots").list.len(), 0);
        let now = scene.objects(&scene.second).len();
        assert!(now >= before, "nothing that was copied is lost");
        before = now;
    }
    assert!(interrupts > 0);
    scene.assert_whole(&scene.second, 1);
}

#[test]
fn a_plain_copy_becomes_a_destination_with_an_id_of_its_own() {
    let mut scene = Mirrored::new();
    scene.sample.back_up(&scene.source, 100);
    for object in scene.objects(&scene.sample.path()) {
        let relative = object.strip_prefix(scene.sample.path()).expect("below it");
        let target = scene.second.join(relative);
        fs::create_dir_all(target.parent().expect("a folder")).expect("a folder");
        fs::copy(&object, target).expect("copied");
    }
    let refused = scene.sample.repository.add_destination(scene.backend());
    assert!(matches!(refused, Err(Error::Occupied { .. })));
    adopt_copy(&scene.sample.repository, &scene.backend(), &writer(), time(5)).expect("adopted");
    scene.sample.repository.add_destination(scene.backend()).expect("it is a destination now");
    let report = scene.sync_whole(Verify::Suspects);
    assert_eq!((report.destinations[1].copied, report.destinations[1].committed), (0, 1));
    scene.assert_whole(&scene.second, 1);
    let again =
        adopt_copy(&scene.sample.reopen().expect("opens"), &scene.backend(), &writer(), time(6));
    assert!(matches!(again, Err(Error::Occupied { .. })));
    assert_eq!(Folder::new(&scene.second).names(Area::Snapshots).expect("a list").len(), 1);
}

#[test]
fn one_place_by_two_names_is_not_taken_for_a_copy() {
    let mut scene = Mirrored::new();
    scene.sample.back_up(&scene.source, 100);
    let other_name = scene.sample.path().join("packs").join("..");
    let same: Arc<dyn Backend> = Arc::new(Folder::new(other_name));
    let before = scene.objects(&scene.sample.path());
    let refused = adopt_copy(&scene.sample.repository, &same, &writer(), time(5));
    assert!(matches!(refused, Err(Error::Occupied { .. })), "{refused:?}");
    assert_eq!(scene.objects(&scene.sample.path()), before);
    scene.reopen_first();
    scene.assert_whole(&scene.sample.path(), 1);
}
