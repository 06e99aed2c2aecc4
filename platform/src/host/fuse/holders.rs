//! The processes that keep a drive from being unmounted, from what `/proc` shows of each.

use std::fs;
use std::path::Path;

use crate::linux::mounts::table::{MountLine, mounts_in};
use crate::mount::error::{DriveUsage, Holder};

/// Finds the processes that hold `drive`; those of other users are visible to root only.
pub(crate) fn holders(drive: &MountLine) -> Vec<Holder> {
    find(|process| usage_of(process, drive))
}

/// Finds processes whose mount namespace has the file system `device` mounted, one of each
/// namespace but this process's own.
pub(crate) fn namespaces(device: (u32, u32)) -> Vec<Holder> {
    let namespace = |process: &Path| fs::read_link(process.join("ns/mnt")).ok();
    let mut seen = vec![namespace(Path::new("/proc/self"))];
    find(|process| {
        let own = Some(namespace(process)?);
        if seen.contains(&own) {
            return None;
        }
        seen.push(own);
        let mounts = mounts_in(&process.join("mountinfo"), device).ok()?;
        (!mounts.is_empty()).then_some(DriveUsage::Namespace)
    })
}

/// Tells whether a process still runs.
pub(crate) fn is_there(holder: &Holder) -> bool {
    Path::new("/proc").join(holder.pid.to_string()).exists()
}

/// Finds the processes for which `usage_of` returns something.
fn find(mut usage_of: impl FnMut(&Path) -> Option<DriveUsage>) -> Vec<Holder> {
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let usage = usage_of(&entry.path())?;
            let name = fs::read(entry.path().join("comm")).unwrap_or_default();
            let name = String::from_utf8_lossy(&name).trim_end().to_owned();
            Some(Holder { pid, name, usage })
        })
        .collect()
}

fn usage_of(process: &Path, drive: &MountLine) -> Option<DriveUsage> {
    let lies_there = |link: &Path| {
        // Reading the link does not call the drive, which may be dead or hang.
        fs::read_link(link).is_ok_and(|target| target.starts_with(&drive.point))
    };
    if lies_there(&process.join("cwd")) {
        return Some(DriveUsage::WorkingDirectory);
    }
    if lies_there(&process.join("root")) {
        return Some(DriveUsage::Root);
    }
    if lies_there(&process.join("exe")) {
        return Some(DriveUsage::Program);
    }
    let descriptors = fs::read_dir(process.join("fd")).ok();
    if descriptors.is_some_and(|files| files.flatten().any(|file| lies_there(&file.path()))) {
        return Some(DriveUsage::OpenFile);
    }
    let maps = fs::read(process.join("maps")).ok()?;
    maps_device(&maps, drive.device).then_some(DriveUsage::MappedFile)
}

/// Tells whether one of the lines `addresses rights offset major:minor inode path` is of `device`.
fn maps_device(maps: &[u8], device: (u32, u32)) -> bool {
    let wanted = format!("{:02x}:{:02x}", device.0, device.1);
    maps.split(|&byte| byte == b'\n').any(|line| {
        let mut fields = line.split(|&byte| byte == b' ');
        fields.nth(3) == Some(wanted.as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_file_is_found_by_its_device() {
        let maps = b"7f00-7f01 r--p 00000000 00:2d 12  /x\n8000-8001 rw-p 00000000 00:00 0 \n";
        assert!(maps_device(maps, (0, 0x2d)));
        assert!(!maps_device(maps, (8, 1)));
    }

    #[test]
    fn this_process_holds_the_file_it_has_open() {
        let folder = tempfile::tempdir().expect("a folder");
        let point = fs::canonicalize(folder.path()).expect("the folder is there");
        let file = fs::File::create(point.join("file")).expect("a file");
        let drive = MountLine {
            id: 0,
            parent: 0,
            point,
            device: (9999, 9999),
            root: "/".into(),
            kind: Vec::new(),
            source: "yore".into(),
        };
        let found = holders(&drive);
        let own = found.iter().find(|holder| holder.pid == std::process::id());
        assert_eq!(own.map(|holder| holder.usage), Some(DriveUsage::OpenFile));
        drop(file);
    }
}
