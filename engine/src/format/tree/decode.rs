//! Decoding trees and lists: bounded by the input, which may be hostile.

use minicbor::Decoder;
use yore_platform::{DeviceNumber, Kind, Owner};

use crate::format::cbor::{self, Read};
use crate::format::id::BlobId;
use crate::format::tree::encode::Before;
use crate::format::tree::owner_names::Table;
use crate::format::tree::{
    Chunk, Content, Flags, Hole, Holes, InvalidNode, LeafRef, ListRef, Node, OwnerNames, Tree,
};
use crate::path::Name;

/// The first of the keys of a node that a reader may ignore.
const FIRST_OPTIONAL_KEY: u64 = 64;
/// The greatest depth of lists of lists.
const MAX_DEPTH: u8 = 8;
/// The most holes in a node itself.
const MAX_INLINE_HOLES: usize = 2048;
/// The most nodes of a tree blob, many times those of a writer: decoded, a node takes thirty times
/// its encoded bytes.
const MAX_NODES: usize = 1 << 18;
/// The most users, or groups, that own nodes of a tree blob.
const MAX_OWNERS: usize = 1 << 16;
/// The most extended attributes of a node; Linux allows names of 65,536 bytes together.
const MAX_XATTRS: usize = 1 << 16;

/// Decodes a tree blob.
pub(crate) fn decode_tree(bytes: &[u8]) -> Read<Tree> {
    let mut d = Decoder::new(bytes);
    let (mut nodes, mut leaves, mut small) = (None, None, &[][..]);
    let (mut users, mut groups) = (Vec::new(), Vec::new());
    cbor::map(
        &mut d,
        |key, d| {
            match key {
                1 => nodes = Some(decode_nodes(d)?),
                2 => leaves = Some(decode_leaves(d)?),
                3 => users = decode_names(d)?,
                4 => groups = decode_names(d)?,
                _ => return Ok(false),
            }
            Ok(true)
        },
        |key, value| {
            if key == 5 {
                small = value;
            }
        },
    )?;
    if d.position() != bytes.len() {
        return cbor::refuse("trailing bytes");
    }
    match (nodes, leaves) {
        (Some(nodes), None) => {
            let small = if small.is_empty() { small } else { Decoder::new(small).bytes()? };
            let (nodes, invalid) = finish_nodes(nodes, small, &OwnerNames::new(users, groups))?;
            Ok(Tree::Nodes { nodes, invalid })
        }
        (None, Some(leaves)) => Ok(Tree::Leaves(leaves)),
        _ => cbor::refuse("neither nodes nor leaves"),
    }
}

/// Decodes the names of users or groups, by number.
fn decode_names(d: &mut Decoder<'_>) -> Read<Table> {
    let mut names = Table::new();
    cbor::map(
        d,
        |number, d| {
            if names.len() == MAX_OWNERS {
                return cbor::refuse("more owners than a tree may have");
            }
            names.push((number, d.str()?.as_bytes().into()));
            Ok(true)
        },
        |_, _| {},
    )?;
    Ok(names)
}

/// A node whose small content is still to be cut from the tree's.
struct PendingNode {
    node: Node,
    /// The length of its small content.
    small: Option<u64>,
    invalid: Option<&'static str>,
}

fn decode_nodes(d: &mut Decoder<'_>) -> Read<Vec<PendingNode>> {
    let items = cbor::items(d)?;
    if items > MAX_NODES {
        return cbor::refuse("more nodes than a tree may have");
    }
    let mut nodes: Vec<PendingNode> = Vec::with_capacity(items.min(4096));
    let mut before = Before::FIRST;
    for _ in 0..items {
        let next = decode_node(d, before)?;
        if nodes.last().is_some_and(|last| last.node.name >= next.node.name) {
            return cbor::refuse("names out of order");
        }
        before = Before { modified: next.node.modified, inode: next.node.inode };
        nodes.push(next);
    }
    Ok(nodes)
}

/// Cuts the small files' bytes off `small` in order, and separates the invalid nodes.
fn finish_nodes(
    pending: Vec<PendingNode>,
    mut small: &[u8],
    names: &OwnerNames,
) -> Read<(Vec<Node>, Vec<InvalidNode>)> {
    let mut nodes = Vec::with_capacity(pending.len());
    let mut invalid = Vec::new();
    for PendingNode { mut node, small: length, invalid: reason } in pending {
        if let Some(length) = length {
            let split =
                usize::try_from(length).ok().and_then(|length| small.split_at_checked(length));
            let (bytes, rest) = cbor::required(split)?;
            node.content = Content::Inline(bytes.to_vec());
            small = rest;
        }
        node.owner_names = names.clone();
        match reason.or_else(|| impossible(&node)) {
            None => nodes.push(node),
            Some(reason) => invalid.push(InvalidNode { name: node.name, reason }),
        }
    }
    if small.is_empty() { Ok((nodes, invalid)) } else { cbor::refuse("contents are left over") }
}

