//! The top of a scope: the drive's own, and those of machines and tags below `hosts` and `tags`.

use std::sync::Arc;

use yore_platform::{Entry, Timestamp, VolumeError};

use crate::error::Answer;
use crate::inode::number::PlaceNo;
use crate::inode::place::Opaque;
use crate::snapshot_list::list::SnapshotList;
use crate::snapshot_list::scope::{Scope, ScopeNo};
use crate::tree::listing::Each;
use crate::virtual_dir::dir::{Context, Dir, Extent, Folder, VirtualDir, keep, list_names};
use crate::virtual_dir::no_machine::NoMachineDir;
use crate::virtual_dir::{drive_files, readme};

/// The folder of the newest state.
pub(crate) const LATEST: &[u8] = b"latest";
/// The folder of the snapshots.
pub(crate) const SNAPSHOTS: &[u8] = b"snapshots";

/// The top of a scope.
#[derive(PartialEq)]
struct TopDir {
    scope: ScopeNo,
}

/// Returns the top of the drive, as the inode tables keep it.
pub(crate) fn root() -> Arc<dyn Opaque> {
    keep(TopDir { scope: ScopeNo::WHOLE })
}

impl TopDir {
    fn folders<'c>(&self, context: &'c Context) -> impl Iterator<Item = &'c dyn Folder> {
        let is_whole = self.scope == ScopeNo::WHOLE;
        let folders = context.folders.iter().map(|folder| &**folder);
        folders.filter(move |folder| is_whole || folder.extent() == Extent::EveryTop)
    }

    fn has_readme(&self, context: &Context) -> bool {
        self.scope == ScopeNo::WHOLE && !context.options.no_readme
    }
}

impl VirtualDir for TopDir {
    fn modified(&self, context: &Context) -> Answer<Timestamp> {
        Ok(context.lists.get(self.scope)?.modified)
    }

    fn find(&self, dir: &Dir<'_>, name: &[u8]) -> Answer<Entry> {
        let list = dir.snapshots(self.scope)?;
        match self.folders(dir.context).find(|folder| folder.name() == name) {
            Some(folder) => dir.context.entry(place_folder(dir, folder, &list)),
            None if name == readme::NAME && self.has_readme(dir.context) => {
                dir.context.entry(readme::place(dir.context))
            }
            None if self.scope == ScopeNo::WHOLE => drive_files::find(dir, &list, name),
            None => Err(VolumeError::NotFound),
        }
    }

    fn list(&self, dir: &Dir<'_>, from: u64, each: &mut Each<'_>) -> Answer<()> {
        let mut names: Vec<&[u8]> = self.folders(dir.context).map(Folder::name).collect();
        names.extend(self.has_readme(dir.context).then_some(readme::NAME));
        list_names(&names, from, each, |name| self.find(dir, name))
    }
}

/// Returns the place of a folder; in a scope of several machines, of the folder that says so.
fn place_folder(top: &Dir<'_>, folder: &dyn Folder, list: &SnapshotList) -> PlaceNo {
    match (folder.extent(), &list.several_machines) {
        (Extent::EveryTop, Some(_)) => top.place(folder.name(), NoMachineDir { scope: list.scope }),
        (Extent::EveryTop | Extent::Drive, _) => folder.place(top, list),
    }
}

/// Returns the entry of the top of a scope below `hosts` or `tags`.
pub(crate) fn enter(dir: &Dir<'_>, name: &[u8], scope: Scope) -> Answer<Entry> {
    let lists = &dir.context.lists;
    if let Some(list) = lists.find(&scope) {
        return dir.context.entry(list.top);
    }
    let list = lists.add(dir.core(), scope, |scope| dir.place(name, TopDir { scope }))?;
    settle(dir.context, &list);
    dir.context.entry(list.top)
}

/// Points the names that have places at the states that a list gives them.
pub(crate) fn settle(context: &Context, list: &SnapshotList) {
    let (tables, top) = (&context.core.tables, Dir { context, place: list.top });
    let mut folders = context.folders.iter();
    let Some(folder) = folders.find(|folder| folder.name() == SNAPSHOTS) else { return };
    let snapshots = place_folder(&top, &**folder, list);
    [list.top, snapshots].iter().for_each(|place| tables.pin(*place));
    if list.several_machines.is_none() {
        tables.point_to(list.top, LATEST, &list.newest);
        for (name, named) in &list.names {
            tables.point_to(snapshots, name, &named.state);
        }
    }
}
