//! Reading: blobs by their names, directories, files, and the tree of a state.

pub(crate) mod chunk_lists;
pub(crate) mod count;
mod decode;
pub(crate) mod dir_entries;
pub(crate) mod directory;
pub(crate) mod distant;
pub(crate) mod file;
pub(crate) mod frame;
pub(crate) mod frame_cache;
pub(crate) mod frame_memory;
pub(crate) mod merge;
pub(crate) mod readahead;
pub(crate) mod reader;
pub(crate) mod state_tree;

pub use chunk_lists::ChunkSpan;
pub use count::{Counted, count_below};
pub use directory::Nodes;
pub use file::{OpenFile, Piece};
pub use merge::merge;
pub use readahead::FramePrefetch;
pub use reader::{Blob, Reader};
pub use state_tree::{DirRef, LONGEST_PATH, Lookup, ResolvedNode, child, children, find};
