//! Changes between snapshots: differences, versions of a path, and the catalog of all paths.

pub(crate) mod catalog;
pub(crate) mod diff;
pub(crate) mod pattern;
mod version_holders;
pub(crate) mod versions;

pub use catalog::{Catalog, Hit, Query};
pub use diff::{Change, ChangeKind, Pair, Pairs, any_change, diff, is_modified};
pub use pattern::Pattern;
pub use version_holders::version_holders;
pub use versions::{
    ChildTrees, DirHistory, DirState, Kinds, LocatedNode, Timeline, Version, child_trees,
    covers_path, descend, dir_history, locate_node, names_ever, path_versions, top_history,
    versions,
};