/// Returns why a node is invalid although it decodes.
fn impossible(node: &Node) -> Option<&'static str> {
    let is_file = node.kind == Kind::File;
    if Name::new(&node.name).is_none() {
        return Some("its name is not allowed");
    }
    if !is_file && (node.content != Content::Empty || !node.holes.is_empty() || node.size > 0) {
        return Some("it has content, but is not a file");
    }
    if let (true, Holes::Inline(holes)) = (is_file, &node.holes) {
        let end = holes
            .iter()
            .try_fold(0u64, |end, hole| end.checked_add(hole.data)?.checked_add(hole.hole));
        let zeros = holes.iter().fold(0u64, |sum, hole| sum.saturating_add(hole.hole));
        let size = node.data_length().checked_add(zeros);
        if size != Some(node.size) || end.is_none_or(|end| end > node.size) {
            return Some("its size is not that of its content");
        }
    }
    if node.mode.is_some_and(|mode| mode > 0o7777) {
        return Some("its mode is not one");
    }
    None
}

/// Parts of a node that only together make a field.
#[derive(Default)]
struct Parts {
    mode: Option<u32>,
    uid: Option<u32>,
    gid: Option<u32>,
    ids: Option<Vec<BlobId>>,
    lengths: Option<Vec<u64>>,
}

fn decode_node(d: &mut Decoder<'_>, before: Before) -> Read<PendingNode> {
    let mut node = Node::new(&[], Kind::File, before.modified);
    let mut parts = Parts::default();
    let (mut small, mut invalid, mut named, mut unknown) = (None, None, 0, None);
    let mut extra = Vec::new();
    cbor::map(
        d,
        |key, d| {
            match key {
                1 => node.name = d.bytes()?.to_vec(),
                2 => match kind_of(d.u64()?) {
                    Some(kind) => node.kind = kind,
                    None => invalid = Some("its kind is not known to this version"),
                },
                6 => node.modified = cbor::time(d, before.modified)?,
                9 => node.inode = before.inode.wrapping_add(d.i64()? as u64),
                11 => small = Some(d.u64()?),
                _ => return decode_part(key, d, &mut node, &mut parts),
            }
            named += usize::from(matches!(key, 1 | 2 | 6));
            Ok(true)
        },
        |key, value| {
            if key < FIRST_OPTIONAL_KEY {
                unknown = Some("it has a part that this version does not know");
            }
            extra.push((key, value.to_vec()));
        },
    )?;
    if named != 3 {
        return cbor::refuse("a node lacks name, kind or time");
    }
    node.extra = extra;
    node.mode = parts.mode;
    node.owner = parts.uid.zip(parts.gid).map(|(uid, gid)| Owner { uid, gid });
    let contents = usize::from(small.is_some())
        + usize::from(parts.ids.is_some())
        + usize::from(node.content != Content::Empty);
    if contents > 1 {
        return cbor::refuse("a file with two contents");
    }
    if let Some(ids) = parts.ids {
        match chunks(&node, ids, parts.lengths) {
            Some(content) => node.content = content,
            None => invalid = Some("its chunks and their lengths do not agree"),
        }
    }
    Ok(PendingNode { node, small, invalid: invalid.or(unknown) })
}

fn decode_part(key: u64, d: &mut Decoder<'_>, node: &mut Node, parts: &mut Parts) -> Read<bool> {
    match key {
        3 => parts.mode = Some(d.u32()?),
        4 => parts.uid = Some(d.u32()?),
        5 => parts.gid = Some(d.u32()?),
        7 => node.changed = Some(cbor::time(d, node.modified)?),
        8 => node.born = Some(cbor::time(d, node.changed.unwrap_or(node.modified))?),
        10 => node.size = d.u64()?,
        12 => parts.ids = Some(joined_ids(d.bytes()?)?),
        13 => parts.lengths = Some(cbor::numbers(d)?),
        14 => node.content = decode_lists(d)?,
        15 => {
            let holes = decode_holes(d)?;
            if holes.len() > MAX_INLINE_HOLES {
                return cbor::refuse("more holes than a node may have");
            }
            node.holes = Holes::Inline(holes);
        }
        16 => node.subtree = Some(BlobId(cbor::bytes32(d)?)),
        17 => node.target = d.bytes()?.to_vec(),
        18 => {
            cbor::expect_items(d, 2)?;
            node.device_number = DeviceNumber { major: d.u32()?, minor: d.u32()? };
        }
        19 => {
            let items = cbor::items(d)?;
            if items % 2 != 0 || items / 2 > MAX_XATTRS {
                return cbor::refuse("attributes without values, or too many");
            }
            node.xattrs = (0..items / 2)
                .map(|_| Ok((d.bytes()?.to_vec(), d.bytes()?.to_vec())))
                .collect::<Read<_>>()?;
        }
        20 => node.links = d.u64()?,
        21 => node.filesystem = d.u64()?,
        22 => node.flags = Flags(d.u64()?),
        27 => node.holes = Holes::Lists(cbor::ids(d)?.into_iter().map(BlobId).collect()),
        _ => return Ok(false),
    }
    Ok(true)
}

