use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use super::*;
use crate::backend::Folder;
use crate::maintenance::check::{CheckOptions, CheckReport, check};
use crate::maintenance::prune::{PruneOptions, prune};
use crate::maintenance::repair::{DestinationRepair, RepairOptions, repair};
use crate::maintenance::sync::{SyncOptions, sync};
use crate::operation::observer::Unobserved;
use crate::repository::{create_copy, session};
use crate::testing::{Sample, time, writer};

/// A time after every grace.
const LATER: i64 = 4_000_000_000;

/// A repository, and a source whose files are some kilobytes of random-like bytes.
struct Scene {
    sample: Sample,
    source: PathBuf,
}

impl Scene {
    fn new(parity: u32) -> Self {
        let mut sample = Sample::new();
        sample.repository.set_parity(parity);
        let source = sample.folder.path().join("source");
        fs::create_dir(&source).expect("a folder");
        let scene = Self { sample, source };
        for (content, name) in (1..).zip(["stays", "stays, too", "and this", "and that"]) {
            scene.write(name, content);
        }
        scene.sample.back_up(&scene.source, 100);
        scene
    }

    fn write(&self, name: &str, content: u32) {
        let bytes: Vec<u8> = (0..5_000_u32)
            .flat_map(|n| {
                (n.wrapping_add(content * 7919)).wrapping_mul(2_654_435_761).to_be_bytes()
            })
            .collect();
        fs::write(self.source.join(name), bytes).expect("a file");
    }

    /// Opens the repository anew, with parity of so many per cent.
    fn open(&self, parity: u32) -> Repository {
        let mut repository = self.sample.reopen().expect("it opens");
        repository.set_parity(parity);
        repository
    }

    fn ids(&self, area: Area) -> Vec<ObjectId> {
        let names = self.sample.repository.backend().names(area).expect("a list");
        names.iter().filter_map(|name| name.id().map(ObjectId)).collect()
    }

    fn path(&self, name: &ObjectName) -> PathBuf {
        self.sample.path().join(name.as_str())
    }

    /// Changes the bytes of an object, as a disk does.
    fn wreck(&self, name: &ObjectName, change: impl FnOnce(&mut Vec<u8>)) {
        let path = self.path(name);
        let mut bytes = fs::read(&path).expect("an object");
        change(&mut bytes);
        fs::remove_file(&path).expect("removed");
        fs::write(path, bytes).expect("written");
    }

    fn check(&self, parity: u32, read_data: ReadData) -> CheckReport {
        let options = CheckOptions::reading(read_data);
        check(&self.open(parity), &options, &Unobserved).expect("a report")
    }

    fn repair(&self, parity: u32, run: Run) -> DestinationRepair {
        let options = RepairOptions { read_data: ReadData::All, run };
        let reports = repair(&self.open(parity), &options, &writer(), time(9), &Unobserved);
        let report = reports.expect("it runs").destinations.remove(0);
        assert!(report.error.is_none() && report.problems.is_empty(), "{report:?}");
        report
    }

    /// The largest pack.
    fn largest(&self) -> (ObjectId, u64) {
        let listed = self.sample.repository.backend().list(Area::Packs).expect("packs");
        let largest = listed.iter().max_by_key(|one| one.size).expect("a pack");
        (ObjectId(largest.name.id().expect("an id")), largest.size)
    }

    #[track_caller]
    fn assert_in_step(&self, parity: u32) {
        assert_eq!(self.ids(Area::Parity), self.ids(Area::Packs));
        let report = self.check(parity, ReadData::All);
        assert!(report.is_sound() && report.notes.is_empty(), "{report:?}");
    }
}

#[test]
fn prune_deletes_the_parity_of_the_packs_that_it_deletes_and_makes_that_of_those_that_it_writes() {
    let scene = Scene::new(10);
    scene.write("goes", 7);
    scene.write("is moved", 8);
    let second = scene.sample.back_up(&scene.source, 200).snapshot.expect("a snapshot");
    fs::remove_file(scene.source.join("goes")).expect("removed");
    scene.write("more", 9);
    scene.sample.back_up(&scene.source, 300);
    scene.sample.forget(second);
    scene.assert_in_step(10);
    let options = PruneOptions { grace: 0, max_unused: 0.0, ..PruneOptions::default() };
    let pruned = prune(&scene.open(10), &options, &writer(), time(LATER), &Unobserved);
    let pruned = pruned.expect("a prune").destinations.remove(0);
    assert!(pruned.error.is_none() && pruned.deleted.packs > 0, "{pruned:?}");
    assert_eq!(pruned.parity.objects, pruned.deleted.packs);
    assert!(pruned.repacked.packs > 0 && pruned.written.packs > 0, "{pruned:?}");
    scene.assert_in_step(10);
    let again = prune(&scene.open(10), &options, &writer(), time(LATER), &Unobserved);
    assert!(again.expect("a prune").destinations[0].is_unchanged());
}

