//! The bytes that may be read ahead of the thread that builds trees.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A budget of bytes shared by batches that are needed in order.
///
/// The batch whose turn it is may exceed the budget: the batches behind it hold the rest.
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
    /// Begins with `limit` bytes.
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

    /// Lets a batch have all that it needs: the assembler waits for it.
    pub(in crate::backup) fn turn_to(&self, batch: u64) {
        self.lock().turn = batch;
        self.changed.notify_all();
    }
}

/// Lifts a budget when it is dropped: once the assembler has ended, no reader may wait for it.
pub(in crate::backup) struct LiftOnDrop<'b>(pub(in crate::backup) &'b Budget);

impl Drop for LiftOnDrop<'_> {
    fn drop(&mut self) {
        self.0.turn_to(u64::MAX);
    }
}
