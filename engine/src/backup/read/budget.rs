//! The bytes that may be read ahead of the thread that builds trees.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A budget of bytes shared by batches that are needed in order.
///
/// The batch whose turn it is may exceed the budget: those who wait for it hold the rest.
pub(in crate::backup) struct Budget {
    limit: usize,
    /// Guards what is in use, and whose turn it is.
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    used: usize,
    turn: u64,
}

impl Budget {
    pub(in crate::backup) fn new(limit: usize) -> Self {
        let state = Mutex::new(State { used: 0, turn: 0 });
        Self { limit, state, changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes bytes for a batch, waiting until there are some or it is the batch's turn.
    pub(in crate::backup) fn take(&self, batch: u64, bytes: usize) {
        let mut state = self.lock();
        while state.used > 0 && state.used + bytes > self.limit && batch > state.turn {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.used += bytes;
    }

    /// Gives bytes back.
    pub(in crate::backup) fn give_back(&self, bytes: usize) {
        self.lock().used -= bytes;
        self.changed.notify_all();
    }

    /// Says that a batch is needed now.
    pub(in crate::backup) fn turn_to(&self, batch: u64) {
        self.lock().turn = batch;
        self.changed.notify_all();
    }
}

/// Lets everybody go on once nobody takes what they read any more.
pub(in crate::backup) struct Closing<'b>(pub(in crate::backup) &'b Budget);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.turn_to(u64::MAX);
    }
}
