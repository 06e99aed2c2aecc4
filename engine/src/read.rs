//! Reading: blobs by their names, directories, files, and the tree of a state.

pub(crate) mod chunk_lists;
pub(crate) mod count;
pub(crate) mod dir_entries;
pub(crate) mod directory;
pub(crate) mod file;
pub(crate) mod frame;
pub(crate) mod frame_memory;
pub(crate) mod merge;
pub(crate) mod readahead;
pub(crate) mod reader;
pub(crate) mod state_tree;
