//! Random histories of edits, backups and forgetting, compared with a model in memory: each committed snapshot
//! has the source as it was then.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::tz::TimeZone;
use proptest::prelude::*;
use yore_engine::format::SnapshotId;
use yore_engine::repository::forget;
use yore_fs::{SnapshotVolume, VolumeOptions};
use yore_platform::snapshot_path;
use yore_tests::{
    Fingerprint, Ignoring, Memory, Scratch, TestRepository, assert_same, fingerprint_folder,
    fingerprint_volume, noise, options, time, without_links_elsewhere,
};

/// One step of a history.
#[derive(Debug, Clone)]
enum Step {
    Write {
        at: usize,
        length: usize,
        seed: u64,
    },
    /// Other bytes with the same length and modification time: only the change time differs.
    Disguise {
        at: usize,
        seed: u64,
    },
    Append {
        at: usize,
        seed: u64,
    },
    Cut {
        at: usize,
    },
    Punch {
        at: usize,
        length: u64,
    },
    Touch {
        at: usize,
        seconds: u64,
    },
    Remove {
        at: usize,
    },
    Rename {
        from: usize,
        to: usize,
    },
    Link {
        from: usize,
        to: usize,
    },
    Symlink {
        at: usize,
    },
    MakeFolder {
        at: usize,
    },
    BackUp,
    BackUpPart,
    Forget {
        which: usize,
    },
    Look,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let at = || 0usize..24;
    let length = prop_oneof![Just(0usize), 1usize..100, 100usize..6_000, 6_000usize..90_000];
    let step = prop_oneof![
        6 => (at(), length, 0u64..6).prop_map(|(at, length, seed)| Step::Write { at, length, seed }),
        2 => (at(), any::<u64>()).prop_map(|(at, seed)| Step::Disguise { at, seed }),
        2 => (at(), any::<u64>()).prop_map(|(at, seed)| Step::Append { at, seed }),
        1 => at().prop_map(|at| Step::Cut { at }),
        1 => (at(), 1u64..400_000).prop_map(|(at, length)| Step::Punch { at, length }),
        1 => (at(), 0u64..4_000_000_000).prop_map(|(at, seconds)| Step::Touch { at, seconds }),
        2 => at().prop_map(|at| Step::Remove { at }),
        2 => (at(), at()).prop_map(|(from, to)| Step::Rename { from, to }),
        1 => (at(), at()).prop_map(|(from, to)| Step::Link { from, to }),
        1 => at().prop_map(|at| Step::Symlink { at }),
        2 => at().prop_map(|at| Step::MakeFolder { at }),
        4 => Just(Step::BackUp),
        1 => Just(Step::BackUpPart),
        1 => any::<usize>().prop_map(|which| Step::Forget { which }),
        1 => Just(Step::Look),
    ];
    proptest::collection::vec(step, 5..40)
}

/// The paths of all steps; some lie inside others.
fn place(folder: &Path, at: usize) -> PathBuf {
    match at {
        0..8 => folder.join(format!("{at}")),
        8..16 => folder.join("d").join(format!("{at}")),
        16..20 => folder.join("d/e").join(format!("{at}")),
        _ => folder.join(format!("f{}/x", at % 2)),
    }
}

struct History {
    scratch: Scratch,
    source: PathBuf,
    repo: TestRepository,
    /// The fingerprint of the source at each committed snapshot.
    past: Vec<(SnapshotId, PathBuf, Fingerprint)>,
    clock: i64,
}

impl History {
    fn new() -> Self {
        let scratch = Scratch::new();
        let source = scratch.folder("source");
        std::fs::create_dir_all(source.join("d")).expect("a folder");
        let repo = TestRepository::new(Arc::new(Memory::default()));
        Self { scratch, source, repo, past: Vec::new(), clock: 1_400_000_000 }
    }

