//! Tombstones that prune puts together.

use super::*;
use crate::backend::save;
use crate::format::object::Kind;
use crate::format::record::Tombstone;
use crate::format::seal;
use crate::maintenance::repair::{RepairOptions, repair};
use crate::maintenance::sync::heal;
use crate::repository::Repository;
use crate::repository::{forget, forget_missing, missing_snapshots};

const HOUR: i64 = 3600;

/// Returns the names of the objects of tombstones of one level.
fn objects(repository: &Repository, level: u32) -> Vec<ObjectName> {
    let names = repository.backend().names(Area::Forgotten).expect("a list");
    names.into_iter().filter(|name| name.level() == level).collect()
}

/// Writes a tombstone for each number, of a snapshot that was deleted long ago.
fn bury(repository: &Repository, numbers: std::ops::Range<u16>) {
    bury_for(repository, numbers, "a policy");
}

fn bury_for(repository: &Repository, numbers: std::ops::Range<u16>, policy: &str) {
    for number in numbers {
        let tombstone = Tombstone {
            snapshot: buried(number),
            time: time(3),
            host: "host".into(),
            user: "me".into(),
            policy: policy.into(),
            client_sequence: None,
            seen: Vec::new(),
            previous: None,
            origin: None,
        };
        let (name, content) = (ObjectName::tombstone(tombstone.snapshot), tombstone.encode());
        let salt = repository.keys.draw_salt(&content);
        let object = seal::seal_whole(&repository.keys, Kind::Tombstone, &name, salt, &content);
        save(&**repository.backend(), &name, &object.expect("sealed")).expect("saved");
    }
}

fn buried(number: u16) -> SnapshotId {
    let mut id = [0; 32];
    id[..2].copy_from_slice(&number.to_be_bytes());
    SnapshotId(id)
}

/// Returns the snapshots that a repository knows as forgotten.
fn forgotten(repository: &Repository) -> BTreeSet<SnapshotId> {
    let found = repository.snapshots().expect("snapshots");
    assert!(found.problems.is_empty(), "{:?}", found.problems);
    let ids: BTreeSet<SnapshotId> = found.forgotten.iter().map(|one| one.snapshot).collect();
    assert_eq!(ids.len(), found.forgotten.len(), "each once");
    ids
}

fn prune_at(repository: &Repository, hours: i64) -> DestinationPrune {
    let now = time(hours * HOUR);
    let report = prune(repository, &PruneOptions::default(), &writer(), now, &Unobserved);
    let report = report.expect("a prune").destinations.remove(0);
    assert!(report.error.is_none() && report.problems.is_empty(), "{report:?}");
    report
}

fn assert_check(repository: &Repository) {
    let report = check(repository, &CheckOptions::reading(ReadData::All), &Unobserved);
    let report = report.expect("a check");
    assert!(report.is_sound(), "{report:?}");
}

#[test]
fn many_tombstones_are_put_into_a_list_and_deleted_after_the_grace() {
    let scene = Scene::new();
    let cache = scene.sample.folder.path().join("cache");
    let repository = &scene.sample.reopen_with(Some(cache));
    scene.write("a", 1);
    let real = scene.back_up(100);
    scene.write("a", 2);
    let kept = scene.back_up(200);
    scene.sample.forget(real);
    bury(repository, 0..14);
    prune_at(repository, 1);
    assert_eq!(objects(repository, 1), [], "15 are not many");
    bury(repository, 14..15);
    let all = forgotten(repository);
    assert_eq!(all.len(), 16);
    prune_at(repository, 2);
    assert_eq!((objects(repository, 0).len(), objects(repository, 1).len()), (16, 1));
    prune_at(repository, 2 + 71);
    assert_eq!((objects(repository, 0).len(), objects(repository, 1).len()), (16, 1), "the grace");
    assert_eq!(forgotten(repository), all);
    prune_at(repository, 2 + 72);
    assert_eq!((objects(repository, 0).len(), objects(repository, 1).len()), (0, 1));
    assert_eq!(forgotten(repository), all);
    assert_eq!(forgotten(&scene.sample.reopen().expect("opened")), all, "without a cache");
    assert_check(repository);

    // What is in a list is forgotten, and known.
    let again = forget(repository, &[real, buried(3)], &writer(), time(9), "again");
    let again = again.expect("forgotten");
    assert_eq!((again.already.len(), again.forgotten.len()), (2, 0));
    assert_eq!(objects(repository, 0), []);
    let list = repository.snapshots().expect("snapshots").list;
    assert_eq!(list.iter().map(|entry| entry.id).collect::<Vec<_>>(), [kept]);
    assert!(prune_at(repository, 200).is_unchanged());
}

