//! The clock of the server, as its answers tell it.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};

/// The difference above which a server refuses requests, in seconds (15 minutes at Amazon's).
const TOLERANCE: i64 = 15 * 60;

/// The difference between the server's clock and this machine's.
#[derive(Debug, Default)]
pub(super) struct ServerClock {
    /// Guards the seconds by which the server's clock is ahead; `None` before its first answer.
    ahead: Mutex<Option<i64>>,
}

impl ServerClock {
    /// Returns the server's time, in seconds since 1970; this machine's before the first answer.
    pub(super) fn now(&self) -> i64 {
        local_seconds() + self.ahead().unwrap_or(0)
    }

    /// Describes how far this machine's clock is off when a server refuses requests for it.
    pub(super) fn describe_error(&self) -> Option<String> {
        let ahead = self.ahead().filter(|ahead| ahead.abs() > TOLERANCE)?;
        let side = if ahead > 0 { "behind" } else { "ahead of" };
        Some(format!("this machine's clock is {} {side} the server's", duration(ahead.abs())))
    }

    fn ahead(&self) -> Option<i64> {
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the `Date` of an answer.
    fn record(&self, date: &str) {
        if let Ok(date) = DateTime::from_str(date, DateTimeFormat::HttpDate) {
            let ahead = date.secs() - local_seconds();
            *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = Some(ahead);
        }
    }
}

/// Records the date of every answer of a client.
#[derive(Debug)]
pub(super) struct DateRecorder(pub(super) std::sync::Arc<ServerClock>);

impl Intercept for DateRecorder {
    fn name(&self) -> &'static str {
        "DateRecorder"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(date) = context.response().headers().get("date") {
            self.0.record(date);
        }
        Ok(())
    }
}

fn local_seconds() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX),
    }
}

/// Writes a duration in its largest unit.
fn duration(seconds: i64) -> String {
    let (number, unit) = match seconds {
        ..7_200 => (seconds / 60, "minutes"),
        7_200..172_800 => (seconds / 3_600, "hours"),
        _ => (seconds / 86_400, "days"),
    };
    format!("{number} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_off_is_described_with_how_far() {
        let clock = ServerClock::default();
        assert_eq!(clock.describe_error(), None);
        clock.record("Thu, 01 Jan 1970 00:00:00 GMT");
        let text = clock.describe_error().expect("it is off");
        assert!(text.contains("days ahead of the server's"), "{text}");
        assert!(clock.now().abs() < 60);
        clock.record("nonsense");
        assert!(clock.now().abs() < 60, "what is no date changes nothing");
        assert_eq!(duration(3_000), "50 minutes");
        assert_eq!(duration(100_000), "27 hours");
    }
}
