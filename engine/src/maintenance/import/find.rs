//! Finding dated folders.

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use yore_platform::{
    Kind, Listing, ReadMode, SourceDir, Timestamp, name_from_bytes, path_metadata,
};

use super::DatePattern;
use crate::error::{Error, Refusal, Result};

/// The most bytes of the description of a snapshot of snapper that are read.
const INFO: usize = 64 << 10;

/// The place where the time of a folder is written.
#[derive(Debug, Clone)]
pub enum Dates {
    /// In its name.
    Names(DatePattern),
    /// In `info.xml` beside it, as snapper has it, in UTC: the folders are `1/snapshot`, `2/snapshot` and so on.
    Snapper,
}

/// A folder that shows the state of a path at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatedFolder {
    /// The name that is dated.
    pub name: Vec<u8>,
    /// The folder.
    pub folder: PathBuf,
    /// The time.
    pub time: Timestamp,
    /// The offset from UTC then, in seconds.
    pub utc_offset: i64,
}

/// The dated folders below a folder.
#[derive(Debug, Default)]
pub struct Found {
    /// The folders, the earliest first; no two have the same time.
    pub folders: Vec<DatedFolder>,
    /// The names of folders without a time, in their order.
    pub undated: Vec<Vec<u8>>,
    /// The folders that have a time, and lack the part that is to be imported; the earliest first.
    pub lacking: Vec<DatedFolder>,
}

/// Finds the dated folders in `dir`; of each, the folder `inner` below it is meant, which may be empty.
///
/// # Errors
/// The folder can't be listed; two folders have the same time, so that it is not known which came first.
pub fn find_dated_folders(
    dir: &Path,
    inner: &Path,
    dates: &Dates,
    zone: &TimeZone,
) -> Result<Found> {
    let local = |error| Error::local(dir, error);
    let opened = SourceDir::open(dir).map_err(local)?;
    let mut listing = Listing::new();
    opened.list(&mut listing).map_err(local)?;
    let mut found = Found::default();
    for at in 0..listing.len() {
        let Some(listed) = listing.get(at) else { break };
        let is_folder = match listed.kind {
            Some(kind) => kind == Kind::Directory,
            None => opened
                .child_metadata(listed.name)
                .is_ok_and(|metadata| metadata.kind == Kind::Directory),
        };
        if !is_folder {
            continue;
        }
        let name = listed.name.to_vec();
        let own = dir.join(name_from_bytes(&name));
        let (dated, folder) = match dates {
            Dates::Names(pattern) => {
                let text = std::str::from_utf8(&name).ok();
                (text.and_then(|text| pattern.parse(text, zone)), own.join(inner))
            }
            Dates::Snapper => {
                let time = snapper_time(&own)?;
                let offset = |time: Timestamp| offset(time, zone);
                (time.map(|time| (time, offset(time))), own.join("snapshot").join(inner))
            }
        };
        match dated {
            None => found.undated.push(name),
            Some((time, utc_offset)) => {
                found.folders.push(DatedFolder { name, folder, time, utc_offset });
            }
        }
    }
    found.folders.sort_by(|one, other| (one.time, &one.name).cmp(&(other.time, &other.name)));
    for pair in found.folders.windows(2) {
        if pair[0].time == pair[1].time {
            let [first, second] = [&pair[0], &pair[1]].map(|folder| folder.name.escape_ascii());
            let (first, second) = (first.to_string(), second.to_string());
            return Err(Refusal::SameTime { first, second }.into());
        }
    }
    if inner != Path::new("") {
        let has_inner = |one: &DatedFolder| {
            path_metadata(&one.folder).is_ok_and(|metadata| metadata.kind == Kind::Directory)
        };
        (found.folders, found.lacking) = found.folders.into_iter().partition(has_inner);
    }
    Ok(found)
}

/// Returns the offset from UTC at a time, in seconds.
fn offset(time: Timestamp, zone: &TimeZone) -> i64 {
    jiff::Timestamp::from_second(time.seconds)
        .map_or(0, |instant| i64::from(zone.to_offset(instant).seconds()))
}

/// Reads the time of a snapshot of snapper; `None` where there is no description, as in a folder of another kind.
fn snapper_time(folder: &Path) -> Result<Option<Timestamp>> {
    const NAME: &[u8] = b"info.xml";
    let file = SourceDir::open(folder).and_then(|dir| dir.open_file(NAME, ReadMode::Buffered));
    let mut text = vec![0; INFO];
    let read = match file.and_then(|file| file.read_at(&mut text, 0)) {
        Ok(read) => read,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::local(folder.join("info.xml"), error)),
    };
    text.truncate(read);
    let text = String::from_utf8_lossy(&text);
    let date = text.split_once("<date>").and_then(|(_, rest)| rest.split_once("</date>"));
    let civil = date.and_then(|(date, _)| date.trim().parse::<jiff::civil::DateTime>().ok());
    let instant = civil.and_then(|civil| civil.to_zoned_datetime(TimeZone::UTC).ok());
    Ok(instant.map(|zoned| Timestamp { seconds: zoned.timestamp().as_second(), nanos: 0 }))
}
