//! The links in `/dev/disk`, by which udev names block devices.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use super::Device;
use crate::medium::VolumeName;

const LABELS: &str = "/dev/disk/by-label";
const UUIDS: &str = "/dev/disk/by-uuid";
const PARTITIONS: &str = "/dev/disk/by-partuuid";

/// Returns the devices to which the links of a name lead; those of labels first.
pub(super) fn devices(name: &VolumeName) -> Vec<Device> {
    let (folders, text): (&[&str], _) = match name {
        VolumeName::Label(text) => (&[LABELS], text),
        VolumeName::Uuid(text) => (&[UUIDS], text),
        VolumeName::PartitionUuid(text) => (&[PARTITIONS], text),
        VolumeName::Any(text) => (&[LABELS, UUIDS, PARTITIONS], text),
    };
    for folder in folders {
        let is_number = *folder != LABELS;
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let those = entries.filter(|entry| {
            let link = unescape(entry.file_name().as_bytes());
            link == text.as_bytes() || is_number && link.eq_ignore_ascii_case(text.as_bytes())
        });
        let devices: Vec<Device> = those.filter_map(|entry| device_at(&entry.path())).collect();
        if !devices.is_empty() {
            return devices;
        }
    }
    Vec::new()
}

/// Returns the number of the block device at a path.
pub(super) fn device_at(path: &Path) -> Option<Device> {
    let metadata = std::fs::metadata(path).ok()?;
    let device = metadata.rdev();
    metadata
        .file_type()
        .is_block_device()
        .then(|| (rustix::fs::major(device), rustix::fs::minor(device)))
}

/// Turns `\x20` and its like, as udev and `blkid` write them, back into the bytes they stand for.
pub(super) fn unescape(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.strip_prefix(b"x").and_then(|after| after.get(..2));
        let value = digits
            .filter(|_| byte == b'\\')
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        plain.push(value.unwrap_or(byte));
        rest = if value.is_some() { after.get(3..).unwrap_or_default() } else { after };
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signs_that_links_can_not_have_are_read() {
        assert_eq!(unescape(br"My\x20Disk\x2f1"), b"My Disk/1");
        assert_eq!(unescape("Größe".as_bytes()), "Größe".as_bytes());
        assert_eq!(unescape(br"\xc3\xa4"), "ä".as_bytes());
        assert_eq!(unescape(br"a\b\x2"), br"a\b\x2");
    }
}
