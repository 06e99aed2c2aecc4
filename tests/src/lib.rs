//! Code that the tests of the whole system share: repositories, sources, comparisons, faults, the program.
//!
//! The product does not depend on it. A check that fails panics and prints what it found.

mod concurrency;
pub mod conformance;
pub mod endurance;
mod fault_matrix;
mod files;
mod machine;
mod program;
mod project;
pub mod prune_protocol;
mod repository;
mod server;

pub use concurrency::work_together;
pub use fault_matrix::{
    FaultScene, FaultedDestination, FaultedOperation, Mirrored, Outcomes, Sampling, Totals,
    try_every_fault,
};
pub use files::{
    FileFingerprint, Fingerprint, Ignoring, assert_same, assert_same_tree, build_matrix,
    change_source, describe, fingerprint_below, fingerprint_folder, fingerprint_volume,
    list_volume, read_from_volume, small_source, stat_tree, without_links_elsewhere,
};
pub use machine::{
    Disk, Random, Scratch, in_shell, is_root, needs_root, noise, peak_memory, print_measured,
    python, reader,
};
pub use program::{
    Ended, KilledCommands, MountGuard, MountedAt, Person, Yore, binary, kill_commands, on_terminal,
};
pub use project::{
    SourceFile, circles_between_rooms, count_citations, crowded_folders, free_relatives,
    imports_of_room, more_than_contents, root, source_files, wrong_citations,
};
pub use repository::{
    Call, Distance, Expected, FAULTS, Fault, FaultKind, Faulty, HARMLESS_FAULTS, Memory, Recorder,
    Requests, TestRepository, When, dead_writer, killed_so_far, options, small_parameters, time,
};
#[cfg(feature = "garage")]
pub use server::Garage;
pub use server::{
    Action, BucketAt, DatabaseServer, Direction, Exchange, FaultyProxy, HttpProcess, Kills, Link,
    LinkCounts, MessageSink, Moto, Podman, Proxy, RcloneRemotes, S3s, ServerProcess, Sshd,
    SshdSettings, boto, free_port, kill_at_random, make_key, serves_remote,
};
