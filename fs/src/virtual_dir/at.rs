//! `at`: the state at any time that `Moment` understands. Times are looked up; a few examples are listed.

use yore_platform::{Entry, Timestamp};

use crate::error::Answer;
use crate::inode::number::PlaceNo;
use crate::inode::place::Lifetime;
use crate::snapshot_list::list::SnapshotList;
use crate::snapshot_list::moment::state_at;
use crate::snapshot_list::scope::ScopeNo;
use crate::tree::listing::Each;
use crate::virtual_dir::dir::{Context, Dir, Folder, VirtualDir, list_names};

/// The times that are listed where they have a state, so that a person in a file manager sees what to type.
const EXAMPLES: [&str; 4] = ["yesterday", "a week ago", "a month ago", "a year ago"];

pub(crate) struct At;

#[derive(PartialEq)]
struct AtDir {
    scope: ScopeNo,
}

impl Folder for At {
    fn name(&self) -> &'static [u8] {
        b"at"
    }

    fn place(&self, top: &Dir<'_>, list: &SnapshotList) -> PlaceNo {
        top.place(self.name(), AtDir { scope: list.scope })
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

    fn list(&self, dir: &Dir<'_>, from: u64, each: &mut Each<'_>) -> Answer<()> {
        list_names(&EXAMPLES, from, each, |name| self.find(dir, name))
    }
}
