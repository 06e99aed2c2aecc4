//! A file of the cache: frames one after the other, each behind a head.
//!
//! | part of the head, little-endian | bytes |
//! |---|---|
//! | id of the pack | 32 |
//! | number of the frame | 4 |
//! | length of the sealed frame | 4 |
//! | the first bytes of the SHA-256 of these | 8 |
//!
//! The checksum protects the lengths; the frame itself is authenticated when it is opened.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use sha2::{Digest, Sha256};
use yore_platform::ReadBuffer;

use super::{FrameKey, ListedFile};
use crate::format::id::ObjectId;
use crate::format::pack::PackKind;

/// Bytes of a head, and of what its checksum covers.
const HEAD: usize = 48;
const CHECKED: usize = 40;
/// The accuracy of the recorded time of use.
const USE_INTERVAL: Duration = Duration::from_secs(60);
const TREE: &str = "tree-";
const DATA: &str = "data-";

/// The place of a frame in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    offset: u64,
    /// The length of the sealed frame in bytes.
    pub(super) length: u32,
}

/// A file that is read by any number of threads.
pub(super) struct CacheFile {
    path: PathBuf,
    /// Guards the file, which has one position, and the time when its use was recorded.
    file: Mutex<(File, Option<Instant>)>,
}

impl CacheFile {
    /// Opens a file; returns it with the frames in it up to the first damaged head.
    pub(super) fn open(path: &Path) -> Option<(Self, Vec<(FrameKey, Place)>)> {
        let mut file = File::open(path).ok()?;
        let (frames, _) = scan(&mut file).ok()?;
        Some((Self::of(path.to_owned(), file), frames))
    }

    /// Reads from an open file.
    pub(super) fn of(path: PathBuf, file: File) -> Self {
        Self { path, file: Mutex::new((file, None)) }
    }

    /// Returns its path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the sealed bytes of a frame.
    pub(super) fn read(&self, place: Place, out: &mut ReadBuffer) -> io::Result<()> {
        let mut guard = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, recorded) = &mut *guard;
        out.fit(place.length as usize);
        file.seek(SeekFrom::Start(place.offset))?;
        file.read_exact(out)?;
        if recorded.is_none_or(|recorded| recorded.elapsed() >= USE_INTERVAL) {
            *recorded = Some(Instant::now());
            // Without the time it is deleted sooner than it might be.
            let _ = file.set_modified(SystemTime::now());
        }
        Ok(())
    }
}

/// Returns the bytes that a frame takes in a file.
pub(super) fn size_of(frame: &[u8]) -> u64 {
    (HEAD + frame.len()) as u64
}

/// Encodes a frame behind `end` bytes of a file; returns its bytes there and its place.
pub(super) fn encode(key: &FrameKey, frame: &[u8], end: u64) -> Option<(Vec<u8>, Place)> {
    let length = u32::try_from(frame.len()).ok()?;
    let mut out = Vec::with_capacity(HEAD + frame.len());
    out.extend_from_slice(&key.pack.0);
    out.extend_from_slice(&key.number.to_le_bytes());
    out.extend_from_slice(&length.to_le_bytes());
    let sum = Sha256::digest(&out);
    out.extend_from_slice(&sum[..HEAD - CHECKED]);
    out.extend_from_slice(frame);
    Some((out, Place { offset: end + HEAD as u64, length }))
}

/// Finds the frames of a file up to the first damaged head or truncated frame, and where that begins.
pub(super) fn scan(file: &mut File) -> io::Result<(Vec<(FrameKey, Place)>, u64)> {
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(0))?;
    let (mut reader, mut end, mut frames) = (BufReader::new(file), 0u64, Vec::new());
    let mut head = [0; HEAD];
    while end + HEAD as u64 <= size {
        reader.read_exact(&mut head)?;
        let Some((key, length)) = decode(&head) else { break };
        let offset = end + HEAD as u64;
        let Some(next) = offset.checked_add(length.into()).filter(|next| *next <= size) else {
            break;
        };
        frames.push((key, Place { offset, length }));
        reader.seek_relative(length.into())?;
        end = next;
    }
    Ok((frames, end))
}

fn decode(head: &[u8; HEAD]) -> Option<(FrameKey, u32)> {
    let (checked, sum) = head.split_at(CHECKED);
    if Sha256::digest(checked)[..sum.len()] != *sum {
        return None;
    }
    let number = |at: usize| Some(u32::from_le_bytes(*checked.get(at..)?.first_chunk()?));
    let pack = ObjectId::from_slice(checked.get(..32)?)?;
    Some((FrameKey { pack, number: number(32)? }, number(36)?))
}

/// Returns the name of a new file of a kind.
pub(super) fn new_name(kind: PackKind) -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let prefix = match kind {
        PackKind::Tree => TREE,
        PackKind::Data => DATA,
    };
    format!("{prefix}{:016x}-{}", since.as_nanos(), std::process::id())
}

/// Lists the files in the folder; one that can't be listed counts as absent.
pub(super) fn list(folder: &Path) -> Vec<ListedFile> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let listed = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let name = entry.file_name().into_string().ok()?;
        let kind = match () {
            () if name.starts_with(TREE) => PackKind::Tree,
            () if name.starts_with(DATA) => PackKind::Data,
            () => return None,
        };
        let metadata = entry.metadata().ok().filter(std::fs::Metadata::is_file)?;
        let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        Some(ListedFile { path: entry.path(), kind, size: metadata.len(), used })
    });
    listed.collect()
}
