//! `at`: the state at any time that `Moment` understands. Looked up, never listed.

use yore_platform::{Entry, Timestamp};

use crate::error::Answer;
use crate::inode::number::PlaceNo;
use crate::inode::place::Lifetime;
use crate::snapshot_list::list::SnapshotList;
use crate::snapshot_list::moment::state_at;
use crate::snapshot_list::scope::ScopeNo;
use crate::tree::listing::Each;
use crate::virtual_dir::dir::{Context, Dir, Folder, VirtualDir};

pub(crate) struct At;

#[derive(PartialEq)]
struct AtDir {
    scope: ScopeNo,
}

impl Folder for At {
    fn name(&self) -> &'static [u8] {
        b"at"
    }

    fn place(&self, top: &Dir<'_>, list: &SnapshotList) -> Answer<PlaceNo> {
        Ok(top.place(self.name(), AtDir { scope: list.scope }))
    }
}

impl VirtualDir for AtDir {
    fn modified(&self, context: &Context) -> Answer<Timestamp> {
        Ok(context.lists.get(self.scope)?.modified)
    }

    fn find(&self, dir: &Dir<'_>, name: &[u8]) -> Answer<Entry> {
        let list = dir.snapshots(self.scope)?;
        let state = state_at(&dir.core().tables, &list, &dir.context.options.zone, name)?;
        dir.state(name, &state, Lifetime::UntilLookup)
    }

    fn list(&self, _dir: &Dir<'_>, _from: u64, _each: &mut Each<'_>) -> Answer<()> {
        Ok(())
    }
}
