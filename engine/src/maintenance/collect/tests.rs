use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::Refusal;
use crate::backend::{Backend, Folder};
use crate::error::Error;
use crate::format::object::{Area, Kind, ObjectName};
use crate::format::secret::Secret;
use crate::maintenance::check::{CheckOptions, ReadData, check};
use crate::maintenance::prune::{PruneOptions, prune};
use crate::operation::observer::Unobserved;
use crate::repository::{
    Machine, add_machine, annotate, draw_machine, known_slots, machines, open, open_inbox,
    save_sealed,
};
use crate::testing::{Sample, back_up_to, forge, time, writer};

/// An owner's repository with a write-only machine and its inbox.
struct Scene {
    owner: Sample,
    machine: Machine,
    secret: Secret,
    place: Arc<dyn Backend>,
}

impl Scene {
    fn new() -> Self {
        let owner = Sample::new();
        let new = draw_machine(&owner.repository, "web01", time(5)).expect("a machine");
        assert!(add_machine(&owner.repository, &new).expect("it is added").is_empty());
        let folder = owner.folder.path().join("inbox");
        let place: Arc<dyn Backend> = Arc::new(Folder::confined(folder));
        let scene = Self { machine: new.machine, secret: new.secret, place, owner };
        scene.inbox();
        scene
    }

    /// Opens the inbox as the owner does.
    fn inbox(&self) -> Repository {
        let places = [Arc::clone(&self.place)];
        let opened = open_inbox(&self.owner.repository, &self.machine, &places, time(6), None);
        opened.expect("the owner opens the inbox")
    }

    /// Opens the inbox as the machine does.
    fn as_machine(&self) -> Repository {
        open(Arc::clone(&self.place), &self.secret, None).expect("the machine opens its inbox")
    }

    fn source(&self) -> std::path::PathBuf {
        let source = self.owner.folder.path().join("source");
        fs::create_dir_all(&source).expect("a folder");
        source
    }

    fn collect(&self) -> CollectReport {
        let (inbox, owner) = (self.inbox(), &self.owner.repository);
        collect(&inbox, owner, "web01", Run::Real, &writer(), time(900), &Unobserved)
            .expect("it collects")
    }
}

/// Makes a symbolic link.
fn symlink(to: impl AsRef<Path>, link: impl AsRef<Path>) -> std::io::Result<()> {
    let made =
        std::process::Command::new("ln").arg("-s").args([to.as_ref(), link.as_ref()]).status()?;
    assert!(made.success());
    Ok(())
}

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    fs::write(folder.join(name), bytes).expect("a file");
}

#[test]
fn what_a_machine_backs_up_its_owner_collects_and_restores() {
    let scene = Scene::new();
    let source = scene.source();
    write(&source, "small", b"a few bytes");
    write(&source, "large", &[7; 300_000]);
    let machine = scene.as_machine();
    assert!(machine.is_write_only());
    let first = back_up_to(&machine, &source, 100);
    write(&source, "large", &[8; 300_000]);
    let second = back_up_to(&scene.as_machine(), &source, 200);
    assert_eq!((first.totals.new_files, second.totals.new_files), (2, 0));
    assert_eq!(second.totals.changed_files, 1, "it knows what is unchanged");
    let report = scene.collect();
    assert_eq!((report.copies.copied.len(), report.forgotten), (2, 1));
    let owner = &scene.owner;
    let list = owner.repository.snapshots().expect("a list").list;
    assert_eq!(list.len(), 2);
    assert!(list.iter().all(|entry| entry.snapshot.host == "web01"));
    for repository in [&owner.repository, &scene.inbox()] {
        let everything = CheckOptions::reading(ReadData::All);
        let checked = check(repository, &everything, &Unobserved).expect("a report");
        assert!(checked.is_sound(), "{:?}", checked.problems);
    }
    // The machine goes on, and nothing is collected twice.
    write(&source, "more", b"more");
    let third = back_up_to(&scene.as_machine(), &source, 300);
    assert_eq!((third.totals.new_files, third.totals.changed_files), (1, 0));
    let report = scene.collect();
    assert_eq!((report.copies.copied.len(), report.copies.present, report.forgotten), (1, 1, 1));
    // What was collected and forgotten is freed, and the machine still knows what it has.
    let options = PruneOptions { grace: 0, ..PruneOptions::default() };
    let pruned = prune(&scene.inbox(), &options, &writer(), time(1_000), &Unobserved);
    assert!(pruned.is_ok(), "{pruned:?}");
    let fourth = back_up_to(&scene.as_machine(), &source, 400);
    assert_eq!((fourth.totals.new_files, fourth.totals.changed_files), (0, 0));
    assert_eq!(scene.collect().copies.copied.len(), 1);
}

