use std::fs;
use std::path::PathBuf;

use super::*;
use crate::format::object::Area;
use crate::operation::observer::Unobserved;
use crate::repository::annotate;
use crate::testing::{Sample, forge, time, writer};

const EVERYTHING: RepairOptions = RepairOptions { read_data: ReadData::All, run: Run::Real };

/// A repository with two snapshots of some files, and the source.
fn sample() -> (Sample, PathBuf) {
    let sample = Sample::new();
    let source = sample.folder.path().join("source");
    fs::create_dir(&source).expect("a folder");
    for number in 0..12_u32 {
        let bytes = (0..3_000_u32).flat_map(|n| (n ^ (number * 7919)).to_be_bytes());
        fs::write(source.join(number.to_string()), bytes.collect::<Vec<u8>>()).expect("a file");
    }
    sample.back_up(&source, 1_000);
    fs::write(source.join("new"), "another").expect("a file");
    sample.back_up(&source, 2_000);
    (sample, source)
}

fn paths(sample: &Sample, area: Area) -> Vec<PathBuf> {
    let names = sample.repository.backend().names(area).expect("a list");
    names.iter().map(|name| sample.path().join(name.as_str())).collect()
}

fn put(path: &PathBuf, bytes: &[u8]) {
    fs::remove_file(path).expect("removed");
    fs::write(path, bytes).expect("written");
}

fn run_all(sample: &Sample) -> RepairReport {
    let repository = sample.reopen().expect("it opens");
    repair(&repository, &EVERYTHING, &writer(), time(9), &Unobserved).expect("it runs")
}

fn run(sample: &Sample) -> DestinationRepair {
    let report = run_all(sample).destinations.remove(0);
    assert!(report.error.is_none(), "{report:?}");
    report
}

fn is_sound(sample: &Sample) -> bool {
    let options = CheckOptions::reading(ReadData::All);
    let repository = sample.reopen().expect("it opens");
    check(&repository, &options, &Unobserved).expect("a report").is_sound()
}

#[test]
fn a_sound_repository_stays_as_it_is() {
    let (sample, _) = sample();
    let before = [Area::Packs, Area::Index].map(|area| paths(&sample, area));
    let report = run(&sample);
    assert!(report.quarantined.is_empty() && report.lost == 0, "{report:?}");
    assert_eq!([Area::Packs, Area::Index].map(|area| paths(&sample, area)), before);
}

#[test]
fn a_damaged_frame_costs_its_blobs_and_the_next_backup_stores_them_again() {
    for at in ["a frame", "the end", "cut"] {
        let (sample, source) = sample();
        let packs = paths(&sample, Area::Packs);
        let size = |path: &PathBuf| fs::metadata(path).expect("a pack").len();
        let pack = packs.iter().max_by_key(|path| size(path)).expect("a pack");
        let mut bytes = fs::read(pack).expect("a pack");
        let original = bytes.clone();
        match at {
            "a frame" => bytes[200] ^= 1,
            "the end" => *bytes.last_mut().expect("a byte") ^= 1,
            _ => bytes.truncate(original.len() / 2),
        }
        put(pack, &bytes);
        assert!(!is_sound(&sample), "{at}");
        let report = run(&sample);
        assert_eq!(report.quarantined.len(), 1, "{at}: {report:?}");
        assert!(report.salvaged > 0, "{at}: {report:?}");
        let left = report.left.as_ref().expect("a check");
        assert_eq!(left.is_sound(), report.lost == 0, "{at}: {report:?}");
        assert_eq!(report.lost > 0, at != "the end", "{at}: {report:?}");
        // The damaged bytes are in the quarantine.
        let aside = sample.path().join(ObjectName::quarantined(&report.quarantined[0]).as_str());
        assert_eq!(fs::read(aside).expect("it is there"), bytes, "{at}");
        let options = crate::backup::BackupOptions {
            reading: crate::backup::Reading::Everything,
            ..crate::testing::backup_options(3_000)
        };
        let repository = sample.reopen().expect("it opens");
        crate::backup::backup(&repository, &[source], &options, &Unobserved).expect("a backup");
        assert!(is_sound(&sample), "{at}: what was lost is stored again");
    }
}

