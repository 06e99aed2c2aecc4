use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Barrier};

use super::*;
use crate::backend::{Folder, save};
use crate::backup::backup;
use crate::error::Refusal;
use crate::format::secret::Secret;
use crate::format::slot::Cost;
use crate::maintenance::check::{CheckOptions, check};
use crate::maintenance::prune::{PruneOptions, prune};
use crate::maintenance::sync::{SyncOptions, SyncReport, sync};
use crate::repository::{create_copy, forget, open};
use crate::testing::{RecordingObserver, Sample, backup_options, time, writer};

mod many_removals;
mod unknown_kind;

const CHEAP: Cost = Cost { memory: 8 << 10, passes: 1, lanes: 1 };

/// A repository at two destinations.
struct Scene {
    sample: Sample,
    second: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let mut sample = Sample::new();
        let second = sample.folder.path().join("second");
        let backend: Arc<dyn Backend> = Arc::new(Folder::new(second.clone()));
        create_copy(&sample.repository, &backend, time(2)).expect("a copy");
        sample.repository.add_destination(backend).expect("it is a copy");
        Self { sample, second }
    }

    /// Opens the first destination alone, as if the second were away.
    fn first(&self) -> Repository {
        self.sample.reopen().expect("it opens")
    }

    fn both(&self) -> Repository {
        let mut repository = self.first();
        let second = Arc::new(Folder::new(self.second.clone()));
        repository.add_destination(second).expect("it is a copy");
        repository
    }

    fn add(&self, repository: &Repository, secret: &Secret, label: &str) -> ObjectId {
        let new = NewSlot { secret, label, cost: CHEAP, time: time(3) };
        let report = add_slot(repository, self.sample.secret(), &new).expect("added");
        assert!(report.behind.is_empty(), "{:?}", report.behind);
        report.slot.id
    }

    /// Fails unless both destinations are sound.
    fn assert_sound(&self) {
        for folder in [self.sample.path(), self.second.clone()] {
            let repository = self.sample.open_at(&folder).expect("it opens");
            let found = check(&repository, &CheckOptions::default(), &RecordingObserver::default());
            let problems = found.expect("it ends").problems;
            assert!(problems.is_empty(), "{problems:?}");
        }
    }

    fn sync(&self) -> SyncReport {
        let observer = RecordingObserver::default();
        let options = SyncOptions::default();
        sync(&self.both(), &options, &writer(), &observer).expect("a sync")
    }

    fn opens(&self, secret: &Secret) -> [bool; 2] {
        [self.sample.path(), self.second.clone()].map(|folder| opens(folder, secret))
    }
}

fn opens(folder: PathBuf, secret: &Secret) -> bool {
    match open(Arc::new(Folder::new(folder)), secret, None) {
        Ok(_) => true,
        Err(Error::WrongSecret { .. } | Error::OutdatedSecret { .. }) => false,
        Err(error) => panic!("{error}"),
    }
}

fn removal(ids: &[ObjectId]) -> Removal<'_> {
    Removal { ids, replaced_by: None, remaining: Remaining::Any, time: time(4) }
}

fn own_slot(repository: &Repository) -> ObjectId {
    repository.opened_with().expect("it was opened")
}

#[test]
fn an_added_secret_of_each_kind_opens_every_destination() {
    let scene = Scene::new();
    let both = scene.both();
    let secrets = [Secret::passphrase("new"), Secret::draw_key_file(), Secret::draw_recovery()];
    for secret in &secrets {
        let id = scene.add(&both, secret, "added");
        assert_eq!(scene.opens(secret), [true; 2]);
        let backend = Arc::new(Folder::new(scene.second.clone()));
        let opened = open(backend, secret, None).expect("it opens");
        assert_eq!(opened.opened_with(), Some(id));
        let known = known_slots(&both).expect("slots");
        let slot = known.get(id).expect("it is listed");
        assert_eq!((&*slot.slot.label, &*slot.destinations), ("added", &[0, 1][..]));
    }
    assert_eq!(known_slots(&both).expect("slots").list.len(), 4);
    scene.assert_sound();
}

