//! Fingerprints of trees of files: everything that a backup keeps of them, in a form that can be compared.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use yore_engine::TreePath;
use yore_platform::{
    Attr, DeviceNumber, FoundXattrs, Ino, Kind, ListControl, Listing, Metadata, Owner, ReadMode,
    Seek, SourceDir, Timestamp, Volume, VolumeError, Xattrs,
};

/// The size of the smallest blocks of file systems in use.
const SMALLEST_BLOCK: u64 = 4096;

/// One file, directory or link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFingerprint {
    /// Its kind.
    pub kind: Kind,
    /// Permission bits.
    pub mode: u32,
    /// Its owner.
    pub owner: Owner,
    /// The time at which the content last changed.
    pub modified: Timestamp,
    /// Length of a file.
    pub size: u64,
    /// The bytes of a file, or the text of a link.
    pub bytes: Vec<u8>,
    /// The ranges in which a file has data, as the file system reports them; all of a small file.
    pub data: Vec<(u64, u64)>,
    /// The numbers of a device.
    pub device: DeviceNumber,
    /// Extended attributes.
    pub xattrs: Xattrs,
    /// The first path that is the same file, and the number of names that the file has.
    pub same_as: (Vec<u8>, u64),
}

/// Every path of a tree, with an empty one for its top.
pub type Fingerprint = BTreeMap<Vec<u8>, FileFingerprint>;

/// Differences that a comparison ignores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ignoring {
    /// Nothing.
    Nothing,
    /// The top directory's time.
    TopTime,
}

/// Takes the fingerprint of a folder and everything below it.
pub fn fingerprint_folder(folder: &Path) -> Fingerprint {
    let dir = SourceDir::open(folder).expect("a folder");
    let mut fingerprint = Fingerprint::new();
    let metadata = dir.metadata().expect("metadata");
    let xattrs = dir.xattrs().all().expect("attributes");
    let mut files = HashMap::new();
    fingerprint.insert(Vec::new(), seen(&metadata, xattrs, Vec::new(), Vec::new(), Vec::new()));
    walk_folder(&dir, &[], &mut fingerprint, &mut files);
    fingerprint
}

fn seen(
    metadata: &Metadata,
    xattrs: Xattrs,
    bytes: Vec<u8>,
    data: Vec<(u64, u64)>,
    first: Vec<u8>,
) -> FileFingerprint {
    let is_dir = metadata.kind == Kind::Directory;
    FileFingerprint {
        kind: metadata.kind,
        mode: metadata.mode.unwrap_or(0),
        owner: metadata.owner.unwrap_or(Owner { uid: 0, gid: 0 }),
        modified: metadata.modified,
        size: if metadata.kind == Kind::File { metadata.size } else { 0 },
        bytes,
        data,
        device: metadata.device_number,
        xattrs,
        same_as: (first, if is_dir { 1 } else { metadata.links }),
    }
}

fn walk_folder(
    dir: &SourceDir,
    path: &[u8],
    fingerprint: &mut Fingerprint,
    files: &mut HashMap<u64, Vec<u8>>,
) {
    let mut listing = Listing::new();
    dir.list(&mut listing).expect("it lists");
    for listed in listing.iter() {
        let name = listed.name;
        let metadata = dir.child_metadata(name).expect("metadata");
        let here = join(path, name);
        let (bytes, data) = match metadata.kind {
            Kind::File => content(dir, name, metadata.size),
            Kind::Symlink => (dir.read_link(name).expect("a link"), Vec::new()),
            _ => (Vec::new(), Vec::new()),
        };
        let first = match metadata.kind {
            Kind::Directory => here.clone(),
            _ => files.entry(metadata.inode).or_insert_with(|| here.clone()).clone(),
        };
        let xattrs = dir.child_xattrs(name).and_then(FoundXattrs::all).expect("attributes");
        fingerprint.insert(here.clone(), seen(&metadata, xattrs, bytes, data, first));
        if metadata.kind == Kind::Directory {
            walk_folder(&dir.open_child(name).expect("it opens"), &here, fingerprint, files);
        }
    }
}

