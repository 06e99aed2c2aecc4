use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::*;
use crate::backend::{Backend, Folder};
use crate::format::id::{ObjectId, SnapshotId};
use crate::format::object::{Area, ObjectName};
use crate::format::record::Outcome;
use crate::maintenance::check::{CheckOptions, ReadData, check};
use crate::maintenance::sync::{SyncOptions, sync};
use crate::operation::observer::Unobserved;
use crate::repository::{create_copy, session};
use crate::testing::{Sample, time, writer};

mod annotations;
mod tombstones;

/// A time after every grace.
const LATER: i64 = 4_000_000_000;

/// A repository and a source whose files are some kilobytes of random-like bytes.
struct Scene {
    sample: Sample,
    source: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let sample = Sample::new();
        let source = sample.folder.path().join("source");
        fs::create_dir(&source).expect("a folder");
        Self { sample, source }
    }

    /// Writes a file whose content is that of a number.
    fn write(&self, name: &str, content: u32) {
        let bytes: Vec<u8> = (0..3_000_u32)
            .flat_map(|n| {
                (n.wrapping_add(content * 7919)).wrapping_mul(2_654_435_761).to_be_bytes()
            })
            .collect();
        fs::write(self.source.join(name), bytes).expect("a file");
    }

    fn back_up(&self, now: i64) -> SnapshotId {
        self.sample.back_up(&self.source, now).snapshot.expect("a snapshot")
    }

    fn prune_with(&self, options: &PruneOptions, now: i64) -> DestinationPrune {
        let report = prune(&self.sample.repository, options, &writer(), time(now), &Unobserved);
        report.expect("a prune").destinations.remove(0)
    }

    /// Prunes without a grace.
    fn prune(&self) -> DestinationPrune {
        let report = self.prune_with(&at_once(), LATER);
        assert!(report.error.is_none() && report.problems.is_empty(), "{report:?}");
        report
    }

    fn packs(&self) -> BTreeSet<ObjectName> {
        let listed = self.sample.repository.backend().names(Area::Packs).expect("a list");
        listed.into_iter().collect()
    }

    /// Fails unless everything is sound and the newest snapshot equals the source.
    #[track_caller]
    fn assert_sound(&self, snapshots: usize) {
        assert_sound(&self.sample.reopen().expect("it opens"), snapshots);
    }
}

#[track_caller]
fn assert_sound(repository: &Repository, snapshots: usize) {
    let options = CheckOptions::reading(ReadData::All);
    let report = check(repository, &options, &Unobserved).expect("a report");
    assert!(report.is_sound(), "{:?}", report.problems);
    assert_eq!(report.snapshots, snapshots as u64);
}

fn at_once() -> PruneOptions {
    PruneOptions { grace: 0, max_unused: 0.0, ..PruneOptions::default() }
}

#[test]
fn the_space_of_forgotten_snapshots_is_freed_and_the_others_stay_whole() {
    let scene = Scene::new();
    let mut snapshots = Vec::new();
    for round in 0..6 {
        // A file stays, one changes.
        scene.write("stays", 1);
        scene.write("changes", 10 + round);
        snapshots.push(scene.back_up(100 + i64::from(round)));
    }
    let before = scene.packs();
    for id in &snapshots[..4] {
        scene.sample.forget(*id);
    }
    let dry = PruneOptions { run: Run::Dry, ..at_once() };
    let promised = scene.prune_with(&dry, LATER);
    assert_eq!(scene.packs(), before, "a dry run changes nothing");
    let report = scene.prune();
    assert_eq!((report.condemned, report.repacked), (promised.condemned, promised.repacked));
    assert!(report.deleted.packs >= 4, "{report:?}");
    assert!(report.pending.is_empty(), "{report:?}");
    scene.assert_sound(2);
    let again = scene.prune();
    assert!(again.is_unchanged(), "{again:?}");
    scene.write("changes", 99);
    scene.back_up(300);
    scene.assert_sound(3);
}

