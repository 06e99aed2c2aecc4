//! tar, as POSIX has it (pax): long names, exact times, extended attributes, files of several names.

use std::collections::HashMap;
use std::io::{self, Write};

use tar::{Builder, EntryType, Header};
use yore_engine::format::{Content, Node, SnapshotId};
use yore_platform::{Kind, Timestamp};

use super::{Added, Archive, content};
use crate::moment::state::MomentState;

/// The size of a block, in bytes.
const BLOCK: u64 = 512;
/// The longest name, and name of a link's target, without a record of its own.
const LONGEST: usize = 100;
/// The largest length that fits in a header's octal digits.
const LARGEST: u64 = 0o77777777777;

/// A tar that is being written.
pub struct Tar<W: Write> {
    out: Builder<W>,
    /// Files of several names: the first one in the archive, and how many are to come.
    names: HashMap<FileKey, FirstName>,
}

/// A snapshot, a file system and the number of a file.
type FileKey = (Option<SnapshotId>, u64, u64);

struct FirstName {
    name: Vec<u8>,
    size: u64,
    content: Content,
    left: u64,
}

impl<W: Write> Tar<W> {
    /// Begins an archive.
    pub fn new(out: W) -> Self {
        Self { out: Builder::new(out), names: HashMap::new() }
    }

    /// Finds the first name of a file that is in the archive already.
    fn first_name(
        &mut self,
        state: &MomentState,
        path: &[u8],
        name: &[u8],
        node: &Node,
    ) -> Option<Vec<u8>> {
        let (file_system, inode) = node.link_group()?;
        let key = (state.snapshot_of(path), file_system, inode);
        if let Some(first) = self.names.get_mut(&key)
            && (first.size, &first.content) == (node.size, &node.content)
        {
            first.left = first.left.saturating_sub(1);
            let (name, left) = (first.name.clone(), first.left);
            if left == 0 {
                self.names.remove(&key);
            }
            return Some(name);
        }
        let (size, content, left) = (node.size, node.content.clone(), node.links - 1);
        self.names.insert(key, FirstName { name: name.to_vec(), size, content, left });
        None
    }
}

impl<W: Write> Archive for Tar<W> {
    fn add(
        &mut self,
        state: &MomentState,
        path: &[u8],
        name: &[u8],
        node: &Node,
    ) -> io::Result<Added> {
        let first = self.first_name(state, path, name, node);
        let kind = match (node.kind, &first) {
            (Kind::Socket, _) => return Ok(Added::LeftOut("a tar has no sockets")),
            (_, Some(_)) => EntryType::Link,
            (Kind::File, None) => EntryType::Regular,
            (Kind::Directory, None) => EntryType::Directory,
            (Kind::Symlink, None) => EntryType::Symlink,
            (Kind::Fifo, None) => EntryType::Fifo,
            (Kind::CharDevice, None) => EntryType::Char,
            (Kind::BlockDevice, None) => EntryType::Block,
        };
        let mut name = name.to_vec();
        if node.kind == Kind::Directory {
            name.push(b'/');
        }
        let target = first.as_deref().unwrap_or(&node.target);
        let size = if kind == EntryType::Regular { node.size } else { 0 };
        let records = records(&name, target, size, node);
        let records = records.iter().map(|(key, value)| (key.as_str(), value.as_slice()));
        self.out.append_pax_extensions(records)?;
        let out = self.out.get_mut();
        out.write_all(header(kind, &name, target, size, node)?.as_bytes())?;
        if kind != EntryType::Regular {
            return Ok(Added::Whole);
        }
        let error = content(state, node, out)?;
        let padding = size.next_multiple_of(BLOCK) - size;
        out.write_all(&[0; BLOCK as usize][..padding as usize])?;
        Ok(error.map_or(Added::Whole, Added::Damaged))
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.out.into_inner()?.flush()
    }
}

