//! The operations that meet faults.

use yore_engine::backup::backup;
use yore_engine::repository::Repository;
use yore_engine::sync::{SyncOptions, SyncReport, sync};

use super::reads::{all_done, read_drive, restore_newest};
use super::{FaultScene, FaultedDestination};
use crate::files::fingerprint_folder;
use crate::repository::{Expected, Fault, Memory, Recorder, dead_writer, options};

/// The folder below which restored files are compared.
const RESTORED: &str = "restored";

/// An operation over a destination with a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultedOperation {
    /// A backup of a source that has changed since the last one.
    Backup(Mirrored),
    /// A restore of the newest snapshot.
    Restore(Mirrored),
    /// Reading everything of the newest snapshot, as a drive does.
    MountReads(Mirrored),
    /// A sync from a destination with a fault to one that is behind.
    SyncFrom,
    /// A sync to a destination with a fault, which is behind.
    SyncTo,
}

/// The destinations of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mirrored {
    /// One, with the fault.
    No,
    /// Two, of which the nearer has the fault.
    Yes,
}

impl FaultedOperation {
    /// Returns the name for totals.
    pub fn name(self) -> &'static str {
        match self {
            FaultedOperation::Backup(Mirrored::No) => "backup",
            FaultedOperation::Backup(Mirrored::Yes) => "backup to two mirrors",
            FaultedOperation::Restore(Mirrored::No) => "restore",
            FaultedOperation::Restore(Mirrored::Yes) => "restore from two mirrors",
            FaultedOperation::MountReads(Mirrored::No) => "reads of a drive",
            FaultedOperation::MountReads(Mirrored::Yes) => "reads of a drive on two mirrors",
            FaultedOperation::SyncFrom => "sync from a mirror",
            FaultedOperation::SyncTo => "sync to a mirror",
        }
    }

    /// Returns the destination that gets the fault, and the one without it.
    pub(super) fn destinations(self, scene: &FaultScene) -> (Memory, Option<Memory>) {
        match self {
            FaultedOperation::Backup(mirrored)
            | FaultedOperation::Restore(mirrored)
            | FaultedOperation::MountReads(mirrored) => {
                let mirror = (mirrored == Mirrored::Yes).then(|| scene.mirror.copy());
                (scene.memory.copy(), mirror)
            }
            FaultedOperation::SyncFrom => (scene.ahead.copy(), Some(scene.mirror.copy())),
            FaultedOperation::SyncTo => (scene.mirror.copy(), Some(scene.ahead.copy())),
        }
    }

    /// Returns what must become of it, given what must become of it with one destination.
    pub(super) fn expected(self, alone: Expected) -> Expected {
        match self {
            FaultedOperation::Backup(Mirrored::Yes)
            | FaultedOperation::Restore(Mirrored::Yes)
            | FaultedOperation::MountReads(Mirrored::Yes) => Expected::Success,
            FaultedOperation::Backup(Mirrored::No)
            | FaultedOperation::Restore(Mirrored::No)
            | FaultedOperation::MountReads(Mirrored::No)
            | FaultedOperation::SyncFrom
            | FaultedOperation::SyncTo => alone,
        }
    }

    /// Runs it; returns the error, or the errors that were listed.
    pub(super) fn run(
        self,
        scene: &FaultScene,
        destination: &FaultedDestination,
    ) -> Result<(), String> {
        let opened = match self {
            FaultedOperation::SyncFrom | FaultedOperation::SyncTo => destination.open_all(scene),
            FaultedOperation::Backup(_)
            | FaultedOperation::Restore(_)
            | FaultedOperation::MountReads(_) => destination.open(scene),
        };
        let repository = opened.map_err(|error| error.with_cause())?;
        let recorder = Recorder::default();
        match self {
            FaultedOperation::Backup(_) => {
                let sources = std::slice::from_ref(&scene.source);
                backup(&repository, sources, &options(None), &recorder)
                    .map_err(|error| error.with_cause())?;
                all_done(recorder.texts())
            }
            FaultedOperation::Restore(mirrored) => {
                let target = scene.scratch.at(RESTORED);
                restore_newest(&repository, &scene.source, &target, mirrored)
            }
            FaultedOperation::MountReads(mirrored) => read_drive(repository, scene, mirrored),
            FaultedOperation::SyncFrom | FaultedOperation::SyncTo => sync_whole(&repository),
        }
    }

    /// Fails unless the outcome of the operation with a fault is right and the destinations are sound.
    pub(super) fn judge(
        self,
        scene: &FaultScene,
        destination: &FaultedDestination,
        outcome: &Result<(), String>,
        fault: Fault,
        what: &str,
    ) {
        match self {
            FaultedOperation::Backup(_) => {
                let all = destination.memories();
                let is_committed = all.map(|memory| scene.assert_complete(memory, what) == 2).max();
                let is_committed = is_committed == Some(true);
                assert!(is_committed || outcome.is_err(), "{what}: done, and not committed");
            }
            FaultedOperation::Restore(_) => {
                let target = scene.scratch.at(RESTORED);
                if outcome.is_ok() {
                    let restored = target.join(scene.source.file_name().expect("a name"));
                    let is_right = fingerprint_folder(&restored) == scene.states[0];
                    assert!(is_right, "{what}: restored otherwise, and nothing is listed");
                }
                if target.exists() {
                    std::fs::remove_dir_all(&target).expect("removed");
                }
                destination.assert_not_written(scene, what);
            }
            // What was read is compared where it is read.
            FaultedOperation::MountReads(_) => destination.assert_not_written(scene, what),
            FaultedOperation::SyncFrom | FaultedOperation::SyncTo => {
                let found =
                    destination.memories().map(|memory| scene.assert_complete(memory, what));
                let is_whole = found.min() == Some(2);
                // A list that lacks something is that of an earlier moment, and what it shows was copied.
                let is_earlier = matches!(fault, Fault::At(_, kind) if kind.shows_less());
                assert!(is_whole || is_earlier || outcome.is_err(), "{what}: done, and not whole");
                // The next one goes on, and leaves both whole.
                let repository = destination.open_without_fault(scene);
                sync_whole(&repository).unwrap_or_else(|error| panic!("{what}: {error}"));
                for memory in destination.memories() {
                    assert_eq!(scene.assert_complete(memory, what), 2, "{what}: after a sync");
                }
            }
        }
    }
}

/// Makes every destination whole; returns the errors that were listed.
fn sync_whole(repository: &Repository) -> Result<(), String> {
    let recorder = Recorder::default();
    let SyncReport { destinations } =
        sync(repository, &SyncOptions::default(), &dead_writer(), &recorder)
            .map_err(|error| error.with_cause())?;
    let mut errors = recorder.texts();
    for filled in destinations {
        let is_whole = filled.is_whole();
        errors.extend(filled.problems.into_iter().chain(filled.error).map(|e| e.with_cause()));
        if !is_whole && errors.is_empty() {
            errors.push(format!("{:?} are incomplete", filled.incomplete));
        }
    }
    all_done(errors)
}
