//! The names under `snapshots`: each snapshot by its local time, and each day that has one.

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::tz::TimeZone;
use jiff::{Timestamp as Instant, Zoned};
use yore_engine::{Clock, Moment, SnapshotEntry, SnapshotId};
use yore_platform::Timestamp;

/// Converts a time to the drive's zone; `None` beyond the years that have names.
pub(crate) fn local(time: Timestamp, zone: &TimeZone) -> Option<Zoned> {
    let nanos = i32::try_from(time.nanos).ok()?;
    let instant = Instant::new(time.seconds, nanos).ok()?;
    Some(instant.to_zoned(zone.clone())).filter(|zoned| (0..=9999).contains(&zoned.year()))
}

/// Names snapshots; they come in order of time and id.
///
/// The first of a second has the time alone; a later one has digits of its id appended, which do
/// not depend on what else there is.
pub(crate) fn snapshot_names(
    snapshots: impl Iterator<Item = (Timestamp, SnapshotId)>,
    zone: &TimeZone,
) -> HashMap<SnapshotId, String> {
    let mut taken: HashSet<String> = HashSet::new();
    let mut names = HashMap::new();
    for (time, id) in snapshots {
        let plain = match local(time, zone) {
            Some(time) => time.strftime("%Y-%m-%dT%H%M%S").to_string(),
            None => format!("unknown-{id:.8}"),
        };
        let with_digits = [8, 16, 64].map(|digits| format!("{plain}-{id:.digits$}"));
        let mut candidates = std::iter::once(plain).chain(with_digits);
        if let Some(name) = candidates.find(|name| !taken.contains(name)) {
            taken.insert(name.clone());
            names.insert(id, name);
        }
    }
    names
}

/// The days that have a snapshot whose time is believed: their names, and the moments at which they end.
pub(crate) fn days(snapshots: &[SnapshotEntry], zone: &TimeZone) -> Vec<(String, Moment)> {
    let dated = snapshots.iter().filter(|entry| entry.clock != Clock::Wrong);
    let dates: BTreeSet<_> =
        dated.filter_map(|entry| local(entry.since, zone)).map(|time| time.date()).collect();
    let now = Instant::UNIX_EPOCH.to_zoned(zone.clone());
    let day = |date: jiff::civil::Date| {
        let name = date.strftime("%Y-%m-%d").to_string();
        let moment = Moment::parse(&name, &now)?;
        Some((name, moment))
    };
    dates.into_iter().filter_map(day).collect()
}
