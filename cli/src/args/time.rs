//! Times as people type them, where one instant is needed.

use jiff::ZonedDateTime;
use yore_engine::snapshots::Moment;
use yore_platform::Timestamp;

use crate::failure::{Failure, Outcome};

/// The forms of a moment, for hints.
pub const FORMS: &str = "a moment is an id or its beginning, a name of the drive, latest, latest~3, 2026-01-15, \
                         15.01.2026, 2026-01-15T10:30, 17:15, yesterday, monday, \"last week\", 2d, \"3 days ago\"";

/// Returns the instant that `--time` names, and the offset from UTC then.
///
/// A time without seconds is the minute's first; a day is its last second, but today is now.
pub fn instant(text: &str, now: &ZonedDateTime) -> Outcome<(Timestamp, i64)> {
    let with_seconds = Moment::parse(&format!("{}:00", text.trim()), now);
    let second = match with_seconds.or_else(|| Moment::parse(text, now)) {
        moment if moment == Moment::parse("today", now) => now.timestamp().as_second(),
        Some(Moment::At(second)) => second,
        Some(Moment::Latest | Moment::Back(_) | Moment::Id(_)) | None => {
            return Err(Failure::usage(
                format!("{text:?} is not a time"),
                "write 2026-01-15T10:30, 2026-01-15T10:30:00Z, yesterday or \"3 days ago\"",
            ));
        }
    };
    Ok((Timestamp { seconds: second, nanos: 0 }, offset(second, now)))
}

/// Returns the first second of a day or time.
pub fn beginning(text: &str, now: &ZonedDateTime) -> Outcome<i64> {
    match Moment::parse(&format!("{}T00:00:00", text.trim()), now) {
        Some(Moment::At(second)) => Ok(second),
        _ => instant(text, now).map(|(time, _)| time.seconds),
    }
}

/// Returns the last second of a day or time.
pub fn ending(text: &str, now: &ZonedDateTime) -> Outcome<i64> {
    match Moment::parse(text, now) {
        Some(Moment::At(second)) => Ok(second),
        _ => instant(text, now).map(|(time, _)| time.seconds),
    }
}

/// Returns the present instant, and the offset from UTC.
pub fn present(now: &ZonedDateTime) -> (Timestamp, i64) {
    let stamp = now.timestamp();
    let nanos = u32::try_from(stamp.as_nanosecond().rem_euclid(1_000_000_000)).unwrap_or(0);
    let seconds = stamp.as_nanosecond().div_euclid(1_000_000_000) as i64;
    (Timestamp { seconds, nanos }, i64::from(now.offset().seconds()))
}

fn offset(second: i64, now: &ZonedDateTime) -> i64 {
    jiff::Timestamp::from_second(second)
        .map_or(0, |instant| i64::from(now.time_zone().to_offset(instant).seconds()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_without_seconds_is_the_first_of_its_minute() {
        let now: ZonedDateTime =
            "2026-03-29T12:00:00+02:00[Europe/Berlin]".parse().expect("a time");
        let second = |text: &str| instant(text, &now).map(|(time, _)| time.seconds).ok();
        let at = |text: &str| text.parse::<jiff::Timestamp>().ok().map(|t| t.as_second());
        assert_eq!(second("2026-01-15T10:30"), at("2026-01-15T09:30:00Z"));
        assert_eq!(second("2026-01-15T1030"), at("2026-01-15T09:30:00Z"));
        assert_eq!(second("2026-01-15T10:30:05"), at("2026-01-15T09:30:05Z"));
        assert_eq!(second("2026-01-15"), at("2026-01-15T22:59:59Z"));
        assert_eq!(second("2026-03-29"), at("2026-03-29T10:00:00Z"));
        assert_eq!(second("latest"), None);
        assert_eq!(instant("2026-01-15T10:30", &now).map(|(_, offset)| offset).ok(), Some(3600));
    }
}
