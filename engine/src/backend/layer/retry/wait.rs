//! Pauses between attempts, and the outages that they wait for.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// The time after which a waiting thread looks for an interrupt.
const SLICE: Duration = Duration::from_millis(100);

/// The times of a [`Retry`](super::Retry).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// The time without progress after which a request fails.
    pub limit: Duration,
    /// The same for a destination that has not answered at all yet.
    pub first_contact: Duration,
    /// The pause before the second attempt; each further one is twice as long, all of them shortened at random by up
    /// to a half, so that many clients of a server that comes back do not all call at once.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// The time for which a destination may fail before that is reported.
    pub silence: Duration,
}

impl Patience {
    /// The patience of a writer: an hour, since a backup that waits is better than one that begins again.
    pub const WRITER: Self = Self {
        limit: Duration::from_secs(60 * 60),
        first_contact: Duration::from_secs(60 * 60),
        first_pause: Duration::from_millis(500),
        longest_pause: Duration::from_secs(30),
        silence: Duration::from_secs(3),
    };

    /// The patience of a command that can do without the destination, or whose person waits: an hour as well, once the
    /// destination has answered.
    pub const COMMAND: Self = Self { first_contact: Duration::from_secs(15), ..Self::WRITER };

    /// The patience of a drive, behind which programs wait.
    pub const READER: Self = Self {
        limit: Duration::from_secs(6),
        first_contact: Duration::from_secs(6),
        first_pause: Duration::from_millis(200),
        longest_pause: Duration::from_secs(2),
        silence: Duration::from_secs(2),
    };
}

/// A change in the reachability of a destination.
#[derive(Debug)]
pub enum Outage<'e> {
    /// Requests fail, and are repeated. Reported once an outage.
    Waiting {
        /// The destination.
        location: &'e str,
        /// The failure of the last request.
        error: &'e Error,
    },
    /// A request succeeded again.
    Over {
        /// The destination.
        location: &'e str,
        /// The time since the first failure.
        after: Duration,
    },
}

/// Tells whether a wait should end.
pub type Interrupted = Box<dyn Fn() -> bool + Send + Sync>;

