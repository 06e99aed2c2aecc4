//! Visiting what leads to more of its kind, by several threads.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};

/// The items that are still to be visited, and the threads that may find more.
struct Work<T> {
    items: Vec<T>,
    busy: usize,
    failure: Option<Error>,
}

/// Visits items, and those that the visits add; what was added last comes next, in its order, so that neighbours are
/// visited together.
///
/// # Errors
/// The first error of a visit; then no more are begun.
pub(crate) fn visit_all<T: Send>(
    mut first: Vec<T>,
    visit: impl Fn(T, &mut Vec<T>) -> Result<()> + Sync,
) -> Result<()> {
    first.reverse();
    let work = Mutex::new(Work { items: first, busy: 0, failure: None });
    let changed = Condvar::new();
    let threads = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 8);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| visit_some(&work, &changed, &visit));
        }
    });
    let failure = lock(&work).failure.take();
    failure.map_or(Ok(()), Err)
}

/// Visits items until there are none left, or a visit fails.
fn visit_some<T: Send>(
    work: &Mutex<Work<T>>,
    changed: &Condvar,
    visit: &(impl Fn(T, &mut Vec<T>) -> Result<()> + Sync),
) {
    let mut found = Vec::new();
    let mut state = lock(work);
    loop {
        if state.failure.is_some() || (state.items.is_empty() && state.busy == 0) {
            changed.notify_all();
            return;
        }
        let Some(item) = state.items.pop() else {
            state = changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        state.busy += 1;
        drop(state);
        let outcome = visit(item, &mut found);
        state = lock(work);
        state.busy -= 1;
        state.items.extend(found.drain(..).rev());
        if let Err(error) = outcome {
            state.failure.get_or_insert(error);
        }
        changed.notify_all();
    }
}

fn lock<T>(work: &Mutex<Work<T>>) -> MutexGuard<'_, Work<T>> {
    work.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn everything_that_is_found_is_visited_once() {
        let (visits, sum) = (AtomicU64::new(0), AtomicU64::new(0));
        let visited = visit_all(vec![1u64], |item, found| {
            visits.fetch_add(1, Ordering::Relaxed);
            sum.fetch_add(item, Ordering::Relaxed);
            found.extend([2 * item, 2 * item + 1].into_iter().filter(|next| *next <= 10_000));
            Ok(())
        });
        visited.expect("no error");
        assert_eq!((visits.into_inner(), sum.into_inner()), (10_000, 10_000 * 10_001 / 2));
    }

    #[test]
    fn an_error_ends_it() {
        let visits = AtomicU64::new(0);
        let visited = visit_all(vec![0u64], |item, found| {
            visits.fetch_add(1, Ordering::Relaxed);
            found.push(item + 1);
            if item < 100 { Ok(()) } else { Err(Error::Interrupted) }
        });
        assert!(matches!(visited, Err(Error::Interrupted)));
        assert_eq!(visits.into_inner(), 101);
    }
}
