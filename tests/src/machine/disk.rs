//! Disks: loop devices with real file systems.

use std::path::{Path, PathBuf};

use crate::machine::{Scratch, in_shell, needs_root, noise};

/// A file system in a file, on a loop device; unmounted and detached when dropped.
pub struct Disk {
    /// The loop device.
    pub device: PathBuf,
    mounts: Vec<PathBuf>,
}

impl Disk {
    /// Makes a file system with a command that gets the device as its last word.
    pub fn new(scratch: &Scratch, megabytes: u32, mkfs: &str) -> Self {
        needs_root("make loop devices");
        let file = scratch.at(&format!("disk-{}", noise(4, megabytes.into())[0]));
        let (file, _) = (1..)
            .map(|n| (file.with_extension(n.to_string()), n))
            .find(|(f, _)| !f.exists())
            .expect("a name");
        in_shell(&format!("truncate -s {megabytes}M \"$1\""), &[&file]);
        let device = PathBuf::from(in_shell("losetup --find --show \"$1\"", &[&file]).trim());
        let disk = Self { device, mounts: Vec::new() };
        in_shell(&format!("{mkfs} \"$1\" > /dev/null"), &[&disk.device]);
        disk
    }

    /// Mounts it with options of `mount`, in a folder that is made.
    pub fn mount_with(&mut self, options: &str, point: &Path) {
        in_shell(
            &format!("mkdir -p \"$2\" && mount {options} \"$1\" \"$2\""),
            &[&self.device, point],
        );
        self.mounts.push(point.to_owned());
    }

    /// Mounts it in a folder that is made.
    pub fn mount(&mut self, point: &Path) {
        self.mount_with("", point);
    }

    /// Unmounts it wherever it is mounted.
    pub fn unmount(&mut self) {
        while let Some(point) = self.mounts.pop() {
            in_shell("umount \"$1\"", &[&point]);
        }
    }

    /// Returns the number of its file system.
    pub fn uuid(&self) -> String {
        in_shell("blkid --probe --output value --match-tag UUID \"$1\"", &[&self.device])
            .trim()
            .to_owned()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        for point in self.mounts.iter().rev() {
            let _ = std::process::Command::new("umount").arg("--lazy").arg(point).status();
        }
        let _ = std::process::Command::new("losetup").arg("--detach").arg(&self.device).status();
    }
}