#[test]
fn what_can_be_saved_becomes_snapshots_once_and_a_plain_backup_heals() {
    let (sample, source) = sample();
    let packs = paths(&sample, Area::Packs);
    let size = |path: &PathBuf| fs::metadata(path).expect("a pack").len();
    let pack = packs.iter().max_by_key(|path| size(path)).expect("a pack");
    let mut bytes = fs::read(pack).expect("a pack");
    bytes[200] ^= 1;
    put(pack, &bytes);
    let pin = |one: &mut crate::format::record::Annotation| {
        one.pinned = true;
        one.labels.insert("label".into(), "of a program".into());
    };
    annotate(&sample.repository, sample.newest().id, &writer(), time(5), pin).expect("pinned");
    let before = sample.reopen().expect("it opens").snapshots().expect("snapshots").list;
    let report = run_all(&sample);
    let saved = &report.saved;
    assert!(saved.unsaved.is_empty() && !saved.lost.is_empty(), "{saved:?}");
    let old: Vec<SnapshotId> = saved.snapshots.iter().map(|(old, ..)| *old).collect();
    assert_eq!(old, before.iter().map(|entry| entry.id).collect::<Vec<_>>());
    let repository = sample.reopen().expect("it opens");
    let after = repository.snapshots().expect("snapshots").list;
    assert_eq!(after.len(), 2 * before.len());
    for (old, new, removed) in &saved.snapshots {
        let find =
            |id: &SnapshotId| after.iter().find(|entry| entry.id == *id).expect("it is there");
        let (old, new) = (find(old), find(new));
        assert_eq!(new.since, old.since);
        assert_eq!((new.pinned, &new.labels), (old.pinned, &old.labels));
        assert_eq!(new.snapshot.tags, ["salvaged"]);
        assert_eq!(new.snapshot.totals.files, old.snapshot.totals.files - removed.files);
        assert_eq!(removed.files, saved.lost.len() as u64);
        let checked = crate::maintenance::check::incomplete(
            &repository,
            &[(new.id, new.snapshot.clone())],
            &Unobserved,
        );
        assert_eq!(checked.expect("checked"), [], "what was saved is whole");
    }
    // Another run finds them made.
    assert!(run_all(&sample).saved.snapshots.is_empty());
    assert!(!is_sound(&sample), "the old ones are kept as they are");
    sample.back_up(&source, 5_000);
    assert!(is_sound(&sample), "the files that were lost are read again");
}

#[test]
fn lost_and_damaged_indexes_are_made_anew_from_the_packs() {
    let (sample, _) = sample();
    let indexes = paths(&sample, Area::Index);
    let mut bytes = fs::read(&indexes[0]).expect("an index");
    bytes[100] ^= 1;
    put(&indexes[0], &bytes);
    assert!(!is_sound(&sample));
    let report = run(&sample);
    assert!(report.described > 0 && report.lost == 0, "{report:?}");
    assert!(report.left.as_ref().expect("a check").is_sound(), "{report:?}");
    assert!(is_sound(&sample));
    // One that is gone altogether.
    for path in paths(&sample, Area::Index) {
        fs::remove_file(path).expect("removed");
    }
    let report = run(&sample);
    assert!(report.described > 0 && report.quarantined.is_empty(), "{report:?}");
    assert!(is_sound(&sample));
}

#[test]
fn a_dry_run_tells_and_changes_nothing() {
    let (sample, _) = sample();
    let pack = paths(&sample, Area::Packs).remove(0);
    let mut bytes = fs::read(&pack).expect("a pack");
    bytes[150] ^= 1;
    put(&pack, &bytes);
    let before = [Area::Packs, Area::Index].map(|area| paths(&sample, area));
    let options = RepairOptions { run: Run::Dry, ..EVERYTHING };
    let repository = sample.reopen().expect("it opens");
    let report = repair(&repository, &options, &writer(), time(9), &Unobserved).expect("it runs");
    let report = report.destinations;
    assert_eq!((report[0].quarantined.len(), report[0].lost > 0), (1, true), "{report:?}");
    assert_eq!([Area::Packs, Area::Index].map(|area| paths(&sample, area)), before);
}

#[test]
fn what_is_saved_of_a_newer_programs_snapshots_has_their_keys_unless_one_binds_it() {
    let (sample, _) = sample();
    let known = sample.newest().snapshot;
    let kept = forge::commit_with(&sample.repository, known.clone(), &[(99, 5)]);
    let bound = forge::commit_with(&sample.repository, known, &[(24, 5)]);
    let packs = paths(&sample, Area::Packs);
    let size = |path: &PathBuf| fs::metadata(path).expect("a pack").len();
    let pack = packs.iter().max_by_key(|path| size(path)).expect("a pack");
    let mut bytes = fs::read(pack).expect("a pack");
    bytes[200] ^= 1;
    put(pack, &bytes);
    let saved = run_all(&sample).saved;
    let (_, new, _) = saved.snapshots.iter().find(|(old, ..)| *old == kept).expect("it is saved");
    let list = sample.reopen().expect("it opens").snapshots().expect("snapshots").list;
    let unknown = |id: SnapshotId| {
        list.iter().find(|entry| entry.id == id).expect("it is there").snapshot.unknown.clone()
    };
    assert_eq!(unknown(*new), unknown(kept));
    let [(unsaved, Error::Unsupported { .. })] = &saved.unsaved[..] else { panic!("{saved:?}") };
    assert_eq!(*unsaved, bound);
}
