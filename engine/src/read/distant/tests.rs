//! A reader of a destination whose requests cost round trips.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use super::*;
use crate::format::keys::BlobKind;
use crate::path::TreePath;
use crate::read::reader::Reader;
use crate::read::state_tree::{DirRef, Lookup, children, find};
use crate::repository::Repository;
use crate::testing::Sample;
use crate::testing::distant::DistantFolder;

/// The files of the source, of two folders, in small frames.
const FILES: usize = 60;
/// The folders, and the number of the first file in each.
const FOLDERS: [(&str, usize); 2] = [("one", 0), ("two", 100)];

struct Scene {
    sample: Sample,
    distant: Arc<DistantFolder>,
    source: PathBuf,
}

/// Returns the content of a file of the folder "one"; those of "two" have higher numbers.
fn content(number: usize) -> Vec<u8> {
    (0..3000 + number * 7).map(|at| (at * number + at / 7 * 31) as u8 ^ (at >> 3) as u8).collect()
}

impl Scene {
    fn new() -> Self {
        let sample = Sample::new();
        let source = sample.folder.path().join("source");
        for (folder, first) in FOLDERS {
            fs::create_dir_all(source.join(folder)).expect("a folder");
            for number in 0..FILES {
                let file = source.join(folder).join(format!("{number:02}"));
                fs::write(file, content(first + number)).expect("a file");
            }
        }
        sample.back_up(&source, 1_000);
        let distant = Arc::new(DistantFolder::new(sample.path()));
        Self { sample, distant, source }
    }

    fn cache(&self) -> PathBuf {
        self.sample.folder.path().join("cache")
    }

    fn open(&self, cache: Option<PathBuf>) -> Repository {
        self.sample.open_through(self.distant.clone(), cache).expect("it opens")
    }

    /// Reads all files of a folder in the order of their names; panics at a wrong byte.
    fn read_folder(
        &self,
        repository: &Repository,
        reader: &Reader,
        folder: &str,
    ) -> crate::Result<()> {
        let root = repository.snapshots()?.list.pop().expect("a snapshot").snapshot.root;
        self.read_below(reader, root, folder)
    }

    /// Returns the number of frames that hold the files.
    fn frames(&self, reader: &Reader) -> usize {
        let keys = &self.sample.repository.keys;
        let id = |number| keys.blob_id(BlobKind::Data, &content(number));
        let found = (0..FILES).filter_map(|number| reader.index().find(&id(number)));
        found.map(|one| (one.pack, one.number)).collect::<HashSet<_>>().len()
    }

    fn read_below(
        &self,
        reader: &Reader,
        root: crate::format::BlobId,
        folder: &str,
    ) -> crate::Result<()> {
        let path = yore_platform::snapshot_path(&self.source.join(folder));
        let found = find(reader, &DirRef::Tree(root), TreePath::new(&path))?;
        let Some(Lookup::Node(found)) = found else { panic!("{folder} is there") };
        let (_, first) = FOLDERS.into_iter().find(|(name, _)| *name == folder).expect("a folder");
        let mut number = 0;
        children(reader, &found.dir.expect("a folder"), &mut |child| {
            let file = crate::read::OpenFile::open(reader, &child.node)?;
            let mut bytes = Vec::new();
            file.read(reader, 0, 1 << 20, &mut |piece| bytes.extend_from_slice(piece))?;
            assert_eq!(bytes, content(first + number), "{folder}/{number}");
            number += 1;
            Ok(())
        })?;
        assert_eq!(number, FILES);
        Ok(())
    }
}

#[test]
fn neighbours_are_fetched_together_and_each_once() {
    let scene = Scene::new();
    let repository = scene.open(None);
    let (reader, _) = repository.reader(64 << 20).expect("a reader");
    scene.distant.take_reads();
    scene.read_folder(&repository, &reader, "one").expect("it reads");
    let reads = scene.distant.take_reads();
    let frames = scene.frames(&reader);
    assert!(frames >= 25, "{frames} frames");
    // Trees in one request; chunks by one frame, then by the rest of a pack.
    assert!(reads.len() <= 12, "{} requests for {frames} frames: {reads:?}", reads.len());
    let mut ranges = reads.clone();
    ranges.sort_by(|one, other| {
        (one.0.as_str(), one.1.start).cmp(&(other.0.as_str(), other.1.start))
    });
    for pair in ranges.windows(2) {
        let apart = pair[0].0 != pair[1].0 || pair[0].1.end <= pair[1].1.start;
        assert!(apart, "fetched twice: {pair:?}");
    }
}

#[test]
fn a_local_folder_is_read_frame_by_frame() {
    let scene = Scene::new();
    let (reader, _) = scene.sample.repository.reader(64 << 20).expect("a reader");
    assert!(!reader.is_distant());
    scene.read_folder(&scene.sample.repository, &reader, "one").expect("it reads");
    assert!(scene.sample.repository.frame_cache().is_none());
}