#[test]
fn a_pack_that_is_half_live_is_repacked_in_its_order() {
    let scene = Scene::new();
    for name in ["a", "b", "c", "d"] {
        scene.write(name, u32::from(name.as_bytes()[0]));
    }
    let first = scene.back_up(100);
    for name in ["b", "d"] {
        fs::remove_file(scene.source.join(name)).expect("removed");
    }
    scene.back_up(200);
    scene.sample.forget(first);
    let report = scene.prune();
    assert!(report.repacked.packs >= 1 && report.written.bytes > 0, "{report:?}");
    assert_eq!(report.unused, 0);
    scene.assert_sound(1);
    // With room for what is unused, nothing is moved.
    let scene = Scene::new();
    for name in ["a", "b", "c", "d"] {
        scene.write(name, u32::from(name.as_bytes()[0]));
    }
    let first = scene.back_up(100);
    fs::remove_file(scene.source.join("d")).expect("removed");
    scene.back_up(200);
    scene.sample.forget(first);
    let options = PruneOptions { max_unused: 1.0, ..at_once() };
    let report = scene.prune_with(&options, LATER);
    assert_eq!((report.repacked.packs, report.unused > 0), (0, true), "{report:?}");
    scene.assert_sound(1);
}

#[test]
fn condemned_packs_wait_for_the_grace_of_readers() {
    let scene = Scene::new();
    scene.write("a", 1);
    let first = scene.back_up(100);
    scene.write("a", 2);
    scene.back_up(200);
    scene.sample.forget(first);
    let before = scene.packs();
    let options = PruneOptions { max_unused: 0.0, ..PruneOptions::default() };
    let report = scene.prune_with(&options, 1_000);
    assert!(report.condemned.packs > 0 && report.deleted.packs == 0, "{report:?}");
    let until = Timestamp { seconds: 1_000 + 72 * 3600, nanos: 0 };
    assert_eq!(report.pending[0].cause, PendingCause::Grace(until));
    assert!(before.is_subset(&scene.packs()));
    scene.assert_sound(1);
    let early = scene.prune_with(&options, 1_000 + 71 * 3600);
    assert_eq!(early.deleted.packs, 0);
    let late = scene.prune_with(&options, 1_000 + 73 * 3600);
    assert_eq!(late.deleted, report.pending[0].amount);
    scene.assert_sound(1);
}

#[test]
fn a_writer_that_began_before_is_awaited_and_what_it_commits_is_rescued() {
    let scene = Scene::new();
    scene.write("a", 1);
    let first = scene.back_up(100);
    scene.write("a", 2);
    let second = scene.back_up(200);
    // It knows the packs of the first snapshot, and commits that snapshot's tree once more.
    let repository = &scene.sample.repository;
    let open = session::open(repository, &[0], &writer(), time(LATER)).expect("a session");
    let listed = repository.snapshots().expect("snapshots").list;
    let old = &listed.iter().find(|entry| entry.id == first).expect("a snapshot").snapshot;
    scene.sample.forget(first);
    let report = scene.prune();
    assert!(report.condemned.packs > 0 && report.deleted.packs == 0, "{report:?}");
    assert!(matches!(report.pending[0].cause, PendingCause::Writers(_)), "{report:?}");
    // The same again: it still waits.
    assert_eq!(scene.prune().deleted.packs, 0);
    let content = old.encode();
    let id = SnapshotId(repository.keys.draw_salt(&content));
    let name = ObjectName::snapshot(id);
    let kind = crate::format::object::Kind::Snapshot;
    let object = crate::format::seal::seal_whole(&repository.keys, kind, &name, id.0, &content)
        .expect("sealed");
    crate::backend::save(&**repository.backend(), &name, &object).expect("saved");
    let place = &repository.destinations()[0];
    let outcome = Outcome::Commit(vec![id]);
    session::end(place, &repository.keys, open.id(), outcome, time(3), "test").expect("committed");
    let report = scene.prune();
    assert!(report.rescued > 0 && report.deleted.packs == 0, "{report:?}");
    scene.assert_sound(2);
    scene.sample.forget(id);
    scene.sample.forget(second);
    assert!(scene.prune().deleted.packs > 0);
    scene.assert_sound(0);
}

