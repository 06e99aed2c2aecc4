//! A repository in a folder, sources to change, and a reference of what the drive must show.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::tz::TimeZone;
use yore_engine::backend::Folder;
use yore_engine::backup::{
    BackupOptions, EmptySources, Excludes, FileSystems, Reading, UnchangedBy, backup,
};
use yore_engine::format::{ClientId, Cost, Parameters, Secret};
use yore_engine::repository::{CreateOptions, Repository, Writer, create};
use yore_engine::{Run, TreePath, Unobserved};
use yore_fs::{SnapshotVolume, VolumeOptions};
use yore_platform::{
    Attr, Entry, FoundXattrs, Ino, Kind, ListControl, Listing, Metadata, ReadMode, SourceDir,
    Timestamp, Volume, VolumeError, Xattrs, snapshot_path,
};

/// The file at the top that explains the folders.
pub const README: &str = "READ ME.txt";
/// Its text.
pub const README_TEXT: &str = include_str!("../../src/virtual_dir/readme.txt");

/// 2026-01-15T09:30:00Z.
pub const MORNING: i64 = 1_768_469_400;
pub const HOUR: i64 = 3600;

pub struct World {
    pub dir: tempfile::TempDir,
    pub repository: Arc<Repository>,
}

/// The expected state of a path.
pub struct Expected {
    pub metadata: Metadata,
    pub bytes: Vec<u8>,
    pub xattrs: Xattrs,
}

pub type Model = BTreeMap<Vec<u8>, Expected>;

impl World {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let secret = Secret::draw_key_file();
        let options = CreateOptions {
            secrets: &[(&secret, "test")],
            cost: Cost::STANDARD,
            parameters: Parameters { pack: 1 << 20, ..Parameters::default() },
            time: Timestamp { seconds: MORNING, nanos: 0 },
        };
        let folder = Folder::new(dir.path().join("repository"));
        let repository = create(Arc::new(folder), &options).expect("a new repository");
        Self { dir, repository: Arc::new(repository) }
    }

    /// A folder to back up.
    pub fn source(&self, name: &str) -> PathBuf {
        let source = self.dir.path().join(name);
        fs::create_dir_all(&source).expect("a folder");
        source
    }

    /// A folder with `same/file` and `changing`, backed up twice, an hour apart, as its names say.
    pub fn same_beside_changing(&self) -> PathBuf {
        let source = self.source("source");
        fs::create_dir(source.join("same")).expect("a folder");
        fs::write(source.join("same/file"), b"same").expect("a file");
        for hour in 0..2 {
            fs::write(source.join("changing"), hour.to_string()).expect("a file");
            self.back_up(&[&source], MORNING + hour * HOUR);
        }
        source
    }

    pub fn back_up(&self, sources: &[&Path], seconds: i64) {
        self.back_up_as("host", &[], sources, seconds);
    }

    pub fn back_up_as(&self, host: &str, tags: &[&str], sources: &[&Path], seconds: i64) {
        let options = BackupOptions {
            changed: None,
            only: None,
            excludes: Excludes::default(),
            reading: Reading::Changed,
            unchanged_by: UnchangedBy::default(),
            file_systems: FileSystems::All,
            empty_sources: EmptySources::Accept,
            own_folders: Vec::new(),
            run: Run::Real,
            tags: tags.iter().map(|tag| tag.to_string()).collect(),
            time: Some(Timestamp { seconds, nanos: 0 }),
            utc_offset: 0,
            writer: Writer {
                host: host.into(),
                user: "me".into(),
                client: ClientId([1; 16]),
                process: yore_platform::process_identity(),
                program: "test".into(),
            },
        };
        let sources: Vec<PathBuf> = sources.iter().map(|source| source.to_path_buf()).collect();
        backup(&self.repository, &sources, &options, &Unobserved).expect("a backup");
    }

    pub fn forget(&self, id: yore_engine::format::SnapshotId) {
        let writer = Writer {
            host: "host".into(),
            user: "me".into(),
            client: ClientId([1; 16]),
            process: yore_platform::process_identity(),
            program: "test".into(),
        };
        let now = Timestamp { seconds: MORNING, nanos: 0 };
        yore_engine::repository::forget(&self.repository, &[id], &writer, now, "test")
            .expect("forgotten");
    }

    pub fn volume(&self) -> SnapshotVolume {
        self.volume_with(|_| {})
    }

    pub fn volume_with(&self, set: impl FnOnce(&mut VolumeOptions)) -> SnapshotVolume {
        let mut options = VolumeOptions::new(TimeZone::fixed(jiff::tz::offset(1)));
        options.machine = Some("one".into());
        set(&mut options);
        let repository = Arc::clone(&self.repository);
        SnapshotVolume::open(repository, options).expect("a volume").0
    }

    /// Every file of the repository below a folder.
    pub fn objects(&self, folder: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut open = vec![self.dir.path().join("repository").join(folder)];
        while let Some(folder) = open.pop() {
            let Ok(entries) = fs::read_dir(folder) else { continue };
            for entry in entries {
                let path = entry.expect("an entry").path();
                if path.is_dir() { open.push(path) } else { found.push(path) }
            }
        }
        found.sort();
        found
    }
}

