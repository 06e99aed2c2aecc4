//! Noticing that a folder came up empty because its disk is not mounted.
//!
//! A folder whose disk was not mounted shows the directory of the mountpoint: nothing, or next to nothing, under
//! another inode number. Mounting changes nothing in the folder above; deleting a folder and making it anew does.

use yore_platform::{Kind, Metadata, MountKind, Mounts};

use super::previous::count_files;
use crate::backup::left_out::EmptiedFolder;
use crate::backup::source::Places;
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
    (places, mounts): (&Places, &Mounts),
    path: &[u8],
    metadata: &Metadata,
    (last, below): (&Node, &DirRef),
    keeps_inodes: bool,
) -> Option<EmptiedFolder> {
    let is_other_folder = keeps_inodes && last.inode != metadata.inode;
    if !is_other_folder {
        // The same folder: a single file shows that its disk is mounted.
        if count_present(places, mounts, path, 1) > 0 {
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
    let present = count_present(places, mounts, path, before / NEARLY_ALL + 1);
    (present * NEARLY_ALL < before).then(|| EmptiedFolder {
        path: path.to_vec(),
        before,
        is_other_folder,
    })
}

/// Counts everything below a path but folders, up to `limit`. A folder that can't be listed counts as full.
fn count_present(places: &Places, mounts: &Mounts, path: &[u8], limit: u64) -> u64 {
    let mut present = 0;
    let mut folders = vec![path.to_vec()];
    while let Some(path) = folders.pop() {
        let Ok(dir) = places.open(&path) else { return limit };
        let Ok(listing) = dir.list_fresh() else { return limit };
        for listed in listing.iter() {
            let kind = match listed.kind {
                Some(kind) => Some(kind),
                None => dir.child_metadata(listed.name).ok().map(|metadata| metadata.kind),
            };
            let below = join(&path, listed.name);
            match kind {
                Some(Kind::Directory) if is_served(places.mounted(mounts, &below)) => {}
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
fn is_served(mounted: Option<&MountKind>) -> bool {
    matches!(mounted, Some(MountKind::Drive | MountKind::System(_) | MountKind::Fuse(_)))
}
