//! The program `yore`: reads arguments, runs commands, prints results and errors.
//!
//! Each command is a file under `commands`; everything that is printed goes through `screen`. It is a library so that a
//! fuzzer can be linked with it (tests/fuzz); `bin/yore.rs` has nothing but the call of [`main`].

mod access;
mod args;
mod commands;
mod config;
mod context;
mod drive;
mod failure;
mod job;
mod json;
mod moment;
mod program;
#[cfg(test)]
mod rooms;
mod runs;
mod screen;
mod text;
mod usage;

#[cfg(feature = "fuzzing")]
pub use config::feed as feed_configuration;
pub use program::main;
