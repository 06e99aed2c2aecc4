//! Nodes, trees and lists as CBOR.

use std::collections::BTreeMap;

use yore_platform::{Kind, Timestamp};

use crate::format::cbor::{EPOCH, MapWriter, Writer};
use crate::format::tree::{Chunk, Content, Hole, Holes, LeafRef, ListRef, Naming, Node};

/// The numbers of the node before, to which the numbers of the next one are relative.
#[derive(Clone, Copy)]
pub(super) struct Before {
    pub(super) modified: Timestamp,
    pub(super) inode: u64,
}

impl Before {
    pub(super) const FIRST: Before = Before { modified: EPOCH, inode: 0 };
}

pub(super) fn kind_number(kind: Kind) -> u64 {
    match kind {
        Kind::File => 0,
        Kind::Directory => 1,
        Kind::Symlink => 2,
        Kind::Fifo => 3,
        Kind::Socket => 4,
        Kind::CharDevice => 5,
        Kind::BlockDevice => 6,
    }
}

/// Encodes a tree blob of nodes, which must be sorted by name.
pub(super) fn encode_nodes(nodes: &[Node], names: &Naming) -> Vec<u8> {
    let mut out = Vec::with_capacity(nodes.len() * 128);
    let mut map = MapWriter::new(&mut out);
    let mut encoded = Vec::with_capacity(nodes.len() * 128);
    let mut small = Vec::new();
    let (mut users, mut groups) = (BTreeMap::new(), BTreeMap::new());
    let mut before = Before::FIRST;
    for node in nodes {
        encode_node(node, before, &mut encoded);
        before = Before { modified: node.modified, inode: node.inode };
        if let Content::Inline(bytes) = &node.content {
            small.extend_from_slice(bytes);
        }
        if let Some(owner) = node.owner {
            users.entry(owner.uid).or_insert_with(|| names.user(node, owner.uid));
            groups.entry(owner.gid).or_insert_with(|| names.group(node, owner.gid));
        }
    }
    map.key(1).array(nodes.len() as u64).raw(&encoded);
    for (key, table) in [(3, users), (4, groups)] {
        let known: Vec<_> = table.into_iter().filter_map(|(id, name)| Some((id, name?))).collect();
        if !known.is_empty() {
            let mut writer = map.key(key);
            writer.map(known.len() as u64);
            for (id, name) in known {
                writer.u64(u64::from(id)).str(&String::from_utf8_lossy(&name));
            }
        }
    }
    if !small.is_empty() {
        map.key(5).bytes(&small);
    }
    map.finish();
    out
}

/// Encodes the tree blob of a large directory.
pub(crate) fn encode_leaves(leaves: &[LeafRef]) -> Vec<u8> {
    let mut out = Vec::with_capacity(leaves.len() * 64);
    let mut map = MapWriter::new(&mut out);
    let mut writer = map.key(2);
    writer.array(leaves.len() as u64);
    for leaf in leaves {
        writer.array(3).bytes(&leaf.first).bytes(&leaf.id.0).u64(leaf.nodes);
    }
    map.finish();
    out
}

fn encode_node(node: &Node, before: Before, out: &mut Vec<u8>) {
    let mut map = MapWriter::new(out);
    map.key(1).bytes(&node.name);
    map.key(2).u64(kind_number(node.kind));
    if let Some(mode) = node.mode {
        map.key(3).u64(mode.into());
    }
    if let Some(owner) = node.owner {
        map.key(4).u64(owner.uid.into());
        map.key(5).u64(owner.gid.into());
    }
    map.key(6).time(node.modified, before.modified);
    if let Some(changed) = node.changed {
        map.key(7).time(changed, node.modified);
    }
    if let Some(born) = node.born {
        map.key(8).time(born, node.changed.unwrap_or(node.modified));
    }
    map.key(9).i64(node.inode.wrapping_sub(before.inode) as i64);
    if node.size > 0 {
        map.key(10).u64(node.size);
    }
    encode_content(node, &mut map);
    if let Holes::Inline(holes) = &node.holes
        && !holes.is_empty()
    {
        write_holes(&mut map.key(15), holes);
    }
    encode_kind(node, &mut map);
    encode_xattrs(node, &mut map);
    if node.link_group().is_some() {
        map.key(20).u64(node.links);
        map.key(21).u64(node.filesystem);
    }
    if node.flags.0 != 0 {
        map.key(22).u64(node.flags.0);
    }
    if let Holes::Lists(lists) = &node.holes {
        let mut writer = map.key(27);
        writer.array(lists.len() as u64);
        lists.iter().for_each(|id| {
            writer.bytes(&id.0);
        });
    }
    node.extra.iter().for_each(|(key, value)| {
        map.key(*key).raw(value);
    });
    map.finish();
}

