//! Snapshots of LVM: made by `lvcreate`, mounted for this process alone, removed by `lvremove`.

use std::path::{Path, PathBuf};

use yore_platform::{MountedFileSystem, PrivateMount, volume_snapshot_is_left};

use crate::failure::engine_error::reason;
use crate::job::tool;

/// The space for what changes while a snapshot exists, as a share of the volume. (One of a thin pool needs none.)
const SPACE: &str = "20%ORIGIN";

/// A logical volume with a mounted file system.
pub struct LogicalVolume {
    device: PathBuf,
    point: PathBuf,
    root: PathBuf,
    kind: String,
}

/// The names of a volume, as `lvs` prints them.
#[derive(Debug, PartialEq, Eq)]
struct Names {
    group: String,
    volume: String,
    is_thin: bool,
}

/// A snapshot that was made, to be removed.
pub struct Taken {
    snapshot: String,
    /// Mounted as long as the snapshot is read.
    mount: Option<PrivateMount>,
    root: PathBuf,
}

impl LogicalVolume {
    /// Takes a mounted file system that is on a logical volume.
    pub fn of(mounted: &MountedFileSystem) -> Option<Self> {
        let device = mounted.source.canonicalize().ok()?;
        let number = device.strip_prefix("/dev").ok()?;
        let uuid = Path::new("/sys/class/block").join(number).join("dm/uuid");
        let is_logical = std::fs::read_to_string(uuid).is_ok_and(|uuid| uuid.starts_with("LVM-"));
        is_logical.then(|| Self {
            device: mounted.source.clone(),
            point: mounted.point.clone(),
            root: mounted.root.clone(),
            kind: mounted.kind.clone(),
        })
    }

    /// Returns the mountpoint.
    pub fn top(&self) -> &Path {
        &self.point
    }

    /// Makes a snapshot, and mounts it.
    pub fn take(&self, name: &str) -> Result<Taken, String> {
        let (names, name) = (self.names()?, name.trim_start_matches('.'));
        let created = create(&names, name);
        tool::output("lvcreate", &created.iter().map(String::as_str).collect::<Vec<_>>())?;
        let snapshot = format!("{}/{name}", names.group);
        let mut taken = Taken { snapshot, mount: None, root: self.root.clone() };
        let device = Path::new("/dev").join(&names.group).join(name);
        match PrivateMount::of_device(&device, &self.kind) {
            Ok(mount) => taken.mount = Some(mount),
            Err(error) => {
                let why = format!("its snapshot can't be mounted: {}", reason(&error));
                return Err(taken
                    .delete()
                    .err()
                    .map_or(why.clone(), |more| format!("{why}; {more}")));
            }
        }
        Ok(taken)
    }

    /// Removes the snapshots that processes left which have ended.
    pub fn remove_left(&self) -> Result<(), String> {
        let group = self.names()?.group;
        let listed = tool::output("lvs", &["--noheadings", "-o", "lv_name", &group])?;
        left(&listed).try_for_each(|name| remove(&format!("{group}/{name}")))
    }

    fn names(&self) -> Result<Names, String> {
        let device = self.device.to_str().ok_or("its device has no name in UTF-8")?;
        let options = ["--noheadings", "--separator", "/", "-o", "vg_name,lv_name,pool_lv", device];
        let printed = tool::output("lvs", &options)?;
        names(&printed).ok_or_else(|| format!("lvs does not know {device}"))
    }
}

impl Taken {
    /// Returns the folder of the snapshot that was mounted at the volume's mountpoint.
    pub fn folder(&self) -> PathBuf {
        let top = self.mount.as_ref().map(PrivateMount::top).unwrap_or_default();
        self.root.components().skip(1).fold(top, |path, name| path.join(name))
    }

    /// Unmounts and removes the snapshot.
    pub fn delete(&mut self) -> Result<(), String> {
        self.mount = None;
        remove(&self.snapshot)
    }
}

fn remove(snapshot: &str) -> Result<(), String> {
    tool::output("lvremove", &["--yes", "--quiet", snapshot]).map(drop)
}

/// Returns the words behind `lvcreate`.
fn create(names: &Names, name: &str) -> Vec<String> {
    let origin = format!("{}/{}", names.group, names.volume);
    // A thin one has the space of its pool, and would not be active by itself.
    let kind: &[&str] = match names.is_thin {
        true => &["--setactivationskip", "n"],
        false => &["--extents", SPACE],
    };
    let named = ["--name", name];
    let words = ["--quiet", "--snapshot"].iter().chain(kind).chain(&named);
    words.map(|word| (*word).to_owned()).chain([origin]).collect()
}

/// Reads the line that `lvs` prints: volume group, logical volume, and the pool of a thin one.
fn names(printed: &str) -> Option<Names> {
    let line = printed.lines().map(str::trim).find(|line| !line.is_empty())?;
    let mut fields = line.split('/');
    let (group, volume) = (fields.next()?.to_owned(), fields.next()?.to_owned());
    let is_thin = fields.next().is_some_and(|pool| !pool.is_empty());
    (!group.is_empty() && !volume.is_empty()).then_some(Names { group, volume, is_thin })
}

/// Finds those of ended processes in a list of volumes, a name a line.
fn left(listed: &str) -> impl Iterator<Item = &str> {
    listed.lines().map(str::trim).filter(|name| volume_snapshot_is_left(&format!(".{name}")))
}

#[cfg(test)]
mod tests {
    use yore_platform::volume_snapshot_name;

    use super::*;

    #[test]
    fn the_names_of_a_volume_are_read() {
        let of = |group: &str, volume: &str, is_thin| {
            Some(Names { group: group.into(), volume: volume.into(), is_thin })
        };
        assert_eq!(names("  vg0/home/\n"), of("vg0", "home", false));
        assert_eq!(names("\n  vg-1/my_lv/pool0\n"), of("vg-1", "my_lv", true));
        assert_eq!(names("  \n"), None);
        assert_eq!(names("vg0"), None);
    }

    #[test]
    fn a_snapshot_of_a_thick_volume_gets_space_of_its_own() {
        let names = |is_thin| Names { group: "vg0".into(), volume: "home".into(), is_thin };
        assert_eq!(
            create(&names(false), "yore").join(" "),
            "--quiet --snapshot --extents 20%ORIGIN --name yore vg0/home"
        );
        assert_eq!(
            create(&names(true), "yore").join(" "),
            "--quiet --snapshot --setactivationskip n --name yore vg0/home"
        );
    }

    #[test]
    fn only_snapshots_of_ended_processes_are_removed() {
        let own = volume_snapshot_name(1);
        let ended = own.rsplit_once('.').map(|(rest, _)| format!("{rest}.1-1")).expect("numbers");
        let (own, ended) = (own.trim_start_matches('.'), ended.trim_start_matches('.'));
        let listed = format!("  home\n  {own}\n  {ended}\n  yore-snapshot\n");
        assert_eq!(left(&listed).collect::<Vec<_>>(), [ended]);
    }

    #[test]
    fn what_is_on_no_logical_volume_is_none() {
        let mounted = |source: &str| MountedFileSystem {
            point: "/".into(),
            root: "/".into(),
            kind: "ext4".into(),
            source: source.into(),
        };
        for source in ["/dev/null", "none", "/no/such"] {
            assert!(LogicalVolume::of(&mounted(source)).is_none(), "{source}");
        }
    }
}