#[test]
fn a_slot_removed_while_a_destination_was_away_does_not_come_back() {
    let scene = Scene::new();
    let old = Secret::draw_key_file();
    let id = scene.add(&scene.both(), &old, "old");
    let report = remove_slots(&scene.first(), &removal(&[id])).expect("removed");
    assert!(report.still_open.is_empty());
    assert_eq!(scene.opens(&old), [false, true]);
    let known = known_slots(&scene.both()).expect("slots");
    let left = known.get(id).expect("the second has it");
    assert!(left.is_removed && left.destinations == [1], "{left:?}");
    let lacking = scene.both().destination_status().expect("a status");
    let lacks = |number: usize| lacking[number].lacking.as_ref().expect("reached").objects.len();
    assert_eq!((lacks(0), lacks(1)), (0, 1), "the removal alone");
    let report = scene.sync();
    assert!(report.is_whole(), "{report:?}");
    assert_eq!(report.destinations[1].removed_slots, 1);
    assert_eq!(scene.opens(&old), [false; 2]);
    assert!(scene.sync().destinations.iter().all(|filled| filled.is_unchanged()));
    scene.assert_sound();
}

#[test]
fn the_same_removal_again_reaches_a_destination_that_was_away() {
    let scene = Scene::new();
    let old = Secret::draw_key_file();
    let id = scene.add(&scene.both(), &old, "old");
    remove_slots(&scene.first(), &removal(&[id])).expect("removed");
    let report = remove_slots(&scene.both(), &removal(&[id])).expect("removed");
    assert!(report.still_open.is_empty());
    assert_eq!(scene.opens(&old), [false; 2]);
    let again = remove_slots(&scene.both(), &removal(&[id]));
    assert!(matches!(again, Err(Error::NotFound { .. })));
    let both = scene.both();
    let removals = known_slots(&both).expect("slots").removals;
    assert_eq!((removals.len(), removals[0].destinations.len()), (1, 2));
    scene.assert_sound();
}

#[test]
fn a_copy_that_is_made_after_an_interrupted_removal_does_not_have_the_slot() {
    let scene = Scene::new();
    let old = Secret::draw_key_file();
    let id = scene.add(&scene.both(), &old, "old");
    let first = scene.first();
    let record = crate::format::slot::removal::create(&first.keys, first.id(), &[id], 4);
    let object = record.encode(&first.keys);
    save(&**first.backend(), &ObjectName::slot(record.id), &object).expect("saved");
    assert_eq!(scene.opens(&old), [true; 2], "it opens for as long as it is there");
    let third = scene.sample.folder.path().join("third");
    let backend: Arc<dyn Backend> = Arc::new(Folder::new(third.clone()));
    create_copy(&first, &backend, time(5)).expect("a copy");
    assert!(!opens(third.clone(), &old) && opens(third, scene.sample.secret()));
    scene.assert_sound();
    remove_slots(&scene.both(), &removal(&[id])).expect("removed");
    assert_eq!(scene.opens(&old), [false; 2]);
}

#[test]
fn the_last_secret_and_the_last_that_is_typed_stay() {
    let scene = Scene::new();
    let both = scene.both();
    let own = own_slot(&both);
    let last = remove_slots(&both, &removal(&[own]));
    assert!(matches!(last, Err(Error::Refused(Refusal::LastSlot))), "{last:?}");
    let typed = Secret::draw_recovery();
    let id = scene.add(&both, &typed, "recovery key");
    let ids = [id];
    let careful = Removal { remaining: Remaining::Typed, ..removal(&ids) };
    let refused = remove_slots(&both, &careful);
    assert!(matches!(refused, Err(Error::Refused(Refusal::OnlyKeyFilesLeft))), "{refused:?}");
    assert!(matches!(
        remove_slots(&both, &removal(&[own, id])),
        Err(Error::Refused(Refusal::LastSlot))
    ));
    assert!(known_slots(&both).expect("slots").removals.is_empty(), "nothing was written");
    assert_eq!((scene.opens(&typed), scene.opens(scene.sample.secret())), ([true; 2], [true; 2]));
    // A key file may go where another one stays.
    let other = Secret::draw_key_file();
    let other_id = scene.add(&both, &other, "key file");
    let ids = [other_id];
    let careful = Removal { remaining: Remaining::Typed, ..removal(&ids) };
    remove_slots(&both, &careful).expect("removed");
    remove_slots(&both, &removal(&[id])).expect("removed");
    assert_eq!(scene.opens(&typed), [false; 2]);
    scene.assert_sound();
}

#[test]
fn of_two_programs_that_remove_each_other_s_secret_one_secret_stays() {
    let scene = Scene::new();
    let other = Secret::draw_recovery();
    let id = scene.add(&scene.both(), &other, "other");
    let (one, two) = (scene.both(), scene.both());
    let (own, other_id) = ([own_slot(&one)], [id]);
    // Both look first, then each removes what the other one keeps.
    let first_look = known_slots(&two).expect("slots");
    remove_slots(&one, &removal(&other_id)).expect("removed");
    let refused = remove::remove_known(&two, &first_look, &removal(&own));
    assert!(matches!(refused, Err(Error::Refused(Refusal::LastSlot))), "{refused:?}");
    assert_eq!((scene.opens(scene.sample.secret()), scene.opens(&other)), ([true; 2], [false; 2]));
    let known = known_slots(&one).expect("slots");
    assert_eq!(known.removals.len(), 1, "the refused one is withdrawn");
    assert!(known.list.iter().all(KnownSlot::counts));
    scene.assert_sound();
}

