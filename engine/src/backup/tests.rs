//! Backups of real folders, read back through the reader.

use std::fs;
use std::path::Path;

use super::pipeline::both;
use super::*;
use crate::format::object::Area;
use crate::format::tree::{Flags, Node};
use crate::path::join;
use crate::read::file::OpenFile;
use crate::read::state_tree::{Lookup, ResolvedNode, children};
use crate::repository::State;
use crate::store::{BlobStore, StoreState};
use crate::testing::{RecordingObserver, Sample, time, writer};

fn options() -> BackupOptions {
    BackupOptions {
        excludes: Excludes::default(),
        reading: Reading::Changed,
        unchanged_by: UnchangedBy::default(),
        file_systems: FileSystems::All,
        empty_sources: EmptySources::KeepLast,
        own_folders: Vec::new(),
        changed: None,
        only: None,
        run: Run::Real,
        tags: Vec::new(),
        time: None,
        utc_offset: 0,
        writer: writer(),
    }
}

/// Returns every node below a path of the newest snapshot, with the bytes of files.
fn read_back(sample: &Sample, source: &Path) -> Vec<(Vec<u8>, Node, Vec<u8>)> {
    let reader = sample.reader();
    let Lookup::Node(top) = sample.find(&reader, &snapshot_path(source)) else {
        panic!("the source has a node");
    };
    let mut all = Vec::new();
    collect(&reader, &[], top, &mut all);
    all
}

fn collect(
    reader: &Reader,
    path: &[u8],
    seen: ResolvedNode,
    all: &mut Vec<(Vec<u8>, Node, Vec<u8>)>,
) {
    let mut bytes = Vec::new();
    if seen.node.kind == yore_platform::Kind::File {
        let file = OpenFile::open(reader, &seen.node).expect("it opens");
        let size = file.size() as usize;
        file.read(reader, 0, size, &mut |read| bytes.extend_from_slice(read)).expect("it reads");
        assert_eq!(bytes.len(), size);
    }
    if let Some(dir) = &seen.dir {
        children(reader, dir, &mut |child| {
            let below = join(path, &child.node.name);
            collect(reader, &below, child, all);
            Ok(())
        })
        .expect("it lists");
    }
    all.push((path.to_vec(), seen.node, bytes));
}

fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed | 1);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[test]
fn files_of_every_size_come_back_as_they_were() {
    let sample = Sample::new();
    let source = sample.folder.path().join("source");
    fs::create_dir_all(source.join("a/b/c")).expect("a folder");
    let sizes = [0, 1, 512, 513, 100_000, 131_072, 131_073, 3_000_000, 9_000_000, 20_000_001];
    for (n, size) in sizes.into_iter().enumerate() {
        fs::write(source.join(format!("a/b/{size}")), noise(size, n as u64)).expect("a file");
    }
    let target = yore_platform::TargetDir::create(&source).expect("a folder");
    target.symlink(b"link", b"nowhere").expect("a link");
    let report = sample.back_up(&source, 2);
    assert_eq!((report.totals.files, report.totals.new_files), (10, 10));
    let all = read_back(&sample, &source);
    for (n, size) in sizes.into_iter().enumerate() {
        let path = format!("a/b/{size}").into_bytes();
        let (_, _, bytes) = all.iter().find(|(p, ..)| *p == path).expect("it is there");
        assert!(*bytes == noise(size, n as u64), "{size}");
    }
    let link = all.iter().find(|(path, ..)| path == b"link").expect("it is there");
    assert_eq!(link.1.target, b"nowhere");
    let again = sample.back_up(&source, 3);
    assert_eq!(again.totals.new_files, 0);
    assert!(again.totals.new_bytes < 10_000, "{:?}", again.totals);
}

#[test]
fn a_file_that_was_read_again_and_is_equal_counts_as_unchanged() {
    let sample = Sample::new();
    let source = sample.folder.path().join("source");
    fs::create_dir(&source).expect("a folder");
    for (name, size) in [("empty", 0), ("inline", 100), ("chunk", 3_000), ("chunks", 3_000_000)] {
        fs::write(source.join(name), noise(size, 5)).expect("a file");
    }
    sample.back_up(&source, 1_500_000_000);
    // Written a moment ago, they are not trusted to be what they were.
    let again = sample.back_up(&source, 1_500_000_001).totals;
    assert_eq!((again.files, again.new_files, again.changed_files), (4, 0, 0));
    fs::write(source.join("chunk"), noise(3_000, 6)).expect("a file");
    fs::write(source.join("more"), "new").expect("a file");
    let changed = sample.back_up(&source, 1_500_000_002).totals;
    assert_eq!((changed.files, changed.new_files, changed.changed_files), (5, 1, 1));
}

