//! The folders that a person sees at the top of the drive, in the order in which they are listed.

use crate::history::cache::CacheLimit;
use crate::virtual_dir::at::At;
use crate::virtual_dir::changes::Changes;
use crate::virtual_dir::deleted::Deleted;
use crate::virtual_dir::dir::Folder;
use crate::virtual_dir::hosts::Hosts;
use crate::virtual_dir::latest::Latest;
use crate::virtual_dir::search::Search;
use crate::virtual_dir::snapshots::Snapshots;
use crate::virtual_dir::tags::Tags;
use crate::virtual_dir::versions::Versions;

/// Makes the folders; each of their caches takes up to `limit`.
pub(crate) fn folders(limit: CacheLimit) -> Vec<Box<dyn Folder>> {
    vec![
        Box::new(Latest),
        Box::new(Snapshots),
        Box::new(At),
        Box::new(Versions::new(limit)),
        Box::new(Deleted::new(limit)),
        Box::new(Changes::new(limit)),
        Box::new(Search::new(limit)),
        Box::new(Hosts),
        Box::new(Tags),
    ]
}