#[test]
fn parity_whose_pack_a_writer_may_be_about_to_write_stays_until_the_writer_has_ended() {
    let scene = Scene::new(10);
    let repository = scene.open(10);
    let backend = &**repository.backend();
    let left = ObjectName::parity(ObjectId([3; 32]));
    backend::save(backend, &left, b"parity of a pack that is being written").expect("saved");
    let opened = session::open(&repository, &[0], &writer(), time(LATER)).expect("a session");
    let task = |run| Task { repository: &repository, destination: 0, run, observer: &Unobserved };
    let delete = |run| delete_left(&task(run), time(LATER)).expect("done").objects;
    assert_eq!(delete(Run::Real), 0);
    opened.abort(&repository, time(LATER)).expect("aborted");
    assert_eq!((delete(Run::Dry), delete(Run::Dry)), (1, 1), "a dry run deletes nothing");
    let notes = scene.check(10, ReadData::None).notes;
    assert!(notes.iter().any(|note| note.contains("parity")), "{notes:?}");
    assert_eq!((delete(Run::Real), delete(Run::Real)), (1, 0));
    scene.assert_in_step(10);
}

#[test]
fn repair_makes_the_parity_of_packs_that_were_written_without_it() {
    let scene = Scene::new(0);
    assert!(scene.ids(Area::Parity).is_empty());
    assert!(scene.check(0, ReadData::All).notes.is_empty());
    let notes = scene.check(10, ReadData::All).notes;
    assert!(notes.iter().any(|note| note.contains("no parity yet")), "{notes:?}");
    let packs = scene.ids(Area::Packs).len() as u64;
    assert_eq!(scene.repair(10, Run::Dry).parity.made.objects, packs);
    assert!(scene.ids(Area::Parity).is_empty(), "a dry run makes nothing");
    let made = scene.repair(10, Run::Real).parity.made;
    assert!(made.objects == packs && made.bytes > 0, "{made:?}");
    scene.assert_in_step(10);
    assert_eq!(scene.repair(10, Run::Real).parity.made, ParityAmount::default());
    // Without the wish for parity, what is there stays.
    assert_eq!(scene.repair(0, Run::Real).parity.deleted, ParityAmount::default());
    scene.assert_in_step(0);
}

#[test]
fn damaged_parity_is_a_problem_until_a_repair_has_made_it_anew() {
    type Change = fn(&mut Vec<u8>);
    let changes: [(&str, ReadData, Change); 6] = [
        ("head", ReadData::None, |bytes| bytes[70] ^= 1),
        ("recovery shard", ReadData::All, |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        }),
        ("last byte", ReadData::All, |bytes| *bytes.last_mut().expect("a byte") ^= 1),
        ("cut", ReadData::None, |bytes| bytes.truncate(bytes.len() - 1)),
        ("longer", ReadData::None, |bytes| bytes.push(0)),
        ("empty", ReadData::None, Vec::clear),
    ];
    for (what, found_by, change) in changes {
        for parity in [0, 10] {
            let scene = Scene::new(10);
            let (id, _) = scene.largest();
            let name = ObjectName::parity(id);
            let before = fs::read(scene.path(&name)).expect("parity");
            scene.wreck(&name, change);
            let report = scene.check(parity, found_by);
            assert_eq!(report.problems.len(), 1, "{what}: {report:?}");
            assert_eq!(report.problems[0].subject, name.as_str());
            let repaired = scene.repair(parity, Run::Real);
            assert!(repaired.quarantined.is_empty() && repaired.lost == 0, "{what}: {repaired:?}");
            // Only an empty object does not tell what share it was.
            let is_made = parity > 0 || what != "empty";
            assert_eq!(repaired.parity.made.objects, u64::from(is_made), "{what}: {repaired:?}");
            assert_eq!(repaired.parity.deleted.objects, u64::from(!is_made), "{what}");
            assert!(scene.check(0, ReadData::All).is_sound());
            if is_made {
                assert_eq!(fs::read(scene.path(&name)).expect("parity"), before, "{what}");
            }
        }
    }
}

