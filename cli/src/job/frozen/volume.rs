//! What a snapshot can be made of, and the snapshots that were made.

use std::path::{Path, PathBuf};

use yore_platform::{MountedFileSystem, Subvolume};

use super::btrfs;
use super::lvm::{self, LogicalVolume};
use super::zfs::{self, DataSet};
use crate::args::file_system_snapshot::VolumeKind;
use crate::failure::engine_error::reason;

/// Something of which a snapshot can be made.
pub enum Volume {
    /// A subvolume of btrfs.
    Btrfs(Subvolume),
    /// A data set of ZFS.
    Zfs(DataSet),
    /// A logical volume of LVM.
    Lvm(LogicalVolume),
}

/// A snapshot that is to be deleted.
pub enum Held {
    /// Of btrfs.
    Btrfs(btrfs::Taken),
    /// Of ZFS.
    Zfs(zfs::Taken),
    /// Of LVM.
    Lvm(lvm::Taken),
}

impl Volume {
    /// Finds the one that holds a path of a file system; `None` where that can make no snapshots.
    pub fn of(mounted: &MountedFileSystem, path: &Path) -> Result<Option<Self>, String> {
        match mounted.kind.as_str() {
            "btrfs" => {
                let found = Subvolume::holding(path).map_err(|error| reason(&error))?;
                Ok(found.map(Volume::Btrfs))
            }
            "zfs" => match DataSet::of(mounted) {
                Some(set) => Ok(Some(Volume::Zfs(set))),
                None => Err("only a part of its data set is mounted".into()),
            },
            _ => Ok(LogicalVolume::of(mounted).map(Volume::Lvm)),
        }
    }

    /// Returns its kind.
    pub fn kind(&self) -> VolumeKind {
        match self {
            Volume::Btrfs(_) => VolumeKind::Btrfs,
            Volume::Zfs(_) => VolumeKind::Zfs,
            Volume::Lvm(_) => VolumeKind::Lvm,
        }
    }

    /// Returns the live folder at its top.
    pub fn top(&self) -> &Path {
        match self {
            Volume::Btrfs(subvolume) => subvolume.top(),
            Volume::Zfs(set) => set.top(),
            Volume::Lvm(volume) => volume.top(),
        }
    }

    /// Makes a snapshot of this name.
    pub fn take(self, name: String) -> Result<Held, String> {
        match self {
            Volume::Btrfs(subvolume) => btrfs::take(subvolume, name).map(Held::Btrfs),
            Volume::Zfs(set) => set.take(&name).map(Held::Zfs),
            Volume::Lvm(volume) => volume.take(&name).map(Held::Lvm),
        }
    }

    /// Deletes the snapshots of it that processes left which have ended.
    pub fn remove_left(&self) -> Result<(), String> {
        match self {
            Volume::Btrfs(subvolume) => btrfs::remove_left(subvolume),
            Volume::Zfs(set) => set.remove_left(),
            Volume::Lvm(volume) => volume.remove_left(),
        }
    }
}

impl Held {
    /// Returns the folder that shows what the live top folder showed.
    pub fn folder(&self) -> PathBuf {
        match self {
            Held::Btrfs(taken) => taken.folder(),
            Held::Zfs(taken) => taken.folder(),
            Held::Lvm(taken) => taken.folder(),
        }
    }

    /// Returns the subvolume that it shows, if it is one of btrfs.
    pub fn subvolume(&self) -> Option<&Subvolume> {
        match self {
            Held::Btrfs(taken) => Some(taken.subvolume()),
            Held::Zfs(_) | Held::Lvm(_) => None,
        }
    }

    /// Deletes it.
    pub fn delete(&mut self) -> Result<(), String> {
        match self {
            Held::Btrfs(taken) => taken.delete(),
            Held::Zfs(taken) => taken.delete(),
            Held::Lvm(taken) => taken.delete(),
        }
    }
}
