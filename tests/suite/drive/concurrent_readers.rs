//! Many threads that read the drive at once, while backups run and snapshots are forgotten.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use yore_tests::{MountGuard, Random, Yore};

const READERS: u64 = 32;
const BACKUPS: u64 = 24;
const FILES: u64 = 12;

/// Returns the bytes of a file in a version, which differ in every version.
fn content(file: u64, version: u64) -> Vec<u8> {
    let length = 10_000 * (file + 1) as usize;
    format!("file {file} in version {version}\n")
        .into_bytes()
        .into_iter()
        .cycle()
        .take(length)
        .collect()
}

/// Returns the version of a file in a state: each file changes in some backups only.
fn version(file: u64, backup: u64) -> u64 {
    backup - backup % (file % 4 + 1)
}

fn second(backup: u64) -> String {
    format!("2026-01-15T10:{:02}:{:02}", backup / 60, backup % 60)
}

/// The state that writers and readers share.
#[derive(Default)]
struct Meanwhile {
    done: AtomicBool,
    reads: AtomicU64,
    /// Guards the names of the snapshots that were forgotten, or are about to be.
    forgotten: Mutex<BTreeSet<String>>,
}

impl Meanwhile {
    fn is_forgotten(&self, name: &str) -> bool {
        self.forgotten.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
    }
}

/// Reads random files until the writers are done; fails at the first wrong byte.
fn read_on(seed: u64, drive: &Path, source: &Path, meanwhile: &Meanwhile) {
    let mut random = Random(seed);
    let inside = source.strip_prefix("/").expect("an absolute path");
    let mut newest = 0;
    while !meanwhile.done.load(Ordering::Relaxed) {
        let file = random.below(FILES);
        let names: Vec<String> = match fs::read_dir(drive.join("snapshots")) {
            Ok(names) => names
                .map(|name| name.expect("a name").file_name().into_string().expect("text"))
                .filter(|name| name.contains('T'))
                .collect(),
            Err(error) => panic!("the list of snapshots: {error}"),
        };
        if names.is_empty() {
            continue;
        }
        let name = &names[random.below(names.len() as u64) as usize];
        let read = |top: PathBuf| fs::read(top.join(inside).join(file.to_string()));
        match read(drive.join("snapshots").join(name)) {
            Ok(bytes) => {
                // 2026-01-15T10mmss
                let number = |at: usize| name[at..at + 2].parse::<u64>().expect("a number");
                let backup = number(13) * 60 + number(15);
                assert!(bytes == content(file, version(file, backup)), "file {file} in {name}");
            }
            Err(error) => {
                let is_gone = matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::StaleNetworkFileHandle
                );
                assert!(is_gone && meanwhile.is_forgotten(name), "file {file} in {name}: {error}");
            }
        }
        // `latest` is one whole state, and never an older one than before.
        let bytes = read(drive.join("latest")).expect("there is a newest state");
        let found =
            (newest..=BACKUPS).find(|backup| bytes == content(file, version(file, *backup)));
        let backup =
            found.unwrap_or_else(|| panic!("file {file} in latest is none since {newest}"));
        newest = newest.max(version(file, backup));
        meanwhile.reads.fetch_add(2, Ordering::Relaxed);
    }
}

#[test]
fn thirty_two_readers_see_no_wrong_byte_while_snapshots_come_and_go() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    let back_up = |backup: u64| {
        for file in 0..FILES {
            if version(file, backup) == backup {
                fs::write(source.join(file.to_string()), content(file, backup)).expect("a file");
            }
        }
        let time = second(backup);
        let words = ["backup", "--quiet", "--time", &time].map(PathBuf::from);
        yore.run(words.iter().chain([&source])).assert_code(0);
    };
    back_up(0);
    let drive = MountGuard::new(&yore, &[]);
    let meanwhile = Meanwhile::default();
    thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS)
            .map(|seed| {
                let (drive, source, meanwhile) = (drive.path(), &source, &meanwhile);
                scope.spawn(move || read_on(seed, drive, source, meanwhile))
            })
            .collect();
        for backup in 1..=BACKUPS {
            back_up(backup);
            // One snapshot of three is forgotten.
            if backup % 3 == 0 {
                let name = second(backup - 1).replace(':', "");
                meanwhile.forgotten.lock().unwrap_or_else(PoisonError::into_inner).insert(name);
                let ids = yore.snapshot_ids();
                yore.run(["forget", &ids[ids.len() - 2]]).assert_code(0);
            }
        }
        meanwhile.done.store(true, Ordering::Relaxed);
        readers.into_iter().for_each(|reader| reader.join().expect("no reader saw anything wrong"));
    });
    assert!(meanwhile.reads.load(Ordering::Relaxed) > 1_000, "{:?}", meanwhile.reads);
    let names = fs::read_dir(drive.path().join("snapshots")).expect("a list").count();
    // Listed are the snapshots that are left and their day.
    let left = (BACKUPS + 1 - BACKUPS / 3) as usize;
    let began = std::time::Instant::now();
    let mut shown = names;
    while shown != left + 1 && began.elapsed() < std::time::Duration::from_secs(10) {
        thread::sleep(std::time::Duration::from_millis(200));
        shown = fs::read_dir(drive.path().join("snapshots")).expect("a list").count();
    }
    assert_eq!(shown, left + 1);
}
