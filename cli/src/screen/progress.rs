//! Progress of a long command: drawn on a terminal, printed now and then with `-v`, else silent.
//!
//! With `-v`, a line for each file says what the command did with it.

use std::sync::Arc;
use std::thread;

use yore_engine::{Event, Observer, Problem};
use yore_platform::{Interrupt, lower_thread_priority};

use crate::screen::Screen;

mod counter;
mod state;
mod style;

use counter::{Counter, EndOnDrop};
use state::State;

/// Shows an operation to a person.
pub struct Progress {
    state: Arc<State>,
}

impl Progress {
    /// Begins to show an operation; `verb` names it, as in `backing up`.
    pub fn start(screen: &Arc<Screen>, verb: &'static str, interrupt: Option<Interrupt>) -> Self {
        Self { state: Arc::new(State::new(Arc::clone(screen), verb, interrupt)) }
    }

    /// Works while `count` finds out how much there is to do; the count ends when the work does.
    ///
    /// Where no progress is drawn, nothing is counted.
    pub fn counting<T>(
        &self,
        count: impl FnOnce(&dyn Observer) + Send,
        work: impl FnOnce() -> T,
    ) -> T {
        if !self.state.is_drawn() {
            return work();
        }
        let counter = Counter::of(&self.state);
        thread::scope(|scope| {
            scope.spawn(|| count(&counter));
            // The count must end when the work panics, too, or the scope would wait for it.
            let _over = EndOnDrop(&counter);
            work()
        })
    }

    /// Does the same with a count of the lowest priority. The work does not wait for the end of the
    /// count, which on a busy machine may notice late that the work is over.
    pub fn counting_in_background<T>(
        &self,
        count: impl FnOnce(&dyn Observer) + Send + 'static,
        work: impl FnOnce() -> T,
    ) -> T {
        if !self.state.is_drawn() {
            return work();
        }
        let counter = Arc::new(Counter::of(&self.state));
        let counting = Arc::clone(&counter);
        thread::spawn(move || {
            lower_thread_priority();
            count(&*counting);
        });
        let _over = EndOnDrop(&counter);
        work()
    }
}

impl Observer for Progress {
    fn event(&self, event: Event) {
        self.state.event(event);
    }

    fn problem(&self, problem: Problem) {
        self.state.problem(problem);
    }

    fn interrupted(&self) -> bool {
        self.state.interrupted()
    }

    fn wants_files(&self) -> bool {
        self.state.wants_files()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.state.remove_bar();
    }
}