/// Remembers everything below a folder as it is now; the folder itself has the empty path.
pub fn capture(source: &Path) -> Model {
    let dir = SourceDir::open(source).expect("a folder");
    let top = Expected {
        metadata: dir.metadata().expect("metadata"),
        bytes: Vec::new(),
        xattrs: dir.xattrs().all().expect("attributes"),
    };
    let mut model = Model::from([(Vec::new(), top)]);
    capture_below(&dir, &[], &mut model);
    model
}

fn capture_below(dir: &SourceDir, path: &[u8], model: &mut Model) {
    let mut listing = Listing::new();
    dir.list(&mut listing).expect("it lists");
    for listed in listing.iter() {
        let name = listed.name;
        let metadata = dir.child_metadata(name).expect("metadata");
        let below = join(path, name);
        let bytes = match metadata.kind {
            Kind::File => read_whole(dir, name, metadata.size),
            Kind::Symlink => dir.read_link(name).expect("a link"),
            _ => Vec::new(),
        };
        if metadata.kind == Kind::Directory {
            capture_below(&dir.open_child(name).expect("it opens"), &below, model);
        }
        let xattrs = dir.child_xattrs(name).and_then(FoundXattrs::all).expect("attributes");
        model.insert(below, Expected { metadata, bytes, xattrs });
    }
}

fn read_whole(dir: &SourceDir, name: &[u8], size: u64) -> Vec<u8> {
    let file = dir.open_file(name, ReadMode::Buffered).expect("it opens");
    let mut bytes = vec![0; size as usize];
    let mut done = 0;
    while done < bytes.len() {
        let read = file.read_at(&mut bytes[done..], done as u64).expect("it reads");
        assert_ne!(read, 0, "the source became shorter");
        done += read;
    }
    bytes
}

pub fn join(path: &[u8], name: &[u8]) -> Vec<u8> {
    if path.is_empty() { name.to_vec() } else { [path, b"/", name].concat() }
}

/// Follows a path through lookups.
pub fn resolve(volume: &dyn Volume, path: &[u8]) -> Result<Entry, VolumeError> {
    let mut entry = volume.attr(Ino::ROOT)?;
    for name in TreePath::new(path).components() {
        entry = volume.lookup(entry.attr.ino, name)?;
    }
    Ok(entry)
}

/// The place of a source in a state.
pub fn at(state: &str, source: &Path) -> Vec<u8> {
    [state.as_bytes(), b"/", &snapshot_path(source)].concat()
}

/// A listed name, its attributes, and the position after it.
pub type Name = (Vec<u8>, Attr, u64);

/// Lists a directory from a position; every name with its attributes and the position after it.
pub fn list_from(volume: &dyn Volume, ino: Ino, from: u64) -> (Vec<Name>, Result<(), VolumeError>) {
    let mut names = Vec::new();
    let answer = volume.list(ino, from, &mut |listed| {
        names.push((listed.name.to_vec(), listed.entry.attr, listed.next));
        ListControl::Continue
    });
    (names, answer)
}