fn header(
    kind: EntryType,
    name: &[u8],
    target: &[u8],
    size: u64,
    node: &Node,
) -> io::Result<Header> {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(node.mode.unwrap_or(0o600));
    let owner = node.owner.map_or((0, 0), |owner| (owner.uid, owner.gid));
    header.set_uid(owner.0.into());
    header.set_gid(owner.1.into());
    header.set_mtime(u64::try_from(node.modified.seconds).unwrap_or(0).min(LARGEST));
    header.set_size(size);
    if matches!(node.kind, Kind::CharDevice | Kind::BlockDevice) {
        header.set_device_major(node.device_number.major)?;
        header.set_device_minor(node.device_number.minor)?;
    }
    let ustar = header.as_ustar_mut();
    if let Some(ustar) = ustar {
        let put = |field: &mut [u8], value: &[u8]| {
            let length = value.len().min(field.len());
            field[..length].copy_from_slice(&value[..length]);
        };
        put(&mut ustar.name, name);
        put(&mut ustar.linkname, target);
    }
    header.set_cksum();
    Ok(header)
}

/// Returns the pax records for values that do not fit in a header (POSIX; attributes as in star, GNU tar and bsdtar).
fn records(name: &[u8], target: &[u8], size: u64, node: &Node) -> Vec<(String, Vec<u8>)> {
    let mut records = Vec::new();
    let mut record = |key: &str, value: Vec<u8>| records.push((key.to_owned(), value));
    if name.len() > LONGEST {
        record("path", name.to_vec());
    }
    if target.len() > LONGEST {
        record("linkpath", target.to_vec());
    }
    if size > LARGEST {
        record("size", size.to_string().into_bytes());
    }
    let seconds = node.modified.seconds;
    if node.modified.nanos > 0 || seconds < 0 || seconds as u64 > LARGEST {
        record("mtime", decimal(node.modified).into_bytes());
    }
    for (name, value) in &node.xattrs {
        let acl = match name.as_slice() {
            b"system.posix_acl_access" => acl_text(value).map(|text| ("SCHILY.acl.access", text)),
            b"system.posix_acl_default" => acl_text(value).map(|text| ("SCHILY.acl.default", text)),
            _ => None,
        };
        if let Some((key, text)) = acl {
            record(key, text.into_bytes());
        } else if let Ok(name) = std::str::from_utf8(name) {
            record(&format!("SCHILY.xattr.{name}"), value.clone());
        }
    }
    records
}

/// Returns a POSIX ACL as text, from the form in which Linux keeps it (linux/posix_acl_xattr.h); `None` for
/// anything else.
fn acl_text(value: &[u8]) -> Option<String> {
    let entries = value.strip_prefix(&[2, 0, 0, 0])?;
    let mut texts = Vec::new();
    for entry in entries.chunks(8) {
        let &[tag, 0, bits, 0, a, b, c, d] = entry else { return None };
        let id = u32::from_le_bytes([a, b, c, d]);
        let who = match tag {
            0x01 => "user:".to_owned(),
            0x02 => format!("user:{id}"),
            0x04 => "group:".to_owned(),
            0x08 => format!("group:{id}"),
            0x10 => "mask:".to_owned(),
            0x20 => "other:".to_owned(),
            _ => return None,
        };
        let may = |bit: u8, letter: char| if bits & bit == 0 { '-' } else { letter };
        texts.push(format!("{who}:{}{}{}", may(4, 'r'), may(2, 'w'), may(1, 'x')));
    }
    Some(texts.join(","))
}

/// Returns the seconds since 1970 with their fraction.
fn decimal(time: Timestamp) -> String {
    match (time.seconds, time.nanos) {
        (seconds, 0) => seconds.to_string(),
        (seconds @ 0.., nanos) => format!("{seconds}.{nanos:09}"),
        (seconds, nanos) => {
            let whole = (seconds + 1).unsigned_abs();
            format!("-{whole}.{:09}", 1_000_000_000 - nanos.min(999_999_999))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_decimal_numbers_on_both_sides_of_1970() {
        let text = |seconds, nanos| decimal(Timestamp { seconds, nanos });
        assert_eq!(text(5, 0), "5");
        assert_eq!(text(5, 1), "5.000000001");
        assert_eq!(text(-2, 500_000_000), "-1.500000000");
        assert_eq!(text(-1, 250_000_000), "-0.750000000");
        assert_eq!(text(-7, 0), "-7");
    }
}