#[test]
fn a_list_ends_before_it_is_too_long_and_a_long_one_stays() {
    let scene = Scene::new();
    scene.write("a", 1);
    scene.back_up(100);
    let repository = &scene.sample.repository;
    bury_for(repository, 0..40, &"x".repeat(70_000));
    bury_for(repository, 40..41, &"x".repeat(1 << 20));
    prune_at(repository, 1);
    assert_eq!(objects(repository, 1).len(), 3, "15, 15 and 10 of 70 kB");
    prune_at(repository, 74);
    assert_eq!(objects(repository, 0), [ObjectName::tombstone(buried(40))]);
    assert_eq!(forgotten(repository).len(), 41);
    assert_check(repository);
}

#[test]
fn many_lists_are_put_into_one_of_the_next_level() {
    let scene = Scene::new();
    scene.write("a", 1);
    scene.back_up(100);
    let repository = &scene.sample.repository;
    let mut now = 1;
    for round in 0..16 {
        bury(repository, round * 16..round * 16 + 16);
        prune_at(repository, now);
        now += 72;
    }
    prune_at(repository, now);
    assert_eq!((objects(repository, 0).len(), objects(repository, 1).len()), (0, 16));
    assert_eq!(objects(repository, 2).len(), 1);
    prune_at(repository, now + 71);
    assert_eq!(objects(repository, 1).len(), 16);
    prune_at(repository, now + 72);
    assert_eq!((objects(repository, 1).len(), objects(repository, 2).len()), (0, 1));
    assert_eq!(forgotten(repository), (0..256).map(buried).collect());
    // One that comes late, as from a destination that was away, is in a list already.
    bury(repository, 7..8);
    let report = prune_at(repository, now + 73);
    assert_eq!(report.deleted_records, 1);
    assert_eq!(objects(repository, 0), []);
    assert_check(repository);
}

/// Damages a file in its middle.
fn flip(path: &Path) {
    let mut bytes = fs::read(path).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::remove_file(path).expect("removed");
    fs::write(path, bytes).expect("written");
}

/// A repository in two places.
struct Mirrored {
    scene: Scene,
    second: PathBuf,
}

impl Mirrored {
    fn new(scene: Scene) -> Self {
        let second = scene.sample.folder.path().join("second");
        let place: Arc<dyn Backend> = Arc::new(Folder::new(second.clone()));
        create_copy(&scene.sample.repository, &place, time(2)).expect("a copy");
        Self { scene, second }
    }

    fn first(&self) -> Repository {
        self.scene.sample.reopen().expect("opened")
    }

    fn second(&self) -> Repository {
        self.scene.sample.open_at(&self.second).expect("opened")
    }

    fn both(&self) -> Repository {
        let mut both = self.first();
        both.add_destination(Arc::new(Folder::new(self.second.clone()))).expect("a mirror");
        both
    }

    fn sync(&self) {
        let report = sync(&self.both(), &SyncOptions::default(), &writer(), &Unobserved);
        let report = report.expect("a sync");
        assert!(report.is_whole(), "{report:?}");
    }

    /// Fails if a destination lacks a tombstone.
    fn assert_none_is_lacking(&self) {
        for status in self.both().destination_status().expect("a status") {
            let mut objects = status.lacking.expect("a list").objects;
            objects.retain(|name| Area::of(name) == Some(Area::Forgotten));
            assert_eq!(objects, []);
        }
    }
}

