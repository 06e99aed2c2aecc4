//! Snapshots of btrfs: a read-only subvolume in the top folder of the one that it shows.

use std::fs::{File, FileTimes};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use yore_platform::{Subvolume, VOLUME_SNAPSHOT_PREFIX, volume_snapshot_is_left};

use crate::failure::engine_error::reason;

/// A snapshot that was made, to be deleted.
pub struct Taken {
    subvolume: Subvolume,
    name: String,
    /// The times of the top folder before and after, which making and deleting the snapshot change.
    times: Option<(SystemTime, SystemTime)>,
}

/// Makes a snapshot.
pub fn take(subvolume: Subvolume, name: String) -> Result<Taken, String> {
    let before = modified(subvolume.top());
    subvolume.snapshot(&name).map_err(|error| reason(&error))?;
    let times = before.zip(modified(subvolume.top()));
    Ok(Taken { subvolume, name, times })
}

/// Deletes the snapshots in a subvolume that processes left which have ended.
pub fn remove_left(subvolume: &Subvolume) -> Result<(), String> {
    let entries = subvolume.top().read_dir().map_err(|error| reason(&error))?;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| volume_snapshot_is_left(name)) else {
            continue;
        };
        subvolume.delete_snapshot(name).map_err(|error| format!("{name}: {}", reason(&error)))?;
    }
    Ok(())
}

/// Returns the subvolumes that lie directly in one, without snapshots of this program's.
pub fn below(subvolume: &Subvolume) -> io::Result<Vec<PathBuf>> {
    let is_own = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(VOLUME_SNAPSHOT_PREFIX)
    };
    Ok(subvolume.below()?.into_iter().filter(|path| !is_own(path)).collect())
}

impl Taken {
    /// Returns the subvolume that it shows.
    pub fn subvolume(&self) -> &Subvolume {
        &self.subvolume
    }

    /// Returns the folder of the snapshot.
    pub fn folder(&self) -> PathBuf {
        self.subvolume.top().join(&self.name)
    }

    /// Deletes the snapshot; the folder that held it gets its time again, unless somebody else changed it.
    pub fn delete(&self) -> Result<(), String> {
        let top = self.subvolume.top();
        let is_ours = self.times.is_some_and(|(_, after)| modified(top) == Some(after));
        self.subvolume.delete_snapshot(&self.name).map_err(|error| reason(&error))?;
        if let Some((before, _)) = self.times.filter(|_| is_ours) {
            // Who may not set it has changed it no more than that.
            let times = FileTimes::new().set_modified(before);
            let _ = File::open(top).and_then(|folder| folder.set_times(times));
        }
        Ok(())
    }
}

fn modified(folder: &Path) -> Option<SystemTime> {
    folder.metadata().and_then(|metadata| metadata.modified()).ok()
}
