//! A token bucket whose rate may change with the time of the day.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::timetable::Timetable;
use crate::error::{Error, Result};

/// The longest wait after which the rate and the interrupt are looked at again.
const SLICE: Duration = Duration::from_millis(200);

/// The amount that may pass at once after a pause, in seconds of the rate.
const BURST: f64 = 0.25;

/// The part of a second that a piece takes at most.
const PIECE_TIME: f64 = 0.1;

/// The smallest piece.
const LEAST_PIECE: usize = 1024;

/// Returns the size of the pieces that make a rate smooth.
pub(super) fn piece_at(rate: u64) -> usize {
    ((rate as f64 * PIECE_TIME) as usize).max(LEAST_PIECE)
}

/// A limit of one direction, shared by all who send or receive in it.
pub(crate) struct Bucket {
    table: Timetable,
    zone: TimeZone,
    interrupted: Arc<dyn Fn() -> bool + Send + Sync>,
    /// The amount that may pass after a pause, in seconds of the rate.
    burst: f64,
    /// Guards what may pass.
    level: Mutex<Level>,
}

/// The bytes that may pass. An amount passes as soon as the level is not negative, and leaves a debt.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Level {
    bytes: f64,
    at: Instant,
}

impl Bucket {
    /// Makes a full bucket.
    pub(super) fn new(
        table: Timetable,
        zone: TimeZone,
        interrupted: Arc<dyn Fn() -> bool + Send + Sync>,
    ) -> Self {
        let level = Level { bytes: f64::INFINITY, at: Instant::now() };
        Self { table, zone, interrupted, burst: BURST, level: Mutex::new(level) }
    }

    /// Makes a bucket of one rate that nothing interrupts, with `burst` in seconds of the rate.
    pub(crate) fn constant(rate: Option<u64>, burst: f64) -> Self {
        let bucket = Self::new(Timetable::always(rate), TimeZone::UTC, Arc::new(|| false));
        Self { burst, ..bucket }
    }

    /// Returns the limit of now in bytes a second; `None` without a limit.
    pub(super) fn rate(&self) -> Option<u64> {
        if self.table.is_unlimited() {
            return None;
        }
        let now = Timestamp::now().to_zoned_datetime(self.zone.clone());
        let minute = i64::from(now.hour()) * 60 + i64::from(now.minute());
        self.table.rate_at(u16::try_from(minute).unwrap_or(0))
    }

    /// Counts bytes that have passed already; those that come next wait for them.
    pub(crate) fn charge(&self, bytes: u64) {
        if self.rate().is_some() {
            let mut level = self.level.lock().unwrap_or_else(PoisonError::into_inner);
            level.bytes -= bytes as f64;
        }
    }

    /// Waits until `bytes` may pass.
    ///
    /// # Errors
    /// [`Error::Interrupted`].
    pub(crate) fn take(&self, bytes: u64) -> Result<()> {
        loop {
            let Some(rate) = self.rate() else { return Ok(()) };
            let wait = {
                let mut level = self.level.lock().unwrap_or_else(PoisonError::into_inner);
                *level = level.filled(rate as f64, self.burst, Instant::now());
                if level.bytes >= 0.0 {
                    level.bytes -= bytes as f64;
                    return Ok(());
                }
                Duration::from_secs_f64(-level.bytes / rate as f64)
            };
            if (self.interrupted)() {
                return Err(Error::Interrupted);
            }
            std::thread::sleep(wait.min(SLICE));
        }
    }
}

impl Level {
    /// Returns the level at a later time, at most `burst` seconds of the rate.
    fn filled(self, rate: f64, burst: f64, now: Instant) -> Self {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        Self { bytes: (self.bytes + since * rate).min(burst * rate), at: now }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_rises_with_the_rate_up_to_the_burst() {
        let begin = Instant::now();
        let empty = Level { bytes: -1000.0, at: begin };
        let later = |millis| begin + Duration::from_millis(millis);
        assert_eq!(empty.filled(1000.0, 0.25, later(500)).bytes, -500.0);
        assert_eq!(empty.filled(1000.0, 0.25, later(1000)).bytes, 0.0);
        assert_eq!(empty.filled(1000.0, 0.25, later(60_000)).bytes, 250.0);
        let full = Level { bytes: f64::INFINITY, at: begin };
        assert_eq!(full.filled(1000.0, 0.25, begin).bytes, 250.0);
    }

    #[test]
    fn bytes_beyond_the_burst_wait_for_their_turn() {
        let bucket = Bucket::constant(Some(100_000), 0.1);
        let begin = Instant::now();
        for _ in 0..30 {
            bucket.take(1000).expect("not interrupted");
        }
        // 10,000 bytes are free, and the last 1,000 are a debt.
        assert!(begin.elapsed() >= Duration::from_millis(180), "{:?}", begin.elapsed());
        Bucket::constant(None, 1.0).take(u64::MAX).expect("no limit");
    }

    #[test]
    fn a_wait_can_be_interrupted() {
        let table = Timetable::always(Some(1));
        let bucket = Bucket::new(table, TimeZone::UTC, Arc::new(|| true));
        bucket.take(1 << 30).expect("the first amount is a debt");
        assert!(matches!(bucket.take(1), Err(Error::Interrupted)));
    }

    #[test]
    fn pieces_take_a_part_of_a_second_at_any_rate() {
        assert_eq!(piece_at(10_000_000), 1_000_000);
        assert_eq!(piece_at(50_000), 5000);
        assert_eq!(piece_at(1), LEAST_PIECE);
    }
}