fn content(dir: &SourceDir, name: &[u8], size: u64) -> (Vec<u8>, Vec<(u64, u64)>) {
    let file = dir.open_file(name, ReadMode::Buffered).expect("it opens");
    let mut bytes = vec![0; size as usize];
    let mut done = 0;
    while done < bytes.len() {
        let read = file.read_at(&mut bytes[done..], done as u64).expect("it reads");
        assert_ne!(read, 0, "the file became shorter");
        done += read;
    }
    let (mut data, mut at) = (Vec::new(), 0);
    while let Some(range) = file.next_data(at).expect("the file system reports holes") {
        data.push((range.start, range.end.min(size)));
        at = range.end;
    }
    (bytes, of_whole_blocks(data, size))
}

/// Returns the ranges of data of a file; whether a part of a block is a hole is the file system's own affair, and may
/// change by itself.
fn of_whole_blocks(data: Vec<(u64, u64)>, size: u64) -> Vec<(u64, u64)> {
    if size <= SMALLEST_BLOCK { vec![(0, size)] } else { data }
}

/// Takes the fingerprint of everything that a volume presents at a path.
///
/// # Errors
/// The first entry that can't be read.
pub fn fingerprint_volume(volume: &dyn Volume, path: &[u8]) -> Result<Fingerprint, VolumeError> {
    let attr = find(volume, path)?;
    let mut fingerprint = Fingerprint::new();
    let mut files = HashMap::new();
    walk_volume(volume, Vec::new(), &attr, &mut fingerprint, &mut files)?;
    Ok(fingerprint)
}

/// Reads a file of a volume from its beginning to its end.
pub fn read_from_volume(volume: &dyn Volume, path: &[u8]) -> Result<Vec<u8>, VolumeError> {
    read(volume, &find(volume, path)?)
}

/// Lists a folder of a volume; returns the number of names in it.
pub fn list_volume(volume: &dyn Volume, path: &[u8]) -> Result<usize, VolumeError> {
    let mut names = 0;
    volume.list(find(volume, path)?.ino, 0, &mut |_| {
        names += 1;
        ListControl::Continue
    })?;
    Ok(names)
}

fn find(volume: &dyn Volume, path: &[u8]) -> Result<Attr, VolumeError> {
    let mut entry = volume.attr(Ino::ROOT)?;
    for name in TreePath::new(path).components() {
        entry = volume.lookup(entry.attr.ino, name)?;
    }
    Ok(entry.attr)
}

fn walk_volume(
    volume: &dyn Volume,
    path: Vec<u8>,
    attr: &Attr,
    fingerprint: &mut Fingerprint,
    files: &mut HashMap<Ino, Vec<u8>>,
) -> Result<(), VolumeError> {
    let (bytes, data) = match attr.kind {
        Kind::File => (read(volume, attr)?, of_whole_blocks(data_of(volume, attr)?, attr.size)),
        Kind::Symlink => (volume.read_link(attr.ino)?, Vec::new()),
        _ => (Vec::new(), Vec::new()),
    };
    let mut xattrs = Xattrs::new();
    for name in volume.xattr_names(attr.ino)? {
        let value = volume.xattr(attr.ino, &name)?;
        xattrs.push((name, value));
    }
    let is_dir = attr.kind == Kind::Directory;
    let first = match is_dir {
        true => path.clone(),
        false => files.entry(attr.ino).or_insert_with(|| path.clone()).clone(),
    };
    let seen = FileFingerprint {
        kind: attr.kind,
        mode: attr.mode,
        owner: attr.owner,
        modified: attr.modified,
        size: if attr.kind == Kind::File { attr.size } else { 0 },
        bytes,
        data,
        device: attr.device_number,
        xattrs,
        same_as: (first, if is_dir { 1 } else { u64::from(attr.links) }),
    };
    fingerprint.insert(path.clone(), seen);
    if is_dir {
        let mut names = Vec::new();
        volume.list(attr.ino, 0, &mut |listed| {
            names.push((listed.name.to_vec(), listed.entry.attr));
            ListControl::Continue
        })?;
        names.sort_by(|a, b| a.0.cmp(&b.0));
        for (name, attr) in names {
            walk_volume(volume, join(&path, &name), &attr, fingerprint, files)?;
        }
    }
    Ok(())
}

