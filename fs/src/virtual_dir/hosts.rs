//! `hosts`: the whole tree for each machine.

use yore_platform::{Entry, Timestamp, VolumeError};

use crate::error::Answer;
use crate::inode::number::PlaceNo;
use crate::snapshot_list::list::SnapshotList;
use crate::snapshot_list::scope::{Scope, ScopeNo, file_name};
use crate::tree::listing::Each;
use crate::virtual_dir::dir::{Context, Dir, Extent, Folder, VirtualDir, list_names};
use crate::virtual_dir::top;

pub(crate) struct Hosts;

#[derive(PartialEq)]
struct HostsDir;

impl Folder for Hosts {
    fn name(&self) -> &'static [u8] {
        b"hosts"
    }

    fn extent(&self) -> Extent {
        Extent::Drive
    }

    fn place(&self, top: &Dir<'_>, _list: &SnapshotList) -> PlaceNo {
        top.place(self.name(), HostsDir)
    }
}

impl VirtualDir for HostsDir {
    fn modified(&self, context: &Context) -> Answer<Timestamp> {
        Ok(context.lists.get(ScopeNo::WHOLE)?.modified)
    }

    fn find(&self, dir: &Dir<'_>, name: &[u8]) -> Answer<Entry> {
        let list = dir.snapshots(ScopeNo::WHOLE)?;
        let host = list.hosts_and_tags.hosts.iter().find(|host| file_name(host) == name);
        top::enter(dir, name, Scope::Host(host.ok_or(VolumeError::NotFound)?.clone()))
    }

    fn list(&self, dir: &Dir<'_>, from: u64, each: &mut Each<'_>) -> Answer<()> {
        let list = dir.snapshots(ScopeNo::WHOLE)?;
        let names = list.hosts_and_tags.hosts.iter().map(|host| file_name(host));
        list_names(&names.collect::<Vec<_>>(), from, each, |name| self.find(dir, name))
    }
}