/// The times of a file tell something of the backup that read it, not of a later one that could not.
#[test]
fn a_file_below_a_folder_that_was_not_read_is_not_taken_as_unchanged() {
    let sample = Sample::new();
    let (source, aside) = (sample.folder.path().join("source"), sample.folder.path().join("aside"));
    let (folder, file) = (source.join("folder"), source.join("folder/below/file"));
    fs::create_dir_all(source.join("folder/below")).expect("a folder");
    let write = |text: &str| {
        fs::write(&file, text).expect("a file");
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
        let opened = fs::File::options().write(true).open(&file).expect("it opens");
        opened.set_modified(time).expect("its time");
    };
    let back_up = |now| {
        let unchanged_by =
            UnchangedBy { change_time: ChangeTime::Ignored, ..UnchangedBy::default() };
        let options = BackupOptions { unchanged_by, time: Some(time(now)), ..options() };
        let sources = std::slice::from_ref(&source);
        backup(&sample.repository, sources, &options, &RecordingObserver::default())
            .expect("a backup")
    };
    write("one");
    back_up(1_000_001);
    // Within a tick of its time it is written again, and the next backup can't read the folder.
    write("two");
    fs::rename(&folder, &aside).expect("moved");
    assert_eq!(back_up(1_000_100).emptied.len(), 1);
    fs::rename(&aside, &folder).expect("moved");
    back_up(1_000_200);
    let all = read_back(&sample, &source);
    let (_, node, bytes) = all.iter().find(|(path, ..)| path == b"folder/below/file").expect("it");
    assert_eq!((bytes.as_slice(), node.flags), (b"two".as_slice(), Flags::default()));
    assert!(all.iter().all(|(_, node, _)| node.flags == Flags::default()));
}

#[test]
fn a_stream_is_a_file() {
    let sample = Sample::new();
    let bytes = noise(5_000_000, 3);
    backup_stream(
        &sample.repository,
        b"dumps/db.sql",
        &mut bytes.as_slice(),
        &options(),
        &RecordingObserver::default(),
    )
    .expect("a backup");
    let all = read_back(&sample, Path::new("/dumps"));
    let (_, node, read) = all.iter().find(|(path, ..)| path == b"db.sql").expect("it is there");
    assert_eq!(node.size, 5_000_000);
    assert!(*read == bytes);
}

#[test]
fn a_missing_source_is_an_error_before_anything_is_written() {
    let sample = Sample::new();
    let missing = sample.folder.path().join("missing");
    assert!(
        backup(&sample.repository, &[missing], &options(), &RecordingObserver::default()).is_err()
    );
    assert!(sample.repository.backend().list(Area::Sessions).expect("a list").is_empty());
}

#[test]
fn a_deleted_pack_is_written_again() {
    let sample = Sample::new();
    let source = sample.folder.path().join("source");
    fs::create_dir(&source).expect("a folder");
    fs::write(source.join("file"), [7; 3000]).expect("a file");
    sample.back_up(&source, 1_500_000_000);
    for stored in sample.repository.backend().list(Area::Packs).expect("packs") {
        fs::remove_file(sample.path().join(stored.name.as_str())).expect("a pack");
    }
    let again = sample.back_up(&source, 1_500_000_001);
    assert!(again.totals.new_bytes >= 3000);
    let reader = sample.reader();
    let Lookup::Node(seen) = sample.find(&reader, &snapshot_path(&source.join("file"))) else {
        panic!("a file is a node");
    };
    let file = OpenFile::open(&reader, &seen.node).expect("a file");
    file.read(&reader, 0, 4000, &mut |bytes| assert_eq!(bytes, [7; 3000])).expect("its bytes");
}

#[test]
fn the_cause_of_a_failure_outweighs_interrupted_threads() {
    let sample = Sample::new();
    let state = StoreState::new(&sample.repository, None);
    state.fail(Error::Interrupted);
    state.fail(Error::Overtaken);
    state.fail(Error::Interrupted);
    let mut store = BlobStore::new(&state, None, BlobIndex::default());
    assert!(matches!(store.finish(), Err(Error::Overtaken)));
    let stopped = || Err::<(), _>(Error::Interrupted);
    for (one, other) in
        [(stopped(), Err::<(), _>(Error::Overtaken)), (Err(Error::Overtaken), stopped())]
    {
        assert!(matches!(both(one, other), Err(Error::Overtaken)));
    }
}

#[test]
fn a_backup_of_this_boot_may_take_longer_than_a_week() {
    let sample = Sample::new();
    let source = sample.folder.path().join("source");
    fs::create_dir(&source).expect("a folder");
    let long_ago = time(crate::operation::clock::now().seconds - 10 * 24 * 60 * 60);
    let alive = Writer { process: yore_platform::process_identity(), ..writer() };
    // The same process on another boot: whether it lives can't be known, and it has no heartbeat.
    let boot = yore_platform::boot_id_of(&alive.process).expect("a boot").to_owned();
    let elsewhere =
        Writer { process: alive.process.replace(&boot, &"0".repeat(boot.len())), ..writer() };
    let open = |writer: &Writer| session::open(&sample.repository, &[0], writer, long_ago);
    let (long, lost) = (open(&alive).expect("a session"), open(&elsewhere).expect("a session"));
    sample.back_up_as(&source, 1_500_000_000, alive);
    let listing = sample.repository.list(&State::AREAS).expect("lists");
    let sessions = sample.repository.state(&listing).sessions.list;
    assert!(sessions[&long.id()].1.is_none(), "its process is alive");
    assert!(sessions[&lost.id()].1.is_some(), "it is given up");
}
