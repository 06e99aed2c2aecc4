//! Repositories at destinations that count, fail and forget.

mod faulty;
mod memory;
mod recorder;
mod world;

pub use faulty::{Call, Fault, Faulty, When};
pub use memory::Memory;
pub use recorder::Notes;
pub use world::{World, dead_writer, options, small_parameters, time};
