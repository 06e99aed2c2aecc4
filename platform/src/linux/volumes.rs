//! Volumes by their label or number, wherever they are mounted.
//!
//! Three sources are asked in this order, since none is there everywhere: the links that udev makes in `/dev/disk`,
//! the mounted file systems themselves (ioctls, which need no privileges), and `blkid`, which reads the device
//! (the only one that has the label of a FAT file system where udev does not run).

#![allow(unsafe_code)]

mod btrfs;
mod identity;
mod links;
mod medium;
mod watch;

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, StatxFlags};

pub use btrfs::Subvolume;
pub use medium::{is_share_failure, storage_medium};
pub use watch::{FileSystemChange, FileSystemWatch};

use crate::linux::mounts::table::{self, MountLine};
use crate::medium::VolumeName;

/// A block device, by `major` and `minor`.
type Device = (u32, u32);

/// Finds where a path of a volume is now: for each mounted file system of that name, its folder.
///
/// The path counts from the top of the file system; of one of which only a part is mounted, as a subvolume of btrfs,
/// also from the top of that part. Of several mounts of one file system, the one that shows the path is chosen. The
/// result is empty when no such volume is mounted; the path itself need not be there.
pub fn find_volume(name: &VolumeName, path: &Path) -> io::Result<Vec<PathBuf>> {
    let lines: Vec<MountLine> = table::mounts()?.into_iter().filter(has_device).collect();
    let mut found: Vec<(Device, Vec<&MountLine>)> = Vec::new();
    for line in of_name(&lines, name) {
        let device = device_of(line);
        match found.iter_mut().find(|(known, _)| *known == device) {
            Some((_, mounts)) => mounts.push(line),
            None => found.push((device, vec![line])),
        }
    }
    Ok(found.iter().filter_map(|(_, mounts)| best_place(mounts, path)).collect())
}

/// Returns the mounts of the volumes of a name, as the first source knows them that knows any.
fn of_name<'l>(lines: &'l [MountLine], name: &VolumeName) -> Vec<&'l MountLine> {
    let linked = links::devices(name);
    let by_links: Vec<_> = lines.iter().filter(|line| linked.contains(&device_of(line))).collect();
    if !by_links.is_empty() {
        return by_links;
    }
    let by_kernel = identity::by_kernel(lines, name);
    match by_kernel.is_empty() {
        false => by_kernel,
        true => identity::by_blkid(lines, name),
    }
}

/// Tells whether a block device is mounted, and not a part of another file system or one without a device.
fn has_device(line: &MountLine) -> bool {
    line.device.0 != 0 || line.source.starts_with("/dev")
}

/// Returns the device of a mount; btrfs has a number of its own for each subvolume.
fn device_of(line: &MountLine) -> Device {
    if line.device.0 != 0 {
        return line.device;
    }
    links::device_at(&line.source).unwrap_or(line.device)
}

/// Chooses among the mounts of one file system the place of a path.
fn best_place(mounts: &[&MountLine], path: &Path) -> Option<PathBuf> {
    let places = mounts.iter().flat_map(|line| {
        let below = Path::new("/").join(path);
        let below = below.strip_prefix(&line.root).ok().map(|rest| line.point.join(rest));
        let is_whole = line.root == Path::new("/");
        let at_top = (!is_whole).then(|| line.point.join(path));
        let places = below.into_iter().chain(at_top);
        places.map(move |place| (rank(&place, line, is_whole), without_end(&place)))
    });
    let mut places: Vec<(Rank, PathBuf)> = places.collect();
    places.sort_by_key(|(rank, _)| *rank);
    places.into_iter().next().filter(|(rank, _)| *rank != Rank::Hidden).map(|(_, place)| place)
}

/// The suitability of a place, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// The path is there.
    Shown,
    /// It is not there yet, and the whole file system is mounted.
    Whole,
    /// It is not there yet, and a part of the file system is mounted.
    Part,
    /// Another file system is mounted over it.
    Hidden,
}

fn rank(place: &Path, line: &MountLine, is_whole: bool) -> Rank {
    let nearest = place.ancestors().find_map(|above| Some((above, mount_of(above)?)));
    match nearest {
        Some((above, id)) if id == line.id && above == place => Rank::Shown,
        Some((_, id)) if id == line.id && is_whole => Rank::Whole,
        Some((_, id)) if id == line.id => Rank::Part,
        _ => Rank::Hidden,
    }
}

/// Returns the number of the mount on which a path lies; `None` where it is not there.
fn mount_of(path: &Path) -> Option<u64> {
    let found = rustix::fs::statx(CWD, path, AtFlags::NO_AUTOMOUNT, StatxFlags::MNT_ID).ok()?;
    let is_known = StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::MNT_ID);
    // Before Linux 5.8 the number is not told; then what is mounted last is taken for what is seen.
    is_known.then_some(found.stx_mnt_id)
}

/// Removes the slash at the end that joining nothing leaves.
fn without_end(path: &Path) -> PathBuf {
    path.components().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(point: &str, root: &str) -> MountLine {
        let id = mount_of(Path::new("/")).expect("the number of a mount");
        MountLine {
            id,
            parent: 1,
            point: point.into(),
            device: (8, 1),
            root: root.into(),
            kind: b"ext4".to_vec(),
            source: "/dev/sda1".into(),
        }
    }

    #[test]
    fn of_several_mounts_the_one_that_shows_the_path_is_chosen() {
        let folder = tempfile::tempdir_in("/").expect("a folder at the top");
        let top = folder.path().to_str().expect("text");
        let [whole, part] = ["whole", "part"].map(|name| format!("{top}/{name}"));
        std::fs::create_dir_all(format!("{part}/backup")).expect("folders");
        std::fs::create_dir_all(&whole).expect("a folder");
        let mounts = [line(&whole, "/"), line(&part, "/@home")];
        let mounts: Vec<_> = mounts.iter().collect();
        let place = |path: &str| best_place(&mounts, Path::new(path)).expect("a place");
        assert_eq!(place("backup"), Path::new(&part).join("backup"));
        assert_eq!(place("@home/backup"), Path::new(&part).join("backup"));
        assert_eq!(place("new"), Path::new(&whole).join("new"));
        assert_eq!(place(""), Path::new(&whole));
        let other = MountLine { id: 1_000_000, ..line(&part, "/") };
        assert_eq!(best_place(&[&other], Path::new("backup")), None, "another one is over it");
    }
}
