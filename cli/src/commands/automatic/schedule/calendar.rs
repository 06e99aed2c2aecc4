//! When a timer runs.

use std::time::Duration;

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, ZonedDateTime};

/// The times of a timer, by the clock on the wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calendar {
    /// The minute of the hour.
    pub minute: u8,
    /// The hour; each one where there is none.
    pub hour: Option<u8>,
    /// The days; each one where there is none.
    pub day: Option<Day>,
}

/// A day that returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Day {
    /// Of the week, Sunday being 0.
    Week(u8),
    /// Of the month, from 1 to 28, which each has.
    Month(u8),
}

/// The years for which it is known when clocks are put forward.
const YEARS: i64 = 15;

/// The names of days, as systemd has them.
pub const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

impl Calendar {
    /// Each day at half past two.
    pub const DAILY: Self = Self { minute: 30, hour: Some(2), day: None };
    /// Each hour.
    pub const HOURLY: Self = Self { minute: 0, hour: None, day: None };
    /// The first of each month at four.
    pub const MONTHLY: Self = Self { minute: 0, hour: Some(4), day: Some(Day::Month(1)) };

    /// Describes it to people.
    pub fn words(self) -> String {
        let Some(hour) = self.hour else { return format!("each hour at :{:02}", self.minute) };
        let time = format!("{hour:02}:{:02}", self.minute);
        match self.day {
            None => format!("each day at {time}"),
            Some(Day::Week(day)) => format!("each {} at {time}", DAYS[usize::from(day)]),
            Some(Day::Month(day)) => format!("on day {day} of each month at {time}"),
        }
    }

    /// Returns the time from one run to the next, at the most.
    pub fn period(self) -> Duration {
        let hours = match (self.hour, self.day) {
            (None, _) => 1,
            (_, None) => 24,
            (_, Some(Day::Week(_))) => 7 * 24,
            (_, Some(Day::Month(_))) => 31 * 24,
        };
        Duration::from_secs(hours * 3600)
    }

    /// Finds the times of the coming years at which it would run if the clock were not put forward over them; returns
    /// for each what the clock shows then.
    pub fn left_out(self, now: &ZonedDateTime) -> Vec<DateTime> {
        let Some(hour) = self.hour else { return Vec::new() };
        let zone = now.time_zone();
        let end = now.timestamp().as_second() + YEARS * 366 * 86_400;
        let changes = zone.following(now.timestamp());
        let changes = changes.take_while(|change| change.timestamp().as_second() < end);
        changes.filter_map(|change| self.left_out_at(hour, zone, change.timestamp())).collect()
    }

    fn left_out_at(self, hour: u8, zone: &TimeZone, change: Timestamp) -> Option<DateTime> {
        // A clock that is put forward at midnight leaves out times of the next day.
        let before = change - SignedDuration::from_secs(1);
        let dates = [before, change].map(|time| zone.to_datetime(time).date());
        dates.into_iter().filter(|date| self.is_on(*date)).find_map(|date| {
            let time = date.at(hour as i8, self.minute as i8, 0, 0);
            let found = zone.to_ambiguous_timestamp(time);
            let is_left_out = matches!(found.offset(), AmbiguousOffset::Gap { .. });
            let instead = found.later().ok().filter(|_| is_left_out)?;
            Some(zone.to_datetime(instead))
        })
    }

    fn is_on(self, date: Date) -> bool {
        match self.day {
            None => true,
            Some(Day::Week(day)) => date.weekday().to_sunday_zero_offset() == day as i8,
            Some(Day::Month(day)) => date.day() == day as i8,
        }
    }

    /// Moves it later by minutes that are fewer than an hour; past midnight the next day is meant.
    pub fn later(self, minutes: u32) -> Self {
        let total = u32::from(self.minute) + minutes;
        let Some(hour) = self.hour else {
            return Self { minute: (total % 60) as u8, ..self };
        };
        let all = u32::from(hour) * 60 + total;
        let is_next = all >= 24 * 60;
        let day = match self.day {
            Some(Day::Week(day)) if is_next => Some(Day::Week((day + 1) % 7)),
            Some(Day::Month(day)) if is_next => Some(Day::Month(day % 28 + 1)),
            day => day,
        };
        Self { minute: (all % 60) as u8, hour: Some((all / 60 % 24) as u8), day }
    }
}

