//! The configuration: one TOML file that says what is backed up, to where, and how.
//!
//! `schema` lists every key with its type. `check` finds all mistakes of a text by it, with line and
//! column; `settings` reads a text without mistakes; `edit` changes single values and keeps every
//! other line as it is; `file` loads and saves. Nothing here knows a command.

mod address;
mod check;
mod containers;
pub mod edit;
#[cfg(any(test, feature = "fuzzing"))]
mod feed;
mod file;
mod log;
pub mod rate;
mod schema;
mod server;
mod settings;
mod show;
#[cfg(test)]
mod tests;
mod value;

pub use address::Refused;
pub use check::mistakes;
pub use containers::{CONTAINER_PROGRAMS, CONTAINERS, DockerVolumes, Stillness};
#[cfg(feature = "fuzzing")]
pub use feed::feed;
pub use file::ConfigFile;
pub use log::{LogForm, LogPlace, LogSettings};
pub use schema::{SOURCE_KINDS, is_name};
pub use server::{is_of_server, server_folders};
pub use settings::{
    Alert, BusyLimits, DatabaseProgram, DatabaseServer, Hooks, Mail, Retention, Settings,
    SourceKind, SourceSettings,
};
pub use show::{get, to_json};
