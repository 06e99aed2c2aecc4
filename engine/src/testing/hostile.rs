//! Repositories written by an attacker who holds the keys: nothing hangs, memory stays bounded, nothing leaves the
//! target, and sound files beside can still be read.

use yore_platform::Kind;

use crate::format::id::BlobId;
use crate::format::keys::BlobKind;
use crate::format::tree::{
    Chunk, Content, Holes, LeafRef, ListRef, Node, encode_hole_list, encode_list, forged_leaves,
    forged_nodes,
};
use crate::maintenance::check::{CheckOptions, check};
use crate::read::file::OpenFile;
use crate::read::state_tree::{DirRef, Lookup};
use crate::repository::Repository;
use crate::restore::{RestoreOptions, restore};
use crate::testing::forge::Forge;
use crate::testing::{RecordingObserver, Sample, time};

struct Hostile {
    sample: Sample,
    forge: Forge,
}

impl Hostile {
    fn new() -> Self {
        Self { sample: Sample::new(), forge: Forge::default() }
    }

    fn repository(&self) -> &Repository {
        &self.sample.repository
    }

    fn blob(&mut self, kind: BlobKind, bytes: Vec<u8>) -> BlobId {
        self.forge.add(&self.sample.repository, kind, bytes)
    }

    fn tree(&mut self, nodes: &[Node]) -> BlobId {
        self.blob(BlobKind::Tree, forged_nodes(nodes))
    }