#[test]
fn a_machine_reads_no_content_and_changes_nothing() {
    let scene = Scene::new();
    let source = scene.source();
    write(&source, "secret", b"it is not to be read");
    let made = back_up_to(&scene.as_machine(), &source, 100);
    let machine = scene.as_machine();
    let id = made.snapshot.expect("a snapshot");
    let is_refused = |error: Error| matches!(error, Error::Refused(Refusal::WriteOnly));
    let (reader, _) = machine.reader(1 << 20).expect("a reader");
    let index = reader.index();
    let data = crate::format::keys::BlobKind::Data;
    let blob = machine.keys.blob_id(data, b"it is not to be read");
    assert!(index.find(&blob).is_some(), "the machine knows that it has stored it");
    assert!(reader.blob(data, &blob).is_err(), "and can't read it");
    drop(reader);
    assert!(is_refused(forget::forget(&machine, &[id], &writer(), time(200), "x").unwrap_err()));
    assert!(is_refused(annotate(&machine, id, &writer(), time(200), |_| {}).unwrap_err()));
    let options = PruneOptions::default();
    let pruned = prune(&machine, &options, &writer(), time(200), &Unobserved);
    assert!(is_refused(pruned.unwrap_err()));
    assert!(is_refused(
        sync(&machine, &SyncOptions::default(), &writer(), &Unobserved).unwrap_err()
    ));
    let into = copy(
        &scene.owner.repository,
        &machine,
        &|_| true,
        CopyOptions { machine: None, repeat: Repeat::Never, run: Run::Real },
        &writer(),
        &Unobserved,
    );
    assert!(is_refused(into.unwrap_err()));
    // Nor does its key open the owner's repository, or the owner's key the inbox by itself.
    let main = Arc::clone(scene.owner.repository.backend());
    assert!(matches!(open(main, &scene.secret, None), Err(Error::WrongSecret { .. })));
    let with_key_file = open(Arc::clone(&scene.place), &Secret::draw_key_file(), None);
    assert!(matches!(with_key_file.map(drop), Err(Error::Refused(Refusal::Inbox { .. }))));
}

#[test]
fn what_a_machine_may_not_make_does_not_count() {
    let scene = Scene::new();
    let source = scene.source();
    write(&source, "file", b"content");
    let id = back_up_to(&scene.as_machine(), &source, 100).snapshot.expect("a snapshot");
    let machine = scene.as_machine();
    // The engine refuses to seal it for the machine at all.
    let name = ObjectName::tombstone(id);
    let sealed = save_sealed(&*scene.place, &machine.keys, Kind::Tombstone, &name, b"content");
    assert!(sealed.is_err());
    // Bytes of a machine that has another program: sealed under the key that it has, with a signature of its own.
    let owner = scene.inbox();
    let (salt, content) = ([9; 32], b"\xa0".as_slice());
    for (kind, name) in [
        (Kind::Tombstone, name),
        (Kind::Generation, ObjectName::generation(1)),
        (Kind::GenerationEnd, ObjectName::generation_end(1)),
        (Kind::Annotation, ObjectName::annotation(id, 0)),
    ] {
        let mut object = crate::format::seal::seal_whole(&owner.keys, kind, &name, salt, content)
            .expect("sealed");
        let end = object.len() - crate::format::keys::SIGNATURE;
        let inbox = machine.keys.inbox().expect("an inbox");
        let signature = inbox.sign(Kind::Snapshot, &[&object[..end]]).expect("it signs");
        object[end..].copy_from_slice(&signature);
        for repository in [&owner, &machine] {
            let keys = &repository.keys;
            let opened = crate::format::seal::open_whole(keys, kind, &name, &mut object.clone());
            assert!(matches!(opened, Err(Error::Damaged { .. })), "{kind:?}");
        }
        crate::backend::save(&*scene.place, &name, &object).expect("the machine may write");
    }
    let known = scene.inbox().snapshots().expect("a list");
    assert_eq!(known.list.len(), 1, "a tombstone of the machine forgets nothing");
    assert_eq!(scene.collect().copies.copied.len(), 1);
}