#[test]
fn what_was_read_needs_no_request_and_no_destination() {
    let scene = Scene::new();
    let repository = scene.open(Some(scene.cache()));
    let root = repository.snapshots().expect("snapshots").list.pop().expect("one").snapshot.root;
    let (first, _) = repository.reader(64 << 20).expect("a reader");
    scene.read_below(&first, root, "one").expect("it reads");
    // Opened while the destination is there, and without a frame in memory.
    let again = scene.open(Some(scene.cache()));
    let (second, _) = again.reader(64 << 20).expect("a reader");
    scene.distant.take_reads();
    scene.distant.set_away(true);
    scene.read_below(&second, root, "one").expect("it reads from the cache");
    assert_eq!(scene.distant.take_reads(), Vec::new());
    let error = scene.read_below(&second, root, "two").expect_err("it was not read");
    assert!(matches!(error, Error::Backend { .. }), "{error}");
    scene.distant.set_away(false);
    scene.read_below(&second, root, "two").expect("it reads again");
}

#[test]
fn a_damaged_or_truncated_cache_costs_requests_and_gives_no_wrong_byte() {
    let scene = Scene::new();
    let read = || {
        let repository = scene.open(Some(scene.cache()));
        let (reader, _) = repository.reader(64 << 20).expect("a reader");
        scene.distant.take_reads();
        scene.read_folder(&repository, &reader, "one").expect("it reads");
        scene.distant.take_reads().len()
    };
    read();
    assert_eq!(read(), 0);
    let id = scene.sample.repository.id().to_string();
    let folder = scene.cache().join(id).join("frames-1");
    let files = || -> Vec<PathBuf> {
        let entries = fs::read_dir(&folder).expect("the cache");
        entries.map(|entry| entry.expect("an entry").path()).collect()
    };
    assert!(files().len() >= 2, "{:?}", files());
    for step in [31, 997, 7919] {
        for file in files() {
            let mut bytes = fs::read(&file).expect("a file");
            bytes.iter_mut().step_by(step).for_each(|byte| *byte ^= 0x40);
            fs::write(&file, bytes).expect("written");
        }
        assert!(read() > 0, "every {step}th byte");
        read();
        assert_eq!(read(), 0, "it was stored again");
    }
    for file in files() {
        let length = fs::metadata(&file).expect("a file").len();
        fs::File::options()
            .write(true)
            .open(&file)
            .and_then(|file| file.set_len(length / 2))
            .expect("cut");
    }
    assert!(read() > 0);
    assert_eq!(read(), 0);
}

#[test]
fn a_backup_leaves_its_trees_in_the_cache() {
    let scene = Scene::new();
    let repository = scene.open(Some(scene.cache()));
    let options = || crate::testing::backup_options(2_000);
    let back_up = || {
        let report = crate::backup::backup(
            &repository,
            std::slice::from_ref(&scene.source),
            &options(),
            &crate::Unobserved,
        );
        report.expect("a backup").totals
    };
    fs::write(scene.source.join("one/00"), "changed").expect("a file");
    back_up();
    scene.distant.take_reads();
    back_up();
    assert_eq!(scene.distant.take_reads(), Vec::new());
}

#[test]
fn a_range_that_arrived_damaged_is_fetched_again() {
    let scene = Scene::new();
    for cache in [None, Some(scene.cache())] {
        let repository = scene.open(cache);
        let (reader, _) = repository.reader(64 << 20).expect("a reader");
        let index = reader.index();
        let id = |number| repository.keys.blob_id(BlobKind::Data, &content(number));
        let ids: Vec<_> = (0..FILES).map(id).collect();
        scene.distant.damage_next_read();
        reader.fetch_ahead(&ids);
        assert!(ids.iter().all(|id| index.find(id).is_some()));
        scene.read_folder(&repository, &reader, "one").expect("it reads");
    }
}

#[test]
fn a_pack_that_ends_early_loses_only_what_it_lacks() {
    let scene = Scene::new();
    let repository = scene.open(None);
    let (reader, _) = repository.reader(64 << 20).expect("a reader");
    let index = reader.index();
    let keys = &repository.keys;
    let id = |number| keys.blob_id(BlobKind::Data, &content(number));
    // Two chunks of one pack in different frames; which packs there are depends on the threads of the backup.
    let all: Vec<_> =
        (0..FILES).map(id).map(|id| (id, index.find(&id).expect("it is there"))).collect();
    let mut pairs = all.iter().flat_map(|last| all.iter().map(move |first| (first, last)));
    let is_before = |((_, first), (_, last)): &(&(_, Location), &(_, Location))| {
        first.pack == last.pack && first.offset < last.offset
    };
    let ((first, _), (lost, last)) = pairs.find(is_before).expect("a pack of two frames");
    let path = scene.sample.path().join(ObjectName::pack(last.pack).as_str());
    let bytes = fs::read(&path).expect("the pack");
    fs::remove_file(&path).expect("removed");
    fs::write(&path, &bytes[..last.offset as usize]).expect("written");
    let (reader, _) = repository.reader(64 << 20).expect("a reader");
    reader.fetch_ahead(&[*first, *lost]);
    assert!(reader.blob(BlobKind::Data, first).is_ok());
    let lost = reader.blob(BlobKind::Data, lost);
    assert!(matches!(lost, Err(Error::Damaged { .. })));
}
