//! `snapshots`: each snapshot by its time, and each day that has one.

use yore_platform::{Entry, ListControl, Listed, Timestamp, VolumeError};

use crate::error::Answer;
use crate::inode::number::PlaceNo;
use crate::snapshot_list::list::SnapshotList;
use crate::snapshot_list::scope::ScopeNo;
use crate::tree::listing::Each;
use crate::virtual_dir::dir::{Context, Dir, Folder, VirtualDir};
use crate::virtual_dir::top::SNAPSHOTS;

pub(crate) struct Snapshots;

#[derive(PartialEq)]
struct SnapshotsDir {
    scope: ScopeNo,
}

impl Folder for Snapshots {
    fn name(&self) -> &'static [u8] {
        SNAPSHOTS
    }

    fn place(&self, top: &Dir<'_>, list: &SnapshotList) -> PlaceNo {
        top.place(SNAPSHOTS, SnapshotsDir { scope: list.scope })
    }
}

impl VirtualDir for SnapshotsDir {
    fn modified(&self, context: &Context) -> Answer<Timestamp> {
        Ok(context.lists.get(self.scope)?.modified)
    }

    fn find(&self, dir: &Dir<'_>, name: &[u8]) -> Answer<Entry> {
        let list = dir.snapshots(self.scope)?;
        let named = list.names.get(name).ok_or(VolumeError::NotFound)?;
        dir.state(name, &named.state, named.lifetime)
    }

    fn list(&self, dir: &Dir<'_>, from: u64, each: &mut Each<'_>) -> Answer<()> {
        let list = dir.snapshots(self.scope)?;
        let first = list.order.partition_point(|ordered| ordered.position <= from);
        for ordered in list.order.iter().skip(first) {
            let (name, next) = (&ordered.name, ordered.position);
            let Some(named) = list.names.get(name) else { continue };
            let entry = dir.state(name, &named.state, named.lifetime)?;
            if each(Listed { name, next, entry }) == ListControl::Stop {
                break;
            }
        }
        Ok(())
    }
}
