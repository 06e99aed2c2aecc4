//! The project's own files, and its rules as functions over them.
//!
//! A rule returns what breaks it, each with its place and with what to do; nothing when it is kept.

mod citations;
mod doc_comments;
mod layout;
mod modules;
mod rooms;
mod sources;
mod tokens;

pub use citations::{count_citations, wrong_citations};
pub use doc_comments::free_relatives;
pub use layout::{crowded_folders, more_than_contents};
pub use rooms::{circles_between_rooms, imports_of_room};
pub use sources::{SourceFile, root, source_files};

/// Made-up sources, to break a rule by hand.
#[cfg(test)]
fn sample(files: &[(&str, &str)]) -> Vec<SourceFile> {
    let file = |(path, text): &(&str, &str)| SourceFile {
        path: (*path).to_owned(),
        text: (*text).to_owned(),
    };
    files.iter().map(file).collect()
}
