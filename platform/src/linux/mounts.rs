//! The mounts below a source that a backup treats differently from folders.

pub(crate) mod private;
pub(crate) mod table;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use self::table::MountLine;
use crate::mount::{MountKind, MountedFileSystem};

/// Types of file systems that hold no files of their own: the kernel makes up what they show.
///
/// From the list in filesystems(5) and `/proc/filesystems` of Linux 6.18 (marked `nodev`), without those that
/// hold what people put there (`tmpfs`, `ramfs`, `overlay`), and `autofs`, whose folders are empty until
/// something else is mounted on them.
const SYSTEM_TYPES: [&str; 25] = [
    "autofs",
    "binder",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "cpuset",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "fusectl",
    "hugetlbfs",
    "mqueue",
    "nfsd",
    "nsfs",
    "proc",
    "pstore",
    "resctrl",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "sysfs",
    "tracefs",
];

/// The mountpoints of this process's view of the file system, at one moment.
#[derive(Debug, Clone, Default)]
pub struct Mounts {
    points: HashMap<PathBuf, MountKind>,
    /// The file systems that hold files, by their mountpoints.
    file_systems: HashMap<PathBuf, MountedFileSystem>,
}

impl Mounts {
    /// Reads the system's table, without a call to any file system in it.
    ///
    /// # Errors
    /// The table can't be read: `/proc` is not mounted.
    pub fn read() -> io::Result<Self> {
        let lines = table::mounts()?;
        let mut mounts = Self::default();
        // Of several on top of each other the last one is seen.
        for line in lines {
            let kind = of(&line);
            mounts.file_systems.remove(&line.point);
            if kind == MountKind::Files {
                mounts.file_systems.insert(line.point.clone(), file_system(&line));
            }
            mounts.points.insert(line.point, kind);
        }
        Ok(mounts)
    }

    /// Finds what is mounted on the folder at an absolute path without links.
    pub fn on(&self, folder: &Path) -> Option<&MountKind> {
        self.points.get(folder)
    }

    /// Finds the file system of files that holds an absolute path without links.
    pub fn holding(&self, path: &Path) -> Option<&MountedFileSystem> {
        let point = path.ancestors().find(|above| self.points.contains_key(*above))?;
        self.file_systems.get(point)
    }

    /// Returns the mountpoints below a folder.
    pub fn below(&self, folder: &Path) -> impl Iterator<Item = &Path> {
        let points = self.points.keys().map(PathBuf::as_path);
        points.filter(move |point| point.starts_with(folder) && *point != folder)
    }
}

fn file_system(line: &MountLine) -> MountedFileSystem {
    MountedFileSystem {
        point: line.point.clone(),
        root: line.root.clone(),
        kind: String::from_utf8_lossy(&line.kind).into_owned(),
        source: line.source.clone(),
    }
}

fn of(line: &MountLine) -> MountKind {
    let kind = String::from_utf8_lossy(&line.kind).into_owned();
    if line.is_drive() {
        return MountKind::Drive;
    }
    if SYSTEM_TYPES.contains(&kind.as_str()) {
        return MountKind::System(kind);
    }
    match kind == "fuse" || kind == "fuseblk" || kind.starts_with("fuse.") {
        true => MountKind::Fuse(kind),
        false => MountKind::Files,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_is_a_system_s_and_the_root_is_not() {
        let mounts = Mounts::read().expect("/proc is mounted");
        assert_eq!(mounts.on(Path::new("/proc")), Some(&MountKind::System("proc".into())));
        assert!(!matches!(mounts.on(Path::new("/")), None | Some(MountKind::System(_))));
        assert_eq!(mounts.on(Path::new("/proc/self")), None);
        assert_eq!(mounts.holding(Path::new("/proc/self")), None, "no files are there");
        let root = mounts.holding(Path::new("/etc/no-such")).expect("the root holds it");
        assert!(Path::new("/etc").starts_with(&root.point), "{root:?}");
        assert!(mounts.below(Path::new("/")).any(|point| point == Path::new("/proc")));
        assert_eq!(mounts.below(Path::new("/proc/self")).count(), 0);
    }

    #[test]
    fn types_are_told_apart() {
        let kind = |kind: &str| {
            of(&MountLine {
                id: 2,
                parent: 1,
                point: "/x".into(),
                device: (0, 1),
                root: "/".into(),
                kind: kind.as_bytes().to_vec(),
                source: "none".into(),
            })
        };
        assert_eq!(kind("fuse.yore"), MountKind::Drive);
        assert_eq!(kind("fuse.sshfs"), MountKind::Fuse("fuse.sshfs".into()));
        assert_eq!(kind("tracefs"), MountKind::System("tracefs".into()));
        assert_eq!((kind("tmpfs"), kind("ext4")), (MountKind::Files, MountKind::Files));
        // Not a FUSE file system, although its name begins so.
        assert_eq!(kind("fusectl"), MountKind::System("fusectl".into()));
    }
}
