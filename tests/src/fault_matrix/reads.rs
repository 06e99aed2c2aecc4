//! Reading everything of the newest snapshot, by a restore and as a drive does.

use std::path::Path;
use std::sync::Arc;

use jiff::tz::TimeZone;
use yore_engine::TreePath;
use yore_engine::read::{DirRef, find};
use yore_engine::repository::Repository;
use yore_engine::restore::{RestoreOptions, restore};
use yore_fs::{SnapshotVolume, VolumeOptions};
use yore_platform::snapshot_path;

use super::{FaultScene, Mirrored};
use crate::files::fingerprint_volume;
use crate::repository::Recorder;

/// Fails with the problems that were listed.
pub(super) fn all_done(problems: Vec<String>) -> Result<(), String> {
    if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
}

/// Fails with the problems of opening; on two mirrors those of one do not matter, if the other has everything.
fn opened(problems: Vec<yore_engine::Error>, mirrored: Mirrored) -> Result<(), String> {
    match mirrored {
        Mirrored::No => all_done(problems.iter().map(|error| error.with_cause()).collect()),
        Mirrored::Yes => Ok(()),
    }
}

/// Restores the source from the newest snapshot.
pub(super) fn restore_newest(
    repository: &Repository,
    source: &Path,
    target: &Path,
    mirrored: Mirrored,
) -> Result<(), String> {
    let text = |error: yore_engine::Error| error.with_cause();
    let (reader, problems) = repository.reader(16 << 20).map_err(text)?;
    opened(problems, mirrored)?;
    let snapshots = repository.snapshots().map_err(text)?;
    opened(snapshots.problems, mirrored)?;
    let newest = snapshots.list.last().ok_or("there is no snapshot")?;
    let path = snapshot_path(source);
    let root = DirRef::Tree(newest.snapshot.root);
    let found = find(&reader, &root, TreePath::new(&path)).map_err(text)?;
    let found = found.ok_or("the source is not in the snapshot")?;
    let recorder = Recorder::default();
    let report = restore(&reader, &found, &path, target, &RestoreOptions::default(), &recorder)
        .map_err(text)?;
    all_done(recorder.texts())?;
    match report.failed + report.refused {
        0 => Ok(()),
        failed => Err(format!("{failed} files failed without a problem that was reported")),
    }
}

/// Reads everything of the newest state; panics if what is read without an error is wrong.
pub(super) fn read_drive(
    repository: Repository,
    scene: &FaultScene,
    mirrored: Mirrored,
) -> Result<(), String> {
    let volume = SnapshotVolume::open(Arc::new(repository), VolumeOptions::new(TimeZone::UTC));
    let (volume, problems) = volume.map_err(|error| error.with_cause())?;
    opened(problems, mirrored)?;
    let path = [b"latest/".as_slice(), &snapshot_path(&scene.source)].concat();
    let found = fingerprint_volume(&volume, &path).map_err(|error| format!("{error:?}"))?;
    let expected = &scene.states[0];
    let is_same = |name: &Vec<u8>| {
        let (found, expected) = (&found[name], &expected[name]);
        (&found.bytes, found.size, found.modified, found.kind)
            == (&expected.bytes, expected.size, expected.modified, expected.kind)
    };
    assert!(found.keys().eq(expected.keys()), "the drive shows {:?}", found.keys());
    assert!(found.keys().all(is_same), "the drive shows other bytes");
    Ok(())
}
