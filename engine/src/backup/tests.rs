//! Backups of real folders, read back through the reader.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::*;
use crate::backend::Folder;
use crate::file::OpenFile;
use crate::header::Parameters;
use crate::object::Area;
use crate::record::ClientId;
use crate::repository::{CreateOptions, create};
use crate::secret::Secret;
use crate::slot::Cost;
use crate::tree::Node;
use crate::view::{SeenNode, children, find};

fn repository(path: &Path) -> Repository {
    let secret = Secret::draw_key_file();
    let options = CreateOptions {
        secrets: &[(&secret, "test")],
        cost: Cost::STANDARD,
        parameters: Parameters { pack: 1 << 20, ..Parameters::default() },
        time: now(),
    };
    create(Arc::new(Folder::new(path)), &options).expect("a new repository")
}

fn options() -> BackupOptions {
    BackupOptions {
        excludes: Excludes::default(),
        reading: Reading::Changed,
        file_systems: FileSystems::All,
        run: Run::Real,
        tags: Vec::new(),
        time: None,
        utc_offset: 0,
        writer: Writer {
            host: "host".into(),
            user: "me".into(),
            client: ClientId([1; 16]),
            process: yore_platform::process_identity(),
            program: "test".into(),
        },
    }
}

/// Keeps what it is told.
#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Observer for Told {
    fn event(&self, _event: Event) {}

    fn problem(&self, problem: crate::observer::Problem) {
        self.0.lock().expect("nobody panics").push(problem.error.to_string());
    }

    fn interrupted(&self) -> bool {
        false
    }
}

fn back_up(repository: &Repository, source: &Path) -> BackupReport {
    let told = Told::default();
    let report = backup(repository, &[source.to_path_buf()], &options(), &told).expect("a backup");
    assert_eq!(*told.0.lock().expect("nobody panics"), Vec::<String>::new());
    report
}

/// Every node below a path of the newest snapshot, with the bytes of files.
fn read_back(repository: &Repository, source: &Path) -> Vec<(Vec<u8>, Node, Vec<u8>)> {
    let (reader, problems) = repository.reader(1 << 20).expect("a reader");
    assert!(problems.is_empty());
    let snapshots = repository.snapshots().expect("snapshots");
    assert!(snapshots.problems.is_empty());
    let root = DirRef::Tree(snapshots.list.last().expect("one").1.root);
    let top = find(&reader, &root, &snapshot_path(source)).expect("it reads").expect("it is there");
    let crate::view::Found::Node(top) = top else { panic!("the source has a node") };
    let mut all = Vec::new();
    collect(&reader, &[], top, &mut all);
    all
}

fn collect(reader: &Reader, path: &[u8], seen: SeenNode, all: &mut Vec<(Vec<u8>, Node, Vec<u8>)>) {
    let mut bytes = Vec::new();
    if seen.node.kind == yore_platform::Kind::File {
        let file = OpenFile::open(reader, &seen.node).expect("it opens");
        let size = file.size() as usize;
        file.read(reader, 0, size, &mut |read| bytes.extend_from_slice(read)).expect("it reads");
        assert_eq!(bytes.len(), size);
    }
    if let Some(dir) = &seen.dir {
        children(reader, dir, &mut |child| {
            let below = walk::join(path, &child.node.name);
            collect(reader, &below, child, all);
            Ok(())
        })
        .expect("it lists");
    }
    all.push((path.to_vec(), seen.node, bytes));
}

fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed | 1);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[test]
fn files_of_every_size_come_back_as_they_were() {
    let dir = tempfile::tempdir().expect("a folder");
    let source = dir.path().join("source");
    fs::create_dir_all(source.join("a/b/c")).expect("a folder");
    let sizes = [0, 1, 512, 513, 100_000, 131_072, 131_073, 3_000_000, 9_000_000, 20_000_001];
    for (n, size) in sizes.into_iter().enumerate() {
        fs::write(source.join(format!("a/b/{size}")), noise(size, n as u64)).expect("a file");
    }
    let target = yore_platform::TargetDir::create(&source).expect("a folder");
    target.symlink(b"link", b"nowhere").expect("a link");
    let repository = repository(&dir.path().join("repository"));
    let report = back_up(&repository, &source);
    assert_eq!((report.totals.files, report.totals.new_files), (10, 10));
    let all = read_back(&repository, &source);
    for (n, size) in sizes.into_iter().enumerate() {
        let path = format!("a/b/{size}").into_bytes();
        let (_, _, bytes) = all.iter().find(|(p, ..)| *p == path).expect("it is there");
        assert!(*bytes == noise(size, n as u64), "{size}");
    }
    let link = all.iter().find(|(path, ..)| path == b"link").expect("it is there");
    assert_eq!(link.1.target, b"nowhere");
    let again = back_up(&repository, &source);
    assert_eq!(again.totals.new_files, 0);
    assert!(again.totals.new_bytes < 10_000, "{:?}", again.totals);
}

#[test]
fn a_stream_is_a_file() {
    let dir = tempfile::tempdir().expect("a folder");
    let repository = repository(&dir.path().join("repository"));
    let bytes = noise(5_000_000, 3);
    backup_stream(
        &repository,
        b"dumps/db.sql",
        &mut bytes.as_slice(),
        &options(),
        &Told::default(),
    )
    .expect("a backup");
    let all = read_back(&repository, Path::new("/dumps"));
    let (_, node, read) = all.iter().find(|(path, ..)| path == b"db.sql").expect("it is there");
    assert_eq!(node.size, 5_000_000);
    assert!(*read == bytes);
}

#[test]
fn a_source_that_is_not_there_is_an_error_before_anything_is_written() {
    let dir = tempfile::tempdir().expect("a folder");
    let repository = repository(&dir.path().join("repository"));
    let missing = dir.path().join("missing");
    assert!(backup(&repository, &[missing], &options(), &Told::default()).is_err());
    assert!(repository.backend.list(crate::object::Area::Sessions).expect("a list").is_empty());
}

#[test]
fn a_pack_that_is_gone_counts_as_absent_and_is_written_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (source, repository_at) = (folder.path().join("source"), folder.path().join("repository"));
    fs::create_dir(&source).expect("a folder");
    let content = vec![7; 3000];
    fs::write(source.join("file"), &content).expect("a file");
    let repository = repository(&repository_at);
    back_up(&repository, &source);
    for stored in repository.backend.list(Area::Packs).expect("packs") {
        fs::remove_file(repository_at.join(stored.name.as_str())).expect("a pack");
    }
    back_up(&repository, &source);
    let nodes = read_back(&repository, &source);
    assert!(nodes.iter().any(|(_, _, bytes)| *bytes == content));
}

#[test]
fn why_it_failed_outweighs_that_others_stopped() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let repository = repository(folder.path());
    let shared = Shared::new(&repository);
    shared.fail(Error::Interrupted);
    shared.fail(Error::Overtaken);
    shared.fail(Error::Interrupted);
    let mut store = Store::new(&shared, None, BlobIndex::default());
    assert!(matches!(store.finish(), Err(Error::Overtaken)));
    let stopped = || Err::<(), _>(Error::Interrupted);
    for (one, other) in
        [(stopped(), Err::<(), _>(Error::Overtaken)), (Err(Error::Overtaken), stopped())]
    {
        assert!(matches!(both(one, other), Err(Error::Overtaken)));
    }
}
