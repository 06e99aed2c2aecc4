//! The machine that the tests run on: its shell, its Python, temporary folders, random bytes.

mod disk;
mod measured;
mod python;
mod random;
mod scratch;
mod system;

pub use disk::Disk;
pub use measured::print_measured;
pub use python::{python, reader};
pub use random::{Random, noise};
pub use scratch::Scratch;
pub use system::{in_shell, is_root, needs_root, peak_memory};
