//! The label and the number of a mounted file system, as the kernel or `blkid` tells them.

use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};

use rustix::fs::{Mode, OFlags};

use super::links::unescape;
use crate::linux::mounts::table::{self, MountLine};
use crate::medium::VolumeName;

/// `FS_IOC_GETFSLABEL` of linux/fs.h: `_IOR(0x94, 49, char[256])`.
const GET_LABEL: libc::c_ulong = 0x8100_9431;
/// `FS_IOC_GETFSUUID` of linux/fs.h, since Linux 6.9: `_IOR(0x15, 0, struct fsuuid2)`, a length and 16 bytes.
const GET_UUID: libc::c_ulong = 0x8011_1500;
/// `FAT_IOCTL_GET_VOLUME_ID` of linux/msdos_fs.h: `_IOR('r', 0x13, __u32)`.
const GET_FAT_ID: libc::c_ulong = 0x8004_7213;

/// Types of file systems whose driver in the kernel answers without a program that could hang.
const DISK_TYPES: [&[u8]; 14] = [
    b"bcachefs",
    b"btrfs",
    b"exfat",
    b"ext2",
    b"ext3",
    b"ext4",
    b"f2fs",
    b"hfsplus",
    b"jfs",
    b"msdos",
    b"ntfs3",
    b"udf",
    b"vfat",
    b"xfs",
];

/// Returns the mounts whose file system says that it has the name; by label, if any has it as its label.
pub(super) fn by_kernel<'l>(lines: &'l [MountLine], name: &VolumeName) -> Vec<&'l MountLine> {
    let answers = lines.iter().filter(|line| DISK_TYPES.contains(&line.kind.as_slice()));
    let told: Vec<(&MountLine, Told)> =
        answers.filter_map(|line| Some((line, ask_kernel(line)?))).collect();
    choose(&told, name)
}

/// Returns the mounts whose device has the name, as `blkid` of util-linux reads it, where this process may.
///
/// Its table of superblocks is what udev itself uses, so both give the same names.
pub(super) fn by_blkid<'l>(lines: &'l [MountLine], name: &VolumeName) -> Vec<&'l MountLine> {
    let devices = lines.iter().filter(|line| line.source.starts_with("/dev"));
    let told: Vec<(&MountLine, Told)> =
        devices.filter_map(|line| Some((line, ask_blkid(line)?))).collect();
    choose(&told, name)
}

/// The names of a file system.
#[derive(Debug, Default)]
struct Told {
    label: Option<Vec<u8>>,
    uuid: Option<String>,
    partition: Option<String>,
}

fn choose<'l>(told: &[(&'l MountLine, Told)], name: &VolumeName) -> Vec<&'l MountLine> {
    let that = |has: &dyn Fn(&Told) -> bool| -> Vec<&'l MountLine> {
        told.iter().filter(|(_, told)| has(told)).map(|(line, _)| *line).collect()
    };
    let by_label = |text: &str| that(&|told| told.label.as_deref() == Some(text.as_bytes()));
    let by_uuid = |text: &str| that(&|told| is_same(told.uuid.as_deref(), text));
    let by_partition = |text: &str| that(&|told| is_same(told.partition.as_deref(), text));
    match name {
        VolumeName::Label(text) => by_label(text),
        VolumeName::Uuid(text) => by_uuid(text),
        VolumeName::PartitionUuid(text) => by_partition(text),
        VolumeName::Any(text) => [by_label(text), by_uuid(text), by_partition(text)]
            .into_iter()
            .find(|found| !found.is_empty())
            .unwrap_or_default(),
    }
}

/// Compares numbers, of which capitals and hyphens mean nothing.
fn is_same(number: Option<&str>, text: &str) -> bool {
    let plain = |text: &str| text.replace('-', "").to_ascii_lowercase();
    number.is_some_and(|number| plain(number) == plain(text))
}