#[test]
fn a_destination_that_was_away_gets_what_is_in_lists_and_forgets_by_it() {
    let scene = Scene::new();
    scene.write("a", 1);
    let first = scene.back_up(100);
    scene.write("a", 2);
    scene.back_up(200);
    let places = Mirrored::new(scene);
    places.sync();
    // The second keeps the snapshot that is forgotten, put into a list and deleted meanwhile.
    bury(&places.first(), 0..20);
    places.scene.sample.forget(first);
    for hours in [1, 73, 74] {
        prune_at(&places.first(), hours);
    }
    assert_eq!(objects(&places.first(), 0), []);
    assert_eq!(places.second().snapshots().expect("snapshots").list.len(), 2);
    places.sync();
    assert_eq!(forgotten(&places.second()).len(), 21);
    for repository in [places.first(), places.second(), places.both()] {
        assert_eq!(repository.snapshots().expect("snapshots").list.len(), 1, "it is not back");
    }
    places.assert_none_is_lacking();
    // Each puts together by itself what is new; neither lacks anything then.
    bury(&places.first(), 20..40);
    places.sync();
    prune_at(&places.first(), 80);
    prune_at(&places.second(), 81);
    places.assert_none_is_lacking();
    prune_at(&places.second(), 81 + 72);
    let lists = objects(&places.second(), 1);
    assert_eq!((objects(&places.second(), 0).len(), lists.len()), (0, 2));
    assert_ne!(lists, objects(&places.first(), 1));
    places.assert_none_is_lacking();
    places.sync();
    assert_eq!(objects(&places.second(), 1), lists, "nothing was copied");
    assert_eq!(objects(&places.second(), 0), []);
    assert_eq!(forgotten(&places.both()).len(), 41);
    assert_check(&places.first());
    assert_check(&places.second());
}

#[test]
fn a_list_that_is_damaged_everywhere_is_put_aside_and_what_others_have_comes_back() {
    let scene = Scene::new();
    scene.write("a", 1);
    scene.back_up(100);
    bury(&scene.sample.repository, 0..16);
    for hours in [1, 74] {
        prune_at(&scene.sample.repository, hours);
    }
    let places = Mirrored::new(scene);
    places.sync();
    let list = objects(&places.first(), 1).remove(0);
    let damage = |folder: &Path| flip(&folder.join(list.as_str()));
    // One of two is healed.
    damage(&places.second);
    places.sync();
    assert_eq!(forgotten(&places.second()).len(), 16);
    damage(&places.second);
    damage(&places.scene.sample.path());
    assert!(!places.first().snapshots().expect("snapshots").problems.is_empty());
    let options = RepairOptions { read_data: ReadData::None, run: Run::Real };
    for repository in [places.first(), places.second()] {
        let report = repair(&repository, &options, &writer(), time(6), &Unobserved);
        let report = report.expect("a repair");
        assert_eq!(report.destinations[0].quarantined, std::slice::from_ref(&list));
        assert!(forgotten(&repository).is_empty(), "nothing has it");
        prune_at(&repository, 80);
    }
    assert!(places.second.join("quarantine").is_dir());
    bury(&places.second(), 0..16);
    places.sync();
    assert_eq!(forgotten(&places.first()).len(), 16);
    assert_check(&places.first());
}

#[test]
fn snapshots_whose_tombstones_are_lost_are_forgotten_once_more_and_prune_goes_on() {
    let scene = Scene::new();
    let repository = &scene.sample.repository;
    for number in 0..11 {
        scene.write("a", number);
        let id = scene.back_up(100 + i64::from(number));
        if number < 10 {
            scene.sample.forget(id);
        }
    }
    bury(repository, 0..6);
    for hours in [1, 80, 160] {
        prune_at(repository, hours);
    }
    assert_eq!((objects(repository, 0).len(), objects(repository, 1).len()), (0, 1));
    assert_eq!(repository.backend().names(Area::Snapshots).expect("names").len(), 1);
    flip(&scene.sample.path().join(objects(repository, 1)[0].as_str()));
    let options = RepairOptions { read_data: ReadData::None, run: Run::Real };
    repair(repository, &options, &writer(), time(6), &Unobserved).expect("a repair");
    assert_eq!(objects(repository, 1), []);
    let refused = scene.prune_with(&PruneOptions::default(), 200 * HOUR);
    assert!(matches!(refused.error, Some(Error::Missing { .. })), "{refused:?}");
    assert_eq!(missing_snapshots(repository).expect("a list").len(), 10);
    let report = forget_missing(repository, &writer(), time(7)).expect("forgotten");
    assert_eq!(report.forgotten.len(), 10);
    assert_eq!(missing_snapshots(repository).expect("a list"), []);
    prune_at(repository, 200);
    assert_check(repository);
}

