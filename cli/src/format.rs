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

/// Shows an instant in the zone of `zone`: `2026-01-15 10:30:00`.
pub fn time(time: Timestamp, zone: &TimeZone) -> String {
    instant(time).map_or_else(
        || format!("@{}", time.seconds),
        |instant| instant.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
    )
}

/// Shows an instant in UTC with its nanoseconds, for programs.
pub fn exact_time(time: Timestamp) -> String {
    instant(time).map_or_else(|| format!("@{}", time.seconds), |instant| instant.to_string())
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
}
