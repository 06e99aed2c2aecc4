//! `--snapshot`: whether a source is read from a snapshot of its file system.

/// Whether a source is read from a snapshot of its file system.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FileSystemSnapshot {
    /// It is read as it is.
    #[default]
    Never,
    /// Where the file system can, and otherwise as it is.
    Auto,
    /// Of this kind, or it is not read.
    Of(VolumeKind),
}

/// A system of which a snapshot is made in no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VolumeKind {
    /// A subvolume of btrfs.
    Btrfs,
    /// A data set of ZFS.
    Zfs,
    /// A logical volume of LVM.
    Lvm,
}

/// The words for it; the first is the usual one.
pub const SNAPSHOTS: [&str; 5] = ["never", "auto", "btrfs", "zfs", "lvm"];

/// Reads one of the words.
pub fn parse(text: &str) -> Result<FileSystemSnapshot, String> {
    Ok(match text {
        "never" => FileSystemSnapshot::Never,
        "auto" => FileSystemSnapshot::Auto,
        "btrfs" => FileSystemSnapshot::Of(VolumeKind::Btrfs),
        "zfs" => FileSystemSnapshot::Of(VolumeKind::Zfs),
        "lvm" => FileSystemSnapshot::Of(VolumeKind::Lvm),
        _ => return Err(format!("it must be one of {}", SNAPSHOTS.join(", "))),
    })
}

impl VolumeKind {
    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            VolumeKind::Btrfs => "btrfs",
            VolumeKind::Zfs => "zfs",
            VolumeKind::Lvm => "lvm",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_read() {
        for word in SNAPSHOTS {
            match parse(word).expect("a word") {
                FileSystemSnapshot::Of(kind) => assert_eq!(kind.word(), word),
                FileSystemSnapshot::Never | FileSystemSnapshot::Auto => {}
            }
        }
        assert_eq!(parse(SNAPSHOTS[0]), Ok(FileSystemSnapshot::default()));
        assert!(parse("xfs").is_err());
    }
}
