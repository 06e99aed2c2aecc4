use std::fs;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use super::*;
use crate::backup::backup;
use crate::error::{Error, Refusal};
use crate::maintenance::check::{CheckOptions, ReadData, check};
use crate::operation::observer::Unobserved;
use crate::repository::Writer;
use crate::testing::{RecordingObserver, Sample, backup_options, writer};

fn days() -> Dates {
    Dates::Names(DatePattern::new("%Y-%m-%d").expect("a pattern"))
}

/// Makes dated folders with a file each.
fn folders(sample: &Sample, names: &[&str]) -> PathBuf {
    let top = sample.folder.path().join("dated");
    for name in names {
        fs::create_dir_all(top.join(name).join("sub")).expect("folders");
        fs::write(top.join(name).join("sub/file"), name.repeat(100)).expect("a file");
    }
    top
}

fn found(top: &Path) -> Found {
    find_dated_folders(top, Path::new(""), &days(), &TimeZone::UTC).expect("a list")
}

fn importer<'a>(sample: &'a Sample, writer: Writer) -> Importer<'a> {
    let options = BackupOptions { writer, time: None, ..backup_options(0) };
    let path = TreePath::new(b"home/me");
    Importer::new(&sample.repository, path, options, Repeat::Never).expect("an importer")
}

fn import_all(sample: &Sample, found: &Found, writer: &Writer) -> Vec<Known> {
    let mut importer = importer(sample, writer.clone());
    let observer = RecordingObserver::default();
    let mut states = Vec::new();
    for folder in &found.folders {
        let known = importer.known(folder);
        states.push(known);
        if known == Known::New {
            importer.import(folder, &observer).expect("a snapshot");
            assert_eq!(importer.known(folder), Known::Present);
        }
    }
    assert_eq!(observer.messages(), Vec::<String>::new());
    states
}

#[test]
fn folders_are_found_in_the_order_of_their_times() {
    let sample = Sample::new();
    let top = folders(&sample, &["2026-02-01", "2026-01-15", "latest", "2025-12-31"]);
    fs::write(top.join("2026-03-01"), "a file").expect("a file");
    let all = found(&top);
    let names: Vec<&[u8]> = all.folders.iter().map(|one| one.name.as_slice()).collect();
    assert_eq!(names, [&b"2025-12-31"[..], b"2026-01-15", b"2026-02-01"]);
    assert_eq!(all.undated, [b"latest"]);
    let inner = find_dated_folders(&top, Path::new("sub/none"), &days(), &TimeZone::UTC);
    let inner = inner.expect("a list");
    assert_eq!((inner.folders.len(), inner.lacking.len()), (0, 3));
    fs::create_dir(top.join("2026-1-15")).expect("a folder");
    let same = find_dated_folders(&top, Path::new(""), &days(), &TimeZone::UTC);
    assert!(matches!(same, Err(Error::Refused(Refusal::SameTime { .. }))));
}

#[test]
fn a_folder_is_imported_once_for_its_machine_and_what_was_forgotten_stays_so() {
    let sample = Sample::new();
    let all = found(&folders(&sample, &["2026-01-15", "2026-01-16"]));
    assert_eq!(import_all(&sample, &all, &writer()), [Known::New, Known::New]);
    assert_eq!(import_all(&sample, &all, &writer()), [Known::Present, Known::Present]);
    let newest = sample.newest();
    assert_eq!(newest.snapshot.sources, [b"home/me"]);
    assert!(newest.snapshot.time_given);
    sample.forget(newest.id);
    assert_eq!(import_all(&sample, &all, &writer()), [Known::Present, Known::Forgotten]);
    let other = Writer { host: "other".into(), ..writer() };
    assert_eq!(import_all(&sample, &all, &other), [Known::New, Known::New]);
    let everything = CheckOptions::reading(ReadData::All);
    let checked = check(&sample.repository, &everything, &Unobserved).expect("a report");
    assert!(checked.is_sound(), "{:?}", checked.problems);
}

#[test]
fn a_folder_is_compared_with_the_one_before_it_whatever_was_backed_up_since() {
    let sample = Sample::new();
    let top = folders(&sample, &["2026-01-15", "2026-01-16", "2026-01-17"]);
    let mut importer = importer(&sample, writer());
    let all = found(&top);
    let import = |importer: &mut Importer<'_>, at: usize| {
        importer.import(&all.folders[at], &Unobserved).expect("a snapshot").totals
    };
    assert_eq!(import(&mut importer, 0).new_files, 1);
    assert_eq!(import(&mut importer, 2).changed_files, 1);
    // A backup of today, of other files.
    let today = sample.folder.path().join("today");
    fs::create_dir(&today).expect("a folder");
    let options = BackupOptions { time: None, ..backup_options(0) };
    backup(&sample.repository, &[today], &options, &Unobserved).expect("a backup");
    let totals = import(&mut importer, 1);
    assert_eq!((totals.new_files, totals.changed_files), (0, 1));
}

#[test]
fn a_folder_that_is_gone_makes_no_snapshot() {
    let sample = Sample::new();
    let top = folders(&sample, &["2026-01-15"]);
    let all = found(&top);
    fs::remove_dir_all(&top).expect("removed");
    let failed = importer(&sample, writer()).import(&all.folders[0], &Unobserved);
    assert!(matches!(failed, Err(Error::Local { .. })), "{failed:?}");
    assert!(sample.repository.snapshots().expect("a list").list.is_empty());
}
