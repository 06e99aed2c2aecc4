//! The disk or the server on which a path lies.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::{Device, device_of, mount_of};
use crate::linux::mounts::table::{self, MountLine};
use crate::medium::Medium;

/// Types of file systems of other machines.
const SHARES: [&[u8]; 10] = [
    b"9p",
    b"afs",
    b"ceph",
    b"cifs",
    b"fuse.glusterfs",
    b"fuse.rclone",
    b"fuse.sshfs",
    b"nfs",
    b"nfs4",
    b"smb3",
];

/// The most devices that may lie on top of each other, as in encryption on LVM on RAID.
const MAX_LAYERS: usize = 8;

/// Returns what a path lies on; of one that is not there, what its nearest folder does.
///
/// Partitions of one disk are one medium, and so is what is encrypted or mapped on it.
pub fn storage_medium(path: &Path) -> io::Result<Medium> {
    let id = path.ancestors().find_map(mount_of).ok_or(io::ErrorKind::NotFound)?;
    let lines = table::mounts()?;
    let line = lines.into_iter().find(|line| line.id == id).ok_or(io::ErrorKind::NotFound)?;
    Ok(of_mount(&line))
}

fn of_mount(line: &MountLine) -> Medium {
    let kind = line.kind.as_slice();
    if SHARES.contains(&kind) {
        return Medium::Server(server(&line.source.to_string_lossy()));
    }
    if kind == b"tmpfs" || kind == b"ramfs" {
        return Medium::Memory;
    }
    let device = device_of(line);
    let mut disks = BTreeSet::new();
    add_disks(&device_folder(device), &mut disks, 0);
    match disks.is_empty() {
        false => Medium::Disks(disks.into_iter().collect()),
        true => Medium::Other(rustix::fs::makedev(device.0, device.1)),
    }
}

/// Tells whether an error is that of a share whose server does not answer now, so that the same request may succeed
/// later.
///
/// No mounted file system is called: the one of `path` may be the one that hangs.
pub fn is_share_failure(path: &Path, error: &io::Error) -> bool {
    let Some(code) = error.raw_os_error() else { return false };
    let error = Errno::from_raw_os_error(code);
    // What only a network answers.
    if matches!(
        error,
        Errno::STALE
            | Errno::TIMEDOUT
            | Errno::HOSTDOWN
            | Errno::HOSTUNREACH
            | Errno::NETDOWN
            | Errno::NETUNREACH
            | Errno::NETRESET
            | Errno::CONNREFUSED
            | Errno::CONNRESET
            | Errno::CONNABORTED
            | Errno::NOTCONN
            | Errno::NOLINK
            | Errno::REMOTEIO
    ) {
        return true;
    }
    // A disk that answers so is broken; a share that is mounted `soft` lost its server.
    matches!(error, Errno::IO | Errno::INTR | Errno::AGAIN) && is_on_share(path)
}

fn is_on_share(path: &Path) -> bool {
    let Ok(lines) = table::mounts() else { return false };
    let over = lines.iter().filter(|line| path.starts_with(&line.point));
    let nearest = over.max_by_key(|line| line.point.components().count());
    // A program that serves files answers EIO for whatever it can't do, and will do so again.
    let is_kernel_s = |line: &&MountLine| !line.kind.starts_with(b"fuse");
    nearest.filter(is_kernel_s).is_some_and(|line| SHARES.contains(&line.kind.as_slice()))
}

/// Returns the machine of a share: of `//nas/backup` and `nas:/backup` it is `nas`.
fn server(source: &str) -> String {
    let plain = source.trim_start_matches('/');
    let plain = plain.rsplit_once('@').map_or(plain, |(_, host)| host);
    plain.split(['/', ':']).next().unwrap_or(plain).to_owned()
}

fn device_folder(device: Device) -> PathBuf {
    PathBuf::from(format!("/sys/dev/block/{}:{}", device.0, device.1))
}

/// Collects the names of the disks below a device, as sysfs lists them.
fn add_disks(device: &Path, disks: &mut BTreeSet<String>, depth: usize) {
    let Ok(device) = std::fs::canonicalize(device) else { return };
    let below: Vec<PathBuf> = std::fs::read_dir(device.join("slaves"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    if !below.is_empty() && depth < MAX_LAYERS {
        return below.iter().for_each(|below| add_disks(below, disks, depth + 1));
    }
    let disk = match device.join("partition").exists() {
        true => device.parent().unwrap_or(&device),
        false => &device,
    };
    disks.extend(disk.file_name().map(|name| name.to_string_lossy().into_owned()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_a_network_may_pass_and_those_of_a_disk_do_not() {
        let here = Path::new("/proc/self");
        let is_temporary = |error: Errno| is_share_failure(here, &error.into());
        assert!(is_temporary(Errno::STALE) && is_temporary(Errno::TIMEDOUT));
        assert!(!is_temporary(Errno::IO) && !is_temporary(Errno::NOENT));
        assert!(!is_share_failure(here, &io::Error::other("no number")));
    }

    #[test]
    fn memory_is_no_disk_and_a_share_is_its_server() {
        assert_eq!(storage_medium(Path::new("/dev/shm/x")).expect("it is known"), Medium::Memory);
        for source in ["//nas/backup", "nas:/backup", "me@nas:/backup", "//me@nas/b"] {
            assert_eq!(server(source), "nas", "{source}");
        }
    }
}
