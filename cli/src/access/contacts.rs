//! The times at which destinations were reached last, for `status`.
//!
//! A file in the state folder has a line for each destination: seconds since 1970, and its location.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::ZonedDateTime;
use yore_platform::{DurableFile, create_private_dir};

use crate::access::place::Place;
use crate::access::state;

const FILE: &str = "contacts";

/// The seconds within which a further contact is not worth a write.
const ENOUGH: i64 = 60;

/// Records that destinations were reached; where that can't be stored, nothing is lost but the time.
pub fn record(now: &ZonedDateTime, reached: &[Place]) {
    let Some(path) = path() else { return };
    let now = now.timestamp().as_second();
    let mut known = read();
    let mut changed = false;
    for place in reached.iter().filter(|place| place.name.is_some()) {
        let last = known.entry(place.destination.location()).or_insert(i64::MIN);
        if now.saturating_sub(*last) > ENOUGH || *last > now {
            *last = now;
            changed = true;
        }
    }
    if changed {
        store(&path, &known);
    }
}

/// Returns the times in seconds since 1970, by location.
pub fn read() -> BTreeMap<String, i64> {
    let text = path().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
    let line = |line: &str| {
        let (seconds, location) = line.split_once(' ')?;
        Some((location.to_owned(), seconds.parse().ok()?))
    };
    text.lines().filter_map(line).collect()
}

/// Forgets a destination.
pub fn forget(location: &str) {
    let mut known = read();
    if let (Some(path), Some(_)) = (path(), known.remove(location)) {
        store(&path, &known);
    }
}

fn store(path: &Path, known: &BTreeMap<String, i64>) {
    let line = |(location, last): (&String, &i64)| format!("{last} {location}\n");
    let _ = save(path, &known.iter().map(line).collect::<String>());
}

/// Returns the time of the last contact with a destination, in seconds since 1970.
pub fn of(place: &Place) -> Option<i64> {
    read().get(&place.destination.location()).copied()
}

fn save(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    create_private_dir(folder)?;
    let mut file = DurableFile::create(folder, FILE)?;
    file.append(text.as_bytes())?;
    file.replace()
}

fn path() -> Option<PathBuf> {
    state::state_folder().map(|folder| folder.join(FILE))
}