    /// Executes a step; one that is impossible in the present state does nothing.
    fn step(&mut self, step: &Step) {
        let at = |n: &usize| place(&self.source, *n);
        // A step that fails since a file exists, or does not, is skipped.
        let _ = match step {
            Step::Write { at: n, length, seed } => std::fs::write(at(n), noise(*length, *seed)),
            Step::Disguise { at: n, seed } => disguise(&at(n), *seed),
            Step::Append { at: n, seed } => append(&at(n), *seed),
            Step::Cut { at: n } => open(&at(n)).and_then(|file| {
                let length = file.metadata()?.len();
                file.set_len(length / 2)
            }),
            Step::Punch { at: n, length } => open(&at(n)).and_then(|file| {
                let before = file.metadata()?.len();
                file.set_len(before + length)
            }),
            Step::Touch { at: n, seconds } => open(&at(n)).and_then(|file| {
                file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(*seconds))
            }),
            Step::Remove { at: n } => {
                let _ = std::fs::remove_dir_all(at(n));
                std::fs::remove_file(at(n))
            }
            Step::Rename { from, to } => std::fs::rename(at(from), at(to)),
            Step::Link { from, to } => std::fs::hard_link(at(from), at(to)),
            Step::Symlink { at: n } => link(&at(n)),
            Step::MakeFolder { at: n } => {
                let path = at(n);
                std::fs::create_dir_all(path.parent().expect("it is in the source"))
                    .and_then(|()| std::fs::create_dir(path))
            }
            Step::BackUp => {
                self.back_up(self.source.clone());
                Ok(())
            }
            Step::BackUpPart => {
                self.back_up(self.source.join("d"));
                Ok(())
            }
            Step::Forget { which } => {
                self.forget(*which);
                Ok(())
            }
            Step::Look => {
                self.assert_past();
                Ok(())
            }
        };
    }

    fn back_up(&mut self, source: PathBuf) {
        if !source.is_dir() {
            return;
        }
        self.clock += 100;
        let report = self.repo.back_up(std::slice::from_ref(&source), Some(self.clock));
        let fingerprint = fingerprint_folder(&source);
        self.past.push((report.snapshot.expect("a snapshot"), source, fingerprint));
    }

    fn forget(&mut self, which: usize) {
        if self.past.is_empty() {
            return;
        }
        let (id, ..) = self.past.remove(which % self.past.len());
        let writer = options(None).writer;
        forget(&self.repo.open(), &[id], &writer, time(self.clock), "a test").expect("forgotten");
    }

    /// Restores every committed snapshot and reads it through a volume.
    fn assert_past(&self) {
        let counting = self.repo.snapshots();
        let ids: Vec<SnapshotId> = counting.iter().map(|entry| entry.id).collect();
        let expected: Vec<SnapshotId> = self.past.iter().map(|(id, ..)| *id).collect();
        assert_eq!(ids, expected);
        let options = VolumeOptions::new(TimeZone::UTC);
        let repository = Arc::new(self.repo.open());
        let (volume, problems) = SnapshotVolume::open(repository, options).expect("a volume");
        assert!(problems.is_empty(), "{problems:?}");
        for (n, (id, source, fingerprint)) in self.past.iter().enumerate() {
            let seconds = counting[n].snapshot.time.seconds;
            let name =
                jiff::Timestamp::from_second(seconds).expect("a time").strftime("%Y-%m-%dT%H%M%S");
            let path = [format!("snapshots/{name}/").as_bytes(), &snapshot_path(source)].concat();
            let shown = fingerprint_volume(&volume, &path).expect("it reads");
            assert_same(&shown, fingerprint, Ignoring::Nothing);
            let target = self.scratch.folder("restored").join(format!("{}-{n}", self.clock));
            let restored = self.repo.restore(*id, source, &target);
            assert_same(
                &fingerprint_folder(&restored),
                &without_links_elsewhere(fingerprint),
                Ignoring::Nothing,
            );
            std::fs::remove_dir_all(&target).expect("removed");
        }
    }
}

fn open(path: &Path) -> std::io::Result<std::fs::File> {
    let is_file = std::fs::symlink_metadata(path)?.is_file();
    match is_file {
        true => std::fs::OpenOptions::new().read(true).write(true).open(path),
        false => Err(std::io::ErrorKind::Unsupported.into()),
    }
}

fn disguise(path: &Path, seed: u64) -> std::io::Result<()> {
    let file = open(path)?;
    let (length, modified) = (file.metadata()?.len(), file.metadata()?.modified()?);
    std::fs::write(path, noise(length as usize, seed))?;
    file.set_modified(modified)
}

fn append(path: &Path, seed: u64) -> std::io::Result<()> {
    let mut bytes = std::fs::read(path)?;
    open(path)?;
    bytes.extend(noise(700, seed));
    std::fs::write(path, bytes)
}

fn link(path: &Path) -> std::io::Result<()> {
    let folder = yore_platform::TargetDir::create(path.parent().expect("it is in the source"))?;
    let name = path.file_name().expect("a name");
    folder.symlink(yore_platform::name_bytes(name), b"../0")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn after_any_history_each_snapshot_is_the_source_as_it_was_then(steps in steps()) {
        let mut history = History::new();
        for step in &steps {
            history.step(step);
        }
        history.back_up(history.source.clone());
        history.assert_past();
        history.repo.assert_sound();
    }
}
