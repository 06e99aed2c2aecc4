//! Forgetting entries that no host holds, so that the tables do not grow with all that was ever seen.
//!
//! Places and trees that hosts hold are kept, with all that their numbers depend on: the places above, the trees that places
//! hold, and the trees in which their files are numbered. Of the rest as much is remembered as the budget
//! allows, that which was used last; a number beyond it is stale, and is never given again.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;
use std::sync::Weak;

use super::Inner;
use crate::inode::number::{PlaceNo, StateNo, TreeNo};
use crate::inode::place::Body;

/// The bytes that an entry takes, with its share of the tables, near enough.
const ENTRY_BYTES: usize = 256;
/// Entries that are remembered however small the budget is.
const FEWEST: NonZeroUsize = NonZeroUsize::new(1024).expect("not zero");

/// Returns the number of entries that a budget of bytes remembers.
pub(super) fn entries_of(budget: usize) -> NonZeroUsize {
    NonZeroUsize::new(budget / ENTRY_BYTES).unwrap_or(FEWEST).max(FEWEST)
}

/// The trees that are needed, and how much of them.
#[derive(Default)]
struct Needed {
    /// Places hold these: what their nodes share is needed too.
    whole: HashSet<TreeNo>,
    /// Only the nodes of these are needed.
    nodes: HashSet<TreeNo>,
    states: HashSet<StateNo>,
}

impl Inner {
    fn entries(&self) -> usize {
        self.places.len() + self.trees.len() + self.links.len()
    }

    /// Forgets what is too much, from time to time: as often as a fixed share of all came or went.
    pub(super) fn sweep_if_due(&mut self) {
        if self.entries() < self.counts.due && self.counts.released < self.counts.released_due {
            return;
        }
        self.sweep_places();
        self.sweep_trees();
        self.states.retain(|_, state| Weak::strong_count(state) > 0);
        let places = &self.places;
        self.pending.retain(|place, _| places.contains_key(place));
        self.moved.retain(|place, _| places.contains_key(place));
        self.shrink();
        let (entries, remembered) = (self.entries(), self.counts.remembered);
        let more = (entries / 4).max(remembered / 2);
        (self.counts.due, self.counts.released) = (entries + more, 0);
        self.counts.released_due = more;
    }

    fn sweep_places(&mut self) {
        let mut below: HashMap<PlaceNo, usize> = HashMap::new();
        for entry in self.places.values() {
            *below.entry(entry.parent).or_default() += 1;
        }
        let idle = self.places.iter().filter(|(_, entry)| entry.held == 0 && !entry.flags.pinned);
        // What is below has the larger number, and goes first.
        let mut idle: Vec<_> =
            idle.map(|(place, entry)| (entry.used, Reverse(*place), entry.parent)).collect();
        let mut too_many = idle.len().saturating_sub(self.counts.remembered);
        idle.sort_unstable();
        for (_, Reverse(place), parent) in idle {
            if too_many == 0 {
                break;
            }
            if below.get(&place).is_some_and(|count| *count > 0) {
                continue;
            }
            too_many -= 1;
            if let Some(count) = below.get_mut(&parent) {
                *count -= 1;
            }
            let Some(entry) = self.places.remove(&place) else { continue };
            let key = (entry.parent, entry.name);
            if self.by_name.get(&key) == Some(&place) {
                self.by_name.remove(&key);
            }
        }
    }

    fn sweep_trees(&mut self) {
        let mut needed = self.needed();
        let is_idle = |tree: &TreeNo| !needed.whole.contains(tree) && !needed.nodes.contains(tree);
        let idle = self.trees.iter().filter(|(number, _)| is_idle(number));
        let mut idle: Vec<_> = idle.map(|(number, tree)| (Reverse(tree.used), *number)).collect();
        idle.sort_unstable();
        idle.truncate(self.counts.remembered);
        for (_, tree) in idle {
            self.need_whole(tree, &mut needed);
        }
        let Needed { whole, nodes, states } = needed;
        self.trees.retain(|number, tree| {
            if whole.contains(number) {
                return true;
            }
            (tree.shared, tree.base) = (None, None);
            nodes.contains(number)
        });
        let trees = &self.trees;
        self.by_blob.retain(|_, number| trees.contains_key(number));
        self.links
            .retain(|key, node| trees.contains_key(&node.tree()) && states.contains(&key.state));
    }

    fn needed(&self) -> Needed {
        let mut needed = Needed::default();
        for entry in self.places.values() {
            let (state, tree) = match &entry.body {
                Body::Virtual(_) | Body::File(_) => continue,
                Body::StateTop(state, top) => (state, top.and_then(|top| top.tree)),
                Body::StateDir(dir) => {
                    needed.nodes.insert(dir.node.tree);
                    (&dir.state, dir.tree)
                }
            };
            needed.states.insert(state.number);
            if let Some(tree) = tree {
                self.need_whole(tree, &mut needed);
            }
        }
        let held = self.trees.iter().filter(|(_, tree)| tree.held > 0);
        needed.nodes.extend(held.map(|(number, _)| *number));
        needed
    }

    fn need_whole(&self, tree: TreeNo, needed: &mut Needed) {
        if !needed.whole.insert(tree) {
            return;
        }
        let shared = self.trees.get(&tree).and_then(|tree| tree.shared.as_ref()?.get());
        needed.nodes.extend(shared.into_iter().flat_map(|shared| shared.trees()));
    }

    /// Gives the room back that the tables do not need any more.
    fn shrink(&mut self) {
        fn fit<K: std::hash::Hash + Eq, V>(table: &mut HashMap<K, V>) {
            if table.capacity() > 4 * table.len() {
                table.shrink_to(2 * table.len());
            }
        }
        fit(&mut self.places);
        fit(&mut self.by_name);
        fit(&mut self.trees);
        fit(&mut self.by_blob);
        fit(&mut self.links);
        fit(&mut self.states);
    }
}
