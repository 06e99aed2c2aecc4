//! Trees of files: made, described and compared.

mod fingerprint;
mod oracle;
mod samples;
mod snapshot_dump;

pub use fingerprint::{
    Ignoring, Picture, Seen, assert_same, of_folder, of_volume, on_its_own, relative_to,
};
pub use oracle::{assert_same_tree, build_matrix, look};
pub use samples::{small_source, vary};
pub use snapshot_dump::describe;
