//! The faults of a proxy, and the counts of what went through.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Direction;

/// The amounts that went through a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkCounts {
    /// Connections that clients made.
    pub connections: u64,
    /// Bytes that arrived at the server.
    pub bytes_up: u64,
    /// Bytes that arrived at clients.
    pub bytes_down: u64,
    /// Bytes of answers that were dropped.
    pub bytes_lost: u64,
    /// Messages of clients that followed an answer, or were the first of their connection.
    pub round_trips: u64,
}

/// The faults that are in force.
#[derive(Default)]
pub(super) struct Faults {
    pub(super) reset_after: Option<(Direction, u64)>,
    pub(super) drops_answers: bool,
    pub(super) stalled_until: Option<Instant>,
    /// The number of times that all connections were cut.
    pub(super) cuts: u64,
    pub(super) refuses_until: Option<Instant>,
    pub(super) is_over: bool,
    /// The port is closed.
    pub(super) is_deaf: bool,
}

/// The fate of bytes that are to arrive.
pub(super) enum Fate {
    /// They arrive.
    Arrive,
    /// So many of them arrive before the connection is reset.
    Reset(usize),
    /// They are lost.
    Lost,
}

/// The faults and counts of a proxy.
#[derive(Default)]
pub(super) struct Control {
    /// Guards the faults.
    faults: Mutex<Faults>,
    changed: Condvar,
    connections: AtomicU64,
    up: AtomicU64,
    down: AtomicU64,
    lost: AtomicU64,
    round_trips: AtomicU64,
}

impl Control {
    /// Changes the faults.
    pub(super) fn change(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    pub(super) fn is_over(&self) -> bool {
        self.lock().is_over
    }

    pub(super) fn cuts(&self) -> u64 {
        self.lock().cuts
    }

    pub(super) fn refuses(&self) -> bool {
        is_later(self.lock().refuses_until)
    }

    pub(super) fn wait_until_refused(&self) {
        self.wait_while(|faults| left(faults.refuses_until).filter(|_| !faults.is_deaf));
    }

    pub(super) fn wait_until_accepted(&self) {
        self.wait_while(|faults| faults.is_deaf.then_some(HOUR));
    }

    pub(super) fn wait_while_refusing(&self) {
        self.wait_while(|faults| left(faults.refuses_until));
    }

    /// Decides what becomes of bytes that are due, after a stall; `cuts` are those before their connection was made.
    pub(super) fn arrive(&self, direction: Direction, bytes: usize, cuts: u64) -> Fate {
        let is_over = |faults: &Faults| faults.is_over || faults.cuts != cuts;
        self.wait_while(|faults| left(faults.stalled_until).filter(|_| !is_over(faults)));
        let mut faults = self.lock();
        if is_over(&faults) {
            return Fate::Reset(0);
        }
        if let Some((_, left)) = faults.reset_after.as_mut().filter(|(of, _)| *of == direction) {
            if *left < bytes as u64 {
                let arriving = usize::try_from(*left).unwrap_or(bytes);
                faults.reset_after = None;
                return Fate::Reset(arriving);
            }
            *left -= bytes as u64;
        }
        match faults.drops_answers && direction == Direction::Down {
            true => Fate::Lost,
            false => Fate::Arrive,
        }
    }

    /// Waits as long as `remaining` returns a time.
    fn wait_while(&self, remaining: impl Fn(&Faults) -> Option<Duration>) {
        let mut faults = self.lock();
        while let Some(time) = remaining(&faults) {
            let woken = self.changed.wait_timeout(faults, time);
            faults = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(super) fn count_connection(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_round_trip(&self) {
        self.round_trips.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_lost(&self, bytes: usize) {
        self.lost.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn count_bytes(&self, direction: Direction, bytes: usize) {
        let count = match direction {
            Direction::Up => &self.up,
            Direction::Down => &self.down,
        };
        count.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn counts(&self) -> LinkCounts {
        LinkCounts {
            connections: self.connections.load(Ordering::Relaxed),
            bytes_up: self.up.load(Ordering::Relaxed),
            bytes_down: self.down.load(Ordering::Relaxed),
            bytes_lost: self.lost.load(Ordering::Relaxed),
            round_trips: self.round_trips.load(Ordering::Relaxed),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A wait that a change ends.
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Returns the time that is left until a moment; `None` when it is over.
fn left(until: Option<Instant>) -> Option<Duration> {
    let left = until?.saturating_duration_since(Instant::now());
    (!left.is_zero()).then_some(left)
}

fn is_later(until: Option<Instant>) -> bool {
    left(until).is_some()
}