    /// Publishes a top that holds `nodes` and a sound file after them; checks and restores it.
    /// Returns the number of problems of the check, of those of the restore, and the restored names.
    fn run(mut self, mut nodes: Vec<Node>) -> (usize, usize, Vec<String>) {
        nodes.push(file(b"zzz", Content::Inline(b"sound".to_vec()), 5));
        let root = self.tree(&nodes);
        let forge = std::mem::take(&mut self.forge);
        forge.publish(self.repository(), root);
        let observer = RecordingObserver::default();
        let found = check(self.repository(), &CheckOptions::default(), &observer).expect("a check");
        let target = self.sample.folder.path().join("target");
        let reader = self.sample.reader();
        let what = Lookup::Root(DirRef::Tree(root));
        let observer = RecordingObserver::default();
        let options = RestoreOptions::default();
        restore(&reader, &what, b"", &target, &options, &observer).expect("a restore");
        let sound = std::fs::read(target.join("zzz")).expect("the sound file");
        assert_eq!(sound, b"sound");
        let names = std::fs::read_dir(&target).expect("a target");
        let mut names: Vec<_> = names
            .map(|entry| entry.expect("a name").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        (found.problems.len(), observer.messages().len(), names)
    }
}

fn node(name: &[u8], kind: Kind) -> Node {
    Node::new(name, kind, time(1))
}

fn file(name: &[u8], content: Content, size: u64) -> Node {
    let mut node = node(name, Kind::File);
    (node.content, node.size) = (content, size);
    node
}

fn dir(name: &[u8], tree: BlobId) -> Node {
    let mut node = node(name, Kind::Directory);
    node.subtree = Some(tree);
    node
}

#[test]
fn names_that_lead_elsewhere_are_reported_and_not_restored() {
    let hostile = Hostile::new();
    let names: [&[u8]; 6] = [b".", b"..", b"../../escaped", b"/etc/escaped", b"a/b", b"nul\0"];
    let nodes = names.iter().map(|name| file(name, Content::Inline(b"x".to_vec()), 1)).collect();
    let (problems, reported, there) = hostile.run(nodes);
    assert_eq!((problems, reported), (6, 6));
    assert_eq!(there, ["zzz"]);
}

#[test]
fn leaves_that_repeat_names_give_each_once() {
    let mut hostile = Hostile::new();
    let leaf = hostile.tree(&[file(b"x", Content::Inline(b"x".to_vec()), 1)]);
    let leaves: Vec<_> =
        (b'a'..=b'x').map(|first| LeafRef { first: vec![first], id: leaf, nodes: 1 }).collect();
    let large = hostile.blob(BlobKind::Tree, forged_leaves(&leaves));
    let (problems, reported, there) = hostile.run(vec![dir(b"large", large)]);
    assert!(problems >= 1 && reported == 23, "{problems} {reported}");
    assert_eq!(there, ["large", "zzz"]);
}

#[test]
fn trees_nested_twenty_thousand_deep_end_in_an_error() {
    let mut hostile = Hostile::new();
    let mut deep = hostile.tree(&[]);
    for _ in 0..20_000 {
        deep = hostile.tree(&[dir(b"d", deep)]);
    }
    let (problems, reported, there) = hostile.run(vec![dir(b"deep", deep)]);
    assert_eq!(problems, 0);
    assert!((1..10).contains(&reported), "{reported}");
    assert_eq!(there, ["deep", "zzz"]);
}

#[test]
fn trees_that_double_at_every_level_are_checked_once() {
    let mut hostile = Hostile::new();
    let mut bomb = hostile.tree(&[]);
    for _ in 0..60 {
        bomb = hostile.tree(&[dir(b"a", bomb), dir(b"b", bomb)]);
    }
    let root = hostile.tree(&[dir(b"bomb", bomb)]);
    std::mem::take(&mut hostile.forge).publish(hostile.repository(), root);
    let found =
        check(hostile.repository(), &CheckOptions::default(), &RecordingObserver::default());
    assert_eq!(found.expect("a check").trees, 62);
}

#[test]
fn sizes_and_holes_beyond_reason_are_refused() {
    let mut hostile = Hostile::new();
    let chunk = hostile.blob(BlobKind::Data, vec![7; 1000]);
    let holes: Vec<_> =
        (0..32_768).map(|_| crate::format::tree::Hole { data: 0, hole: 1 }).collect();
    let holes = hostile.blob(BlobKind::List, encode_hole_list(&holes));
    let one = |length| Content::Chunks(vec![Chunk { id: chunk, length }]);
    let mut many = file(b"many holes", one(1000), 1000 + (32_768 << 14));
    many.holes = Holes::Lists(vec![holes; 1 << 14]);
    let huge = file(b"huge", one(1000), 1 << 63);
    let longer = file(b"longer", one(2000), 2000);
    let list =
        hostile.blob(BlobKind::List, encode_list(0, &[ListRef { id: chunk, length: 1 << 40 }]));
    let lists = Content::Lists { depth: 0, lists: vec![ListRef { id: list, length: 1 << 40 }] };
    let listed = file(b"listed", lists, 1 << 40);
    let (problems, reported, there) = hostile.run(vec![huge, listed, longer, many]);
    assert_eq!((problems, reported), (4, 4));
    assert_eq!(there, ["zzz"]);
}

#[test]
fn a_tebibyte_of_one_chunk_is_read_anywhere_at_once() {
    let mut hostile = Hostile::new();
    let chunk = hostile.blob(BlobKind::Data, vec![7; 1 << 20]);
    let mut id = chunk;
    let mut length = 1u64 << 20;
    for depth in 0..2 {
        id = hostile.blob(BlobKind::List, encode_list(depth, &vec![ListRef { id, length }; 1024]));
        length *= 1024;
    }
    let content = Content::Lists { depth: 1, lists: vec![ListRef { id, length }] };
    let node = file(b"huge", content, length);
    let root = hostile.tree(std::slice::from_ref(&node));
    std::mem::take(&mut hostile.forge).publish(hostile.repository(), root);
    let found =
        check(hostile.repository(), &CheckOptions::default(), &RecordingObserver::default());
    assert_eq!(found.expect("a check").problems.len(), 0);
    let reader = hostile.sample.reader();
    let open = OpenFile::open(&reader, &node).expect("a file");
    for offset in [0, length / 3, length - 10] {
        open.read(&reader, offset, 10, &mut |bytes| assert_eq!(bytes, [7; 10])).expect("bytes");
    }
}
