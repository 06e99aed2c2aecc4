//! Moments: how people name a point in time, and which snapshots make up the state then.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, ToSpan, Zoned};
use yore_platform::Timestamp;

use crate::error::{Error, Result};
use crate::order::SnapshotEntry;

/// A point in time, as a person names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moment {
    /// The newest state of everything.
    Latest,
    /// The snapshot so many before the newest one; 0 is the newest.
    Back(usize),
    /// The state at the last instant of this second.
    At(i64),
    /// The one snapshot whose id begins so.
    Id(String),
}

/// A source's part of a state: the path, and the snapshot from which it is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part<'s> {
    /// The source's path: components joined by `/`.
    pub source: &'s [u8],
    /// Its newest snapshot that belongs to the state at the moment.
    pub snapshot: &'s SnapshotEntry,
}

impl Moment {
    /// Reads a moment; `now` says what `yesterday` is and in which zone times are meant.
    ///
    /// Understood are `latest`, `latest~3`, a date, a time to the minute or second (with or without
    /// its punctuation, with or without a zone), `now`, `today`, `yesterday`, `3 days ago` with any
    /// unit, and the beginning of an id. Returns `None` for what is none of these.
    pub fn parse(text: &str, now: &Zoned) -> Option<Self> {
        let text = text.trim();
        let lower = text.to_ascii_lowercase();
        match lower.as_str() {
            "latest" => return Some(Moment::Latest),
            "now" => return Some(Moment::At(now.timestamp().as_second())),
            "today" => return end_of_day(now.date(), now.time_zone()),
            "yesterday" => return end_of_day(now.date().yesterday().ok()?, now.time_zone()),
            _ => {}
        }
        if let Some(back) = lower.strip_prefix("latest~") {
            return back.parse().ok().map(Moment::Back);
        }
        if let Some(span) = lower.strip_suffix(" ago") {
            let then = now.checked_sub(parse_span(span)?).ok()?;
            return Some(Moment::At(then.timestamp().as_second()));
        }
        if let Ok(instant) = text.parse::<jiff::Timestamp>() {
            return Some(Moment::At(instant.as_second()));
        }
        if let Some((date, time)) = parse_civil(text) {
            return match time {
                None => end_of_day(date, now.time_zone()),
                Some((time, precision)) => {
                    let start = zoned(date.to_datetime(time), now.time_zone())?;
                    Some(Moment::At(start.timestamp().as_second() + precision - 1))
                }
            };
        }
        let is_id = (4..=64).contains(&lower.len()) && lower.bytes().all(|b| b.is_ascii_hexdigit());
        is_id.then_some(Moment::Id(lower))
    }
}

fn zoned(when: DateTime, zone: &TimeZone) -> Option<Zoned> {
    zone.to_ambiguous_zoned(when).compatible().ok()
}

/// The last second of a day, which may have 23 or 25 hours.
fn end_of_day(date: Date, zone: &TimeZone) -> Option<Moment> {
    let next = zoned(date.tomorrow().ok()?.to_datetime(Time::midnight()), zone)?;
    Some(Moment::At((next.timestamp() - SignedDuration::from_secs(1)).as_second()))
}

/// Reads a date, with a time and the seconds that it covers if there is one.
fn parse_civil(text: &str) -> Option<(Date, Option<(Time, i64)>)> {
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let fields: Vec<&str> = date.split('-').collect();
    let [year, month, day] = fields[..] else { return None };
    if (year.len(), month.len(), day.len()) != (4, 2, 2) {
        return None;
    }
    let date = Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()?;
    let Some(time) = time else { return Some((date, None)) };
    let digits: String = time.chars().filter(|c| *c != ':').collect();
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number = |range| digits.get(range).and_then(|digits: &str| digits.parse::<i8>().ok());
    let (second, precision) = match digits.len() {
        4 => (0, 60),
        6 => (number(4..6)?, 1),
        _ => return None,
    };
    let time = Time::new(number(0..2)?, number(2..4)?, second, 0).ok()?;
    Some((date, Some((time, precision))))
}

fn parse_span(text: &str) -> Option<Span> {
    let (number, unit) = text.trim().split_once(' ')?;
    let number: i64 = match number {
        "a" | "an" | "one" => 1,
        digits => digits.parse().ok().filter(|number| (0..1_000_000).contains(number))?,
    };
    Some(match unit.trim().trim_end_matches('s') {
        "second" => number.seconds(),
        "minute" => number.minutes(),
        "hour" => number.hours(),
        "day" => number.days(),
        "week" => number.weeks(),
        "month" => number.months(),
        "year" => number.years(),
        _ => return None,
    })
}

