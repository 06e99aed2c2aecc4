//! What the tests of the whole system share: repositories, sources, comparisons, faults, the program.
//!
//! Nothing in the product knows of it. A check that fails panics and says what it saw.

pub mod conformance;
mod files;
mod machine;
mod program;
mod project;
mod repository;

pub use files::{
    Ignoring, Picture, Seen, assert_same, assert_same_tree, build_matrix, describe, look,
    of_folder, of_volume, on_its_own, relative_to, small_source, vary,
};
pub use machine::{
    Random, Scratch, in_shell, is_root, needs_root, noise, peak_memory, python, reader,
};
pub use program::{Ended, MountGuard, MountedAt, Yore, binary, on_terminal};
pub use project::{
    SourceFile, circles_between_rooms, crowded_folders, free_relatives, imports_of_room,
    more_than_contents, root, source_files,
};
pub use repository::{
    Call, Fault, Faulty, Memory, Notes, When, World, dead_writer, options, small_parameters, time,
};