fn read(volume: &dyn Volume, attr: &Attr) -> Result<Vec<u8>, VolumeError> {
    let mut bytes = Vec::new();
    loop {
        let before = bytes.len();
        volume.read(attr.ino, before as u64, 1 << 20, &mut |read| bytes.extend_from_slice(read))?;
        if bytes.len() == before {
            return Ok(bytes);
        }
    }
}

fn data_of(volume: &dyn Volume, attr: &Attr) -> Result<Vec<(u64, u64)>, VolumeError> {
    let (mut data, mut at) = (Vec::new(), 0);
    while at < attr.size {
        let start = match volume.seek(attr.ino, at, Seek::Data) {
            Err(VolumeError::BeyondEnd) => break,
            answer => answer?,
        };
        at = volume.seek(attr.ino, start, Seek::Hole)?;
        data.push((start, at));
    }
    Ok(data)
}

fn join(path: &[u8], name: &[u8]) -> Vec<u8> {
    if path.is_empty() { name.to_vec() } else { [path, b"/", name].concat() }
}

/// Returns the part of a fingerprint below a path, with paths relative to it.
pub fn fingerprint_below(fingerprint: &Fingerprint, path: &[u8]) -> Fingerprint {
    let cut = |from: &[u8]| -> Option<Vec<u8>> {
        let rest = from.strip_prefix(path)?;
        match rest.split_first() {
            None => Some(Vec::new()),
            Some((b'/', rest)) => Some(rest.to_vec()),
            Some(_) => path.is_empty().then(|| rest.to_vec()),
        }
    };
    let part = fingerprint.iter().filter_map(|(from, seen)| {
        let mut seen = seen.clone();
        seen.same_as.0 = cut(&seen.same_as.0).unwrap_or_default();
        Some((cut(from)?, seen))
    });
    part.collect()
}

/// Returns the fingerprint of a copy of this tree alone: names that a file has elsewhere do not count.
pub fn without_links_elsewhere(fingerprint: &Fingerprint) -> Fingerprint {
    let mut names: HashMap<Vec<u8>, u64> = HashMap::new();
    for seen in fingerprint.values() {
        *names.entry(seen.same_as.0.clone()).or_default() += 1;
    }
    let alone = |(path, seen): (&Vec<u8>, &FileFingerprint)| {
        let mut seen = seen.clone();
        if seen.kind != Kind::Directory {
            seen.same_as.1 = names[&seen.same_as.0];
        }
        (path.clone(), seen)
    };
    fingerprint.iter().map(alone).collect()
}

/// Fails with a list of the differences.
pub fn assert_same(found: &Fingerprint, expected: &Fingerprint, ignoring: Ignoring) {
    let mut differences = Vec::new();
    for path in found.keys().filter(|path| !expected.contains_key(*path)) {
        differences.push(format!("{:?} should not be there", String::from_utf8_lossy(path)));
    }
    for (path, expected) in expected {
        let name = String::from_utf8_lossy(path);
        let Some(found) = found.get(path) else {
            differences.push(format!("{name:?} is missing"));
            continue;
        };
        let mut found = found.clone();
        if path.is_empty() && ignoring == Ignoring::TopTime {
            found.modified = expected.modified;
        }
        if found != *expected {
            differences.push(format!(
                "{name:?} is {} instead of {}",
                brief(&found),
                brief(expected)
            ));
        }
    }
    assert!(
        differences.is_empty(),
        "{} differences:\n{}",
        differences.len(),
        differences[..differences.len().min(20)].join("\n")
    );
}

fn brief(file: &FileFingerprint) -> String {
    let mut short = file.clone();
    let hash = short.bytes.iter().fold(0u64, |hash, byte| hash.wrapping_mul(31) + u64::from(*byte));
    short.bytes.truncate(16);
    format!("{short:?} (all bytes: {hash:x})")
}