#[test]
fn two_programs_that_remove_at_the_same_time_leave_a_secret() {
    for round in 0..20 {
        let scene = Scene::new();
        let other = Secret::draw_recovery();
        let id = scene.add(&scene.both(), &other, "other");
        let own = own_slot(&scene.first());
        let start = Barrier::new(2);
        std::thread::scope(|scope| {
            for ids in [[own], [id]] {
                let (scene, start) = (&scene, &start);
                scope.spawn(move || {
                    let both = scene.both();
                    start.wait();
                    match remove_slots(&both, &removal(&ids)) {
                        Ok(_) | Err(Error::Refused(Refusal::LastSlot)) => {}
                        Err(error) => panic!("{error}"),
                    }
                });
            }
        });
        let (one, two) = (scene.opens(scene.sample.secret()), scene.opens(&other));
        assert!((0..2).all(|at| one[at] || two[at]), "round {round}: {one:?} {two:?}");
    }
}

#[test]
fn a_destination_without_the_replacement_keeps_the_old_secret() {
    let scene = Scene::new();
    let (old, new) = (Secret::draw_recovery(), Secret::draw_recovery());
    let old_id = scene.add(&scene.both(), &old, "old");
    let new_id = scene.add(&scene.first(), &new, "new");
    let ids = [old_id];
    let replaced = Removal { replaced_by: Some(new_id), ..removal(&ids) };
    let report = remove_slots(&scene.both(), &replaced).expect("removed");
    let [Behind { destination: 1, cause: BehindCause::Lacking }] = &*report.still_open else {
        panic!("{:?}", report.still_open)
    };
    assert_eq!((scene.opens(&old), scene.opens(&new)), ([false, true], [true, false]));
    assert!(scene.sync().is_whole());
    assert_eq!((scene.opens(&old), scene.opens(&new)), ([false; 2], [true; 2]));
    scene.assert_sound();
}

#[test]
fn a_removal_of_somebody_without_the_keys_counts_nowhere() {
    let scene = Scene::new();
    let old = Secret::draw_key_file();
    let id = scene.add(&scene.both(), &old, "old");
    let both = scene.both();
    let foreign = Sample::new().repository;
    let record = crate::format::slot::removal::create(&foreign.keys, both.id(), &[id], 4);
    let object = record.encode(&foreign.keys);
    save(&**both.backend(), &ObjectName::slot(record.id), &object).expect("saved");
    assert!(!known_slots(&both).expect("slots").get(id).expect("listed").is_removed);
    let report = scene.sync();
    assert!(!report.is_whole(), "a damaged object is reported");
    assert_eq!(scene.opens(&old), [true; 2]);
    let names = fs::read_dir(scene.second.join("keys")).expect("a folder").count();
    assert_eq!(names, 2, "it is not copied");
}

/// Returns the generations under which the packs of a folder are sealed.
fn pack_generations(folder: &std::path::Path) -> Vec<u8> {
    let backend = Folder::new(folder.to_owned());
    let names = backend.names(Area::Packs).expect("a list");
    let mut found: Vec<u8> =
        names.iter().map(|name| backend.read(name, 7..8).expect("a byte")[0]).collect();
    found.sort_unstable();
    found
}

