//! `tags`: the whole tree for each tag.

use yore_platform::{Entry, Timestamp, VolumeError};

use crate::error::Answer;
use crate::inode::number::PlaceNo;
use crate::snapshot_list::list::SnapshotList;
use crate::snapshot_list::scope::{Scope, ScopeNo, file_name};
use crate::tree::listing::Each;
use crate::virtual_dir::dir::{Context, Dir, Extent, Folder, VirtualDir, list_names};
use crate::virtual_dir::top;

pub(crate) struct Tags;

#[derive(PartialEq)]
struct TagsDir;

impl Folder for Tags {
    fn name(&self) -> &'static [u8] {
        b"tags"
    }

    fn extent(&self) -> Extent {
        Extent::Drive
    }

    fn place(&self, top: &Dir<'_>, _list: &SnapshotList) -> PlaceNo {
        top.place(self.name(), TagsDir)
    }
}

impl VirtualDir for TagsDir {
    fn modified(&self, context: &Context) -> Answer<Timestamp> {
        Ok(context.lists.get(ScopeNo::WHOLE)?.modified)
    }

    fn find(&self, dir: &Dir<'_>, name: &[u8]) -> Answer<Entry> {
        let list = dir.snapshots(ScopeNo::WHOLE)?;
        let tag = list.hosts_and_tags.tags.iter().find(|tag| file_name(tag) == name);
        top::enter(dir, name, Scope::Tag(tag.ok_or(VolumeError::NotFound)?.clone()))
    }

    fn list(&self, dir: &Dir<'_>, from: u64, each: &mut Each<'_>) -> Answer<()> {
        let list = dir.snapshots(ScopeNo::WHOLE)?;
        let names = list.hosts_and_tags.tags.iter().map(|tag| file_name(tag));
        list_names(&names.collect::<Vec<_>>(), from, each, |name| self.find(dir, name))
    }
}