/// Chooses the parts of the state at a moment: for each source its newest snapshot not later.
///
/// `snapshots` are in their order, those of one machine. The parts are in the same order, so that what
/// comes later lies over what comes before; a source inside a newer one is left out.
///
/// # Errors
/// [`Error::NotFound`] when there is no snapshot then, or none of that id; [`Error::Refused`] when
/// the beginning of an id fits several.
pub fn state<'s>(snapshots: &'s [SnapshotEntry], moment: &Moment) -> Result<Vec<Part<'s>>> {
    match moment {
        Moment::Latest => newest_per_source(snapshots.iter()),
        Moment::At(second) => {
            newest_per_source(snapshots.iter().filter(|entry| entry.since.seconds <= *second))
        }
        Moment::Back(back) => {
            let chosen = snapshots.len().checked_sub(back + 1).and_then(|n| snapshots.get(n));
            let what = format!("there are only {} snapshots", snapshots.len());
            chosen.map(whole).ok_or(Error::NotFound { what })
        }
        Moment::Id(prefix) => {
            let mut fitting =
                snapshots.iter().filter(|entry| entry.id.to_string().starts_with(prefix.as_str()));
            match (fitting.next(), fitting.next()) {
                (Some(one), None) => Ok(whole(one)),
                (Some(_), Some(_)) => {
                    Err(Error::Refused { what: format!("several snapshots begin with {prefix}") })
                }
                (None, _) => {
                    Err(Error::NotFound { what: format!("no snapshot begins with {prefix}") })
                }
            }
        }
    }
}

fn whole(snapshot: &SnapshotEntry) -> Vec<Part<'_>> {
    snapshot.snapshot.sources.iter().map(|source| Part { source, snapshot }).collect()
}

fn newest_per_source<'s>(
    snapshots: impl DoubleEndedIterator<Item = &'s SnapshotEntry>,
) -> Result<Vec<Part<'s>>> {
    let mut parts: Vec<Part<'_>> = Vec::new();
    for snapshot in snapshots.rev() {
        for source in &snapshot.snapshot.sources {
            // Newer parts are there already: the same source, or one that holds this one.
            if !parts.iter().any(|part| holds(part.source, source)) {
                parts.push(Part { source, snapshot });
            }
        }
    }
    parts.reverse();
    match parts.is_empty() {
        false => Ok(parts),
        true => Err(Error::NotFound { what: "there is no snapshot at that time".into() }),
    }
}

/// Whether the directory at `outer` is, or holds, the one at `inner`.
fn holds(outer: &[u8], inner: &[u8]) -> bool {
    outer.is_empty()
        || inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

/// The last instant of a second, for comparisons with times that have nanoseconds.
pub fn last_instant(second: i64) -> Timestamp {
    Timestamp { seconds: second, nanos: 999_999_999 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Zoned {
        "2026-03-29T12:00:00+02:00[Europe/Berlin]".parse().expect("a time")
    }

    fn second(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().expect("a time").as_second()
    }

    #[test]
    fn times_are_understood_as_people_write_them() {
        for (text, until) in [
            ("2026-01-15", "2026-01-15T22:59:59Z"),
            ("2026-03-29", "2026-03-29T21:59:59Z"),
            ("2026-01-15T10:30", "2026-01-15T09:30:59Z"),
            ("2026-01-15T103000", "2026-01-15T09:30:00Z"),
            ("2026-01-15 10:30:05", "2026-01-15T09:30:05Z"),
            ("2026-01-15T10:30:05Z", "2026-01-15T10:30:05Z"),
            ("yesterday", "2026-03-28T22:59:59Z"),
            ("3 days ago", "2026-03-26T11:00:00Z"),
            ("1 hour ago", "2026-03-29T09:00:00Z"),
        ] {
            assert_eq!(Moment::parse(text, &now()), Some(Moment::At(second(until))), "{text}");
        }
        assert_eq!(Moment::parse("latest~2", &now()), Some(Moment::Back(2)));
        assert_eq!(Moment::parse("ABCD1234", &now()), Some(Moment::Id("abcd1234".into())));
        for nonsense in ["", "soon", "2026-13-01", "2026-01-15T25:00", "-1 days ago", "latest~x"] {
            assert_eq!(Moment::parse(nonsense, &now()), None, "{nonsense}");
        }
    }

    #[test]
    fn a_source_holds_itself_and_what_is_below_it() {
        assert!(holds(b"", b"home") && holds(b"home", b"home") && holds(b"home", b"home/me"));
        assert!(!holds(b"home", b"homes") && !holds(b"home/me", b"home"));
    }
}
