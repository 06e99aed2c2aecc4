//! A repository with one snapshot, and a source that has changed since.

use std::path::PathBuf;
use std::sync::Arc;

use yore_engine::Unobserved;
use yore_engine::backend::Backend;
use yore_engine::check::{CheckOptions, ReadData, check};
use yore_engine::format::Secret;
use yore_engine::repository::create_copy;
use yore_engine::sync::{SyncOptions, sync};

use crate::files::{Fingerprint, change_source, fingerprint_folder, small_source};
use crate::machine::Scratch;
use crate::repository::{Memory, TestRepository, dead_writer, time};

/// What all faults of a matrix are tried with.
pub struct FaultScene {
    pub(super) scratch: Scratch,
    /// The first destination, with one snapshot.
    pub(super) memory: Arc<Memory>,
    /// The second destination, with the same.
    pub(super) mirror: Arc<Memory>,
    /// The first destination after another snapshot, which the second lacks.
    pub(super) ahead: Memory,
    /// The destination of another repository.
    pub(super) other: Memory,
    pub(super) repo: TestRepository,
    pub(super) source: PathBuf,
    /// The source of the snapshot, and as it is now.
    pub(super) states: [Fingerprint; 2],
}

impl FaultScene {
    /// Makes the repositories and the source.
    pub fn new() -> Self {
        let scratch = Scratch::in_memory();
        let source = scratch.at("source");
        small_source(&source, 1);
        let memory = Arc::new(Memory::distant());
        let repo = TestRepository::new(memory.clone());
        repo.back_up(std::slice::from_ref(&source), None);
        let mirror = Arc::new(Memory::distant());
        make_mirror(&repo, &mirror);
        let first = fingerprint_folder(&source);
        change_source(&source, 50);
        let states = [first, fingerprint_folder(&source)];
        let ahead = loop {
            let ahead = Arc::new(memory.copy());
            TestRepository { backend: ahead.clone(), secret: same_secret(&repo) }
                .back_up(std::slice::from_ref(&source), None);
            if newest_index_is_last(&memory, &ahead) {
                break ahead.copy();
            }
        };
        let other = Arc::new(Memory::distant());
        TestRepository::new(other.clone());
        Self { scratch, memory, mirror, ahead, other: other.copy(), repo, source, states }
    }

    /// Returns the repository at a destination without a fault.
    pub(super) fn at(&self, memory: &Arc<Memory>) -> TestRepository {
        TestRepository { backend: memory.clone(), secret: same_secret(&self.repo) }
    }

    /// Fails unless everything at a destination is sound and each snapshot restores byte for byte; returns their
    /// number.
    pub(super) fn assert_complete(&self, memory: &Arc<Memory>, what: &str) -> usize {
        let repo = self.at(memory);
        let options = CheckOptions::reading(ReadData::All);
        let report = check(&repo.open(), &options, &Unobserved).expect("a report");
        assert!(report.is_sound(), "{what}: {report:#?}");
        let snapshots = repo.snapshots();
        assert!((1..=2).contains(&snapshots.len()), "{what}: {} snapshots", snapshots.len());
        for (snapshot, expected) in snapshots.iter().zip(&self.states) {
            let target = self.scratch.at("examined");
            let restored = repo.restore(snapshot.id, &self.source, &target);
            assert!(
                fingerprint_folder(&restored) == *expected,
                "{what}: {:?} differs",
                snapshot.id
            );
            std::fs::remove_dir_all(&target).expect("removed");
        }
        snapshots.len()
    }
}

fn same_secret(repo: &TestRepository) -> Secret {
    let text = repo.secret.to_text().expect("a key file");
    Secret::key_file("key", &text).expect("it reads")
}

/// Returns true if the index of the second of two snapshots is the one that a list that lacks an object lacks.
fn newest_index_is_last(before: &Memory, after: &Memory) -> bool {
    let indexes =
        |memory: &Memory| memory.names().into_iter().filter(|name| name.starts_with("index/"));
    indexes(before).max() < indexes(after).max()
}

/// Makes an empty destination a mirror with all that the repository has.
fn make_mirror(repo: &TestRepository, mirror: &Arc<Memory>) {
    let mut repository = repo.open();
    let backend: Arc<dyn Backend> = mirror.clone();
    create_copy(&repository, &backend, time(2)).expect("a copy");
    repository.add_destination(backend).expect("a mirror");
    let report = sync(&repository, &SyncOptions::default(), &dead_writer(), &Unobserved);
    assert!(report.expect("a sync").is_whole());
}

impl Default for FaultScene {
    fn default() -> Self {
        Self::new()
    }
}