#[test]
fn after_a_change_of_the_keys_only_the_new_slots_open_and_old_and_new_snapshots_are_read() {
    let scene = Scene::new();
    let source = scene.sample.folder.path().join("source");
    fs::create_dir(&source).expect("a folder");
    fs::write(source.join("old"), vec![7; 9_000]).expect("a file");
    scene.sample.back_up(&source, 1_000);
    let (other, fresh) = (Secret::draw_key_file(), Secret::draw_recovery());
    scene.add(&scene.both(), &other, "other");
    let both = scene.both();
    let secret = scene.sample.secret();
    let slots = [(secret, "mine"), (&fresh, "recovery key")].map(|(secret, label)| NewSlot {
        secret,
        label,
        cost: CHEAP,
        time: time(3),
    });
    let report = rotate(&both, secret, &slots, time(4)).expect("rotated");
    assert!(report.behind.is_empty() && report.still_open.is_empty(), "{report:?}");
    assert_eq!((report.generation, report.slots.len(), report.removed.len()), (2, 2, 2));
    assert_eq!((scene.opens(secret), scene.opens(&fresh)), ([true; 2], [true; 2]));
    assert_eq!(scene.opens(&other), [false; 2]);
    scene.assert_sound();
    // A program that opened before goes on under the old keys, and its snapshot is read.
    fs::write(source.join("meanwhile"), vec![8; 9_000]).expect("a file");
    scene.sample.back_up(&source, 2_000);
    fs::write(source.join("new"), vec![9; 9_000]).expect("a file");
    let options = crate::testing::backup_options(3_000);
    let after = scene.both();
    crate::backup::backup(&after, &[source], &options, &RecordingObserver::default())
        .expect("a backup");
    for folder in [scene.sample.path(), scene.second.clone()] {
        let generations = pack_generations(&folder);
        assert_eq!(generations, [1, 1, 1, 1, 2, 2], "{generations:?}");
    }
    scene.assert_sound();
    let (reader, _) = after.reader(1 << 20).expect("a reader");
    for entry in after.snapshots().expect("snapshots").list {
        assert!(reader.tree(&entry.snapshot.root).is_ok());
    }
    // Another change, and the next one by the new recovery key.
    let again = scene.both();
    let slots = [NewSlot { secret: &fresh, label: "", cost: CHEAP, time: time(5) }];
    assert_eq!(rotate(&again, secret, &slots, time(5)).expect("rotated").generation, 3);
    assert_eq!((scene.opens(&fresh), scene.opens(secret)), ([true; 2], [false; 2]));
}

#[test]
fn a_destination_that_was_away_gets_the_new_keys_by_a_sync() {
    let scene = Scene::new();
    let secret = scene.sample.secret();
    let fresh = Secret::draw_recovery();
    let slots = [(secret, "mine"), (&fresh, "recovery key")].map(|(secret, label)| NewSlot {
        secret,
        label,
        cost: CHEAP,
        time: time(3),
    });
    rotate(&scene.first(), secret, &slots, time(4)).expect("rotated");
    assert_eq!(scene.opens(&fresh), [true, false]);
    assert_eq!(scene.both().keys.in_force(), 2);
    // Whichever is opened first.
    let mut reversed = scene.sample.open_at(&scene.second).expect("it opens by the old slot");
    let added = reversed.add_destination(Arc::new(Folder::new(scene.sample.path())));
    assert!(matches!(added, Err(Error::OutdatedSecret { .. })), "{added:?}");
    assert!(scene.sync().is_whole());
    assert_eq!((scene.opens(secret), scene.opens(&fresh)), ([true; 2], [true; 2]));
    assert_eq!(scene.sample.open_at(&scene.second).expect("it opens").keys.in_force(), 2);
    scene.assert_sound();
}

#[test]
fn nothing_is_written_where_the_new_keys_are_missing() {
    let scene = Scene::new();
    let secret = scene.sample.secret();
    let source = scene.sample.folder.path().join("source");
    fs::create_dir(&source).expect("a folder");
    let back_up = |repository: &Repository, content: &str, at: i64| {
        fs::write(source.join("file"), content).expect("a file");
        let sources = [source.clone()];
        backup(repository, &sources, &backup_options(at), &RecordingObserver::default())
    };
    let before = back_up(&scene.both(), "old", 100).expect("a backup").snapshot.expect("an id");
    let new = [NewSlot { secret, label: "", cost: CHEAP, time: time(3) }];
    rotate(&scene.first(), secret, &new, time(4)).expect("rotated");
    let both = scene.both();
    let report = back_up(&both, "new", 200).expect("a backup");
    let behind: Vec<usize> = report.behind.iter().map(|one| one.destination).collect();
    assert_eq!(behind, [1]);
    let forgotten = forget(&both, &[before], &writer(), time(300), "").expect("forgotten");
    assert_eq!(forgotten.behind.len(), 1);
    let pruned =
        prune(&both, &PruneOptions::default(), &writer(), time(400), &RecordingObserver::default());
    let pruned = pruned.expect("a report").destinations;
    assert!(pruned[0].error.is_none(), "{:?}", pruned[0].error);
    let refused = pruned[1].error.as_ref();
    assert!(matches!(refused, Some(Error::Refused(Refusal::OutdatedKeys { .. }))), "{refused:?}");
    // Alone it is what it was before, to its old secret.
    scene.assert_sound();
    let alone = scene.sample.open_at(&scene.second).expect("it opens");
    let found = alone.snapshots().expect("snapshots");
    assert_eq!((found.list.len(), found.problems.len()), (1, 0), "{:?}", found.problems);
    assert!(scene.sync().is_whole());
    scene.assert_sound();
    let alone = scene.sample.open_at(&scene.second).expect("it opens");
    let found = alone.snapshots().expect("snapshots").list;
    assert_eq!(found.iter().map(|one| Some(one.id)).collect::<Vec<_>>(), [report.snapshot]);
}

