//! The machine whose state is meant where none is named.
//!
//! A repository may hold the snapshots of many machines. Their states are never laid over one
//! another: the newest snapshot of one says nothing of what was deleted on another.

use std::collections::BTreeSet;

use crate::snapshots::order::SnapshotEntry;

/// The machine whose snapshots make up a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Machine {
    /// There are no snapshots.
    None,
    /// The machine of this name.
    One(String),
    /// Snapshots of several machines, and none of the wanted one: their names, in order.
    Several(Vec<String>),
}

impl Machine {
    /// Chooses the wanted machine where it has snapshots, and otherwise the only one that has some.
    pub fn choose(snapshots: &[SnapshotEntry], wanted: Option<&str>) -> Self {
        let hosts: BTreeSet<&str> =
            snapshots.iter().map(|entry| entry.snapshot.host.as_str()).collect();
        match (wanted.filter(|wanted| hosts.contains(wanted)), hosts.first()) {
            (Some(wanted), _) => Machine::One(wanted.to_owned()),
            (None, None) => Machine::None,
            (None, Some(only)) if hosts.len() == 1 => Machine::One((*only).to_owned()),
            (None, Some(_)) => Machine::Several(hosts.into_iter().map(str::to_owned).collect()),
        }
    }

    /// Reports whether a snapshot is of this machine.
    pub fn has(&self, entry: &SnapshotEntry) -> bool {
        matches!(self, Machine::One(host) if *host == entry.snapshot.host)
    }
}