#[test]
fn a_machine_can_not_pass_for_another_one() {
    let scene = Scene::new();
    let source = scene.source();
    write(&source, "file", b"content");
    back_up_to(&scene.as_machine(), &source, 100);
    let genuine = scene.inbox().snapshots().expect("a list").list.remove(0);
    // A snapshot that names the owner's as its origin, and a host of its choice.
    let own = scene.owner.folder.path().join("own");
    fs::create_dir_all(&own).expect("a folder");
    write(&own, "mine", b"mine");
    scene.owner.back_up(&own, 50);
    let of_owner = scene.owner.newest();
    let origin =
        Origin::Snapshot { repository: scene.owner.repository.id(), snapshot: of_owner.id };
    let forged = crate::format::record::Snapshot {
        origin: Some(origin),
        host: of_owner.snapshot.host.clone(),
        ..genuine.snapshot.clone()
    };
    forge::commit(&scene.as_machine(), forged);
    let report = scene.collect();
    assert_eq!(report.copies.copied.len(), 2);
    let list = scene.owner.repository.snapshots().expect("a list").list;
    let of_host = list.iter().filter(|entry| entry.snapshot.host == of_owner.snapshot.host);
    assert_eq!(of_host.count(), 1, "only the owner's own");
}

#[test]
fn keys_that_the_owner_does_not_know_are_not_taken_over_from_a_machine() {
    let scene = Scene::new();
    let source = scene.source();
    write(&source, "file", b"content");
    back_up_to(&scene.as_machine(), &source, 100);
    let genuine = scene.inbox().snapshots().expect("a list").list.remove(0).snapshot;
    let known = genuine.unknown.clone();
    forge::commit_with(&scene.as_machine(), genuine, &[(24, 5), (99, 5)]);
    let copies = scene.collect().copies;
    assert_eq!((copies.copied.len(), copies.failed.len()), (2, 0));
    let list = scene.owner.repository.snapshots().expect("a list").list;
    assert!(list.iter().all(|entry| entry.snapshot.unknown == known));
}

#[test]
fn a_removed_machine_is_not_listed_and_names_are_unique() {
    let scene = Scene::new();
    let repository = &scene.owner.repository;
    let again = draw_machine(repository, "WEB01", time(7)).map(drop);
    assert!(matches!(again, Err(Error::Refused(Refusal::MachineExists { .. }))));
    for name in ["", ".hidden", "a/b", "..", "ends.", "with space", &"x".repeat(64)] {
        let added = draw_machine(repository, name, time(7)).map(drop);
        assert!(matches!(added, Err(Error::Refused(Refusal::InvalidMachineName { .. }))), "{name}");
    }
    let listed = |repository: &Repository| machines(&known_slots(repository).expect("slots")).len();
    assert_eq!(listed(repository), 1);
    let rotated = crate::repository::rotate(
        repository,
        scene.owner.secret(),
        &[crate::repository::NewSlot {
            secret: scene.owner.secret(),
            label: "key",
            cost: crate::format::slot::Cost::STANDARD,
            time: time(8),
        }],
        time(8),
    );
    assert!(rotated.is_ok(), "{rotated:?}");
    let main = Arc::clone(repository.backend());
    let reopened = open(main, scene.owner.secret(), None).expect("it opens");
    assert_eq!(listed(&reopened), 1, "a change of keys keeps its machines");
    let places = [Arc::clone(&scene.place)];
    open_inbox(&reopened, &scene.machine, &places, time(9), None).expect("and opens their inboxes");
    assert_eq!(reopened.list(&[Area::Keys]).expect("a list").union(Area::Keys).len(), 3);
    let removal = crate::repository::Removal {
        ids: &[scene.machine.slot],
        replaced_by: None,
        remaining: crate::repository::Remaining::Any,
        time: time(10),
    };
    crate::repository::remove_slots(&reopened, &removal).expect("removed");
    assert_eq!(listed(&reopened), 0);
}