#[test]
fn keys_without_a_slot_that_opens_them_are_not_put_in_force_by_a_sync() {
    let scene = Scene::new();
    let secret = scene.sample.secret();
    let new = [NewSlot { secret, label: "", cost: CHEAP, time: time(3) }];
    rotate(&scene.first(), secret, &new, time(4)).expect("rotated");
    let (keys, whole) = (scene.sample.path().join("keys"), scene.both());
    let mut damaged = Vec::new();
    for entry in fs::read_dir(&keys).expect("a folder") {
        let path = entry.expect("an entry").path();
        if !scene.second.join("keys").join(path.file_name().expect("a name")).exists() {
            let bytes = fs::read(&path).expect("a slot");
            fs::write(&path, &bytes[..bytes.len() / 2]).expect("damaged");
            damaged.push((path, bytes));
        }
    }
    let options = SyncOptions::default();
    let run = || sync(&whole, &options, &writer(), &RecordingObserver::default());
    assert!(!run().expect("a report").is_whole());
    assert!(opens(scene.second.clone(), secret), "by its old slot");
    for (path, bytes) in damaged {
        fs::write(path, bytes).expect("whole again");
    }
    assert!(run().expect("a report").is_whole());
    assert_eq!(scene.opens(secret), [true; 2]);
    scene.assert_sound();
}

#[test]
fn of_two_changes_of_the_keys_at_the_same_time_one_wins_and_nobody_is_locked_out() {
    for round in 0..12 {
        let scene = Scene::new();
        let secret = scene.sample.secret();
        let (one, two) = (scene.both(), scene.both());
        let start = Barrier::new(2);
        let run = |repository: &Repository| {
            let new = [NewSlot { secret, label: "", cost: CHEAP, time: time(3) }];
            start.wait();
            rotate(repository, secret, &new, time(4))
        };
        let won = std::thread::scope(|scope| {
            let threads = [&one, &two].map(|repository| {
                let run = &run;
                scope.spawn(move || run(repository))
            });
            threads.map(|thread| thread.join().expect("it ends").is_ok())
        });
        assert!(won.contains(&true), "round {round}");
        assert_eq!(scene.opens(secret), [true; 2], "round {round}: {won:?}");
        scene.assert_sound();
    }
}

#[test]
fn a_change_of_the_keys_begins_with_those_in_force() {
    let scene = Scene::new();
    let secret = scene.sample.secret();
    // Both are open; one changes the keys wholly before the other begins.
    let (one, two) = (scene.both(), scene.both());
    let new = [NewSlot { secret, label: "", cost: CHEAP, time: time(3) }];
    rotate(&one, secret, &new, time(4)).expect("rotated");
    let late = rotate(&two, secret, &new, time(5));
    assert!(matches!(late, Err(Error::Overtaken)), "{late:?}");
    assert_eq!(scene.opens(secret), [true; 2]);
    scene.assert_sound();
    rotate(&scene.both(), secret, &new, time(6)).expect("rotated again");
    assert_eq!(scene.both().keys.in_force(), 3);
    scene.assert_sound();
}

#[test]
fn a_slot_of_an_interrupted_change_of_the_keys_locks_nobody_out() {
    let scene = Scene::new();
    let (both, secret) = (scene.both(), scene.sample.secret());
    let master = add::master_secret(&both, secret).expect("it opens");
    // Its generation is never put in force.
    let lost = master.with_new_generation().expect("another");
    let slot = crate::format::slot::create(&lost, both.id(), secret, "", 3, CHEAP);
    let object = slot.encode(&both.keys);
    for place in both.destinations() {
        save(&**place.backend(), &ObjectName::slot(slot.id), &object).expect("saved");
    }
    assert_eq!(scene.opens(secret), [true; 2]);
    let new = [NewSlot { secret, label: "", cost: CHEAP, time: time(5) }];
    rotate(&scene.both(), secret, &new, time(5)).expect("rotated");
    assert_eq!(scene.opens(secret), [true; 2]);
    scene.add(&scene.both(), &Secret::draw_recovery(), "added");
    scene.assert_sound();
}
