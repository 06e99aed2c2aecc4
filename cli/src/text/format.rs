//! Numbers and times for people.

use jiff::tz::TimeZone;
use yore_platform::Timestamp;

/// Shows a number of bytes: `1.4 GiB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let (mut amount, mut unit) = (count as f64 / 1024.0, 0);
    while amount >= 999.95 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    format!("{amount:.1} {}", UNITS[unit])
}

/// Shows a count with its groups of three digits apart: `48,000`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// Shows a count with its noun: `1 file`, `2 files`.
pub fn counted(number: u64, noun: &str) -> String {
    let end = if number == 1 { "" } else { "s" };
    format!("{} {noun}{end}", count(number))
}

/// Shows an instant in a time zone: `2026-01-15 10:30:00`.
///
/// In an hour that the clock repeats, the offset from UTC distinguishes its two readings:
/// `2026-10-25 02:30:00 +02:00`.
pub fn time(time: Timestamp, zone: &TimeZone) -> String {
    let Some(instant) = instant(time) else { return format!("@{}", time.seconds) };
    let local = instant.to_zoned_datetime(zone.clone());
    let format = match zone.to_ambiguous_timestamp(local.datetime()).is_ambiguous() {
        true => "%Y-%m-%d %H:%M:%S %:z",
        false => "%Y-%m-%d %H:%M:%S",
    };
    local.strftime(format).to_string()
}

/// Shows an instant in UTC with its nanoseconds, for programs: by RFC 3339, which has the years 0 to
/// 9999, and beyond them as `@` and the seconds since 1970, as `date` of GNU reads it.
pub fn exact_time(time: Timestamp) -> String {
    match instant(time) {
        Some(instant) if instant.to_zoned_datetime(TimeZone::UTC).year() >= 0 => {
            instant.to_string()
        }
        _ => exact_seconds(time),
    }
}

/// Shows the seconds since 1970 as a decimal number: `@-5.25`.
fn exact_seconds(time: Timestamp) -> String {
    const BILLION: u128 = 1_000_000_000;
    let nanos = i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos);
    let sign = if nanos < 0 { "-" } else { "" };
    let (whole, part) = (nanos.unsigned_abs() / BILLION, nanos.unsigned_abs() % BILLION);
    let text = format!("@{sign}{whole}.{part:09}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn instant(time: Timestamp) -> Option<jiff::Timestamp> {
    jiff::Timestamp::new(time.seconds, i32::try_from(time.nanos).ok()?).ok()
}

/// Shows how long something took: `0.4 s`, `2 min 5 s`.
pub fn duration(time: std::time::Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{:.1} s", time.as_secs_f64()),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(1024 * 1024 - 1), "1.0 MiB");
        assert_eq!(count(48000), "48,000");
        assert_eq!(count(999), "999");
        assert_eq!(counted(1, "file"), "1 file");
    }

    #[test]
    fn an_hour_that_the_clock_repeats_is_shown_with_its_offset() {
        let zone = TimeZone::get("Europe/Berlin").expect("a zone");
        let shown = |text: &str| {
            let seconds = text.parse::<jiff::Timestamp>().expect("a time").as_second();
            time(Timestamp { seconds, nanos: 0 }, &zone)
        };
        assert_eq!(shown("2026-10-24T23:59:59Z"), "2026-10-25 01:59:59");
        assert_eq!(shown("2026-10-25T00:30:00Z"), "2026-10-25 02:30:00 +02:00");
        assert_eq!(shown("2026-10-25T01:30:00Z"), "2026-10-25 02:30:00 +01:00");
        assert_eq!(shown("2026-10-25T02:00:00Z"), "2026-10-25 03:00:00");
        assert_eq!(shown("2026-03-29T01:00:00Z"), "2026-03-29 03:00:00", "no hour is repeated");
    }

    #[test]
    fn exact_times_are_rfc_3339_as_far_as_that_goes_and_seconds_beyond() {
        let shown = |seconds, nanos| exact_time(Timestamp { seconds, nanos });
        assert_eq!(shown(-1, 500_000_000), "1969-12-31T23:59:59.5Z");
        assert_eq!(shown(-62_167_219_200, 0), "0000-01-01T00:00:00Z");
        assert_eq!(shown(-62_167_219_201, 999_999_999), "@-62167219200.000000001");
        assert_eq!(shown(-62_167_219_206, 750_000_000), "@-62167219205.25");
        assert_eq!(shown(253_402_300_800, 0), "@253402300800");
        assert_eq!(shown(i64::MIN, 0), "@-9223372036854775808");
        assert_eq!(shown(i64::MAX, 10), "@9223372036854775807.00000001");
    }

    #[test]
    fn every_number_can_be_shown() {
        let ends = [i64::MIN, i64::MIN + 1, -377_705_116_800, -1, 0, 253_402_207_200, i64::MAX];
        for seconds in ends {
            for zone in [jiff::tz::offset(-25), jiff::tz::offset(25)] {
                let zone = TimeZone::fixed(zone);
                let shown = time(Timestamp { seconds, nanos: u32::MAX }, &zone);
                assert!(!shown.is_empty());
                let shown = time(Timestamp { seconds, nanos: 999_999_999 }, &zone);
                assert!(!shown.is_empty());
            }
        }
        assert_eq!(bytes(u64::MAX), "16.0 EiB");
        assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
        assert!(!duration(std::time::Duration::MAX).is_empty());
    }
}
