//! The names under `snapshots`: each snapshot by its time, and each day that has one. All of them are
//! functions of snapshots and of a naming.

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::tz::TimeZone;
use jiff::{Timestamp as Instant, ZonedDateTime};
use yore_engine::format::SnapshotId;
use yore_engine::snapshots::{Clock, Moment, SnapshotEntry};
use yore_platform::Timestamp;

/// The zone of the times in names.
#[derive(Debug, Clone)]
pub enum Naming {
    /// A local one: `2026-01-15T103000`, `2026-01-15`.
    Local(TimeZone),
    /// UTC, with a `Z`: `2026-01-15T093000Z`, `2026-01-15Z`. No hour is repeated there.
    Utc,
}

/// The end of names in UTC.
const IN_UTC: &str = "Z";

impl Naming {
    fn zone(&self) -> TimeZone {
        match self {
            Naming::Local(zone) => zone.clone(),
            Naming::Utc => TimeZone::UTC,
        }
    }

    fn suffix(&self) -> &'static str {
        match self {
            Naming::Local(_) => "",
            Naming::Utc => IN_UTC,
        }
    }
}

/// Converts a time to a zone; `None` beyond the years that have names.
pub(crate) fn local(time: Timestamp, zone: &TimeZone) -> Option<ZonedDateTime> {
    let nanos = i32::try_from(time.nanos).ok()?;
    let instant = Instant::new(time.seconds, nanos).ok()?;
    Some(instant.to_zoned_datetime(zone.clone())).filter(|zoned| (0..=9999).contains(&zoned.year()))
}

/// Names snapshots; they come in order of time and id.
///
/// The first of a second has the time alone; a later one has digits of its id appended, which do
/// not depend on what else there is.
pub(crate) fn snapshot_names(
    snapshots: impl Iterator<Item = (Timestamp, SnapshotId)>,
    naming: &Naming,
) -> HashMap<SnapshotId, String> {
    let (zone, suffix) = (naming.zone(), naming.suffix());
    let mut taken: HashSet<String> = HashSet::new();
    let mut names = HashMap::new();
    for (time, id) in snapshots {
        let plain = match local(time, &zone) {
            Some(time) => format!("{}{suffix}", time.strftime("%Y-%m-%dT%H%M%S")),
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

/// Finds the snapshot that a drive shows by a name, in a zone or in UTC.
///
/// The names are those over all snapshots that count, as a drive that is mounted now gives them.
pub fn find_snapshot(list: &[SnapshotEntry], name: &str, zone: &TimeZone) -> Option<SnapshotId> {
    let mut times: Vec<_> = list.iter().map(|entry| (entry.snapshot.time, entry.id)).collect();
    times.sort_unstable();
    [Naming::Local(zone.clone()), Naming::Utc].iter().find_map(|naming| {
        let names = snapshot_names(times.iter().copied(), naming);
        names.into_iter().find_map(|(id, known)| (known == name).then_some(id))
    })
}

/// The days that have a snapshot whose time is believed: their names, and the moments at which they end.
pub(crate) fn days(snapshots: &[SnapshotEntry], naming: &Naming) -> Vec<(String, Moment)> {
    let zone = naming.zone();
    let dated = snapshots.iter().filter(|entry| entry.clock != Clock::Wrong);
    let times = dated.filter_map(|entry| local(entry.since, &zone));
    let dates: BTreeSet<_> = times.map(|time| time.date()).collect();
    let day = |date: jiff::civil::Date| {
        let date = date.strftime("%Y-%m-%d").to_string();
        let moment = end_of_day(&date, &zone)?;
        Some((format!("{date}{}", naming.suffix()), moment))
    };
    dates.into_iter().filter_map(day).collect()
}

/// Reads a moment: words, a time, or a name in either naming.
pub(crate) fn moment(text: &str, now: &ZonedDateTime) -> Option<Moment> {
    let is_date = |text: &&str| {
        text.starts_with(|letter: char| letter.is_ascii_digit()) && !text.ends_with("ago")
    };
    let utc = text.strip_suffix(IN_UTC).filter(is_date);
    if let Some(name) = utc
        && let Some(moment) =
            Moment::parse(name, &Instant::UNIX_EPOCH.to_zoned_datetime(TimeZone::UTC))
        && matches!(moment, Moment::At(_))
    {
        return Some(moment);
    }
    Moment::parse(text, now)
}

fn end_of_day(date: &str, zone: &TimeZone) -> Option<Moment> {
    Moment::parse(date, &Instant::UNIX_EPOCH.to_zoned_datetime(zone.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(text: &str) -> i64 {
        text.parse::<Instant>().expect("a time").as_second()
    }

    fn named(times: &[&str], naming: &Naming) -> Vec<String> {
        let id = |n: usize| SnapshotId([n as u8 + 1; 32]);
        let times = times.iter().map(|text| Timestamp { seconds: second(text), nanos: 0 });
        let all: Vec<_> = times.enumerate().map(|(n, time)| (time, id(n))).collect();
        let names = snapshot_names(all.iter().copied(), naming);
        all.iter().map(|(_, id)| names[id].clone()).collect()
    }

    #[test]
    fn names_in_utc_repeat_no_hour_and_are_none_of_another_zone() {
        let berlin = Naming::Local(TimeZone::get("Europe/Berlin").expect("a zone"));
        let times = ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T23:30:00Z"];
        let local = ["2026-10-25T023000", "2026-10-25T023000-02020202", "2026-10-26T003000"];
        assert_eq!(named(&times, &berlin), local);
        let utc = ["2026-10-25T003000Z", "2026-10-25T013000Z", "2026-10-25T233000Z"];
        assert_eq!(named(&times, &Naming::Utc), utc);
        let again = ["2026-10-25T00:30:00Z"; 2];
        let names = ["2026-10-25T003000Z", "2026-10-25T003000Z-02020202"];
        assert_eq!(named(&again, &Naming::Utc), names);
    }

    #[test]
    fn a_name_of_either_naming_is_a_moment() {
        let now = "2026-10-26T12:00:00+01:00[Europe/Berlin]".parse().expect("a time");
        for (text, end) in [
            ("2026-10-25T023000", "2026-10-25T00:30:00Z"),
            ("2026-10-25T013000Z", "2026-10-25T01:30:00Z"),
            ("2026-10-25T01:30Z", "2026-10-25T01:30:59Z"),
            ("2026-10-25", "2026-10-25T22:59:59Z"),
            ("2026-10-25Z", "2026-10-25T23:59:59Z"),
        ] {
            assert_eq!(moment(text, &now), Some(Moment::At(second(end))), "{text}");
        }
        for nonsense in ["Z", "latestZ", "2026-13-01Z", "yesterdayZ", "3 days agoZ"] {
            assert_eq!(moment(nonsense, &now), None, "{nonsense}");
        }
    }
}
