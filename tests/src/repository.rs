//! Repositories at destinations that count, fail and forget.

mod faulty;
mod memory;
mod recorder;
mod test_repository;

pub use faulty::{Call, Fault, Faulty, When};
pub use memory::Memory;
pub use recorder::Recorder;
pub use test_repository::{TestRepository, dead_writer, options, small_parameters, time};
