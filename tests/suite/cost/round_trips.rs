//! Requests and dependent round trips at a destination whose requests cost a round trip each.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use yore_engine::Unobserved;
use yore_engine::backup::backup;
use yore_engine::format::Parameters;
use yore_engine::read::{DirRef, Lookup, children, find};
use yore_engine::repository::Repository;
use yore_engine::restore::{RestoreOptions, restore};
use yore_engine::{Result, TreePath};
use yore_fs::{SnapshotVolume, VolumeOptions};
use yore_platform::snapshot_path;
use yore_tests::{
    Call, Distance, Memory, Requests, Scratch, TestRepository, fingerprint_volume, list_volume,
    noise, options, print_measured, read_from_volume,
};

/// The time that a request takes.
const DELAY: Duration = Duration::from_millis(40);
/// The size of the large file in bytes.
const LARGE: usize = 60 << 20;
/// A machine that is busy starts threads late, so the fewest rounds of some attempts count.
const ATTEMPTS: usize = 4;

/// A source of 40 folders of 50 files and a large one, in a repository that this machine knows.
struct Scene {
    scratch: Scratch,
    memory: Arc<Memory>,
    repo: TestRepository,
    source: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let scratch = Scratch::in_quiet_place();
        let source = scratch.folder("source");
        for folder in 0..40 {
            let folder_path = source.join(format!("{folder}"));
            std::fs::create_dir_all(&folder_path).expect("a folder");
            for file in 0..50 {
                let bytes = noise(200 + file * 30, (folder * 100 + file) as u64);
                std::fs::write(folder_path.join(format!("{file}")), bytes).expect("a file");
            }
        }
        std::fs::write(source.join("large"), noise(LARGE, 77)).expect("a file");
        let memory = Arc::new(Memory::distant());
        let repo = TestRepository::with(memory.clone(), Parameters::default());
        let scene = Self { scratch, memory, repo, source };
        scene.back_up(&scene.open(&scene.at(Duration::ZERO), "writer"));
        // Files that changed within seconds before the last snapshot are read again.
        std::thread::sleep(Duration::from_millis(3_500));
        scene.back_up(&scene.open(&scene.at(Duration::ZERO), "writer"));
        scene
    }

    fn at(&self, delay: Duration) -> Arc<Distance> {
        Distance::new(self.memory.clone(), delay)
    }

    /// Opens the repository on one of several machines, each with a cache of its own.
    fn open(&self, distance: &Arc<Distance>, machine: &str) -> Repository {
        let cache = self.scratch.at("cache").join(machine);
        self.repo.open_with_cache(distance.clone(), cache).expect("it opens")
    }

    fn back_up(&self, repository: &Repository) {
        let sources = std::slice::from_ref(&self.source);
        backup(repository, sources, &options(None), &Unobserved).expect("a backup");
    }

    /// Lists every folder below the source; returns the number of nodes.
    fn list_all(&self, reader: &yore_engine::read::Reader, root: &DirRef) -> Result<usize> {
        let found = find(reader, root, TreePath::new(&snapshot_path(&self.source)))?;
        let Some(Lookup::Node(source)) = found else { panic!("the source is there") };
        let (mut pending, mut nodes) = (vec![source.dir.expect("a folder")], 0);
        while let Some(dir) = pending.pop() {
            children(reader, &dir, &mut |child| {
                nodes += 1;
                pending.extend(child.dir);
                Ok(())
            })?;
        }
        Ok(nodes)
    }
}

/// Measures an operation several times; returns the requests of the attempt with the fewest rounds.
fn fewest_rounds(mut attempt: impl FnMut(usize) -> Requests) -> Requests {
    let attempts = (0..ATTEMPTS).map(&mut attempt);
    attempts.min_by_key(|requests| requests.rounds).expect("several attempts")
}

fn reads_of<'r>(requests: &'r Requests, folder: &str) -> Vec<&'r Call> {
    let is_of = |call: &&Call| call.object().is_some_and(|name| name.starts_with(folder));
    requests.all.iter().filter(is_of).collect()
}

#[test]
fn an_unchanged_backup_takes_at_most_ten_round_trips() {
    let scene = Scene::new();
    let requests = fewest_rounds(|_| {
        let distance = scene.at(DELAY);
        scene.back_up(&scene.open(&distance, "writer"));
        distance.take()
    });
    let text = format!("{:#?}", requests.all);
    let first_write = requests.all.iter().position(Call::is_write).expect("a session");
    print_measured(format!(
        "an unchanged backup: {} requests in {} round trips; {first_write} requests before it writes",
        requests.all.len(),
        requests.rounds
    ));
    assert!(first_write <= 6, "{first_write} requests before the session: {text}");
    assert!(requests.rounds <= 10, "{} round trips: {text}", requests.rounds);
    assert_eq!(reads_of(&requests, "packs/"), Vec::<&Call>::new(), "trees come from the cache");
    assert_eq!(reads_of(&requests, "index/"), Vec::<&Call>::new());
    assert_eq!(reads_of(&requests, "snapshots/"), Vec::<&Call>::new());
    assert_eq!(reads_of(&requests, "sessions/"), Vec::<&Call>::new());
    assert_eq!(reads_of(&requests, "keys/"), Vec::<&Call>::new());
    scene.repo.assert_sound();
}

#[test]
fn opening_a_known_repository_takes_one_round_trip() {
    let scene = Scene::new();
    let requests = fewest_rounds(|_| {
        let distance = scene.at(DELAY);
        scene.open(&distance, "writer");
        distance.take()
    });
    assert_eq!((requests.all.len(), requests.rounds), (2, 1), "{:#?}", requests.all);
    // Another machine has to load the header and the slot.
    let distance = scene.at(Duration::ZERO);
    scene.open(&distance, "another");
    let first = distance.take().all.len();
    scene.open(&distance, "another");
    assert_eq!(distance.take().all.len(), 2, "{first} requests at first");
}

