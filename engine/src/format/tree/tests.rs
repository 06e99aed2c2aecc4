//! Trees go there and back, large ones in leaves, and hostile ones are refused.

use std::collections::HashMap;

use proptest::prelude::*;
use yore_platform::{DeviceNumber, Kind, Owner, Timestamp};

use super::*;
use crate::format::id::RepositoryId;
use crate::format::keys::{BlobKind, Keys, MasterSecret};
use crate::path::Name;

fn keys() -> Keys {
    Keys::derive(&MasterSecret::from_bytes([1; 32]), RepositoryId([2; 32]))
}

fn build(nodes: Vec<Node>) -> (BlobId, HashMap<BlobId, Vec<u8>>) {
    let names = Naming::System(Box::default());
    let (keys, mut blobs) = (keys(), HashMap::new());
    let mut save = |bytes: Vec<u8>| {
        let id = keys.blob_id(BlobKind::Tree, &bytes);
        blobs.insert(id, bytes);
        Ok(id)
    };
    let mut builder = TreeBuilder::default();
    for node in nodes {
        builder.push(node, &keys, &names, &mut save).expect("saving can't fail here");
    }
    let root = builder.finish(&names, &mut save).expect("saving can't fail here");
    (root, blobs)
}

fn nodes_of(root: BlobId, blobs: &HashMap<BlobId, Vec<u8>>) -> Vec<Node> {
    match decode_tree(&blobs[&root]).expect("it decodes") {
        Tree::Nodes { nodes, invalid } => {
            assert_eq!(invalid, []);
            nodes
        }
        Tree::Leaves(leaves) => leaves.iter().flat_map(|leaf| nodes_of(leaf.id, blobs)).collect(),
    }
}

fn file(name: String, size: u64) -> Node {
    let mut node = Node::new(name.as_bytes(), Kind::File, Timestamp { seconds: 5, nanos: 6 });
    node.size = size;
    node.content = match size {
        0 => Content::Empty,
        1..=512 => Content::Inline(vec![7; size as usize]),
        _ => Content::Chunks(vec![Chunk { id: BlobId([size as u8; 32]), length: size as u32 }]),
    };
    node
}

#[test]
fn a_directory_of_any_size_goes_there_and_back() {
    for count in [0, 1, 100, 4096, 4097, 30_000] {
        let nodes: Vec<Node> = (0..count).map(|i| file(format!("{i:06}"), i % 700)).collect();
        let (root, blobs) = build(nodes.clone());
        assert_eq!(nodes_of(root, &blobs), nodes, "{count} nodes");
    }
}

#[test]
fn one_new_name_in_a_large_directory_rewrites_little() {
    let nodes: Vec<Node> = (0..100_000).map(|i| file(format!("{i:06}"), 1000)).collect();
    let mut changed = nodes.clone();
    changed.insert(50_000, file("049999x".into(), 3));
    let (before, after) = (build(nodes).1, build(changed).1);
    let new = after.keys().filter(|id| !before.contains_key(id)).count();
    assert!(new <= 3, "{new} of {} blobs are new", after.len());
}

proptest! {
    #[test]
    fn every_part_of_a_node_goes_there_and_back(
        seconds in any::<i64>(), nanos in 0u32..1_000_000_000, deltas in any::<(i64, i64)>(),
        inode in any::<u64>(), ids in any::<(u32, u32)>(), mode in 0u32..0o10000,
        name in proptest::collection::vec(1u8..=255, 1..300), links in 1u64..5,
    ) {
        prop_assume!(Name::new(&name).is_some());
        let mut node = Node::new(&name, Kind::CharDevice, Timestamp { seconds, nanos });
        node.changed = Some(Timestamp { seconds: deltas.0, nanos });
        node.born = Some(Timestamp { seconds: deltas.1, nanos: 0 });
        (node.inode, node.links, node.mode) = (inode, links, Some(mode));
        node.filesystem = if links > 1 { inode } else { 0 };
        node.owner = Some(Owner { uid: ids.0, gid: ids.1 });
        node.device_number = DeviceNumber { major: ids.1, minor: ids.0 };
        node.xattrs = vec![(b"user.a".to_vec(), name.clone()), (b"user.b".to_vec(), vec![])];
        node.flags = Flags::STALE;
        node.extra = vec![(99, vec![0x81, 0x05])];
        let (root, blobs) = build(vec![node.clone()]);
        prop_assert_eq!(nodes_of(root, &blobs), vec![node]);
    }

    #[test]
    fn nonsense_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode_tree(&bytes);
        let _ = decode_list(&bytes, 0);
        let _ = decode_hole_list(&bytes);
    }

    #[test]
    fn damage_to_a_tree_never_panics(at in any::<proptest::sample::Index>(), flip in 1u8..) {
        let (root, blobs) = build((0..50).map(|i| file(format!("{i}x"), i * 30)).collect::<Vec<_>>()
            .into_iter().collect());
        let mut bytes = blobs[&root].clone();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let _ = decode_tree(&bytes);
    }
}

#[test]
fn names_that_could_leave_a_directory_are_set_apart() {
    for name in [&b".."[..], b".", b"a/b", b"a\0b"] {
        let (root, blobs) = build(vec![Node::new(name, Kind::File, Timestamp::default())]);
        let Tree::Nodes { nodes, invalid } = decode_tree(&blobs[&root]).expect("it decodes") else {
            panic!("a small directory has no leaves");
        };
        assert!(nodes.is_empty() && invalid.len() == 1, "{name:?}");
    }
}

#[test]
fn a_size_that_is_not_that_of_the_content_is_set_apart() {
    let mut node = file("big".into(), 1000);
    node.size = 1 << 63;
    node.content = Content::Chunks(vec![
        Chunk { id: BlobId([1; 32]), length: 5 },
        Chunk { id: BlobId([1; 32]), length: 5 },
    ]);
    let (root, blobs) = build(vec![node]);
    let Tree::Nodes { invalid, .. } = decode_tree(&blobs[&root]).expect("it decodes") else {
        panic!("a small directory has no leaves");
    };
    assert_eq!(invalid.len(), 1);
}

#[test]
fn a_file_of_one_chunk_and_many_holes_goes_there_and_back() {
    let mut node = file("sparse".into(), 600);
    node.size = 1 << 30;
    node.holes = Holes::Lists(vec![BlobId([9; 32]), BlobId([8; 32])]);
    let (root, blobs) = build(vec![node.clone()]);
    assert_eq!(nodes_of(root, &blobs), [node]);
}

#[test]
fn leaves_of_nodes_with_many_holes_stay_small() {
    let hole = Hole { data: 4096, hole: 4096 };
    let nodes: Vec<Node> = (0..1200)
        .map(|number| {
            let mut node = file(format!("{number:06}"), 600);
            let chunk = Chunk { id: BlobId([9; 32]), length: 1000 * 4096 };
            node.content = Content::Chunks(vec![chunk; 2]);
            node.holes = Holes::Inline(vec![hole; 2000]);
            node.size = 4000 * 4096;
            node
        })
        .collect();
    let (root, blobs) = build(nodes.clone());
    assert!(blobs.values().all(|blob| blob.len() < 4 << 20));
    assert_eq!(nodes_of(root, &blobs), nodes);
}
