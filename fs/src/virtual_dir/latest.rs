//! `latest`: the newest state.

use crate::inode::number::PlaceNo;
use crate::inode::place::Lifetime;
use crate::snapshot_list::list::SnapshotList;
use crate::virtual_dir::dir::{Dir, Folder};
use crate::virtual_dir::top::LATEST;

pub(crate) struct Latest;

impl Folder for Latest {
    fn name(&self) -> &'static [u8] {
        LATEST
    }

    fn place(&self, top: &Dir<'_>, list: &SnapshotList) -> PlaceNo {
        let lifetime = Lifetime::UntilRefresh;
        top.core().tables.place_state(top.place, LATEST, &list.newest, lifetime)
    }
}
