//! Snapshots of ZFS: made by `zfs`, read below `.zfs/snapshot` of the data set's mountpoint.

use std::path::{Path, PathBuf};

use yore_platform::{MountedFileSystem, VOLUME_SNAPSHOT_PREFIX, volume_snapshot_is_left};

use crate::job::tool;

/// A data set, where it is mounted.
pub struct DataSet {
    name: String,
    point: PathBuf,
}

/// A snapshot that was made, to be destroyed.
pub struct Taken {
    snapshot: String,
    folder: PathBuf,
}

impl DataSet {
    /// Takes a mounted data set; `None` where only a part of it is mounted.
    pub fn of(mounted: &MountedFileSystem) -> Option<Self> {
        let name = mounted.source.to_str()?.to_owned();
        (mounted.root == Path::new("/")).then(|| Self { name, point: mounted.point.clone() })
    }

    /// Returns its mountpoint.
    pub fn top(&self) -> &Path {
        &self.point
    }

    /// Makes a snapshot.
    pub fn take(&self, name: &str) -> Result<Taken, String> {
        let name = name.trim_start_matches('.');
        let snapshot = format!("{}@{name}", self.name);
        tool::output("zfs", &["snapshot", &snapshot])?;
        // It is mounted when something in it is asked for, and with the dot that is so from the first call on.
        let folder = self.point.join(".zfs/snapshot").join(name).join(".");
        Ok(Taken { snapshot, folder })
    }

    /// Destroys the snapshots that processes left which have ended.
    pub fn remove_left(&self) -> Result<(), String> {
        let listed = tool::output(
            "zfs",
            &["list", "-H", "-t", "snapshot", "-d", "1", "-o", "name", &self.name],
        )?;
        left(&listed).try_for_each(|name| tool::output("zfs", &["destroy", name]).map(drop))
    }
}

impl Taken {
    /// Returns the folder of the snapshot.
    pub fn folder(&self) -> PathBuf {
        self.folder.clone()
    }

    /// Destroys the snapshot.
    pub fn delete(&self) -> Result<(), String> {
        tool::output("zfs", &["destroy", &self.snapshot]).map(drop)
    }
}

/// Finds those of ended processes in a list of snapshots, `DATASET@NAME` a line.
fn left(listed: &str) -> impl Iterator<Item = &str> {
    let names = listed.lines().map(str::trim);
    names.filter(|line| {
        let name = line.split_once('@').map(|(_, name)| format!(".{name}"));
        name.is_some_and(|name| {
            name.starts_with(VOLUME_SNAPSHOT_PREFIX) && volume_snapshot_is_left(&name)
        })
    })
}

#[cfg(test)]
mod tests {
    use yore_platform::volume_snapshot_name;

    use super::*;

    fn mounted(root: &str) -> MountedFileSystem {
        MountedFileSystem {
            point: "/home".into(),
            root: root.into(),
            kind: "zfs".into(),
            source: "tank/home".into(),
        }
    }

    #[test]
    fn a_whole_data_set_is_known_by_its_name() {
        let set = DataSet::of(&mounted("/")).expect("the whole");
        assert_eq!((set.name.as_str(), set.top()), ("tank/home", Path::new("/home")));
        assert!(DataSet::of(&mounted("/me")).is_none());
    }

    #[test]
    fn only_snapshots_of_ended_processes_are_destroyed() {
        let own = volume_snapshot_name(1);
        let ended = own.rsplit_once('.').map(|(rest, _)| format!("{rest}.1-1")).expect("numbers");
        let (own, ended) = (own.trim_start_matches('.'), ended.trim_start_matches('.'));
        let listed = format!("tank/home@daily\ntank/home@{own}\ntank/home@{ended}\ntank/home\n");
        let found: Vec<&str> = left(&listed).collect();
        assert_eq!(found, [format!("tank/home@{ended}")]);
    }
}
