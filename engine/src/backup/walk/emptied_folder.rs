//! Noticing that a folder came up empty because its disk is not mounted.
//!
//! A folder whose disk was not mounted shows the directory of the mountpoint: nothing, or next to nothing, under
//! another inode number. Mounting changes nothing in the folder above; deleting a folder and making it anew does.

use yore_platform::{Kind, Listing, Metadata, MountKind, Mounts};

use super::previous::count_files;
use crate::backup::left_out::EmptiedFolder;
use crate::backup::places::Places;
use crate::format::tree::Node;
use crate::path::join;
use crate::read::reader::Reader;
use crate::read::state_tree::DirRef;

/// A folder is taken for one whose disk is not mounted when fewer than one file in so many is left.
const NEARLY_ALL: u64 = 10;

/// Compares a folder with the previous snapshot before it is walked.
///
/// `last` and `below` are the node and the tree of the previous snapshot. Costs one listing where there are files.
pub(super) fn detect(
    reader: &Reader,
    present: Present<'_>,
    path: &[u8],
    metadata: &Metadata,
    (last, below): (&Node, &DirRef),
    keeps_inodes: bool,
) -> Option<EmptiedFolder> {
    let is_other_folder = keeps_inodes && last.inode != metadata.inode;
    if !is_other_folder {
        // The same folder: a single file shows that its disk is mounted.
        if present.count(path, 1) > 0 {
            return None;
        }
        let before = count_files(reader, below, u64::MAX);
        return (before > 0).then(|| EmptiedFolder {
            path: path.to_vec(),
            before,
            is_other_folder,
        });
    }
    let before = count_files(reader, below, u64::MAX);
    let present = present.count(path, before / NEARLY_ALL + 1);
    (present * NEARLY_ALL < before).then(|| EmptiedFolder {
        path: path.to_vec(),
        before,
        is_other_folder,
    })
}

/// The folders as they are now.
#[derive(Clone, Copy)]
pub(super) struct Present<'a> {
    pub(super) mounts: &'a Mounts,
    pub(super) places: &'a Places,
}

impl Present<'_> {
    /// Counts everything below a path but folders, up to `limit`. A folder that can't be listed counts as full.
    fn count(self, path: &[u8], limit: u64) -> u64 {
        let (mut present, mut listing) = (0, Listing::new());
        let mut folders = vec![path.to_vec()];
        while let Some(path) = folders.pop() {
            let Ok(dir) = self.places.open(&path) else { return limit };
            if dir.list(&mut listing).is_err() {
                return limit;
            }
            for at in 0..listing.len() {
                let Some(listed) = listing.get(at) else { break };
                let kind = match listed.kind {
                    Some(kind) => Some(kind),
                    None => dir.child_metadata(listed.name).ok().map(|metadata| metadata.kind),
                };
                let below = join(&path, listed.name);
                match kind {
                    Some(Kind::Directory) if self.is_served(&below) => {}
                    Some(Kind::Directory) => folders.push(below),
                    _ => present += 1,
                }
                if present >= limit {
                    return present;
                }
            }
        }
        present
    }

    /// Returns whether a program serves a folder's content, which may hang.
    fn is_served(self, folder: &[u8]) -> bool {
        let mounted = self.mounts.on(&self.places.live(folder));
        matches!(mounted, Some(MountKind::Drive | MountKind::System(_) | MountKind::Fuse(_)))
    }
}
