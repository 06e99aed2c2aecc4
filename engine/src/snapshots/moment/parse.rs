//! Moments as people type them.
//!
//! | typed | means |
//! |---|---|
//! | `latest`, `latest~3` | the newest snapshot, the third before it |
//! | `now` | this instant |
//! | `today`, `yesterday` | the end of that day |
//! | `monday`, `last monday` | the end of the last day of that name that is over |
//! | `last week`, `last month`, `last year` | as long ago as that, to the second |
//! | `3 days ago`, `two weeks ago`, `an hour ago`, `2d`, `2h`, `30m`, `2w` | as long ago, to the second |
//! | `17:15`, `17:15:30` | the end of that minute or second today; where it is still to come, yesterday's |
//! | `2026-01-15`, `15.01.2026`, `2026-01`, `2026` | the end of that day, month or year |
//! | `2026-01-15T10:30`, `2026-01-15 103000` | the end of that minute, that second |
//! | `2026-01-15T10:30:05Z` | that instant |
//! | four or more hexadecimal digits | the one snapshot whose id begins so; four digits of 1970 to 2199 are a year |
//!
//! Dates with slashes are none: they are read differently in different countries.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{Disambiguation, TimeZone};
use jiff::{SignedDuration, Span, ZonedDateTime};

use super::Moment;

/// Years that four digits may name.
const YEARS: std::ops::RangeInclusive<i16> = 1970..=2199;

impl Moment {
    /// Reads a moment; `now` says what `yesterday` is and in which zone times are meant.
    ///
    /// In an hour that a clock repeats, the first one is meant. Returns `None` for what is no
    /// moment.
    pub fn parse(text: &str, now: &ZonedDateTime) -> Option<Self> {
        Reading { now, fold: Disambiguation::Compatible }.read(text.trim())
    }

    /// Reads a moment as [`Moment::parse`] does, but takes the second of two hours that a clock
    /// repeats.
    pub fn parse_later(text: &str, now: &ZonedDateTime) -> Option<Self> {
        Reading { now, fold: Disambiguation::Later }.read(text.trim())
    }
}

/// A way to read times.
struct Reading<'a> {
    now: &'a ZonedDateTime,
    fold: Disambiguation,
}

impl Reading<'_> {
    fn read(&self, text: &str) -> Option<Moment> {
        let lower = text.to_ascii_lowercase();
        if let Some(back) = lower.strip_prefix("latest~") {
            return back.parse().ok().map(Moment::Back);
        }
        self.word(&lower)
            .or_else(|| self.ago(&lower))
            .or_else(|| Some(Moment::At(text.parse::<jiff::Timestamp>().ok()?.as_second())))
            .or_else(|| self.civil(text))
            .or_else(|| self.clock(text))
            .or_else(|| self.month_or_year(text))
            .or_else(|| id(lower))
    }

    fn word(&self, word: &str) -> Option<Moment> {
        let today = self.now.date();
        match word {
            "latest" => Some(Moment::Latest),
            "now" => Some(Moment::At(self.now.timestamp().as_second())),
            "today" => self.end_of(today),
            "yesterday" => self.end_of(today.yesterday().ok()?),
            "last week" => self.before(Span::new().try_weeks(1).ok()?),
            "last month" => self.before(Span::new().try_months(1).ok()?),
            "last year" => self.before(Span::new().try_years(1).ok()?),
            name => {
                let day = weekday(name.strip_prefix("last ").unwrap_or(name))?;
                self.end_of(today.nth_weekday(-1, day).ok()?)
            }
        }
    }

    fn ago(&self, text: &str) -> Option<Moment> {
        let span = match text.strip_suffix(" ago") {
            Some(long) => long_span(long.trim())?,
            None => short_span(text)?,
        };
        self.before(span)
    }

    fn before(&self, span: Span) -> Option<Moment> {
        Some(Moment::At(self.now.checked_sub(span).ok()?.timestamp().as_second()))
    }

    /// Reads a date, alone or with a time.
    fn civil(&self, text: &str) -> Option<Moment> {
        let (date, time) = match text.split_once(['T', 't', ' ']) {
            Some((date, time)) => (date, Some(time)),
            None => (text, None),
        };
        let date = date_of(date)?;
        match time {
            None => self.end_of(date),
            Some(time) => self.at(date, time_of(time)?),
        }
    }

    /// Reads a time of today, or of yesterday where that is still to come.
    fn clock(&self, text: &str) -> Option<Moment> {
        let time = time_of(text).filter(|_| text.contains(':'))?;
        let today = self.now.date();
        let now = self.now.timestamp().as_second();
        match self.at(today, time)? {
            Moment::At(second) if second - time.1 >= now => self.at(today.yesterday().ok()?, time),
            moment => Some(moment),
        }
    }

    fn month_or_year(&self, text: &str) -> Option<Moment> {
        let number = |digits: &str| {
            digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
        };
        match (text.len(), text.split_once('-')) {
            (7, Some((year, month))) if year.len() == 4 => {
                let first = Date::new(number(year)?, i8::try_from(number(month)?).ok()?, 1).ok()?;
                self.end_of(first.last_of_month())
            }
            (4, None) => {
                let year = number(text).filter(|year| YEARS.contains(year))?;
                self.end_of(Date::new(year, 12, 31).ok()?)
            }
            _ => None,
        }
    }

    /// The last of the seconds that a time of a date covers.
    fn at(&self, date: Date, (time, covers): (Time, i64)) -> Option<Moment> {
        let start = self.zoned(date.to_datetime(time))?;
        Some(Moment::At(start.timestamp().as_second() + covers - 1))
    }

    /// The last second of a day, which may have 23 or 25 hours.
    fn end_of(&self, date: Date) -> Option<Moment> {
        let next = self.zoned(date.tomorrow().ok()?.to_datetime(Time::midnight()))?;
        let last = next.timestamp().checked_sub(SignedDuration::from_secs(1)).ok()?;
        Some(Moment::At(last.as_second()))
    }

    fn zoned(&self, when: DateTime) -> Option<ZonedDateTime> {
        let zone: &TimeZone = self.now.time_zone();
        zone.to_ambiguous_zoned_datetime(when).disambiguate(self.fold).ok()
    }
}

