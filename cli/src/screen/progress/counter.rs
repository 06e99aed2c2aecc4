//! A count in the background.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use yore_engine::{Event, Observer, Problem};

use super::state::State;

/// Forwards what a count finds, until the work is over.
pub(super) struct Counter {
    state: Arc<State>,
    is_over: AtomicBool,
    /// Held while an event is forwarded, so that none is once the work is over.
    forwarding: Mutex<()>,
}

impl Counter {
    pub(super) fn of(state: &Arc<State>) -> Self {
        let is_over = AtomicBool::new(false);
        Self { state: Arc::clone(state), is_over, forwarding: Mutex::new(()) }
    }
}

impl Observer for Counter {
    fn event(&self, event: Event) {
        let _held = self.forwarding.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.is_over.load(Ordering::SeqCst) {
            self.state.event(event);
        }
    }

    // The work meets the same problem again, and reports it.
    fn problem(&self, _problem: Problem) {}

    fn interrupted(&self) -> bool {
        self.is_over.load(Ordering::SeqCst) || self.state.interrupted()
    }
}

/// Ends a count when it goes out of scope.
pub(super) struct EndOnDrop<'o>(pub(super) &'o Counter);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::SeqCst);
        let _held = self.0.forwarding.lock().unwrap_or_else(PoisonError::into_inner);
    }
}