#[test]
fn nothing_is_deleted_for_a_list_that_only_the_cache_has_whole() {
    let scene = Scene::new();
    scene.write("a", 1);
    scene.back_up(100);
    let repository = &scene.sample.reopen_with(Some(scene.sample.folder.path().join("cache")));
    bury(repository, 0..16);
    prune_at(repository, 1);
    assert_eq!(forgotten(repository).len(), 16, "the cache has the list now");
    flip(&scene.sample.path().join(objects(repository, 1)[0].as_str()));
    assert_eq!(forgotten(repository).len(), 16);
    let now = time(100 * HOUR);
    let report = prune(repository, &PruneOptions::default(), &writer(), now, &Unobserved);
    let report = report.expect("a prune").destinations.remove(0);
    assert!(matches!(report.problems[..], [Error::Damaged { .. }]), "{report:?}");
    assert_eq!(objects(repository, 0).len(), 16);
}

#[test]
fn a_destination_whose_own_list_is_damaged_gets_the_tombstones_of_another_one() {
    own_list_is_damaged(None);
}

/// The cache has the list whole.
#[test]
fn a_destination_whose_own_list_is_damaged_gets_tombstones_also_where_a_cache_has_it() {
    let cache = tempfile::tempdir().expect("a folder");
    own_list_is_damaged(Some(cache.path()));
}

fn own_list_is_damaged(cache: Option<&Path>) {
    let scene = Scene::new();
    scene.write("a", 1);
    scene.back_up(100);
    bury(&scene.sample.repository, 0..16);
    let places = Mirrored::new(scene);
    places.sync();
    // Each has a list of its own.
    for hours in [1, 74] {
        prune_at(&places.first(), hours);
        prune_at(&places.second(), hours);
    }
    let list = objects(&places.first(), 1).remove(0);
    assert_ne!(list, objects(&places.second(), 1)[0]);
    let open = || {
        let mut both = places.scene.sample.reopen_with(cache.map(Path::to_owned));
        both.add_destination(Arc::new(Folder::new(places.second.clone()))).expect("a mirror");
        both
    };
    assert_eq!(forgotten(&open()).len(), 16);
    flip(&places.scene.sample.path().join(list.as_str()));
    // The other one lacks nothing for that.
    let status = open().destination_status().expect("a status").remove(1);
    assert_eq!(status.lacking.expect("a list").objects, []);
    let report = sync(&open(), &SyncOptions::default(), &writer(), &Unobserved);
    let report = report.expect("a sync");
    assert!(!report.destinations[0].problems.is_empty(), "{report:?}");
    assert!(report.destinations[1].copied == 0, "{report:?}");
    assert_eq!(objects(&places.first(), 1).len(), 2, "the damaged one, and that of the other");
    let options = RepairOptions { read_data: ReadData::None, run: Run::Real };
    let report = repair(&open(), &options, &writer(), time(6), &Unobserved);
    let report = report.expect("a repair");
    assert_eq!(report.destinations[0].quarantined, [list]);
    assert_eq!(forgotten(&places.first()).len(), 16);
    places.sync();
}

#[test]
fn what_a_list_has_taken_in_at_one_destination_is_no_damage_to_be_healed() {
    let scene = Scene::new();
    scene.write("a", 1);
    scene.back_up(100);
    bury(&scene.sample.repository, 0..16);
    let places = Mirrored::new(scene);
    places.sync();
    for hours in [1, 74] {
        prune_at(&places.first(), hours);
    }
    // The first, which is read before the other, has none of the single ones any more.
    let both = places.both();
    assert_eq!(forgotten(&both).len(), 16);
    let healed = heal(&both, &Unobserved).expect("an answer");
    assert!(healed.healed.is_empty() && healed.problems.is_empty(), "{healed:?}");
    assert_eq!((objects(&places.first(), 0).len(), objects(&places.second(), 1).len()), (0, 0));
}
