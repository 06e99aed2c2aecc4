//! A check finds every change to an object.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use super::*;
use crate::error::Error;
use crate::format::object::{Area, ObjectName};
use crate::format::slot::Cost;
use crate::operation::observer::{Event, Observer, Problem, Unobserved};
use crate::repository::forget::forget;
use crate::repository::{NewSlot, rotate};
use crate::snapshots::order::SnapshotEntry;
use crate::testing::{Sample, time, writer};

const ALL: CheckOptions = CheckOptions::reading(ReadData::All);

fn small() -> Sample {
    let sample = Sample::new();
    let source = sample.folder.path().join("source");
    std::fs::create_dir_all(source.join("sub")).expect("a folder");
    std::fs::write(source.join("a"), "small").expect("a file");
    std::fs::write(source.join("sub/b"), vec![7; 2000]).expect("a file");
    sample.back_up(&source, 1_500_000_000);
    std::fs::write(source.join("sub/c"), vec![8; 3000]).expect("a file");
    sample.back_up(&source, 1_500_000_100);
    sample
}

fn objects(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { found.extend(objects(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn put(path: &Path, bytes: &[u8]) {
    // Objects are read-only files.
    std::fs::remove_file(path).expect("removed");
    std::fs::write(path, bytes).expect("written");
}

/// Opens and checks; returns whether there are problems, and whether there are notes.
fn notices(sample: &Sample) -> (bool, bool) {
    let Ok(repository) = sample.reopen() else { return (true, true) };
    let report = check(&repository, &ALL, &Unobserved).expect("a report");
    (!report.is_sound(), !report.notes.is_empty())
}

#[test]
fn a_gap_in_the_numbers_of_headers_is_no_damage() {
    let sample = small();
    let cost = Cost { memory: 8 << 10, passes: 1, lanes: 1 };
    for seconds in [3, 4] {
        let repository = sample.reopen().expect("it opens");
        let new = [NewSlot { secret: sample.secret(), label: "", cost, time: time(seconds) }];
        rotate(&repository, sample.secret(), &new, time(seconds)).expect("rotated");
    }
    assert_eq!(notices(&sample), (false, false));
    let first = sample.path().join(ObjectName::later_header(1).as_str());
    std::fs::remove_file(&first).expect("removed");
    assert_eq!(notices(&sample), (false, true), "a note alone");
    // A header under the number of another one is damage.
    std::fs::copy(sample.path().join(ObjectName::later_header(2).as_str()), first).expect("copied");
    assert_eq!(notices(&sample), (true, false));
}

#[test]
fn a_sound_repository_has_no_problems() {
    let sample = small();
    let report = check(&sample.repository, &ALL, &Unobserved).expect("a report");
    assert!(report.is_sound() && report.notes.is_empty(), "{report:?}");
    assert_eq!((report.snapshots, report.packs, report.packs_read), (2, 4, 4));
    let nothing = CheckOptions::reading(ReadData::None);
    let report = check(&sample.repository, &nothing, &Unobserved).expect("a report");
    assert_eq!((report.packs_read, report.is_sound()), (0, true));
    let read = |read_data| {
        let options = CheckOptions::reading(read_data);
        check(&sample.repository, &options, &Unobserved).expect("a report").packs_read
    };
    assert_eq!((read(ReadData::Share(0.25)), read(ReadData::Share(0.3))), (1, 2));
    assert_eq!((read(ReadData::Rest), read(ReadData::Share(0.0))), (4, 0));
}

#[test]
fn every_flipped_byte_is_found() {
    let sample = small();
    for path in objects(&sample.path()) {
        let bytes = std::fs::read(&path).expect("an object");
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1 << (at % 8);
            put(&path, &altered);
            assert!(notices(&sample).0, "byte {at} of {}", path.display());
        }
        put(&path, &bytes);
    }
    assert!(!notices(&sample).0);
}

#[test]
fn every_truncated_emptied_swapped_or_deleted_object_is_found() {
    let sample = small();
    let objects = objects(&sample.path());
    for path in &objects {
        let bytes = std::fs::read(path).expect("an object");
        for length in [bytes.len() - 1, bytes.len() / 2, 0] {
            put(path, &bytes[..length]);
            assert!(notices(&sample).0, "{} cut to {length}", path.display());
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        put(path, &longer);
        assert!(notices(&sample).0, "{} with a byte more", path.display());
        std::fs::remove_file(path).expect("removed");
        let (problem, note) = notices(&sample);
        // Without its verdict, a backup is one that was interrupted; only the next one in its
        // client's chain tells that it once counted.
        assert!(problem || note, "{} deleted", path.display());
        assert!(problem || path.extension().is_some_and(|end| end == "end"));
        std::fs::write(path, &bytes).expect("written");
    }
    for a in &objects {
        for b in objects.iter().filter(|b| *b > a && b.parent() == a.parent()) {
            let (x, y) = (std::fs::read(a).expect("a"), std::fs::read(b).expect("b"));
            put(a, &y);
            put(b, &x);
            assert!(notices(&sample).0, "{} and {} swapped", a.display(), b.display());
            put(a, &x);
            put(b, &y);
        }
    }
    assert!(!notices(&sample).0);
}

#[test]
fn a_forgotten_snapshot_does_not_count_and_is_no_problem() {
    let sample = small();
    let id = sample.newest().id;
    let first = sample.repository.snapshots().expect("snapshots").list[0].id;
    for (n, id) in [first, id].into_iter().enumerate() {
        let report = forget(&sample.repository, &[id], &writer(), time(3), "by id").expect("done");
        assert_eq!((report.forgotten, report.already.len()), (vec![id], 0));
        let left = sample.repository.snapshots().expect("snapshots").list.len();
        let report = check(&sample.repository, &ALL, &Unobserved).expect("a report");
        assert_eq!((left, report.snapshots, report.is_sound()), (1 - n, 1 - n as u64, true));
    }
    let again = forget(&sample.repository, &[id], &writer(), time(3), "").expect("done");
    assert_eq!(again.already, [id]);
    assert!(
        forget(&sample.repository, &[crate::format::SnapshotId([1; 32])], &writer(), time(3), "")
            .is_err()
    );
}

#[test]
fn numbers_go_on_after_the_newest_was_forgotten() {
    let sample = small();
    let source = sample.folder.path().join("source");
    let second = sample.newest().id;
    sample.forget(second);
    sample.back_up(&source, 1_500_000_200);
    let SnapshotEntry { id: third, snapshot, .. } = sample.newest();
    assert_eq!((snapshot.sequence, snapshot.previous), (3, Some(second)));
    sample.forget(third);
    sample.forget(sample.newest().id);
    sample.back_up(&source, 1_500_000_300);
    let snapshot = sample.newest().snapshot;
    assert_eq!((snapshot.sequence, snapshot.previous), (4, Some(third)));
    let report = check(&sample.repository, &ALL, &Unobserved).expect("a report");
    assert_eq!((report.is_sound(), report.notes), (true, Vec::new()));
}

#[test]
fn stats_add_up() {
    let sample = small();
    let stats = crate::repository::stats::stats(&sample.repository).expect("stats");
    assert_eq!((stats.snapshots, stats.packs, stats.raw_data), (2, 4, 5000));
    assert_eq!(stats.described, 2005 + 5005);
    let files: u64 = objects(&sample.path())
        .iter()
        .map(|path| std::fs::metadata(path).expect("an object").len())
        .sum();
    assert_eq!(stats.stored_bytes(), files);
    assert!(stats.compression().is_some() && stats.deduplication().is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn random_bytes_in_place_of_an_object_never_panic(
        which in any::<proptest::sample::Index>(), mut bytes in proptest::collection::vec(any::<u8>(), 0..600),
        keep in 0usize..100,
    ) {
        let sample = small();
        let objects = objects(&sample.path());
        let path = &objects[which.index(objects.len())];
        let before = std::fs::read(path).expect("an object");
        // Sometimes with a valid beginning.
        let kept = keep.min(bytes.len()).min(before.len());
        bytes[..kept].copy_from_slice(&before[..kept]);
        prop_assume!(bytes != before);
        put(path, &bytes);
        prop_assert!(notices(&sample).0);
    }
}

#[test]
fn a_snapshot_that_another_client_saw_is_missed_when_it_is_removed_with_its_session() {
    let sample = small();
    let seen = sample.newest();
    let source = sample.folder.path().join("source");
    let other = crate::repository::Writer { client: crate::format::ClientId([9; 16]), ..writer() };
    sample.back_up_as(&source, 1_500_000_200, other);
    assert_eq!(sample.newest().snapshot.seen, [seen.id]);
    assert!(!notices(&sample).0);
    for name in [
        ObjectName::snapshot(seen.id),
        ObjectName::session(seen.snapshot.session),
        ObjectName::verdict(seen.snapshot.session),
    ] {
        std::fs::remove_file(sample.path().join(name.as_str())).expect("removed");
    }
    assert!(notices(&sample).0);
}

#[test]
fn shares_take_turns_until_every_pack_was_read() {
    let sample = small();
    let cache = tempfile::tempdir().expect("a folder");
    let repository = sample.reopen_with(Some(cache.path().to_owned()));
    let packs = repository.backend().names(Area::Packs).expect("a list");
    assert_eq!(packs.len(), 4);
    // Altered in the first frame of data, which only a check notices that reads it.
    let content = |name: &ObjectName| std::fs::read(sample.path().join(name.as_str()));
    let is_data = |name: &&ObjectName| content(name).expect("a pack")[5] == 1;
    let path = sample.path().join(packs.iter().find(is_data).expect("one").as_str());
    let mut bytes = std::fs::read(&path).expect("a pack");
    bytes[100] ^= 1;
    put(&path, &bytes);
    let read = || {
        let options = CheckOptions::reading(ReadData::Share(0.25));
        check(&repository, &options, &Unobserved).expect("a report")
    };
    for round in 0..3 {
        let reports: Vec<CheckReport> = (0..4).map(|_| read()).collect();
        assert!(reports.iter().all(|report| report.packs_read == 1));
        let found = reports.iter().filter(|report| !report.is_sound()).count();
        assert_eq!(found, 1, "each pack once a round, in round {round}");
    }
}

/// Interrupts a check after two packs.
struct Impatient(AtomicU64);

impl Observer for Impatient {
    fn event(&self, event: Event) {
        if let Event::Done { bytes: 1.., .. } = event {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn problem(&self, _: Problem) {}

    fn interrupted(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= 2
    }
}

#[test]
fn an_interrupted_check_goes_on_with_what_it_has_not_read() {
    let sample = small();
    let cache = tempfile::tempdir().expect("a folder");
    let repository = sample.reopen_with(Some(cache.path().to_owned()));
    let stopped = check(&repository, &ALL, &Impatient(AtomicU64::new(0)));
    assert!(matches!(stopped, Err(Error::Interrupted)), "{stopped:?}");
    let rest = CheckOptions::reading(ReadData::Rest);
    let report = check(&repository, &rest, &Unobserved).expect("a report");
    assert!(report.is_sound() && (1..=2).contains(&report.packs_read), "{report:?}");
    // Nothing was interrupted now.
    assert_eq!(check(&repository, &rest, &Unobserved).expect("a report").packs_read, 4);
}