#[test]
fn links_in_an_inbox_lead_nowhere() {
    let scene = Scene::new();
    let (source, own) = (scene.source(), scene.owner.folder.path().join("own"));
    write(&source, "file", b"content");
    back_up_to(&scene.as_machine(), &source, 100);
    fs::create_dir_all(&own).expect("a folder");
    write(&own, "mine", &[3; 100_000]);
    scene.owner.back_up(&own, 50);
    // The machine makes the owner's packs appear in its inbox, where no index describes them.
    let (inbox, main) = (scene.owner.folder.path().join("inbox"), scene.owner.path());
    for entry in fs::read_dir(main.join("packs")).expect("packs") {
        let name = entry.expect("a name").file_name();
        let link = inbox.join("packs").join(&name);
        if !link.exists() {
            symlink(main.join("packs").join(&name), link).expect("a link");
        }
    }
    let forgotten = inbox.join("forgotten");
    symlink(main.join("snapshots"), &forgotten).expect("a link");
    assert!(scene.inbox().snapshots().is_err(), "the folder of an area is a link");
    fs::remove_file(&forgotten).expect("it is there");
    let prune_at = |now| {
        let options = PruneOptions { grace: 0, ..PruneOptions::default() };
        prune(&scene.inbox(), &options, &writer(), time(now), &Unobserved).expect("pruned")
    };
    prune_at(1_000_000_000);
    prune_at(2_000_000_000);
    let everything = CheckOptions::reading(ReadData::All);
    let checked = check(&scene.owner.repository, &everything, &Unobserved).expect("a report");
    assert!(checked.is_sound() && checked.packs > 0, "{:?}", checked.problems);
}

#[test]
fn a_machine_can_not_take_the_place_of_its_past_nor_hide_what_changed() {
    let scene = Scene::new();
    let source = scene.source();
    for file in 0..30 {
        write(&source, &file.to_string(), &vec![file; 9_000]);
    }
    back_up_to(&scene.as_machine(), &source, 1_000_000);
    scene.collect();
    for file in 0..30 {
        let noise: Vec<u8> = (0..300)
            .flat_map(|at| {
                let parts: [&[u8]; 3] = [b"noise", &[file], &[(at % 256) as u8, (at / 256) as u8]];
                scene.owner.repository.keys.draw_salt(&parts.concat())
            })
            .collect();
        write(&source, &file.to_string(), &noise);
    }
    back_up_to(&scene.as_machine(), &source, 1_000_100);
    // It says of the encrypted state that it is older, and that nothing changed.
    let encrypted = scene.inbox().snapshots().expect("a list").list.pop().expect("one");
    let totals = crate::format::record::Totals {
        files: 30,
        bytes: encrypted.snapshot.totals.bytes,
        ..crate::format::record::Totals::default()
    };
    let forged = crate::format::record::Snapshot {
        time: time(500_000),
        time_given: true,
        suspicious: false,
        totals,
        ..encrypted.snapshot.clone()
    };
    forge::commit(&scene.as_machine(), forged);
    scene.collect();
    let list = scene.owner.repository.snapshots().expect("a list").list;
    assert_eq!(list.len(), 3);
    assert!(list.iter().all(|entry| entry.snapshot.time >= time(1_000_000)), "{list:?}");
    let changed: Vec<_> = list.iter().filter(|entry| entry.needs_attention()).collect();
    assert!(!changed.is_empty(), "{list:?}");
    assert!(list.iter().all(|entry| entry.snapshot.totals.files == 30), "{list:?}");
    // Whatever was taken for the one before, all files differ from it.
    let counted = list[1].snapshot.totals;
    assert_eq!(counted.changed_files + counted.new_files, 30);
}

#[test]
fn a_tree_that_doubles_itself_and_a_record_that_is_full_hold_nobody_up() {
    let scene = Scene::new();
    let machine = scene.as_machine();
    let node = |name: &str, kind| crate::format::tree::Node::new(name.as_bytes(), kind, time(1));
    let mut forge = forge::Forge::default();
    let tree = crate::format::keys::BlobKind::Tree;
    let mut last = forge.add(&machine, tree, crate::format::tree::forged_nodes(&[]));
    for _ in 0..60 {
        let dir = |name: &str| {
            let mut dir = node(name, yore_platform::Kind::Directory);
            dir.subtree = Some(last);
            dir
        };
        last = forge.add(&machine, tree, crate::format::tree::forged_nodes(&[dir("a"), dir("b")]));
    }
    forge.publish(&machine, last);
    let report = scene.collect();
    assert_eq!((report.copies.copied.len(), report.copies.failed.len()), (1, 0));
    let small = scene.inbox().snapshots().expect("a list").list.pop().expect("one").snapshot;
    let limit = crate::format::seal::MAX_RECORD;
    let full = |tag: usize| crate::format::record::Snapshot {
        tags: vec!["x".repeat(tag)],
        ..small.clone()
    };
    let room = limit - full(0).encode().len() - 8;
    forge::commit(&machine, full(room));
    let report = scene.collect();
    assert_eq!((report.copies.copied.len(), report.copies.failed.len()), (0, 1));
    assert!(scene.owner.repository.snapshots().expect("a list").problems.is_empty());
}
