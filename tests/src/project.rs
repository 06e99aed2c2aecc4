//! The project's own files.

mod sources;

pub use sources::{SourceFile, root, source_files};