fn ask_kernel(line: &MountLine) -> Option<Told> {
    if !table::is_on_top(line).ok()? {
        return None;
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let folder = rustix::fs::open(&line.point, flags, Mode::empty()).ok()?;
    let (mut label, mut uuid, mut fat) = ([0u8; 256], [0u8; 17], 0u32);
    // SAFETY: each request writes at most the bytes that its number contains, which are those of the buffer.
    let (has_label, has_uuid, has_fat) = unsafe {
        let number = folder.as_raw_fd();
        (
            libc::ioctl(number, GET_LABEL as _, label.as_mut_ptr()) == 0,
            libc::ioctl(number, GET_UUID as _, uuid.as_mut_ptr()) == 0,
            libc::ioctl(number, GET_FAT_ID as _, &raw mut fat) == 0,
        )
    };
    let end = label.iter().position(|byte| *byte == 0).unwrap_or(label.len());
    let digits = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let length = usize::from(uuid[0]).min(16);
    let uuid = has_uuid.then(|| digits(uuid.get(1..=length).unwrap_or_default()));
    let fat = has_fat.then(|| format!("{:04x}-{:04x}", fat >> 16, fat & 0xffff));
    Some(Told {
        label: has_label.then(|| label[..end].to_vec()).filter(|label| !label.is_empty()),
        uuid: uuid.filter(|uuid| !uuid.is_empty()).or(fat),
        partition: None,
    })
}

fn ask_blkid(line: &MountLine) -> Option<Told> {
    let path = ["/usr/sbin/blkid", "/sbin/blkid"]
        .into_iter()
        .find(|p| std::fs::exists(p).is_ok_and(|is| is))?;
    let asked = Command::new(path)
        .args(["--probe", "--output", "udev"])
        .arg(&line.source)
        .env_clear()
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let mut told = Told::default();
    for line in asked.stdout.split(|byte| *byte == b'\n') {
        let Some(equals) = line.iter().position(|byte| *byte == b'=') else { continue };
        let value = unescape(&line[equals + 1..]);
        let text = String::from_utf8(value.clone()).ok();
        match &line[..equals] {
            b"ID_FS_LABEL_ENC" => told.label = Some(value),
            b"ID_FS_UUID_ENC" => told.uuid = text,
            b"ID_PART_ENTRY_UUID" => told.partition = text,
            _ => {}
        }
    }
    Some(told)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Makes a file system in a file, and returns what `blkid` reads there.
    fn read(folder: &Path, program: &str, arguments: &[&str]) -> Told {
        let image = folder.join(program);
        let file = std::fs::File::create(&image).expect("a file");
        file.set_len(64 << 20).expect("its length");
        let made = Command::new(program).args(arguments).arg(&image).output();
        let made = made.unwrap_or_else(|error| panic!("{program} is not installed: {error}"));
        assert!(made.status.success(), "{program}: {}", String::from_utf8_lossy(&made.stderr));
        let line = MountLine {
            id: 1,
            parent: 1,
            point: "/none".into(),
            device: (7, 1),
            root: "/".into(),
            kind: b"vfat".to_vec(),
            source: image,
        };
        ask_blkid(&line).expect("blkid is installed")
    }

    #[test]
    fn labels_and_numbers_are_read_from_a_device() {
        let folder = tempfile::tempdir().expect("a folder");
        let fat = read(folder.path(), "mkfs.vfat", &["-n", "MY DISK", "-i", "1234abcd"]);
        assert_eq!(fat.label.as_deref(), Some(&b"MY DISK"[..]));
        assert!(is_same(fat.uuid.as_deref(), "1234-abcd"), "{fat:?}");
        let number = "0f3a6e4e-6a6b-4a3e-9d5c-0123456789ab";
        let arguments = ["-q", "-L", "Größe", "-U", number];
        let ext4 = read(folder.path(), "mkfs.ext4", &arguments);
        assert_eq!(ext4.label.as_deref(), Some("Größe".as_bytes()));
        assert!(is_same(ext4.uuid.as_deref(), number), "{ext4:?}");
    }

    #[test]
    fn a_label_comes_before_a_number() {
        let line = |n: u64| MountLine {
            id: n,
            parent: 1,
            point: "/x".into(),
            device: (8, 1),
            root: "/".into(),
            kind: b"ext4".to_vec(),
            source: "/dev/sda1".into(),
        };
        let [one, two] = [line(1), line(2)];
        let told = |label: &str, uuid: &str| Told {
            label: Some(label.as_bytes().to_vec()),
            uuid: Some(uuid.into()),
            partition: None,
        };
        let told = [(&one, told("1234-ABCD", "ffff")), (&two, told("x", "1234-abcd"))];
        let ids = |name| choose(&told, &name).iter().map(|line| line.id).collect::<Vec<_>>();
        assert_eq!(ids(VolumeName::Any("1234-ABCD".into())), [1]);
        assert_eq!(ids(VolumeName::Uuid("1234ABCD".into())), [2]);
        assert_eq!(ids(VolumeName::Any("FFFF".into())), [1]);
        assert_eq!(ids(VolumeName::PartitionUuid("1234-ABCD".into())), [0u64; 0]);
    }
}
