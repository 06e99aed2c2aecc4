//! A snapshot as the engine reads it, in the form that the second reader's `dump` prints.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use yore_engine::format::{Holes, Node, encode_hex};
use yore_engine::read::{DirRef, OpenFile, Reader, children};
use yore_platform::{Kind, Timestamp};

/// Describes every node of a tree, each directory before its entries, without names of users and groups and
/// times of birth, which the engine's readers do not return.
///
/// # Errors
/// The first node that can't be read.
pub fn describe(reader: &Reader, root: &DirRef) -> yore_engine::Result<Vec<Value>> {
    let mut lines = Vec::new();
    walk(reader, root, &[], &mut lines)?;
    Ok(lines)
}

fn walk(
    reader: &Reader,
    dir: &DirRef,
    path: &[u8],
    lines: &mut Vec<Value>,
) -> yore_engine::Result<()> {
    let mut found = Vec::new();
    children(reader, dir, &mut |seen| {
        found.push(seen);
        Ok(())
    })?;
    for seen in found {
        let here = match path.is_empty() {
            true => seen.node.name.clone(),
            false => [path, b"/", &seen.node.name].concat(),
        };
        lines.push(line(reader, &seen.node, &here)?);
        if let Some(dir @ (DirRef::Tree(_) | DirRef::Merged(_))) = &seen.dir {
            walk(reader, dir, &here, lines)?;
        }
    }
    Ok(())
}

fn line(reader: &Reader, node: &Node, path: &[u8]) -> yore_engine::Result<Value> {
    let is_file = node.kind == Kind::File;
    let is_device = matches!(node.kind, Kind::CharDevice | Kind::BlockDevice);
    let (mut digest, mut holes) = (None, Vec::new());
    if is_file {
        let file = OpenFile::open(reader, node)?;
        digest = Some(digest_of(reader, &file)?);
        holes = holes_of(node, &file);
    }
    let xattrs = node.xattrs.iter();
    let xattrs: Vec<_> = xattrs.map(|(n, v)| json!([encode_hex(n), encode_hex(v)])).collect();
    let rdev = json!([node.device_number.major, node.device_number.minor]);
    Ok(json!({
        "path": encode_hex(path),
        "kind": kind(node.kind),
        "mode": node.mode,
        "uid": node.owner.map(|owner| owner.uid),
        "gid": node.owner.map(|owner| owner.gid),
        "mtime": nanoseconds(node.modified),
        "ctime": node.changed.map(nanoseconds),
        "size": if is_file { node.size } else { 0 },
        "sha256": digest,
        "holes": holes,
        "link": (node.kind == Kind::Symlink).then(|| encode_hex(&node.target)),
        "rdev": is_device.then_some(rdev),
        "xattrs": xattrs,
        "links": node.links,
        "inode": node.inode,
        "flags": node.flags.0,
        "readable": node.kind != Kind::Directory || node.subtree.is_some(),
    }))
}

fn digest_of(reader: &Reader, file: &OpenFile) -> yore_engine::Result<String> {
    let (mut hash, mut at) = (Sha256::new(), 0);
    while at < file.size() {
        let mut length = 0;
        file.read(reader, at, 1 << 20, &mut |bytes| {
            hash.update(bytes);
            length = bytes.len() as u64;
        })?;
        assert_ne!(length, 0, "a read before the end returns something");
        at += length;
    }
    Ok(encode_hex(&hash.finalize()))
}

fn holes_of(node: &Node, file: &OpenFile) -> Vec<Value> {
    let (mut holes, mut at) = (Vec::new(), 0);
    if matches!(&node.holes, Holes::Inline(none) if none.is_empty()) {
        return holes;
    }
    while at < file.size() {
        let data = file.next_data(at).unwrap_or(file.size());
        if data > at {
            holes.push(json!([at, data - at]));
        }
        at = file.next_hole(data).unwrap_or(file.size());
    }
    holes
}

fn nanoseconds(time: Timestamp) -> String {
    (i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos)).to_string()
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Directory => "directory",
        Kind::Symlink => "symlink",
        Kind::Fifo => "fifo",
        Kind::Socket => "socket",
        Kind::CharDevice => "character",
        Kind::BlockDevice => "block",
    }
}