#[test]
fn a_damaged_pack_is_rebuilt_in_its_place_and_nothing_is_lost() {
    type Change = fn(&mut Vec<u8>);
    let changes: [(&str, Change); 4] = [
        ("a bit", |bytes| bytes[9_000] ^= 1),
        ("the prefix", |bytes| bytes[..72].fill(0)),
        ("the end", |bytes| *bytes.last_mut().expect("a byte") ^= 1),
        ("cut", |bytes| bytes.truncate(bytes.len() - 2_000)),
    ];
    for (what, change) in changes {
        let scene = Scene::new(10);
        let (id, _) = scene.largest();
        let name = ObjectName::pack(id);
        let before = fs::read(scene.path(&name)).expect("a pack");
        scene.wreck(&name, change);
        let problems = scene.check(10, ReadData::All).problems;
        let is_of_pack = |subject: &str| !subject.starts_with("parity/");
        assert!(!problems.is_empty(), "{what}");
        assert!(problems.iter().all(|one| is_of_pack(&one.subject)), "{what}: {problems:?}");
        let dry = scene.repair(0, Run::Dry);
        assert_eq!((dry.rebuilt.as_slice(), dry.lost), (&[name.clone()][..], 0), "{what}");
        assert!(!scene.check(10, ReadData::All).is_sound(), "{what}: a dry run changes nothing");
        let report = scene.repair(0, Run::Real);
        assert_eq!(report.rebuilt, std::slice::from_ref(&name), "{what}: {report:?}");
        assert!(report.quarantined.is_empty() && report.lost == 0, "{what}: {report:?}");
        assert!(fs::read(scene.path(&name)).expect("a pack") == before, "{what}");
        scene.assert_in_step(10);
    }
}

#[test]
fn damage_beyond_the_share_loses_what_it_hit_and_nothing_else() {
    let scene = Scene::new(10);
    let (id, size) = scene.largest();
    let name = ObjectName::pack(id);
    let half = size as usize / 2;
    scene.wreck(&name, |bytes| bytes[100..half].fill(0));
    let report = scene.repair(10, Run::Real);
    assert_eq!((&report.beyond_parity, &report.quarantined), (&vec![name.clone()], &vec![name]));
    assert!(report.rebuilt.is_empty() && report.lost > 0 && report.salvaged > 0, "{report:?}");
    // Its parity is deleted with it, and the pack with what was saved has its own.
    assert_eq!(report.parity.deleted.objects, 1);
    assert_eq!(scene.ids(Area::Parity), scene.ids(Area::Packs));
}

#[test]
fn parity_as_large_as_the_packs_rebuilds_one_that_is_gone() {
    let scene = Scene::new(100);
    let (id, _) = scene.largest();
    fs::remove_file(scene.path(&ObjectName::pack(id))).expect("removed");
    assert!(!scene.check(100, ReadData::None).is_sound());
    let report = scene.repair(100, Run::Real);
    assert_eq!(report.rebuilt, [ObjectName::pack(id)]);
    scene.assert_in_step(100);
}

#[test]
fn a_pack_that_no_index_describes_any_more_is_rebuilt_and_described() {
    let scene = Scene::new(10);
    let (id, _) = scene.largest();
    for index in scene.sample.repository.backend().names(Area::Index).expect("a list") {
        fs::remove_file(scene.path(&index)).expect("removed");
    }
    scene.wreck(&ObjectName::pack(id), |bytes| bytes.truncate(bytes.len() - 100));
    let report = scene.repair(10, Run::Real);
    assert!(report.rebuilt.len() == 1 && report.described > 0, "{report:?}");
    scene.assert_in_step(10);
}

#[test]
fn sync_copies_the_parity_of_the_packs_that_it_copies() {
    let scene = Scene::new(10);
    let folder = scene.sample.folder.path().join("second");
    let second: Arc<dyn Backend> = Arc::new(Folder::new(folder.clone()));
    let mut repository = scene.open(0);
    create_copy(&repository, &second, time(5)).expect("a copy");
    repository.add_destination(Arc::clone(&second)).expect("added");
    // What is damaged is not copied.
    let (id, _) = scene.largest();
    scene.wreck(&ObjectName::parity(id), |bytes| bytes[80] ^= 1);
    let filled = sync(&repository, &SyncOptions::default(), &writer(), &Unobserved);
    assert!(filled.expect("a sync").is_whole());
    let names = |area| second.names(area).expect("a list").len();
    assert_eq!((names(Area::Packs), names(Area::Parity)), {
        let packs = scene.ids(Area::Packs).len();
        (packs, packs - 1)
    });
    let options = RepairOptions { read_data: ReadData::All, run: Run::Real };
    let reports = repair(&repository, &options, &writer(), time(9), &Unobserved).expect("it runs");
    assert!(reports.destinations.iter().all(|report| report.error.is_none()), "{reports:?}");
    let again = sync(&repository, &SyncOptions::default(), &writer(), &Unobserved);
    assert!(again.expect("a sync").is_whole());
    assert_eq!(names(Area::Packs), names(Area::Parity));
    let copy = scene.sample.open_at(&folder).expect("it opens");
    let report = check(&copy, &CheckOptions::reading(ReadData::All), &Unobserved);
    assert!(report.expect("a report").is_sound());
}

#[test]
fn the_view_of_one_destination_wants_the_same_parity() {
    let scene = Scene::new(10);
    assert_eq!(scene.sample.reopen().expect("it opens").parity(), 0);
    assert_eq!(scene.open(7).only(0).parity(), 7);
    assert_eq!(scene.open(700).parity(), 100);
}
