//! What the tests of the whole system share: repositories, sources, comparisons, faults, the program.
//!
//! Nothing in the product knows of it. A check that fails panics and says what it saw.

mod describe;
mod eyes;
mod faulty;
mod memory;
mod mounted;
mod notes;
mod picture;
mod program;
mod random;
mod reader;
mod rules;
mod scratch;
mod sources;
mod system;
mod terminal;
mod world;

pub use describe::describe;
pub use eyes::{assert_same_tree, build_matrix, look};
pub use faulty::{Call, Fault, Faulty, When};
pub use memory::Memory;
pub use mounted::{MountGuard, MountedAt};
pub use notes::Notes;
pub use picture::{
    Ignoring, Picture, Seen, assert_same, of_folder, of_volume, on_its_own, relative_to,
};
pub use program::{Ended, Yore, binary};
pub use random::{Random, noise};
pub use reader::{python, reader};
pub use rules::{SourceFile, root, source_files};
pub use scratch::Scratch;
pub use sources::{small_source, vary};
pub use system::{in_shell, is_root, needs_root, peak_memory};
pub use terminal::on_terminal;
pub use world::{World, dead_writer, options, small_parameters, time};
