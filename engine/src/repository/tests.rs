use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::backend::{Folder, save};
use crate::format::id::SnapshotId;
use crate::maintenance::check::{CheckOptions, ReadData, check};
use crate::maintenance::sync::{SyncOptions, sync};
use crate::path::TreePath;
use crate::read::file::OpenFile;
use crate::read::state_tree::{DirRef, Lookup, find};
use crate::testing::{RecordingObserver, Sample, time, writer};

/// Returns a repository on two destinations, and a source of a few files.
fn mirrored() -> (Sample, std::path::PathBuf, std::path::PathBuf) {
    let mut sample = Sample::new();
    let (second, source) = (sample.folder.path().join("second"), sample.folder.path().join("data"));
    let backend: Arc<dyn Backend> = Arc::new(Folder::new(second.clone()));
    create_copy(&sample.repository, &backend, time(2)).expect("a copy");
    sample.repository.add_destination(backend).expect("it is a copy");
    fs::create_dir(&source).expect("a folder");
    for number in 0..20_u32 {
        let content = (0..9_000_u32).flat_map(|n| n.wrapping_mul(number + 77).to_be_bytes());
        fs::write(source.join(number.to_string()), content.collect::<Vec<u8>>()).expect("a file");
    }
    (sample, second, source)
}

fn names(folder: &Path, area: Area) -> BTreeSet<String> {
    let listed = Folder::new(folder.to_owned()).names(area).expect("a list");
    listed.iter().map(ToString::to_string).collect()
}

/// Opens one destination alone and compares a snapshot there with the source.
fn assert_snapshot_equals_source(sample: &Sample, folder: &Path, id: SnapshotId, source: &Path) {
    let repository = sample.open_at(folder).expect("it opens alone");
    let found = repository.snapshots().expect("snapshots");
    assert!(found.problems.is_empty(), "{:?}", found.problems);
    let entry = found.list.iter().find(|entry| entry.id == id).expect("it is committed here");
    let (reader, problems) = repository.reader(16 << 20).expect("a reader");
    assert!(problems.is_empty(), "{problems:?}");
    let root = DirRef::Tree(entry.snapshot.root);
    for file in fs::read_dir(source).expect("the source") {
        let file = file.expect("an entry").path();
        let path = yore_platform::snapshot_path(&file);
        let found = find(&reader, &root, TreePath::new(&path))
            .expect("it can be read")
            .expect("it is there");
        let Lookup::Node(found) = found else { panic!("a file has a node") };
        let open = OpenFile::open(&reader, &found.node).expect("it opens");
        let mut content = Vec::new();
        let mut take = |bytes: &[u8]| content.extend_from_slice(bytes);
        open.read(&reader, 0, found.node.size as usize, &mut take).expect("it can be read");
        assert!(content == fs::read(&file).expect("the file"), "{}", file.display());
    }
}

fn sync_all(sample: &Sample) {
    let observer = RecordingObserver::default();
    let report = sync(&sample.repository, &SyncOptions::default(), &writer(), &observer);
    let report = report.expect("a sync");
    assert!(report.is_whole(), "{report:?}");
}

fn check_all(sample: &Sample, folder: &Path) {
    let repository = sample.open_at(folder).expect("it opens");
    let options = CheckOptions::reading(ReadData::All);
    let report = check(&repository, &options, &RecordingObserver::default()).expect("it ends");
    assert!(report.problems.is_empty(), "{:?}", report.problems);
}

#[test]
fn a_snapshot_is_committed_on_both_destinations_under_sessions_of_their_own() {
    let (sample, second, source) = mirrored();
    let id = sample.back_up(&source, 100).snapshot.expect("a snapshot");
    let first = sample.path();
    for folder in [&first, &second] {
        assert_snapshot_equals_source(&sample, folder, id, &source);
        check_all(&sample, folder);
    }
    for area in [Area::Packs, Area::Index, Area::Snapshots, Area::Keys] {
        assert_eq!(names(&first, area), names(&second, area));
    }
    assert!(names(&first, Area::Sessions).is_disjoint(&names(&second, Area::Sessions)));
    let both = sample.repository.snapshots().expect("snapshots");
    assert_eq!(both.list.len(), 1, "one snapshot, although it is committed twice");
}

