//! Durations that a person types: `36h`, `30d`, `2w`, `6mo`, `1y`.

use jiff::{Span, ZonedDateTime};

use crate::failure::{Failure, Outcome};

/// Reads the duration of an option, in seconds before `now`, which decides how long a month is; `0` is none.
pub fn seconds(option: &str, text: &str, now: &ZonedDateTime) -> Outcome<i64> {
    if text.trim() == "0" {
        return Ok(0);
    }
    let span = text.trim().parse::<Span>().ok().filter(|span| !span.is_negative());
    let then = span.and_then(|span| now.checked_sub(span).ok());
    match then {
        Some(then) => Ok(now.timestamp().as_second() - then.timestamp().as_second()),
        None => Err(Failure::usage(
            format!("{option} {text:?} is not a duration"),
            "write 48h, 30d, 2w, 6mo or 1y",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_the_calendar() {
        let now: ZonedDateTime = "2026-03-31T12:00:00Z[UTC]".parse().expect("a time");
        let days =
            |text: &str| seconds("--x", text, &now).map(|seconds| seconds as f64 / 86_400.0).ok();
        for (text, expected) in
            [("0", 0.0), ("36h", 1.5), ("30d", 30.0), ("2w", 14.0), ("1mo", 31.0), ("1y", 365.0)]
        {
            assert_eq!(days(text), Some(expected), "{text}");
        }
        for wrong in ["", "30", "-3d", "yesterday"] {
            assert_eq!(days(wrong), None, "{wrong}");
        }
    }
}
