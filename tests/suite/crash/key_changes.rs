//! Adding, replacing and removing secrets, with a fault at every call of a destination.
//!
//! Whatever happens, something opens every destination, and `check` finds nothing.

use std::sync::Arc;

use yore_engine::backend::Backend;
use yore_engine::check::{CheckOptions, check};
use yore_engine::format::{Cost, Secret};
use yore_engine::repository::{
    NewSlot, Remaining, Removal, Repository, add_slot, create_copy, known_slots, open,
    remove_slots, rotate,
};
use yore_engine::sync::{SyncOptions, sync};
use yore_engine::{Error, Result, Unobserved};
use yore_tests::{
    FAULTS, Fault, FaultKind, Faulty, Memory, TestRepository, dead_writer, killed_so_far,
    print_measured, time,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Add,
    Replace,
    Remove,
    Rotate,
}

/// A repository on two destinations that a key file and an old recovery key open.
struct Scene {
    key_file: Secret,
    old: Secret,
    new: Secret,
    first: Memory,
    second: Memory,
}

impl Scene {
    fn new() -> Self {
        let (first, second) = (Arc::new(Memory::distant()), Arc::new(Memory::distant()));
        let repo = TestRepository::new(first.clone());
        let mut repository = repo.open();
        let backend: Arc<dyn Backend> = second.clone();
        create_copy(&repository, &backend, time(2)).expect("a copy");
        repository.add_destination(backend).expect("a mirror");
        let (old, new) = (Secret::draw_recovery(), Secret::draw_recovery());
        let added = add_slot(&repository, &repo.secret, &slot(&old)).expect("added");
        assert!(added.behind.is_empty());
        let (first, second) = (first.copy(), second.copy());
        Self { key_file: repo.secret, old, new, first, second }
    }

    /// Makes a change; returns true if it is done everywhere.
    fn run(&self, repository: &Repository, change: Change) -> Result<bool> {
        if change == Change::Rotate {
            let slots = [slot(&self.key_file), slot(&self.new)];
            let report = rotate(repository, &self.key_file, &slots, time(4))?;
            return Ok(report.behind.is_empty() && report.still_open.is_empty());
        }
        let mut is_whole = true;
        let mut replaced_by = None;
        if change != Change::Remove {
            let added = add_slot(repository, &self.key_file, &slot(&self.new))?;
            is_whole &= added.behind.is_empty();
            replaced_by = Some(added.slot.id);
        }
        if change != Change::Add {
            let known = known_slots(repository)?;
            let is_old =
                |known: &&yore_engine::repository::KnownSlot| known.slot.label == label(&self.old);
            let Some(old) = known.list.iter().find(is_old) else { return Ok(false) };
            let (ids, remaining) = ([old.slot.id], Remaining::Any);
            let removal = Removal { ids: &ids, replaced_by, remaining, time: time(4) };
            is_whole &= remove_slots(repository, &removal)?.still_open.is_empty();
        }
        Ok(is_whole)
    }
}

/// Returns a label that tells one recovery key from another.
fn label(secret: &Secret) -> String {
    secret.to_text().map_or_else(|| "key file".to_owned(), |text| text[..5].to_owned())
}

fn slot(secret: &Secret) -> NewSlot<'_> {
    let label = Box::leak(label(secret).into_boxed_str());
    NewSlot { secret, label, cost: Cost::STANDARD, time: time(3) }
}

fn opens(memory: &Arc<Memory>, secret: &Secret) -> bool {
    open(memory.clone(), secret, None).is_ok()
}

/// Opens both destinations; first the one where the keys were changed, if they were at one of them.
fn open_both(memories: &[Arc<Memory>; 2], secret: &Secret) -> Repository {
    let [one, two] = memories;
    for (first, second) in [(one, two), (two, one)] {
        let mut repository = open(first.clone(), secret, None).expect("it opens");
        match repository.add_destination(second.clone()) {
            Ok(()) => return repository,
            Err(Error::OutdatedSecret { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("each is older than the other")
}

fn assert_sound(memory: &Arc<Memory>, secret: &Secret, what: &str) {
    let repository = open(memory.clone(), secret, None).expect("it opens");
    let report = check(&repository, &CheckOptions::default(), &Unobserved).expect("a report");
    assert!(report.is_sound(), "{what}: {report:#?}");
}

/// Makes a change with a fault at one of the destinations; returns the number of calls there.
fn try_change(scene: &Scene, change: Change, fault: Fault, is_exchanged: bool) -> usize {
    let mut memories = [Arc::new(scene.first.copy()), Arc::new(scene.second.copy())];
    if is_exchanged {
        memories.reverse();
    }
    let faulty = Faulty::new(memories[0].clone(), fault);
    let opened = open(faulty.clone(), &scene.key_file, None);
    let what = format!("{change:?}, {fault:?}");
    let outcome = opened.and_then(|mut repository| {
        repository.add_destination(memories[1].clone())?;
        scene.run(&repository, change)
    });
    let lies = matches!(
        fault,
        Fault::At(_, FaultKind::OtherRepository | FaultKind::NothingThere | FaultKind::FlippedBit)
    );
    for memory in &memories {
        assert!(opens(memory, &scene.key_file), "{what}");
        assert!(opens(memory, &scene.old) || opens(memory, &scene.new) || change == Change::Remove);
        assert_sound(memory, &scene.key_file, &what);
        if outcome.as_ref().is_ok_and(|is_whole| *is_whole) && !lies {
            assert_eq!(opens(memory, &scene.new), change != Change::Remove, "{what}");
            assert_eq!(opens(memory, &scene.old), change == Change::Add, "{what}");
        }
    }
    // A sync leaves the same secrets everywhere.
    let repository = open_both(&memories, &scene.key_file);
    let report = sync(&repository, &SyncOptions::default(), &dead_writer(), &Unobserved);
    assert!(report.expect("a sync").is_whole(), "{what}");
    for secret in [&scene.old, &scene.new] {
        assert_eq!(opens(&memories[0], secret), opens(&memories[1], secret), "{what}");
    }
    faulty.calls().len()
}

/// Tries every fault but a hang at every call of a change.
fn try_all_faults(scene: &Scene, change: Change, is_exchanged: bool) {
    let calls = try_change(scene, change, Fault::None, is_exchanged);
    assert!(calls > 8, "{calls}");
    for (_, kind, _) in FAULTS {
        for at in 0..calls as u64 {
            if kind != FaultKind::Hang {
                try_change(scene, change, Fault::At(at, kind), is_exchanged);
            }
        }
    }
}

#[test]
fn something_opens_every_destination_whatever_call_of_a_change_fails() {
    let scene = Scene::new();
    for change in [Change::Add, Change::Replace, Change::Remove, Change::Rotate] {
        try_all_faults(&scene, change, false);
    }
    // The destination whose id is lower gets the new header first.
    try_all_faults(&scene, Change::Rotate, true);
    print_measured(format!(
        "changes of keys: {} points killed by all tests so far",
        killed_so_far()
    ));
}