fn id(text: String) -> Option<Moment> {
    let is_id = (4..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
    is_id.then_some(Moment::Id(text))
}

fn weekday(name: &str) -> Option<Weekday> {
    Some(match name {
        "monday" => Weekday::Monday,
        "tuesday" => Weekday::Tuesday,
        "wednesday" => Weekday::Wednesday,
        "thursday" => Weekday::Thursday,
        "friday" => Weekday::Friday,
        "saturday" => Weekday::Saturday,
        "sunday" => Weekday::Sunday,
        _ => return None,
    })
}

/// Reads `2026-01-15` or `15.01.2026`.
fn date_of(text: &str) -> Option<Date> {
    let lengths = |fields: &[&str]| fields.iter().map(|field| field.len()).collect::<Vec<_>>();
    let dashes: Vec<&str> = text.split('-').collect();
    let dots: Vec<&str> = text.split('.').collect();
    let [year, month, day] = match (lengths(&dashes).as_slice(), lengths(&dots).as_slice()) {
        ([4, 2, 2], _) => [dashes[0], dashes[1], dashes[2]],
        (_, [1..=2, 1..=2, 4]) => [dots[2], dots[1], dots[0]],
        _ => return None,
    };
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

/// Reads a time of day, with or without colons and seconds, and how many seconds it covers.
fn time_of(text: &str) -> Option<(Time, i64)> {
    let digits: String = text.chars().filter(|c| *c != ':').collect();
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number = |range| digits.get(range).and_then(|digits: &str| digits.parse::<i8>().ok());
    let (second, covers) = match digits.len() {
        4 => (0, 60),
        6 => (number(4..6)?, 1),
        _ => return None,
    };
    Some((Time::new(number(0..2)?, number(2..4)?, second, 0).ok()?, covers))
}

/// Reads `3 days`, `an hour`, `two weeks`.
fn long_span(text: &str) -> Option<Span> {
    const NUMBERS: [&str; 13] = [
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
        "eleven", "twelve",
    ];
    let (number, unit) = text.split_once(' ')?;
    let number = match number {
        "a" | "an" => 1,
        word => match NUMBERS.iter().position(|known| *known == word) {
            Some(number) => number as i64,
            None => word.parse().ok().filter(|number| *number >= 0)?,
        },
    };
    span(number, unit.trim().trim_end_matches('s'))
}

/// Reads `2d`, `36h`, `90m`.
fn short_span(text: &str) -> Option<Span> {
    let at = text.find(|letter: char| !letter.is_ascii_digit())?;
    let unit = match &text[at..] {
        "m" | "min" => "minute",
        "h" => "hour",
        "d" => "day",
        "w" => "week",
        "y" => "year",
        _ => return None,
    };
    span(text[..at].parse().ok()?, unit)
}

fn span(number: i64, unit: &str) -> Option<Span> {
    let span = Span::new();
    match unit {
        "second" => span.try_seconds(number),
        "minute" => span.try_minutes(number),
        "hour" => span.try_hours(number),
        "day" => span.try_days(number),
        "week" => span.try_weeks(number),
        "month" => span.try_months(number),
        "year" => span.try_years(number),
        _ => return None,
    }
    .ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now() -> ZonedDateTime {
        "2026-03-29T12:00:00+02:00[Europe/Berlin]".parse().expect("a time")
    }

    fn second(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().expect("a time").as_second()
    }

    #[test]
    fn times_are_understood_as_people_write_them() {
        for (text, until) in [
            ("2026-01-15", "2026-01-15T22:59:59Z"),
            ("15.01.2026", "2026-01-15T22:59:59Z"),
            ("5.1.2026", "2026-01-05T22:59:59Z"),
            ("2026-03-29", "2026-03-29T21:59:59Z"),
            ("2020-06", "2020-06-30T21:59:59Z"),
            ("2020", "2020-12-31T22:59:59Z"),
            ("2026-01-15T10:30", "2026-01-15T09:30:59Z"),
            ("2026-01-15T103000", "2026-01-15T09:30:00Z"),
            ("2026-01-15 10:30:05", "2026-01-15T09:30:05Z"),
            ("2026-01-15T10:30:05Z", "2026-01-15T10:30:05Z"),
            ("yesterday", "2026-03-28T22:59:59Z"),
            // The 29th is a Sunday.
            ("saturday", "2026-03-28T22:59:59Z"),
            ("Monday", "2026-03-23T22:59:59Z"),
            ("sunday", "2026-03-22T22:59:59Z"),
            ("last sunday", "2026-03-22T22:59:59Z"),
            ("last week", "2026-03-22T11:00:00Z"),
            ("11:15", "2026-03-29T09:15:59Z"),
            ("17:15", "2026-03-28T16:15:59Z"),
            ("3 days ago", "2026-03-26T11:00:00Z"),
            ("two days ago", "2026-03-27T11:00:00Z"),
            ("2d", "2026-03-27T11:00:00Z"),
            ("2h", "2026-03-29T08:00:00Z"),
            ("1 hour ago", "2026-03-29T09:00:00Z"),
        ] {
            assert_eq!(Moment::parse(text, &now()), Some(Moment::At(second(until))), "{text}");
        }
        assert_eq!(Moment::parse("latest~2", &now()), Some(Moment::Back(2)));
        assert_eq!(Moment::parse("ABCD1234", &now()), Some(Moment::Id("abcd1234".into())));
        for nonsense in [
            "",
            "soon",
            "2026-13-01",
            "2026-01-15T25:00",
            "-1 days ago",
            "latest~x",
            "15/01/2026",
            "19999 years ago",
            "999999999999999999 seconds ago",
            "999999999999999w",
            "latest~99999999999999999999",
        ] {
            assert_eq!(Moment::parse(nonsense, &now()), None, "{nonsense}");
        }
    }

    #[test]
    fn an_hour_that_is_repeated_can_be_read_twice() {
        let both = |text: &str| [Moment::parse(text, &now()), Moment::parse_later(text, &now())];
        let [first, second_one] = both("2026-10-25T02:30:00");
        assert_eq!(first, Some(Moment::At(second("2026-10-25T00:30:00Z"))));
        assert_eq!(second_one, Some(Moment::At(second("2026-10-25T01:30:00Z"))));
        let [first, same] = both("2026-10-25T04:30:00");
        assert_eq!(first, same);
    }

    proptest! {
        #[test]
        fn nothing_that_is_typed_panics(
            text in "(last |latest~)?[0-9a-z.:~T -]{0,24}( ago| years ago|d|h|w|y)?", number in any::<u64>(),
            unit in "(second|minute|hour|day|week|month|year|d|h|y)s? ?(ago)?", year in -9999i64..9999,
        ) {
            for now in [now(), jiff::Timestamp::MIN.to_zoned_datetime(TimeZone::UTC), jiff::Timestamp::MAX.to_zoned_datetime(TimeZone::UTC)] {
                let _ = Moment::parse(&text, &now);
                let _ = Moment::parse(&format!("{number} {unit}"), &now);
                let _ = Moment::parse(&format!("{number}{unit}"), &now);
                let _ = Moment::parse(&format!("{year}-12-31"), &now);
            }
        }
    }
}