#[test]
fn a_destination_that_lacks_objects_is_behind_and_the_other_gets_the_snapshot() {
    let (sample, second, source) = mirrored();
    sample.back_up(&source, 100);
    for area in [Area::Packs, Area::Index] {
        let lost = names(&second, area).into_iter().next().expect("one");
        let kept = fs::read(second.join(&lost)).expect("an object");
        fs::remove_file(second.join(&lost)).expect("removed");
        let report = sample.back_up(&source, 200);
        let [Behind { destination: 1, cause: BehindCause::Lacking }] = &*report.behind else {
            panic!("{:?}", report.behind)
        };
        let id = report.snapshot.expect("a snapshot");
        assert_snapshot_equals_source(&sample, &sample.path(), id, &source);
        let alone = sample.open_at(&second).expect("it opens");
        let there = alone.snapshots().expect("snapshots").list;
        assert!(there.iter().all(|entry| entry.id != id), "it is not committed there");
        fs::write(second.join(&lost), kept).expect("written");
        sync_all(&sample);
        assert_snapshot_equals_source(&sample, &second, id, &source);
    }
}

#[test]
fn where_both_lack_something_the_snapshot_refers_only_to_what_its_destination_has() {
    let (sample, second, source) = mirrored();
    sample.back_up(&source, 100);
    let first = sample.path();
    // Each loses the packs that the other keeps.
    let packs = names(&first, Area::Packs);
    for (number, pack) in packs.iter().enumerate() {
        let folder = if number % 3 == 0 { &first } else { &second };
        fs::remove_file(folder.join(pack)).expect("removed");
    }
    let report = sample.back_up(&source, 200);
    assert_eq!(report.behind.len(), 1);
    let id = report.snapshot.expect("a snapshot");
    assert_eq!(report.behind[0].destination, 1, "the one that lacks more");
    assert_snapshot_equals_source(&sample, &first, id, &source);
    sync_all(&sample);
    for folder in [&first, &second] {
        assert_snapshot_equals_source(&sample, folder, id, &source);
        check_all(&sample, folder);
    }
}

#[test]
fn packs_of_an_interrupted_backup_that_one_destination_lacks_are_not_adopted() {
    let (sample, second, source) = mirrored();
    sample.back_up(&source, 100);
    // As if the backup had been killed between the publication of its packs on one and on the other.
    for folder in [sample.path(), second.clone()] {
        for area in [Area::Index, Area::Snapshots, Area::Sessions] {
            let left = names(&folder, area);
            let is_left = |name: &&String| area != Area::Sessions || name.ends_with(".end");
            for name in left.iter().filter(is_left) {
                fs::remove_file(folder.join(name)).expect("removed");
            }
        }
    }
    for pack in names(&second, Area::Packs).iter().step_by(2) {
        fs::remove_file(second.join(pack)).expect("removed");
    }
    let id = sample.back_up(&source, 200).snapshot.expect("a snapshot");
    assert_snapshot_equals_source(&sample, &second, id, &source);
    assert_snapshot_equals_source(&sample, &sample.path(), id, &source);
}

#[test]
fn a_copy_needs_an_empty_destination_and_only_a_copy_can_be_added() {
    let (mut sample, second, _) = mirrored();
    let occupied: Arc<dyn Backend> = Arc::new(Folder::new(second));
    let refused = create_copy(&sample.repository, &occupied, time(3));
    assert!(matches!(refused, Err(Error::Occupied { .. })));
    let other = Sample::new();
    let refused = sample.repository.add_destination(Arc::new(Folder::new(other.path())));
    assert!(matches!(refused, Err(Error::OtherRepository { .. })));
    let again = sample.repository.add_destination(Arc::new(Folder::new(sample.path())));
    assert!(matches!(again, Err(Error::Occupied { .. })), "its id is known");
    let empty = sample.folder.path().join("empty");
    fs::create_dir(&empty).expect("a folder");
    let refused = sample.repository.add_destination(Arc::new(Folder::new(empty.clone())));
    assert!(matches!(refused, Err(Error::NoRepository { .. })));
    // A creation that was interrupted before the header can be repeated.
    let backend: Arc<dyn Backend> = Arc::new(Folder::new(empty));
    backend.prepare().expect("it is empty");
    save(&*backend, &ObjectName::destination(), b"cut off").expect("saved");
    create_copy(&sample.repository, &backend, time(4)).expect("a copy");
    sample.repository.add_destination(backend).expect("it is a copy");
}
