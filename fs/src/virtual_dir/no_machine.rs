//! A folder of a scope of several machines, none of which is the wanted one: it holds a file that says so, since
//! states of several machines are not merged.

use yore_platform::{Entry, Timestamp, VolumeError};

use crate::error::Answer;
use crate::snapshot_list::scope::{ScopeNo, file_name};
use crate::tree::listing::Each;
use crate::virtual_dir::dir::{Context, Dir, VirtualDir, list_names};

const README: &[u8] = b"README.txt";

#[derive(PartialEq)]
pub(crate) struct NoMachineDir {
    pub(crate) scope: ScopeNo,
}

impl VirtualDir for NoMachineDir {
    fn modified(&self, context: &Context) -> Answer<Timestamp> {
        Ok(context.lists.get(self.scope)?.modified)
    }

    fn find(&self, dir: &Dir<'_>, name: &[u8]) -> Answer<Entry> {
        let list = dir.snapshots(self.scope)?;
        let hosts = list.several_machines.as_deref().filter(|_| name == README);
        let wanted = dir.context.options.machine.as_deref();
        let text = text(wanted, hosts.ok_or(VolumeError::NotFound)?);
        dir.text(README, text, list.modified)
    }

    fn list(&self, dir: &Dir<'_>, from: u64, each: &mut Each<'_>) -> Answer<()> {
        list_names(&[README], from, each, |name| self.find(dir, name))
    }
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