fn chunks(node: &Node, ids: Vec<BlobId>, lengths: Option<Vec<u64>>) -> Option<Content> {
    let lengths = match (lengths, &node.holes) {
        (Some(lengths), _) => lengths,
        (None, Holes::Lists(_)) => return None,
        (None, Holes::Inline(holes)) => {
            let zeros = holes.iter().fold(0u64, |sum, hole| sum.saturating_add(hole.hole));
            vec![node.size.saturating_sub(zeros)]
        }
    };
    if lengths.len() != ids.len() || ids.is_empty() {
        return None;
    }
    let chunk = |(id, length)| Some(Chunk { id, length: u32::try_from(length).ok()? });
    ids.into_iter().zip(lengths).map(chunk).collect::<Option<Vec<_>>>().map(Content::Chunks)
}

fn kind_of(number: u64) -> Option<Kind> {
    Some(match number {
        0 => Kind::File,
        1 => Kind::Directory,
        2 => Kind::Symlink,
        3 => Kind::Fifo,
        4 => Kind::Socket,
        5 => Kind::CharDevice,
        6 => Kind::BlockDevice,
        _ => return None,
    })
}

fn joined_ids(bytes: &[u8]) -> Read<Vec<BlobId>> {
    if !bytes.len().is_multiple_of(32) {
        return cbor::refuse("ids of another length");
    }
    Ok(bytes.chunks_exact(32).filter_map(BlobId::from_slice).collect())
}

fn decode_leaves(d: &mut Decoder<'_>) -> Read<Vec<LeafRef>> {
    let items = cbor::items(d)?;
    let mut leaves: Vec<LeafRef> = Vec::new();
    for _ in 0..items {
        cbor::expect_items(d, 3)?;
        let first = d.bytes()?.to_vec();
        let leaf = LeafRef { first, id: BlobId(cbor::bytes32(d)?), nodes: d.u64()? };
        if leaf.nodes == 0 || leaves.last().is_some_and(|last| last.first >= leaf.first) {
            return cbor::refuse("leaves out of order");
        }
        leaves.push(leaf);
    }
    Ok(leaves)
}

fn decode_lists(d: &mut Decoder<'_>) -> Read<Content> {
    let items = cbor::items(d)?;
    let depth = d.u8()?;
    if items < 2 || depth > MAX_DEPTH {
        return cbor::refuse("lists of impossible depth");
    }
    let mut lists = Vec::new();
    for _ in 1..items {
        cbor::expect_items(d, 2)?;
        lists.push(ListRef { id: BlobId(cbor::bytes32(d)?), length: d.u64()? });
    }
    Ok(Content::Lists { depth, lists })
}

fn decode_holes(d: &mut Decoder<'_>) -> Read<Vec<Hole>> {
    let numbers = cbor::numbers(d)?;
    if !numbers.len().is_multiple_of(2) {
        return cbor::refuse("a hole without a length");
    }
    let holes = numbers.chunks_exact(2).map(|pair| Hole { data: pair[0], hole: pair[1] });
    let holes: Vec<_> = holes.collect();
    if holes.iter().any(|hole| hole.hole == 0) {
        return cbor::refuse("a hole of no bytes");
    }
    Ok(holes)
}

/// Decodes a list blob that is expected at `depth`: chunks or lists, with the bytes under each.
pub(crate) fn decode_list(bytes: &[u8], depth: u8) -> Read<Vec<ListRef>> {
    let mut d = Decoder::new(bytes);
    cbor::expect_items(&mut d, 3)?;
    if d.u8()? != depth {
        return cbor::refuse("a list of another depth");
    }
    let ids = joined_ids(d.bytes()?)?;
    let lengths = cbor::numbers(&mut d)?;
    if ids.len() != lengths.len() || ids.is_empty() || d.position() != bytes.len() {
        return cbor::refuse("ids and lengths do not agree");
    }
    Ok(ids.into_iter().zip(lengths).map(|(id, length)| ListRef { id, length }).collect())
}

/// Decodes a part of a long list of holes.
pub(crate) fn decode_hole_list(bytes: &[u8]) -> Read<Vec<Hole>> {
    let mut d = Decoder::new(bytes);
    let holes = decode_holes(&mut d)?;
    if d.position() == bytes.len() { Ok(holes) } else { cbor::refuse("trailing bytes") }
}
