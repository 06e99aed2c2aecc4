//! The pattern of a dated name, in the notation of `strptime`.

use jiff::fmt::strtime;
use jiff::tz::{Offset, TimeZone};
use yore_platform::Timestamp;

use crate::error::{Refusal, Result};

/// A pattern of names that hold a time, such as `%Y%m%d_%H%M%S` or `host-%Y-%m-%d`.
///
/// A time without an offset is of the zone that is given; a `Z` at the end of the pattern or of the name means UTC. What
/// the name lacks is zero: a day begins at midnight.
#[derive(Debug, Clone)]
pub struct DatePattern {
    text: String,
    /// The pattern without an offset at its end.
    before: String,
    end: End,
}

/// The end of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Nothing that tells the offset.
    Local,
    /// The letter `Z`.
    Utc,
    /// An offset, which may be the letter `Z`.
    Offset,
}

impl DatePattern {
    /// Takes a pattern.
    ///
    /// # Errors
    /// It is malformed, or what it finds is no date.
    pub fn new(text: &str) -> Result<Self> {
        let refused = |reason: String| Refusal::InvalidDatePattern { pattern: text.into(), reason };
        let (before, end) = split(text);
        let pattern = Self { text: text.into(), before: before.into(), end };
        // Any time shows if the pattern is one, and if it tells a day.
        let sample = jiff::Timestamp::UNIX_EPOCH.to_zoned_datetime(TimeZone::UTC);
        let name = strtime::format(text, &sample).map_err(|error| refused(error.to_string()))?;
        match pattern.parse(&name, &TimeZone::UTC) {
            Some(_) => Ok(pattern),
            None => {
                let reason =
                    "it must tell year, month and day, as %Y-%m-%d does, and nothing twice";
                Err(refused(reason.into()).into())
            }
        }
    }

    /// Returns the pattern as it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the name that the pattern gives a time, as an example.
    pub fn example(&self, time: &jiff::ZonedDateTime) -> String {
        strtime::format(&self.text, time).unwrap_or_default()
    }

    /// Finds the time in a name, and the offset from UTC then, in seconds; `None` for a name of another form.
    pub(super) fn parse(&self, name: &str, zone: &TimeZone) -> Option<(Timestamp, i64)> {
        let (pattern, name, utc) = match (self.end, name.strip_suffix('Z')) {
            (End::Utc, None) => return None,
            (End::Utc | End::Offset, Some(name)) => (&self.before, name, true),
            (End::Offset | End::Local, _) => (&self.text, name, false),
        };
        let parsed = strtime::parse(pattern, name).ok()?;
        let offset = if utc { Some(Offset::UTC) } else { parsed.offset() };
        let instant = match (parsed.timestamp(), offset) {
            (Some(instant), _) => instant,
            (None, Some(offset)) => offset.to_timestamp(parsed.to_datetime().ok()?).ok()?,
            // A time that clocks showed twice is the first of both; one that they skipped is as much later.
            (None, None) => {
                let civil = parsed.to_datetime().ok()?;
                civil.to_zoned_datetime(zone.clone()).ok()?.timestamp()
            }
        };
        let offset = offset.unwrap_or_else(|| zone.to_offset(instant));
        let seconds = instant.as_nanosecond().div_euclid(1_000_000_000);
        let time = Timestamp { seconds: i64::try_from(seconds).ok()?, nanos: 0 };
        Some((time, offset.seconds().into()))
    }
}

/// Splits off the part at the end of a pattern that tells the offset.
fn split(text: &str) -> (&str, End) {
    let ends = [("%:z", End::Offset), ("%z", End::Offset)];
    let offset = ends.iter().find_map(|(end, kind)| Some((text.strip_suffix(end)?, *kind)));
    let utc = || text.strip_suffix('Z').filter(|before| !before.ends_with('%'));
    offset.or_else(|| utc().map(|before| (before, End::Utc))).unwrap_or((text, End::Local))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(pattern: &str, name: &str) -> Option<(i64, i64)> {
        let berlin = TimeZone::get("Europe/Berlin").expect("a zone");
        let pattern = DatePattern::new(pattern).expect("a pattern");
        pattern.parse(name, &berlin).map(|(time, offset)| (time.seconds, offset))
    }

    fn at(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().expect("a time").as_second()
    }

    #[test]
    fn names_of_other_tools_have_the_times_that_those_mean() {
        for (pattern, name, instant, offset) in [
            ("%Y%m%d_%H%M%S", "20260115_103000", "2026-01-15T09:30:00Z", 3600),
            ("%Y-%m-%d", "2026-07-15", "2026-07-14T22:00:00Z", 7200),
            ("daily.%Y-%m-%d_%H%M", "daily.2026-01-15_1030", "2026-01-15T09:30:00Z", 3600),
            ("%Y-%m-%dT%H:%M:%SZ", "2026-01-15T10:30:00Z", "2026-01-15T10:30:00Z", 0),
            ("%Y-%m-%dT%H:%M:%S%:z", "2026-01-15T10:30:00Z", "2026-01-15T10:30:00Z", 0),
            ("%Y-%m-%dT%H:%M:%S%:z", "2026-01-15T10:30:00-05:00", "2026-01-15T15:30:00Z", -18000),
            ("%Y-%m-%dT%H:%M:%S%z", "2026-01-15T10:30:00+0100", "2026-01-15T09:30:00Z", 3600),
            ("@GMT-%Y.%m.%d-%H.%M.%SZ", "@GMT-2026.01.15-10.30.00Z", "2026-01-15T10:30:00Z", 0),
            ("b-%s", "b-1768473000", "2026-01-15T10:30:00Z", 3600),
            // Clocks showed this time twice: the first.
            ("%Y%m%d%H%M", "202610250230", "2026-10-25T00:30:00Z", 7200),
        ] {
            assert_eq!(seconds(pattern, name), Some((at(instant), offset)), "{pattern} {name}");
        }
    }

    #[test]
    fn a_name_that_does_not_fit_as_a_whole_has_no_time() {
        for (pattern, name) in [
            ("%Y%m%d", "20260115_103000"),
            ("%Y%m%d", "latest"),
            ("%Y-%m-%d", "2026-02-30"),
            ("%Y-%m-%dT%H:%M:%SZ", "2026-01-15T10:30:00"),
            ("%Y-%m-%dT%H:%M:%SZ", "2026-01-15T10:30:00Z-1"),
            ("host-%Y%m%d", "other-20260115"),
        ] {
            assert_eq!(seconds(pattern, name), None, "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_that_tells_no_day_is_refused() {
        for pattern in ["", "daily", "%H%M", "%Y-%m", "%Y%m%d%", "%y%q"] {
            assert!(DatePattern::new(pattern).is_err(), "{pattern:?}");
        }
    }
}
