//! Trees of files: made, described and compared.

mod fingerprint;
mod oracle;
mod samples;
mod snapshot_dump;

pub use fingerprint::{
    FileFingerprint, Fingerprint, Ignoring, assert_same, fingerprint_below, fingerprint_folder,
    fingerprint_volume, list_volume, read_from_volume, without_links_elsewhere,
};
pub use oracle::{assert_same_tree, build_matrix, stat_tree};
pub use samples::{change_source, small_source};
pub use snapshot_dump::describe;
