//! One direction of a link: bytes follow each other at its rate, and arrive after its delay.

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::Link;

/// One direction of a link, which all connections share.
pub(super) struct Line {
    link: Link,
    /// Guards the time at which the last byte that was sent has left.
    free: Mutex<Instant>,
}

impl Line {
    pub(super) fn new(link: Link) -> Self {
        Self { link, free: Mutex::new(Instant::now()) }
    }

    /// Sends bytes as soon as the queue has room; returns the time at which the last of them arrives.
    pub(super) fn send(&self, bytes: usize) -> Instant {
        let now = Instant::now();
        let Some(rate) = self.link.rate else { return now + self.link.delay };
        let takes = |bytes: usize| Duration::from_secs_f64(bytes as f64 * 8.0 / rate as f64);
        let longest = takes(self.link.queue);
        let left = {
            let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
            *free = (*free).max(now) + takes(bytes);
            *free
        };
        // Those who wait have their place already; the next bytes of their connection come after them.
        thread::sleep(left.saturating_duration_since(now).saturating_sub(longest));
        left + self.link.delay
    }
}