#[test]
fn the_first_listing_in_a_cold_mount_takes_at_most_four_round_trips() {
    let scene = Scene::new();
    let path = [b"latest/".as_slice(), &snapshot_path(&scene.source)].concat();
    let mut opening = u64::MAX;
    let requests = fewest_rounds(|attempt| {
        // Records and indexes are known, no frame is.
        let machine = format!("reader {attempt}");
        let distance = scene.at(DELAY);
        scene.open(&distance, &machine).snapshots().expect("snapshots");
        drop(scene.open(&distance, &machine).reader(1 << 20).expect("a reader"));
        distance.take();
        let repository = Arc::new(scene.open(&distance, &machine));
        let volume = SnapshotVolume::open(repository, VolumeOptions::new(TimeZone::UTC));
        let (volume, _) = volume.expect("a volume");
        opening = opening.min(distance.take().rounds);
        let names = list_volume(&volume, &path).expect("it lists");
        assert_eq!(names, 41);
        distance.take()
    });
    print_measured(format!(
        "a cold mount: {opening} round trips to open, {} to list a folder",
        requests.rounds
    ));
    assert!(requests.rounds <= 4, "{:#?}", requests.all);
    assert!(opening <= 4, "{opening} round trips to open");
}

#[test]
fn a_restore_keeps_many_requests_in_flight_and_fetches_each_frame_once() {
    let scene = Scene::new();
    let distance = scene.at(DELAY);
    let repository = scene.open(&distance, "restoring");
    let (reader, _) = repository.reader(128 << 20).expect("a reader");
    let snapshot = repository.snapshots().expect("snapshots").list.pop().expect("one").snapshot;
    let path = snapshot_path(&scene.source);
    let what = find(&reader, &DirRef::Tree(snapshot.root), TreePath::new(&path));
    let what = what.expect("it reads").expect("it is there");
    distance.take();
    let target = scene.scratch.folder("target");
    let restored = restore(&reader, &what, &path, &target, &RestoreOptions::default(), &Unobserved);
    assert_eq!(restored.expect("a restore").files, 2001);
    let requests = distance.take();
    let bytes: u64 =
        requests.all.iter().map(|call| if let Call::Read(_, n) = call { *n } else { 0 }).sum();
    let (count, packs) = (requests.all.len(), scene.memory.bytes_of("packs/"));
    print_measured(format!(
        "a restore of {packs} bytes of packs: {count} requests of {bytes} bytes in {} round trips, {} at once",
        requests.rounds, requests.most_in_flight
    ));
    assert!(bytes <= packs + packs / 20, "{bytes} of {packs} bytes");
    assert!(requests.most_in_flight >= 8, "{}", requests.most_in_flight);
    // Of some 130 frames of half a megabyte.
    assert!(count <= 65, "{count} requests");
}

#[test]
fn a_sequential_read_of_a_drive_is_fetched_ahead_in_long_ranges() {
    let scene = Scene::new();
    let distance = scene.at(DELAY);
    let repository = Arc::new(scene.open(&distance, "drive"));
    let volume = SnapshotVolume::open(repository, VolumeOptions::new(TimeZone::UTC));
    let (volume, _) = volume.expect("a volume");
    let path = [b"latest/".as_slice(), &snapshot_path(&scene.source.join("large"))].concat();
    distance.take();
    let bytes = read_from_volume(&volume, &path).expect("it reads");
    assert!(bytes == noise(LARGE, 77), "the content is right");
    let requests = distance.take();
    print_measured(format!(
        "60 MiB read in order: {} requests in {} round trips, {} at once",
        requests.all.len(),
        requests.rounds,
        requests.most_in_flight
    ));
    // One frame after the other would take 120.
    assert!(requests.rounds <= 60, "{} round trips", requests.rounds);
    assert!(requests.most_in_flight >= 3, "{}", requests.most_in_flight);
}

#[test]
fn what_was_listed_in_a_drive_is_listed_without_its_destination() {
    let scene = Scene::new();
    let distance = scene.at(Duration::ZERO);
    let repository = Arc::new(scene.open(&distance, "traveller"));
    let open = || {
        let options = VolumeOptions::new(TimeZone::UTC);
        SnapshotVolume::open(Arc::clone(&repository), options).expect("a volume").0
    };
    let (reader, _) = repository.reader(64 << 20).expect("a reader");
    let root = repository.snapshots().expect("snapshots").list.pop().expect("one").snapshot.root;
    let root = DirRef::Tree(root);
    assert_eq!(scene.list_all(&reader, &root).expect("it lists"), 2041);
    // Opened while the destination is there; no frame is in memory.
    let volume = open();
    let (reader, _) = repository.reader(64 << 20).expect("a reader");
    distance.set_away(true);
    assert_eq!(scene.list_all(&reader, &root).expect("it lists without a destination"), 2041);
    let path = [b"latest/".as_slice(), &snapshot_path(&scene.source)].concat();
    assert_eq!(list_volume(&volume, &path).expect("it lists"), 41);
    let large = [path.as_slice(), b"/large"].concat();
    let error = read_from_volume(&volume, &large).expect_err("it was not read");
    print_measured(format!("a file that was not read: {error}"));
    distance.set_away(false);
    let bytes = read_from_volume(&volume, &large).expect("it reads again");
    assert!(bytes == noise(LARGE, 77), "the content is right");
    let fingerprint = fingerprint_volume(&volume, &path).expect("it reads");
    assert_eq!(fingerprint.len(), 2042);
}