#[test]
fn after_a_prune_that_freed_something_the_next_one_reads_lists_alone() {
    let scene = Scene::new();
    let repository = scene.sample.reopen_with(Some(scene.sample.folder.path().join("cache")));
    let run = |now| {
        let report = prune(&repository, &at_once(), &writer(), time(now), &Unobserved);
        report.expect("a prune").destinations.remove(0)
    };
    let overwrite = || {
        for pack in scene.packs() {
            let path = scene.sample.path().join(pack.as_str());
            let size = fs::metadata(&path).expect("a pack").len();
            fs::remove_file(&path).expect("removed");
            fs::write(&path, vec![0; size as usize]).expect("written");
        }
    };
    scene.write("stays", 1);
    scene.write("changes", 2);
    let first = scene.back_up(100);
    scene.write("changes", 3);
    scene.back_up(101);
    scene.sample.forget(first);
    let freed = run(LATER);
    assert!(freed.deleted.packs > 0 && freed.pending.is_empty(), "{freed:?}");
    scene.assert_sound(1);
    let sound: Vec<_> = scene.packs().into_iter().collect();
    let bytes = |name: &ObjectName| fs::read(scene.sample.path().join(name.as_str()));
    let kept: Vec<Vec<u8>> = sound.iter().map(|name| bytes(name).expect("a pack")).collect();
    overwrite();
    let again = run(LATER);
    assert!(again.is_unchanged() && again.problems.is_empty(), "{again:?}");
    // Another snapshot makes it look again: nothing that can't be read is taken for unneeded.
    for (name, bytes) in sound.iter().zip(&kept) {
        fs::write(scene.sample.path().join(name.as_str()), bytes).expect("written");
    }
    scene.write("changes", 4);
    scene.back_up(102);
    overwrite();
    assert!(run(LATER).error.is_some());
}

#[test]
fn packs_of_an_interrupted_backup_stay_until_its_session_is_given_up() {
    let scene = Scene::new();
    scene.write("a", 1);
    scene.back_up(100);
    let repository = &scene.sample.repository;
    let open = session::open(repository, &[0], &writer(), time(LATER)).expect("a session");
    // A pack that no index describes, as a killed writer leaves it.
    let newest = scene.packs().pop_first().expect("a pack");
    let bytes = fs::read(scene.sample.path().join(newest.as_str())).expect("a pack");
    let orphan = ObjectName::pack(ObjectId([7; 32]));
    crate::backend::save(&**repository.backend(), &orphan, &bytes).expect("saved");
    assert!(scene.prune().is_unchanged());
    assert!(scene.packs().contains(&orphan));
    drop(open);
    let options = PruneOptions { access: Access::Exclusive, ..at_once() };
    let report = scene.prune_with(&options, LATER);
    assert_eq!(report.deleted.packs, 1, "{report:?}");
    assert!(!scene.packs().contains(&orphan));
    scene.assert_sound(1);
}

#[test]
fn many_small_packs_indexes_and_sessions_are_put_together() {
    let scene = Scene::new();
    for round in 0..20_u32 {
        fs::write(scene.source.join(format!("{round}")), vec![round as u8; 3000]).expect("a file");
        scene.back_up(100 + i64::from(round));
    }
    let (packs, backend) = (scene.packs().len(), scene.sample.repository.backend());
    let count = |area| backend.names(area).expect("a list").len();
    let (indexes, sessions) = (count(Area::Index), count(Area::Sessions));
    let report = scene.prune();
    assert!(report.deleted.packs > 0 && report.merged_indexes > 0, "{report:?}");
    assert!(scene.packs().len() < packs / 4, "{} of {packs}", scene.packs().len());
    assert!(count(Area::Index) <= 3, "{} of {indexes}", count(Area::Index));
    assert!(count(Area::Sessions) <= 4, "{} of {sessions}", count(Area::Sessions));
    scene.assert_sound(20);
    let again = scene.prune();
    assert_eq!(again.deleted.packs + again.condemned.packs, 0, "{again:?}");
    scene.assert_sound(20);
}