/// Returns a parser of what one of the options takes.
pub fn parse_calendar(kind: &'static str) -> impl Fn(&str) -> Result<Calendar, String> + Clone {
    move |text| {
        let wrong = || match kind {
            "hourly" => "write the minute, from 0 to 59".to_owned(),
            "daily" => "write a time, as in 02:30".to_owned(),
            "weekly" => "write a day and a time, as in \"sun 03:00\"".to_owned(),
            _ => "write a day from 1 to 28 and a time, as in \"1 03:00\"".to_owned(),
        };
        let number = |text: &str, range: std::ops::RangeInclusive<u8>| {
            text.parse::<u8>().ok().filter(|number| range.contains(number))
        };
        let time = |text: &str| {
            let (hour, minute) = text.split_once(':')?;
            Some((number(hour, 0..=23)?, number(minute, 0..=59)?))
        };
        let parsed = match kind {
            "hourly" => number(text, 0..=59).map(|minute| (None, None, minute)),
            "daily" => time(text).map(|(hour, minute)| (None, Some(hour), minute)),
            _ => text.trim().split_once(' ').and_then(|(day, rest)| {
                let (hour, minute) = time(rest.trim())?;
                let day = match kind {
                    "weekly" => Day::Week(day_of_week(day)?),
                    _ => Day::Month(number(day, 1..=28)?),
                };
                Some((Some(day), Some(hour), minute))
            }),
        };
        let (day, hour, minute) = parsed.ok_or_else(wrong)?;
        Ok(Calendar { minute, hour, day })
    }
}

fn day_of_week(text: &str) -> Option<u8> {
    let typed = text.get(..3)?;
    DAYS.iter().position(|day| day.eq_ignore_ascii_case(typed)).and_then(|at| u8::try_from(at).ok())
}

/// Takes a delay of less than an hour, in seconds.
pub fn parse_splay(text: &str) -> Result<u32, String> {
    let wrong = || "write minutes, as in 15m; less than an hour".to_owned();
    let (number, unit) = match text.strip_suffix('m') {
        Some(number) => (number, 60),
        None => (text.strip_suffix('s').unwrap_or(text), 1),
    };
    let seconds = number.parse::<u32>().ok().and_then(|number| number.checked_mul(unit));
    seconds.filter(|seconds| *seconds < 3600).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_types_is_a_time() {
        let parse = |kind, text| parse_calendar(kind)(text).ok().map(Calendar::words);
        for (kind, text, words) in [
            ("daily", "02:30", "each day at 02:30"),
            ("hourly", "5", "each hour at :05"),
            ("weekly", "sunday 03:00", "each Sun at 03:00"),
            ("weekly", "Fri  23:59", "each Fri at 23:59"),
            ("monthly", "1 03:00", "on day 1 of each month at 03:00"),
        ] {
            assert_eq!(parse(kind, text).as_deref(), Some(words), "{text}");
        }
        for (kind, text) in [
            ("daily", "24:00"),
            ("daily", "2"),
            ("hourly", "60"),
            ("weekly", "03:00"),
            ("weekly", "xyz 03:00"),
            ("monthly", "31 03:00"),
        ] {
            assert_eq!(parse(kind, text), None, "{text}");
        }
        assert_eq!(parse_splay("15m"), Ok(900));
        assert!(parse_splay("60m").is_err() && parse_splay("x").is_err());
    }

    #[test]
    fn times_over_which_the_clock_is_put_forward_are_made_up_for() {
        let now: ZonedDateTime = "2026-12-01T00:00:00Z[UTC]".parse().expect("a time");
        let left_out = |calendar: Calendar, zone: &str| {
            let zone = TimeZone::get(zone).expect("a zone");
            let times = calendar.left_out(&now.timestamp().to_zoned_datetime(zone));
            times.iter().take(2).map(ToString::to_string).collect::<Vec<_>>()
        };
        let berlin = ["2027-03-28T03:30:00", "2028-03-26T03:30:00"];
        assert_eq!(left_out(Calendar::DAILY, "Europe/Berlin"), berlin);
        let athens = Calendar { hour: Some(3), ..Calendar::DAILY };
        assert_eq!(left_out(athens, "Europe/Athens")[0], "2027-03-28T04:30:00");
        let sunday = Calendar { day: Some(Day::Week(0)), ..Calendar::DAILY };
        assert_eq!(left_out(sunday, "Europe/Berlin"), berlin);
        let monday = Calendar { day: Some(Day::Week(1)), ..Calendar::DAILY };
        assert!(left_out(monday, "Europe/Berlin").is_empty());
        // At midnight, the first hour of the next day is left out.
        let midnight = Calendar { hour: Some(0), ..Calendar::DAILY };
        assert_eq!(left_out(midnight, "Africa/Cairo")[0], "2027-04-30T01:30:00");
        assert!(left_out(Calendar::HOURLY, "Europe/Berlin").is_empty());
        assert!(left_out(Calendar::DAILY, "UTC").is_empty());
        assert!(left_out(Calendar::DAILY, "Asia/Tokyo").is_empty());
    }

    #[test]
    fn a_delay_past_midnight_is_of_the_next_day() {
        let weekly = parse_calendar("weekly")("sat 23:50").expect("a time");
        assert_eq!(weekly.later(15).words(), "each Sun at 00:05");
        assert_eq!(
            parse_calendar("hourly")("50").expect("a time").later(15).words(),
            "each hour at :05"
        );
    }
}
