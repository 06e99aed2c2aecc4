//! Directories that no healthy backup makes.

use jiff::tz::TimeZone;
use yore_engine::{BlobId, Cost, CreateOptions, Folder, Parameters, Secret, Strange, Tree, create};
use yore_platform::{Timestamp, Volume};

use super::*;
use crate::inode::sharing::PathHash;
use crate::options::VolumeOptions;

const ID: BlobId = BlobId([1; 32]);

/// A volume with one directory, in no repository, that holds `nodes` and a strange name.
fn volume(nodes: Vec<Node>, tree: Option<BlobId>) -> (tempfile::TempDir, SnapshotVolume, PlaceNo) {
    let dir = tempfile::tempdir().expect("a folder");
    let secret = Secret::draw_key_file();
    let options = CreateOptions {
        secrets: &[(&secret, "test")],
        cost: Cost::STANDARD,
        parameters: Parameters::default(),
        time: Timestamp::default(),
    };
    let folder = Arc::new(Folder::new(dir.path().join("repository")));
    let repository = Arc::new(create(folder, &options).expect("a repository"));
    let options = VolumeOptions::new(TimeZone::UTC);
    let (volume, _) = SnapshotVolume::open(repository, options).expect("a volume");
    let strange = vec![Strange { name: b"odd".to_vec(), reason: "of an unknown kind" }];
    volume.directories.keep(ID, Tree::Nodes { nodes, strange }).expect("a directory");
    let origin = OriginNo(1);
    let tree = tree.map(|id| volume.tables.tree_of_blob(id, origin).expect("a number"));
    let state = volume.tables.state(crate::tree::state_tree::Made::Empty, Timestamp::default());
    let above = volume.tables.tree_of_blob(BlobId([2; 32]), origin).expect("a number");
    let inside = Dir { state, origin: Some(origin), tree, node: (above, 0) };
    let place = volume.tables.place_of_tree(PlaceNo::ROOT, b"x", (inside, PathHash::TOP));
    (dir, volume, place)
}

fn node(name: &[u8]) -> Node {
    Node::new(name, Kind::File, Timestamp::default())
}

fn names(volume: &SnapshotVolume, place: PlaceNo, from: u64) -> (usize, Result<(), VolumeError>) {
    let mut names = 0;
    let answer = volume.list(place.ino(), from, &mut |_| {
        names += 1;
        More::Wanted
    });
    (names, answer)
}

#[test]
fn a_directory_with_a_strange_name_does_not_look_complete() {
    let long = vec![b'l'; 256];
    let (_dir, volume, place) = volume(vec![node(b"a"), node(&long), node(b"z")], Some(ID));
    assert_eq!(names(&volume, place, 0), (2, Err(VolumeError::Damaged)));
    // The host asks again behind the last name, and learns it then.
    assert_eq!(names(&volume, place, 3), (0, Err(VolumeError::Damaged)));
    let find = |name: &[u8]| volume.lookup(place.ino(), name).map(|_| ());
    assert_eq!(find(b"z"), Ok(()));
    assert_eq!(find(b"odd"), Err(VolumeError::Damaged));
    assert_eq!(find(b"other"), Err(VolumeError::NotFound));
}

#[test]
fn a_directory_that_was_unreadable_is_not_empty() {
    let (_dir, volume, place) = volume(Vec::new(), None);
    assert_eq!(names(&volume, place, 0), (0, Err(VolumeError::Damaged)));
    let find = volume.lookup(place.ino(), b"x").map(|_| ());
    assert_eq!(find, Err(VolumeError::Damaged));
}