fn encode_xattrs(node: &Node, map: &mut MapWriter<'_>) {
    if node.xattrs.is_empty() {
        return;
    }
    let mut writer = map.key(19);
    writer.array(node.xattrs.len() as u64 * 2);
    node.xattrs.iter().for_each(|(name, value)| {
        writer.bytes(name).bytes(value);
    });
}

/// Encodes the fields that only nodes of some kinds have.
fn encode_kind(node: &Node, map: &mut MapWriter<'_>) {
    if let Some(subtree) = node.subtree {
        map.key(16).bytes(&subtree.0);
    }
    if node.kind == Kind::Symlink {
        map.key(17).bytes(&node.target);
    }
    if matches!(node.kind, Kind::CharDevice | Kind::BlockDevice) {
        let device = node.device_number;
        map.key(18).array(2).u64(device.major.into()).u64(device.minor.into());
    }
}

fn encode_content(node: &Node, map: &mut MapWriter<'_>) {
    match &node.content {
        Content::Empty => {}
        Content::Inline(bytes) => drop(map.key(11).u64(bytes.len() as u64)),
        Content::Chunks(chunks) => {
            map.key(12).bytes(&joined_ids(chunks));
            // That of a single one is known by the holes of the node, where they are in it.
            if chunks.len() != 1 || matches!(node.holes, Holes::Lists(_)) {
                write_lengths(&mut map.key(13), chunks);
            }
        }
        Content::Lists { depth, lists } => {
            let mut writer = map.key(14);
            writer.array(lists.len() as u64 + 1).u64((*depth).into());
            for list in lists {
                writer.array(2).bytes(&list.id.0).u64(list.length);
            }
        }
    }
}

fn joined_ids(chunks: &[Chunk]) -> Vec<u8> {
    chunks.iter().flat_map(|chunk| chunk.id.0).collect()
}

fn write_lengths(writer: &mut Writer<'_>, chunks: &[Chunk]) {
    writer.array(chunks.len() as u64);
    chunks.iter().for_each(|chunk| {
        writer.u64(chunk.length.into());
    });
}

fn write_holes(writer: &mut Writer<'_>, holes: &[Hole]) {
    writer.array(holes.len() as u64 * 2);
    holes.iter().for_each(|hole| {
        writer.u64(hole.data).u64(hole.hole);
    });
}

/// Encodes a list blob: chunks or lists, each with the bytes of data under it.
pub(crate) fn encode_list(depth: u8, items: &[ListRef]) -> Vec<u8> {
    let mut out = Vec::with_capacity(items.len() * 36 + 16);
    let ids: Vec<u8> = items.iter().flat_map(|item| item.id.0).collect();
    let mut writer = Writer::new(&mut out);
    writer.array(3).u64(depth.into()).bytes(&ids).array(items.len() as u64);
    items.iter().for_each(|item| {
        writer.u64(item.length);
    });
    out
}

/// Encodes a part of a long list of holes as a list blob.
pub(crate) fn encode_hole_list(holes: &[Hole]) -> Vec<u8> {
    let mut out = Vec::with_capacity(holes.len() * 10);
    write_holes(&mut Writer::new(&mut out), holes);
    out
}
