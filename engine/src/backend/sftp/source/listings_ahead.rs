//! Folders that are listed ahead of the walk.
//!
//! A walk meets folders in the order of their paths, and each listing takes two round trips. So what a listing shows to
//! be a folder is listed, too, the one that the walk meets first before the others, until enough names wait for the walk.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinHandle;

use super::names::Names;
use super::server::{Server, absolute};
use crate::backend::runtime::{block_on, runtime};
use crate::backend::sftp::protocol::listing::list_raw;
use crate::path::join;

/// The folders that are listed at once.
const AT_ONCE: usize = 32;

/// The names that may wait for the walk: some 20 MB.
const MOST_NAMES: usize = 200_000;

/// Tells something of a path.
type IsLeftOut = dyn Fn(&[u8]) -> bool + Send + Sync;

/// The folders that the walk will not enter.
pub(crate) struct Unwanted {
    /// Tells whether a folder is left out, by its path in the snapshot.
    pub(crate) is_left_out: Box<IsLeftOut>,
    /// Names of files that mark a folder whose content is left out.
    pub(crate) marks: Vec<Vec<u8>>,
}

/// The listings that the walk has not taken yet.
#[derive(Default)]
pub(super) struct ListingsAhead {
    /// Guards what is to be listed and what is.
    state: Mutex<State>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct State {
    /// `None` while nothing is listed ahead.
    unwanted: Option<Arc<Unwanted>>,
    /// Folders to be listed.
    wanted: BTreeMap<Place, Vec<u8>>,
    started: BTreeMap<Place, JoinHandle<io::Result<Waiting>>>,
}

#[derive(Default)]
struct Counts {
    running: AtomicUsize,
    names: AtomicUsize,
}

/// The place of a folder in the order of the walk.
type Place = Vec<u8>;

/// A listing that waits, and counts until it is taken or dropped.
struct Waiting {
    names: Option<Names>,
    counted: usize,
    counts: Arc<Counts>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.counts.names.fetch_sub(self.counted, Ordering::Relaxed);
    }
}

/// A listing in progress.
struct Running(Arc<Counts>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

impl ListingsAhead {
    /// Forgets everything, and lists ahead from now on.
    pub(super) fn begin(&self, unwanted: Unwanted) {
        let unwanted = Some(Arc::new(unwanted));
        *self.lock() = State { unwanted, ..State::default() };
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the listing of a folder that was begun, and drops those that the walk passed by.
    fn take(&self, place: &Place) -> Option<JoinHandle<io::Result<Waiting>>> {
        let mut state = self.lock();
        state.wanted = state.wanted.split_off(place);
        state.wanted.remove(place);
        let later = state.started.split_off(place);
        let passed = std::mem::replace(&mut state.started, later);
        passed.values().for_each(JoinHandle::abort);
        state.started.remove(place)
    }

    /// Notes the folders in a folder that was listed.
    fn add(&self, path: &[u8], names: &Names) {
        let mut state = self.lock();
        let Some(unwanted) = state.unwanted.clone() else { return };
        if unwanted.marks.iter().any(|mark| names.has(mark)) {
            return;
        }
        for name in names.folders() {
            let below = join(path, name);
            if !(unwanted.is_left_out)(&below) {
                state.wanted.insert(place_of(&below), below);
            }
        }
    }
}

impl Server {
    /// Lists a folder, or takes its listing if it was listed ahead.
    pub(super) fn names_of(self: &Arc<Self>, path: &[u8]) -> io::Result<Names> {
        let begun = self.listings.take(&place_of(path));
        self.start_listings();
        let ahead = begun.and_then(|begun| block_on(begun).ok()?.ok());
        if let Some(names) = ahead.and_then(|mut ahead| ahead.names.take()) {
            return Ok(names);
        }
        let names = self.list_now(path)?;
        self.listings.add(path, &names);
        self.start_listings();
        Ok(names)
    }

    /// Lists a folder.
    pub(super) fn list_now(&self, path: &[u8]) -> io::Result<Names> {
        let absolute = absolute(path);
        Names::new(self.repeat(async |session| list_raw(session, &absolute).await)?)
    }

    /// Begins as many listings as may be in progress.
    fn start_listings(self: &Arc<Self>) {
        let counts = &self.listings.counts;
        loop {
            let mut state = self.listings.lock();
            if counts.running.load(Ordering::Relaxed) >= AT_ONCE
                || counts.names.load(Ordering::Relaxed) >= MOST_NAMES
            {
                return;
            }
            let Some((place, path)) = state.wanted.pop_first() else { return };
            counts.running.fetch_add(1, Ordering::Relaxed);
            let running = Running(Arc::clone(counts));
            let task = runtime().spawn(list_ahead(Arc::clone(self), path, running));
            state.started.insert(place, task);
        }
    }
}

async fn list_ahead(server: Arc<Server>, path: Vec<u8>, running: Running) -> io::Result<Waiting> {
    let lease = server.pool.lease().await?;
    let names = Names::new(list_raw(&lease, &absolute(&path)).await?)?;
    drop(running);
    let counts = Arc::clone(&server.listings.counts);
    let counted = names.len() + 1;
    counts.names.fetch_add(counted, Ordering::Relaxed);
    server.listings.add(&path, &names);
    server.start_listings();
    Ok(Waiting { names: Some(names), counted, counts })
}

/// Returns a path as bytes that are in the order of a walk: what is below a folder follows it at once.
fn place_of(path: &[u8]) -> Place {
    path.iter().map(|byte| if *byte == b'/' { 0 } else { *byte }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_in_the_order_of_a_walk() {
        let walked = ["", "a", "a/b", "a/b/c", "a-", "a-/b", "ab"];
        assert!(walked.map(|path| place_of(path.as_bytes())).is_sorted());
    }
}
