//! Times, sizes and ranges in the terms of HTTP.
//!
//! The server's library panics on what HTTP has no form for, in the middle of an answer. So nothing
//! reaches it that lies outside: values are moved to the nearest one that HTTP has.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::header::HeaderValue;

use crate::metadata::Timestamp;

/// The last second that a date of HTTP can hold: 9999-12-31T23:59:59Z (RFC 9110, section 5.6.7). The
/// library knows no date before 1970 either.
const LAST_SECOND: u64 = 253_402_300_799;

/// The largest size of a file; what lies beyond overflows in a client's signed number.
const LARGEST: u64 = i64::MAX as u64;

/// Returns the instant, or the nearest one that a date of HTTP can hold.
pub(super) fn http_time(time: Timestamp) -> SystemTime {
    let since_1970 = match u64::try_from(time.seconds) {
        Ok(seconds) if seconds <= LAST_SECOND => {
            Duration::new(seconds, time.nanos.min(999_999_999))
        }
        Ok(_) => Duration::new(LAST_SECOND, 999_999_999),
        Err(_) => Duration::ZERO,
    };
    UNIX_EPOCH.checked_add(since_1970).unwrap_or(UNIX_EPOCH)
}

/// Returns the size, or the largest that clients understand.
pub(super) fn http_size(size: u64) -> u64 {
    size.min(LARGEST)
}

/// Returns the value of a `Range` header without numbers that overflow when the library adds them.
///
/// A range may end past the end of the file (RFC 9110, section 14.1.2), so the answer stays the same.
/// `None` where the header is no text.
pub(super) fn bounded_range(range: &HeaderValue) -> Option<HeaderValue> {
    let mut bounded = String::new();
    for part in range.to_str().ok()?.split_inclusive(|letter: char| !letter.is_ascii_digit()) {
        let digits = part.trim_end_matches(|letter: char| !letter.is_ascii_digit());
        let (_, after) = part.split_at_checked(digits.len())?;
        match digits.parse::<u64>() {
            _ if digits.is_empty() => {}
            Ok(number) if number <= LARGEST => bounded.push_str(digits),
            Ok(_) | Err(_) => bounded.push_str(&LARGEST.to_string()),
        }
        bounded.push_str(after);
    }
    HeaderValue::from_str(&bounded).ok()
}

#[cfg(test)]
mod tests {
    use headers::{Header, LastModified};
    use proptest::prelude::*;

    use super::*;

    fn http_date(seconds: i64, nanos: u32) -> String {
        let mut values = Vec::new();
        LastModified::from(http_time(Timestamp { seconds, nanos })).encode(&mut values);
        let value: &HeaderValue = values.first().expect("a value");
        value.to_str().expect("text").to_owned()
    }

    fn bounded(range: &str) -> String {
        let bounded = bounded_range(&HeaderValue::from_str(range).expect("a value"));
        bounded.expect("text").to_str().expect("text").to_owned()
    }

    #[test]
    fn times_outside_of_those_that_http_has_are_the_nearest() {
        let first = "Thu, 01 Jan 1970 00:00:00 GMT";
        let last = "Fri, 31 Dec 9999 23:59:59 GMT";
        assert_eq!(http_date(-1, 999_999_999), first);
        assert_eq!(http_date(i64::MIN, 0), first);
        assert_eq!(http_date(253_402_300_799, 999_999_999), last);
        assert_eq!(http_date(253_402_300_800, 0), last);
        assert_eq!(http_date(i64::MAX, 0), last);
        assert_eq!(http_date(784_111_777, 5), "Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn numbers_of_a_range_stay_below_the_largest_size() {
        for same in ["bytes=0-4", "bytes=-5", "bytes=5-", "bytes=0-1, 7-9", "chunks=1-2", "", "-"] {
            assert_eq!(bounded(same), same);
        }
        let largest = "9223372036854775807";
        assert_eq!(bounded("bytes=5-18446744073709551615"), format!("bytes=5-{largest}"));
        assert_eq!(bounded(&format!("bytes=-{}", "9".repeat(40))), format!("bytes=-{largest}"));
        assert_eq!(bounded("bytes=9223372036854775808-,1-2"), format!("bytes={largest}-,1-2"));
    }

    proptest! {
        #[test]
        fn every_time_is_a_date_of_http_and_none_comes_before_an_earlier_one(
            one in any::<(i64, u32)>(), other in any::<(i64, u32)>(),
        ) {
            let (earlier, later) = (one.min(other), one.max(other));
            let [a, b] = [earlier, later].map(|(seconds, nanos)| {
                prop_assert!(http_date(seconds, nanos).ends_with(" GMT"));
                Ok(http_time(Timestamp { seconds, nanos }))
            });
            prop_assert!(a? <= b?);
        }

        #[test]
        fn times_that_http_has_are_kept(seconds in 0..=253_402_300_799_i64, nanos in 0..1_000_000_000_u32) {
            let since = http_time(Timestamp { seconds, nanos }).duration_since(UNIX_EPOCH);
            let since = since.expect("not before");
            prop_assert_eq!((since.as_secs() as i64, since.subsec_nanos()), (seconds, nanos));
        }

        #[test]
        fn every_size_fits_a_signed_number(size: u64) {
            let told = http_size(size);
            prop_assert!(i64::try_from(told).is_ok());
            prop_assert!(told == size || i64::try_from(size).is_err());
        }
    }
}