/// Receives outages, from any thread.
pub type OnOutage = Box<dyn Fn(Outage<'_>) + Send + Sync>;

/// The waits of all requests to one destination.
pub(crate) struct Waits {
    location: String,
    patience: Patience,
    interrupted: Interrupted,
    on_outage: OnOutage,
    failures: AtomicU64,
    /// A request has succeeded.
    has_answered: AtomicBool,
    /// A request failed, and none has succeeded since.
    is_out: AtomicBool,
    /// A request has used up its patience, and none has succeeded since: the others are not repeated.
    is_given_up: AtomicBool,
    /// Guards the outage in progress.
    outage: Mutex<Current>,
    /// Signalled when a reported outage is over.
    over: Condvar,
}

#[derive(Default)]
struct Current {
    /// The time of the first failure.
    since: Option<Instant>,
    is_reported: bool,
    /// The number of reported outages that are over.
    ended: u64,
}

impl Waits {
    pub(crate) fn new(
        location: String,
        patience: Patience,
        interrupted: Interrupted,
        on_outage: OnOutage,
    ) -> Self {
        Self {
            location,
            patience,
            interrupted,
            on_outage,
            failures: AtomicU64::new(0),
            has_answered: AtomicBool::new(false),
            is_out: AtomicBool::new(false),
            is_given_up: AtomicBool::new(false),
            outage: Mutex::default(),
            over: Condvar::new(),
        }
    }

    /// Returns the number of temporary failures so far.
    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Begins a request.
    pub(crate) fn attempts(&self) -> Attempts<'_> {
        let pause = self.patience.first_pause;
        Attempts { waits: self, failing: Duration::ZERO, progress: Instant::now(), pause }
    }

    /// Returns the time without progress after which a request fails.
    fn limit(&self) -> Duration {
        match self.has_answered.load(Ordering::Relaxed) {
            true => self.patience.limit,
            false => self.patience.first_contact,
        }
    }

    /// Records that the destination has answered.
    pub(crate) fn answered(&self) {
        self.has_answered.store(true, Ordering::Relaxed);
        if !self.is_out.swap(false, Ordering::Relaxed) {
            return;
        }
        tracing::info!(location = self.location, "destination answers again");
        self.is_given_up.store(false, Ordering::Relaxed);
        let ended = {
            let mut outage = self.lock();
            let since = outage.since.take();
            let is_reported = std::mem::take(&mut outage.is_reported);
            outage.ended += u64::from(is_reported);
            since.filter(|_| is_reported)
        };
        if let Some(since) = ended {
            self.over.notify_all();
            (self.on_outage)(Outage::Over { location: &self.location, after: since.elapsed() });
        }
    }

    /// Records a failure; reports it when the silence has lasted long enough.
    fn failed(&self, error: &Error) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        let location = self.location.as_str();
        match self.is_out.swap(true, Ordering::Relaxed) {
            false => tracing::info!(location, %error, "request failed, and is repeated"),
            true => tracing::debug!(location, %error, "request failed again"),
        }
        let is_due = {
            let mut outage = self.lock();
            let since = *outage.since.get_or_insert_with(Instant::now);
            let is_due = !outage.is_reported && since.elapsed() >= self.patience.silence;
            outage.is_reported |= is_due;
            is_due
        };
        if is_due {
            (self.on_outage)(Outage::Waiting { location: &self.location, error });
        }
    }

    /// Waits for `pause`, or until a reported outage is over.
    fn pause(&self, pause: Duration) -> Result<()> {
        let until = Instant::now() + pause;
        let ended = self.lock().ended;
        loop {
            if (self.interrupted)() {
                return Err(Error::Interrupted);
            }
            let left = until.saturating_duration_since(Instant::now());
            let outage = self.lock();
            if left.is_zero() || outage.ended != ended {
                return Ok(());
            }
            // A waiter that is woken for no reason looks again.
            drop(self.over.wait_timeout(outage, left.min(SLICE)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        self.outage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The attempts of one request.
pub(crate) struct Attempts<'w> {
    waits: &'w Waits,
    /// The time that passed without progress, in pauses and in attempts that failed.
    failing: Duration,
    /// The time of the last progress or failure.
    progress: Instant,
    pause: Duration,
}

impl Attempts<'_> {
    /// Records that the destination took a part of the request: time until now does not count as failing.
    pub(super) fn progressed(&mut self) {
        self.progress = Instant::now();
    }

    /// Waits before the next attempt.
    ///
    /// # Errors
    /// The given error if it is permanent or the patience is used up; [`Error::Interrupted`].
    pub(crate) fn wait_out(&mut self, error: Error) -> Result<()> {
        if !error.is_temporary() {
            return Err(error);
        }
        self.waits.failed(&error);
        self.failing += self.progress.elapsed();
        self.progress = Instant::now();
        let left = self.waits.limit().saturating_sub(self.failing);
        if left.is_zero() && !self.waits.is_given_up.swap(true, Ordering::Relaxed) {
            tracing::warn!(location = self.waits.location, %error, "destination is given up");
        }
        if self.waits.is_given_up.load(Ordering::Relaxed) {
            return Err(error);
        }
        let pause = shorten(self.pause, draw()).min(left);
        self.pause = (self.pause * 2).min(self.waits.patience.longest_pause);
        self.waits.pause(pause)
    }
}

/// Shortens a pause by up to a half: by nothing at 0, by a half at 255.
fn shorten(pause: Duration, random: u8) -> Duration {
    pause - pause * u32::from(random) / 510
}

/// Draws a random byte; 0 where the system has none, since a pause needs no secret.
fn draw() -> u8 {
    let mut byte = [0];
    let _ = getrandom::fill(&mut byte);
    byte[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_shortened_by_at_most_a_half() {
        let pause = Duration::from_secs(2);
        assert_eq!(shorten(pause, 0), pause);
        assert_eq!(shorten(pause, 255), pause / 2);
        assert!((1..255).all(|random| (pause / 2..pause).contains(&shorten(pause, random))));
    }
}
