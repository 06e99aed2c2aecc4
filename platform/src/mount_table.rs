//! What is mounted where, from `/proc/self/mountinfo`: no question to a mounted file system, so
//! that a drive that hangs or is dead can't hold up the answer.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// The type under which the kernel lists drives of Yore's.
pub(crate) const DRIVE_TYPE: &[u8] = b"fuse.yore";

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MountLine {
    /// Where it is mounted.
    pub(crate) point: PathBuf,
    /// The number of the file system, as `major` and `minor`.
    pub(crate) device: (u32, u32),
    /// The type, such as `ext4` or `fuse.yore`.
    pub(crate) kind: Vec<u8>,
}

impl MountLine {
    /// Tells whether it is a drive of Yore's.
    pub(crate) fn is_drive(&self) -> bool {
        self.kind == DRIVE_TYPE
    }
}

/// Reads every line, in the order of mounting.
pub(crate) fn lines() -> io::Result<Vec<MountLine>> {
    let table = std::fs::read("/proc/self/mountinfo")?;
    Ok(table.split(|&byte| byte == b'\n').filter_map(parse).collect())
}

/// Finds what is mounted at `point` itself; of several mounts on top of each other, the topmost.
pub(crate) fn mounted_at(point: &Path) -> io::Result<Option<MountLine>> {
    let table = std::fs::read("/proc/self/mountinfo")?;
    let mut lines = table.split(|&byte| byte == b'\n').filter_map(parse);
    Ok(lines.rfind(|line| line.point == point))
}

/// Finds every drive of Yore's.
pub(crate) fn mounted_drives() -> io::Result<Vec<PathBuf>> {
    let table = std::fs::read("/proc/self/mountinfo")?;
    let lines = table.split(|&byte| byte == b'\n').filter_map(parse);
    Ok(lines.filter(MountLine::is_drive).map(|line| line.point).collect())
}

/// Reads one line: `id parent major:minor root point options … - type source options`.
fn parse(line: &[u8]) -> Option<MountLine> {
    let mut fields = line.split(|&byte| byte == b' ');
    let device = std::str::from_utf8(fields.nth(2)?).ok()?;
    let (major, minor) = device.split_once(':')?;
    let point = unescape(fields.nth(1)?);
    let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
    Some(MountLine {
        point: PathBuf::from(OsString::from_vec(point)),
        device: (major.parse().ok()?, minor.parse().ok()?),
        kind: kind.to_vec(),
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
        assert!(parsed.is_drive());
    }

    #[test]
    fn a_broken_line_is_passed_over() {
        for line in [&b""[..], b"36", b"36 25 x:y / /mnt ro - ext4", b"1 2 0:1 / /mnt ro"] {
            assert_eq!(parse(line), None);
        }
    }

    #[test]
    fn the_root_is_mounted_and_is_no_drive() {
        let root = mounted_at(Path::new("/")).expect("/proc is mounted");
        assert!(!root.expect("/ is a mountpoint").is_drive());
    }
}