#[test]
fn each_mirror_frees_its_space_and_packs_are_repacked_once() {
    let mut scene = Scene::new();
    for name in ["a", "b", "c", "d"] {
        scene.write(name, u32::from(name.as_bytes()[0]));
    }
    let first = scene.back_up(100);
    let folder = scene.sample.folder.path().join("second");
    let second: Arc<dyn Backend> = Arc::new(Folder::new(folder.clone()));
    create_copy(&scene.sample.repository, &second, time(2)).expect("a copy");
    scene.sample.repository.add_destination(second).expect("a mirror");
    let whole = || {
        let options = SyncOptions::default();
        let report = sync(&scene.sample.repository, &options, &writer(), &Unobserved);
        let report = report.expect("a sync");
        assert!(report.is_whole(), "{report:?}");
        report.destinations.iter().map(|filled| filled.copied).sum::<u64>()
    };
    whole();
    fs::remove_file(scene.source.join("b")).expect("removed");
    scene.back_up(200);
    scene.sample.forget(first);
    let repository = &scene.sample.repository;
    let report = prune(repository, &at_once(), &writer(), time(LATER), &Unobserved).expect("done");
    let [one, two] = &report.destinations[..] else { panic!("two destinations") };
    assert!(one.repacked.packs > 0 && two.repacked.packs == 0, "{report:?}");
    assert!(one.deleted == two.deleted && one.deleted.packs > 0, "{report:?}");
    let packs = |path: &Path| {
        let list = Folder::new(path.to_owned()).names(Area::Packs).expect("a list");
        list.into_iter().collect::<BTreeSet<_>>()
    };
    assert_eq!(packs(&folder), packs(&scene.sample.path()));
    whole();
    assert_eq!(packs(&folder), packs(&scene.sample.path()));
    assert_eq!(whole(), 0);
    assert_sound(&scene.sample.open_at(&folder).expect("it opens"), 1);
    scene.assert_sound(1);
}

/// A destination that was away goes on with blobs that another one has condemned and deleted.
#[test]
fn what_one_mirror_deleted_and_another_one_needs_again_is_copied_after_the_next_prune() {
    let mut scene = Scene::new();
    for name in ["a", "b"] {
        scene.write(name, u32::from(name.as_bytes()[0]));
    }
    let first = scene.back_up(100);
    let folder = scene.sample.folder.path().join("second");
    let second: Arc<dyn Backend> = Arc::new(Folder::new(folder.clone()));
    create_copy(&scene.sample.repository, &second, time(2)).expect("a copy");
    scene.sample.repository.add_destination(second).expect("a mirror");
    let synced = |repository: &Repository| {
        let options = SyncOptions::default();
        sync(repository, &options, &writer(), &Unobserved).expect("a sync").is_whole()
    };
    assert!(synced(&scene.sample.repository));
    fs::remove_file(scene.source.join("b")).expect("removed");
    scene.back_up(200);
    scene.sample.forget(first);
    // The second is pruned while the first is away.
    let alone = scene.sample.open_at(&folder).expect("it opens");
    let options = PruneOptions { has_absent_destinations: true, ..at_once() };
    let report = prune(&alone, &options, &writer(), time(LATER), &Unobserved).expect("a prune");
    assert!(report.destinations[0].deleted.packs > 0, "{report:?}");
    // The first gets the same content once more while the second is away.
    let first = scene.sample.reopen().expect("it opens");
    let both = std::mem::replace(&mut scene.sample.repository, first);
    scene.write("b", u32::from(b'b'));
    scene.back_up(300);
    scene.sample.repository = both;
    synced(&scene.sample.repository);
    let repository = &scene.sample.repository;
    prune(repository, &at_once(), &writer(), time(LATER), &Unobserved).expect("a prune");
    assert!(synced(&scene.sample.repository), "it is copied now");
    for path in [folder, scene.sample.path()] {
        assert_sound(&scene.sample.open_at(&path).expect("it opens"), 2);
    }
}

#[test]
fn nothing_is_condemned_while_a_blob_of_a_snapshot_is_missing() {
    let scene = Scene::new();
    scene.write("a", 1);
    let first = scene.back_up(100);
    let before = scene.packs();
    scene.write("b", 2);
    scene.back_up(200);
    scene.sample.forget(first);
    let after = scene.packs();
    let lost = after.difference(&before).next().expect("a pack that the second snapshot needs");
    fs::remove_file(scene.sample.path().join(lost.as_str())).expect("removed");
    let left = scene.packs();
    let report = scene.prune_with(&at_once(), LATER);
    assert!(report.error.is_some(), "{report:?}");
    assert_eq!(scene.packs(), left);
}
