//! Names that come to mean another state while hosts hold directories below them.
//!
//! Hosts keep names and listings for long. So that no program sees an old file after a new one, such a name goes
//! on meaning the old state, of which hosts may keep nothing from then on, until they forgot what differs in the
//! new one.

use std::sync::Arc;

use super::{Inner, Tables, TreeSource};
use crate::inode::number::PlaceNo;
use crate::inode::place::{Body, Lifetime};
use crate::inode::state::State;

/// A place that came to mean something else, and what it held before.
pub(crate) struct Moved {
    pub(crate) place: PlaceNo,
    pub(crate) before: Option<TreeSource>,
}

impl Inner {
    /// Points a place at a state, now or once hosts know.
    pub(super) fn point_to(&mut self, place: PlaceNo, state: &Arc<State>) {
        let used = self.counts.tick();
        let Some(entry) = self.places.get_mut(&place) else { return };
        entry.used = used;
        if matches!(&entry.body, Body::StateTop(was, _) if was.number == state.number) {
            self.pending.remove(&place);
        } else if entry.held > 0 && entry.lifetime == Lifetime::UntilRefresh {
            self.pending.insert(place, Arc::clone(state));
        } else {
            self.replace(place, Body::StateTop(Arc::clone(state), None));
        }
    }
}

impl Tables {
    /// Points a name that has a place at a state.
    pub(crate) fn point_to(&self, parent: PlaceNo, name: &[u8], state: &Arc<State>) {
        if let Some(place) = self.known(parent, name) {
            self.lock().point_to(place, state);
        }
    }

    /// Begins the moves that wait: from now on hosts keep nothing of what is below these places.
    pub(crate) fn begin_moves(&self) -> Vec<(Moved, Arc<State>)> {
        let inner = &mut *self.lock();
        let mut begun = Vec::new();
        for (place, state) in std::mem::take(&mut inner.pending) {
            let Some(entry) = inner.places.get_mut(&place) else { continue };
            entry.flags.moving = true;
            let before = inner.places.get(&place).and_then(|entry| inner.source(&entry.body));
            begun.push((Moved { place, before }, state));
        }
        begun
    }

    /// Ends a move.
    pub(crate) fn end_move(&self, place: PlaceNo, state: &Arc<State>) {
        let inner = &mut *self.lock();
        if inner.pending.get(&place).is_some_and(|newer| newer.number == state.number) {
            inner.pending.remove(&place);
        }
        let version = inner.counts.next_version();
        if let Some(entry) = inner.places.get_mut(&place) {
            entry.replace(Body::StateTop(Arc::clone(state), None), version);
        }
    }

    /// Takes what moved without waiting.
    pub(crate) fn take_moved(&self) -> Vec<Moved> {
        let moved = std::mem::take(&mut self.lock().moved);
        moved.into_iter().map(|(place, before)| Moved { place, before }).collect()
    }
}
