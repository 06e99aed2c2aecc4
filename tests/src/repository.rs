//! Repositories at destinations that count, fail and forget.

mod distance;
mod faulty;
mod memory;
mod recorder;
mod test_repository;

pub use distance::{Distance, Requests};
pub use faulty::{
    Call, Expected, FAULTS, Fault, FaultKind, Faulty, HARMLESS_FAULTS, When, killed_so_far,
};
pub use memory::Memory;
pub use recorder::Recorder;
pub use test_repository::{TestRepository, dead_writer, options, small_parameters, time};
