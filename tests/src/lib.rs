//! Code that the tests of the whole system share: repositories, sources, comparisons, faults, the program.
//!
//! The product does not depend on it. A check that fails panics and prints what it found.

pub mod conformance;
mod files;
mod machine;
mod program;
mod project;
mod repository;

pub use files::{
    FileFingerprint, Fingerprint, Ignoring, assert_same, assert_same_tree, build_matrix,
    change_source, describe, fingerprint_below, fingerprint_folder, fingerprint_volume,
    small_source, stat_tree, without_links_elsewhere,
};
pub use machine::{
    Random, Scratch, in_shell, is_root, needs_root, noise, peak_memory, python, reader,
};
pub use program::{Ended, MountGuard, MountedAt, Yore, binary, on_terminal};
pub use project::{
    SourceFile, circles_between_rooms, count_citations, crowded_folders, free_relatives,
    imports_of_room, more_than_contents, root, source_files, wrong_citations,
};
pub use repository::{
    Call, Fault, Faulty, Memory, Recorder, TestRepository, When, dead_writer, options,
    small_parameters, time,
};
