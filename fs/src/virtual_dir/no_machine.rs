//! What the folders of a scope hold where no machine is meant: a file that says so, instead of states of several
//! machines laid over one another.

use std::sync::Arc;

use yore_engine::{Content, Node, SeenNode};
use yore_platform::{Entry, Kind, VolumeError};

use crate::inode::number::PlaceNo;
use crate::snapshot_list::scope::{ScopeNo, file_name};
use crate::virtual_dir::dir::Made;
use crate::volume::SnapshotVolume;

const README: &[u8] = b"README.txt";

/// The names in such a folder.
pub(crate) const NAMES: [&[u8]; 1] = [README];

type Answer<T> = Result<T, VolumeError>;

/// The folder that stands at the top of a scope in place of `name`.
pub(crate) fn folder(
    volume: &SnapshotVolume,
    top: PlaceNo,
    scope: ScopeNo,
    name: &[u8],
) -> PlaceNo {
    volume.tables.place_named(top, name, Made::Undecided(scope))
}

/// Finds the file in it.
pub(crate) fn find(
    volume: &SnapshotVolume,
    place: PlaceNo,
    scope: ScopeNo,
    name: &[u8],
) -> Answer<Entry> {
    let shown = volume.shown(scope)?;
    let hosts =
        shown.undecided.as_deref().filter(|_| name == README).ok_or(VolumeError::NotFound)?;
    let content = text(volume.options.machine.as_deref(), hosts).into_bytes();
    let mut node = Node::new(README, Kind::File, shown.modified);
    node.mode = Some(0o444);
    node.size = content.len() as u64;
    node.content = Content::Inline(content);
    let held = Made::Held(Arc::new(SeenNode::of(node)));
    volume.entry_of(volume.tables.place_named(place, README, held))
}

fn text(wanted: Option<&str>, hosts: &[String]) -> String {
    let none = match wanted {
        Some(machine) => format!("none of this one ({machine})"),
        None => "none that was asked for".to_owned(),
    };
    let mut text = format!(
        "This repository holds snapshots of several machines, and {none}.\n\
         States of different machines are not mixed, so this folder is empty.\n\n\
         Each machine has its own folders:\n\n"
    );
    for host in hosts {
        let shown = file_name(host);
        text.push_str(&format!("    hosts/{}\n", String::from_utf8_lossy(&shown)));
    }
    text.push_str("\nTo see one of them here, mount the drive with --host NAME.\n");
    text
}
