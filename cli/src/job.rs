//! A backup as a job: what is saved, how, and what came of it.

pub mod program_output;
pub mod sources;
