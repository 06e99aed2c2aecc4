//! Directories that no healthy backup makes.

use yore_engine::backend::Folder;
use yore_engine::format::{BlobId, Cost, InvalidNode, Parameters, Secret, Tree};
use yore_engine::read::Reader;
use yore_engine::repository::{CreateOptions, create};
use yore_platform::{Owner, Timestamp};

use super::*;
use crate::inode::place::Opaque;
use crate::inode::sharing::PathHash;
use crate::inode::state::StateParts;
use crate::inode::tables::Tables;
use crate::tree::directories::Directories;
use crate::tree::follow::{current, open_dir};
use crate::tree::presentation::Presentation;

const ID: BlobId = BlobId([1; 32]);

struct Root;

impl Opaque for Root {
    fn is_same(&self, _other: &dyn Opaque) -> bool {
        true
    }
}

/// A core whose repository is empty.
struct Fixture {
    _dir: tempfile::TempDir,
    core: Core,
    place: PlaceNo,
}

fn reader(dir: &tempfile::TempDir) -> Reader {
    let secret = Secret::draw_key_file();
    let options = CreateOptions {
        secrets: &[(&secret, "test")],
        cost: Cost::STANDARD,
        parameters: Parameters::default(),
        time: Timestamp::default(),
    };
    let folder = Arc::new(Folder::new(dir.path().join("repository")));
    let repository = Arc::new(create(folder, &options).expect("a repository"));
    repository.reader(1 << 20).expect("a reader").0
}

/// A directory that holds `nodes` and a name that can't be presented, numbered as if a state had it.
fn directory(nodes: Vec<Node>, tree: Option<BlobId>) -> Fixture {
    let dir = tempfile::tempdir().expect("a folder");
    let owner = Owner { uid: 0, gid: 0 };
    let core = Core {
        reader: Arc::new(reader(&dir)),
        tables: Tables::new(1 << 20, Arc::new(Root)),
        directories: Directories::new(1 << 20),
        presentation: Presentation { owner: None, unknown: owner, umask: 0 },
    };
    let invalid = vec![InvalidNode { name: b"odd".to_vec(), reason: "of an unknown kind" }];
    core.directories.keep(ID, Tree::Nodes { nodes, invalid }).expect("a directory");
    let origin = SnapshotNo(1);
    let tree = tree.map(|id| core.tables.tree_of_blob(id, origin).expect("a number"));
    let state = core.tables.state(StateParts::Empty, Timestamp::default());
    let above = core.tables.tree_of_blob(BlobId([2; 32]), origin).expect("a number");
    let node = NodeSpot { tree: above, index: 0 };
    let inside = StateDir { state, origin: Some(origin), tree, node };
    let place = core.tables.place_tree(PlaceNo::ROOT, b"x", inside, PathHash::TOP);
    Fixture { _dir: dir, core, place }
}

fn node(name: &[u8]) -> Node {
    Node::new(name, Kind::File, Timestamp::default())
}

impl Fixture {
    fn open(&self) -> Answer<OpenDir<'_>> {
        open_dir(&self.core, current(&self.core, self.place)?)
    }

    /// Counts the names from a position.
    fn count(&self, from: u64) -> (usize, Answer<()>) {
        let mut names = 0;
        let each = &mut |_: Listed<'_>| {
            names += 1;
            ListControl::Continue
        };
        let answer = self.open().and_then(|dir| dir.list(from, each));
        (names, answer)
    }

    fn find(&self, name: &[u8]) -> Answer<()> {
        self.open()?.find(name).map(|_| ())
    }
}

#[test]
fn a_directory_with_an_invalid_name_does_not_look_complete() {
    let long = vec![b'l'; 256];
    let fixture = directory(vec![node(b"a"), node(&long), node(b"z")], Some(ID));
    assert_eq!(fixture.count(0), (2, Err(VolumeError::Damaged)));
    // The host asks again behind the last name, and learns it then.
    assert_eq!(fixture.count(3), (0, Err(VolumeError::Damaged)));
    assert_eq!(fixture.find(b"z"), Ok(()));
    assert_eq!(fixture.find(b"odd"), Err(VolumeError::Damaged));
    assert_eq!(fixture.find(b"other"), Err(VolumeError::NotFound));
}

#[test]
fn a_directory_that_was_unreadable_is_not_empty() {
    let fixture = directory(Vec::new(), None);
    assert_eq!(fixture.count(0), (0, Err(VolumeError::Damaged)));
    assert_eq!(fixture.find(b"x"), Err(VolumeError::Damaged));
}
