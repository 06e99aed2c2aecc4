//! The table of mounts, from `/proc/self/mountinfo`: no mounted file system is called, so a drive that
//! hangs or is dead can't block it.

use std::ffi::OsString;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// The type under which the kernel lists drives of Yore's.
pub(crate) const DRIVE_TYPE: &[u8] = b"fuse.yore";

const OWN_TABLE: &str = "/proc/self/mountinfo";

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MountLine {
    /// The number of the mount; one file system may be mounted several times.
    pub(crate) id: u64,
    /// The number of the mount on which it is mounted.
    pub(crate) parent: u64,
    /// The mountpoint.
    pub(crate) point: PathBuf,
    /// The number of the file system, as `major` and `minor`.
    pub(crate) device: (u32, u32),
    /// The folder of the file system that is seen at the mountpoint: `/`, or a part of it.
    pub(crate) root: PathBuf,
    /// The type, such as `ext4` or `fuse.yore`.
    pub(crate) kind: Vec<u8>,
    /// The device or the share, as the program that mounted it named it.
    pub(crate) source: PathBuf,
}

impl MountLine {
    /// Tells whether it is a drive of Yore's.
    pub(crate) fn is_drive(&self) -> bool {
        self.kind == DRIVE_TYPE
    }
}

/// Finds every mount, in the order of mounting.
pub(crate) fn mounts() -> io::Result<Vec<MountLine>> {
    let table = std::fs::read(OWN_TABLE)?;
    Ok(lines(&table).collect())
}

/// Finds what is mounted at `point` itself; of several mounts on top of each other, the topmost.
pub(crate) fn mounted_at(point: &Path) -> io::Result<Option<MountLine>> {
    let table = std::fs::read(OWN_TABLE)?;
    Ok(topmost(lines(&table).filter(|line| line.point == point).collect()))
}

/// Finds every drive of Yore's.
pub(crate) fn mounted_drives() -> io::Result<Vec<PathBuf>> {
    let table = std::fs::read(OWN_TABLE)?;
    Ok(lines(&table).filter(MountLine::is_drive).map(|line| line.point).collect())
}

/// Finds every mount of the drive whose file system has this number, also those of a part of it.
pub(crate) fn mounts_of(device: (u32, u32)) -> io::Result<Vec<MountLine>> {
    mounts_in(Path::new(OWN_TABLE), device)
}

/// Finds them in the table of another process.
pub(crate) fn mounts_in(table: &Path, device: (u32, u32)) -> io::Result<Vec<MountLine>> {
    let table = std::fs::read(table)?;
    Ok(lines(&table).filter(|line| line.is_drive() && line.device == device).collect())
}

/// Tells whether the path of a mountpoint leads to this mount, and not to another one over it.
///
/// Does not call the mounted file system.
pub(crate) fn is_on_top(line: &MountLine) -> io::Result<bool> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let place = match rustix::fs::open(&line.point, flags, Mode::empty()) {
        Ok(place) => place,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let told = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", place.as_raw_fd()))?;
    let id = told.lines().find_map(|line| line.strip_prefix("mnt_id:"));
    Ok(id.and_then(|id| id.trim().parse().ok()) == Some(line.id))
}

/// Finds the one of several mounts at one point on which none of the others is mounted.
fn topmost(mounts: Vec<MountLine>) -> Option<MountLine> {
    let parents: Vec<u64> = mounts.iter().map(|line| line.parent).collect();
    mounts.into_iter().rfind(|line| !parents.contains(&line.id))
}

fn lines(table: &[u8]) -> impl Iterator<Item = MountLine> {
    table.split(|&byte| byte == b'\n').filter_map(parse)
}

/// Reads one line: `id parent major:minor root point options … - type source options`.
fn parse(line: &[u8]) -> Option<MountLine> {
    let mut fields = line.split(|&byte| byte == b' ');
    let mut number = || std::str::from_utf8(fields.next()?).ok()?.parse().ok();
    let (id, parent) = (number()?, number()?);
    let device = std::str::from_utf8(fields.next()?).ok()?;
    let (major, minor) = device.split_once(':')?;
    let path = |field: &[u8]| PathBuf::from(OsString::from_vec(unescape(field)));
    let root = path(fields.next()?);
    let point = path(fields.next()?);
    let mut fields = fields.skip_while(|field| *field != b"-").skip(1);
    let kind = fields.next()?;
    let source = path(fields.next().unwrap_or_default());
    Some(MountLine {
        id,
        parent,
        point,
        device: (major.parse().ok()?, minor.parse().ok()?),
        root,
        kind: kind.to_vec(),
        source,
    })
}

/// Turns `\040` and its like back into the bytes they stand for.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| byte == b'\\');
        let value = octal.and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 8).ok()
        });
        match value {
            Some(value) => {
                plain.push(value);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                plain.push(byte);
                rest = after;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_blanks_in_its_mountpoint_is_read() {
        let line =
            br"36 25 0:51 / /mnt/my\040drive\134x ro,nosuid shared:1 - fuse.yore yore ro,user_id=0";
        let parsed = parse(line).expect("a line as the kernel writes it");
        assert_eq!(parsed.point, Path::new(r"/mnt/my drive\x"));
        assert_eq!(parsed.device, (0, 51));
        assert_eq!((parsed.id, parsed.parent), (36, 25));
        assert_eq!(
            (parsed.root.as_path(), parsed.source.as_path()),
            (Path::new("/"), Path::new("yore"))
        );
        assert!(parsed.is_drive());
    }

    #[test]
    fn a_broken_line_is_passed_over() {
        for line in [&b""[..], b"36", b"36 25 x:y / /mnt ro - ext4", b"1 2 0:1 / /mnt ro"] {
            assert_eq!(parse(line), None);
        }
    }

    #[test]
    fn of_mounts_at_one_point_the_topmost_is_found_in_any_order() {
        let line = |id, parent| MountLine {
            id,
            parent,
            point: PathBuf::from("/mnt"),
            device: (0, 1),
            root: PathBuf::from("/"),
            kind: DRIVE_TYPE.to_vec(),
            source: PathBuf::from("yore"),
        };
        for ids in [[(5, 1), (9, 5), (7, 9)], [(7, 9), (5, 1), (9, 5)], [(9, 5), (7, 9), (5, 1)]] {
            let mounts = ids.map(|(id, parent)| line(id, parent)).to_vec();
            assert_eq!(topmost(mounts).map(|line| line.id), Some(7));
        }
        assert_eq!(topmost(Vec::new()), None);
    }

    #[test]
    fn a_mount_is_on_top_of_its_point_unless_its_number_is_another() {
        let proc = mounted_at(Path::new("/proc")).expect("/proc is mounted").expect("a mount");
        assert!(is_on_top(&proc).expect("it can be told"));
        let below = MountLine { id: proc.id + 100_000, ..proc.clone() };
        assert!(!is_on_top(&below).expect("it can be told"));
        let absent = MountLine { point: PathBuf::from("/proc/absent"), ..proc };
        assert!(!is_on_top(&absent).expect("it can be told"));
    }

    #[test]
    fn the_root_is_mounted_and_is_no_drive() {
        let root = mounted_at(Path::new("/")).expect("/proc is mounted");
        assert!(!root.expect("/ is a mountpoint").is_drive());
    }
}