pub fn names(volume: &dyn Volume, path: &[u8]) -> Vec<String> {
    let ino = resolve(volume, path).expect("it is there").attr.ino;
    let (names, answer) = list_from(volume, ino, 0);
    answer.expect("it lists");
    names.into_iter().map(|(name, ..)| String::from_utf8(name).expect("a name")).collect()
}

pub fn read(volume: &dyn Volume, ino: Ino, offset: u64, size: u32) -> Result<Vec<u8>, VolumeError> {
    let mut bytes = None;
    volume.read(ino, offset, size, &mut |read| {
        assert!(bytes.replace(read.to_vec()).is_none(), "one piece");
    })?;
    Ok(bytes.expect("an answer"))
}

pub fn read_all(volume: &dyn Volume, ino: Ino) -> Result<Vec<u8>, VolumeError> {
    let mut bytes = Vec::new();
    loop {
        let more = read(volume, ino, bytes.len() as u64, 100_000)?;
        if more.is_empty() {
            return Ok(bytes);
        }
        bytes.extend(more);
    }
}

/// Compares everything below a directory of the drive with what must be there.
pub fn assert_shows(volume: &dyn Volume, path: &[u8], model: &Model) {
    let top = resolve(volume, path).expect("the source is there");
    let mut left: Vec<(Vec<u8>, Attr)> = vec![(Vec::new(), top.attr)];
    let mut seen = 0;
    while let Some((path, attr)) = left.pop() {
        let name = String::from_utf8_lossy(&path).into_owned();
        let expected = model.get(&path).unwrap_or_else(|| panic!("{name:?} should not be there"));
        seen += 1;
        assert_is(volume, &name, &attr, expected);
        if attr.kind == Kind::Directory {
            let directory = attr.ino;
            let (names, answer) = list_from(volume, directory, 0);
            answer.expect("it lists");
            for (child, attr, _) in names {
                let found = volume.lookup(directory, &child).expect("what is listed is found");
                assert_eq!(found.attr, attr, "lookups and listings agree");
                left.push((join(&path, &child), attr));
            }
        }
    }
    assert_eq!(seen, model.len(), "everything is there");
}

pub fn assert_is(volume: &dyn Volume, name: &str, attr: &Attr, expected: &Expected) {
    let was = &expected.metadata;
    assert_eq!(volume.attr(attr.ino).expect("attributes").attr, *attr, "{name}");
    assert_eq!(attr.kind, was.kind, "{name}");
    assert_eq!(Some(attr.mode), was.mode, "{name}");
    assert_eq!(Some(attr.owner), was.owner, "{name}");
    assert_eq!(attr.modified, was.modified, "{name}");
    assert_eq!(Some(attr.changed), was.changed, "{name}");
    assert_eq!(attr.device_number, was.device_number, "{name}");
    let names = volume.xattr_names(attr.ino).expect("names");
    let value = |name: Vec<u8>| {
        let value = volume.xattr(attr.ino, &name).expect("a value");
        (name, value)
    };
    assert_eq!(names.into_iter().map(value).collect::<Xattrs>(), expected.xattrs, "{name}");
    if attr.kind != Kind::Directory {
        assert_eq!(u64::from(attr.links), was.links, "{name}");
    }
    match attr.kind {
        Kind::File => {
            assert_eq!(attr.size, was.size, "{name}");
            assert!(read_all(volume, attr.ino).expect("it reads") == expected.bytes, "{name}");
        }
        Kind::Symlink => {
            assert_eq!(volume.read_link(attr.ino).expect("a text"), expected.bytes, "{name}");
        }
        _ => {}
    }
}

/// Bytes that do not compress, always the same for a seed.
pub fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    std::iter::repeat_with(|| random.below(256) as u8).take(length).collect()
}

/// A small generator, always the same for a seed.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit.max(1)
    }
}
