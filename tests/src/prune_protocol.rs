//! A model of the prune protocol, which a checker explores completely for small sizes.
//!
//! A destination holds objects that are written once: packs, each with a set of blobs, the index,
//! which tells what the packs hold, sessions with their verdicts, snapshots, tombstones, and
//! generations. A generation `gc/<m>` condemns packs, and its end `gc/<m>.end` keeps some of them
//! after all. A snapshot counts if its session has the verdict `commit` and no tombstone names it.
//!
//! A **writer** lists the generations, takes the newest number as the base of its session, creates
//! the session, lists the generations again, and starts over if a newer one is there. It reuses
//! the indexed packs that nothing it listed condemns, uploads and indexes the rest, saves its
//! snapshot, and gives its session the verdict `commit` if it has none yet.
//!
//! A **prune** works in these steps, and may crash and be slow between any two.
//!
//! - (a) It lists the generations, then the packs and the index, then the snapshots that count.
//! - (b) It may repack: with a session as above, it copies the live blobs of a pack.
//! - (c) It chooses packs to condemn. Each live blob of them has a holder, an indexed pack that
//!   neither a generation in force nor this one condemns.
//! - (d) It creates `gc/<n+1>` if absent, `n` being the newest that it listed. The object names the
//!   **floor**, the oldest generation that was unfinished at (a), or `n+1` if there was none.
//! - (e) It waits until each session with an older base has a verdict. Any prune may give any
//!   session the verdict `abort`, even that of a live writer.
//! - (f) It lists, **in this order**, the index, the generations, the packs and the snapshots. It
//!   rescues each condemned pack with a live blob that has no holder, by `gc/<n+1>.end`, created if
//!   absent.
//! - (g) It lists the generations **once more**, gives up if its own is not in force, and deletes
//!   the packs that are condemned and that the end found there does not keep.
//! - (h) A generation below the floor of the newest one is **void**: it is finished, everybody
//!   ignores it, and its objects may be deleted in any order.
//!
//! Any prune may do (e) to (g) for a generation that is found unfinished. The names of packs are
//! never used twice.
//!
//! The floor and the list of (g) are needed because a slow prune can create `gc/<m>` or
//! `gc/<m>.end` anew after both were erased. The order of (f) is needed because a writer that was
//! aborted while alive can index its pack late, after another generation condemned it.
//!
//! # What is left out
//!
//! A writer that crashes is one that takes no further step, which needs no action. A writer indexes
//! and saves in one step, as nobody looks at a snapshot without verdict. Packs and index are listed
//! at one moment in (a) and by a writer, since a pack that is deleted between the two lists was
//! condemned by a generation that was listed before them, or by one that waits for the session or
//! takes the number of the plan. A session of which the verdict is `abort` is replaced by the next
//! one of its writer.
//!
//! # Sizes
//!
//! Each size starts with a snapshot, a pack with its blob and a dead one, and a pack with only its
//! blob. It is explored completely, and prunes that change places make no new state.
//!
//! | writers | prunes | packs | generations | repacks | forget | states |
//! |---------|--------|-------|-------------|---------|--------|--------|
//! | 2       | 1      | 2     | 1           | 1       | yes    | 220573 |
//! | 1       | 2      | 2     | 1           | 1       | no     | 104660 |
//! | 2       | 2      | 2     | 1           | 0       | yes    | 435298 |
//! | 1       | 2      | 2     | 2           | 0       | yes    | 553285 |
//! | 1       | 2      | 2     | 3           | 0       | no     | 328935 |
//! | 2       | 1      | 3     | 2           | 0       | no     | 465992 |
//! | 1       | 2      | 3     | 1           | 0       | yes    | 86889  |
//!
//! A test of `long` explores six more of 2 to 37 million states, the largest with two writers, two
//! prunes, two generations and a snapshot forgotten.

use std::iter::once;

use stateright::{Model, Property, Representative};

use prune::{Prune, PruneStage};
use writer::{Writer, WriterStage};

pub use prune::{PruneStep, RepackStep};
pub use sizes::explore_large_sizes;
pub use writer::WriterStep;

mod prune;
pub mod sizes;
mod writer;

#[cfg(test)]
mod tests;

/// Holds a set of blobs, one bit each.
pub type Blobs = u8;

/// Holds a set of packs, one bit each.
pub type Packs = u8;

/// Names the rule that a model leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// Leaves out nothing.
    None,
    /// Lets a writer rely on its first list of the generations.
    NoSecondList,
    /// Lets prune go on while sessions older than its generation have no verdict.
    NoWaiting,
    /// Lets prune keep nothing of what it condemned.
    NoRescue,
    /// Lets prune condemn a pack whose only holders are condemned as well.
    NoCoverageRule,
    /// Lets a condemned pack be a holder when prune condemns and when it rescues.
    NoHolderRule,
    /// Lets any finished generation but the newest be erased, with no floor and no list of (g).
    NoFloor,
    /// Lets prune delete without the list of (g).
    NoCheck,
    /// Lets prune list the generations before the index when it rescues.
    NoIndexFirst,
}

/// Gives the size of a model and the rule that it leaves out.
#[derive(Clone, Debug)]
pub struct PruneProtocol {
    /// Names the rule that is left out.
    pub mutant: Mutant,
    /// Lists the contents of the packs that are stored and indexed at the start.
    pub packs: Vec<Blobs>,
    /// Holds the blobs of the snapshot that counts at the start.
    pub snapshot: Blobs,
    /// Lists the blobs that each writer needs.
    pub needs: Vec<Blobs>,
    /// Counts the prunes that run at once.
    pub prunes: usize,
    /// Limits the numbers of the generations.
    pub generations: u8,
    /// Limits the number of packs written by repacks.
    pub repacks: usize,
    /// Allows one snapshot to be forgotten.
    pub forget: bool,
    /// Lists the actions taken before the exploration.
    pub before: Vec<Action>,
}

/// Says that each blob of each snapshot that counts is in a pack that is stored and indexed.
pub const WHOLE: &str = "every snapshot that counts is whole";

/// Says that a writer is told that it committed only if its session has that verdict.
pub const TOLD: &str = "every commit that a writer was told of counts";

/// Says that a pack of the start is deleted.
pub const DELETED: &str = "a pack is deleted";

/// Says that an end keeps a pack.
pub const RESCUED: &str = "a pack is rescued";

/// Says that the copy of a repack is indexed.
pub const REPACKED: &str = "a pack is repacked";

/// Says that a prune and a writer are at work at once.
pub const OVERLAP: &str = "a prune and a writer overlap";

/// Says that a newer generation makes a writer start over.
pub const AGAIN: &str = "a writer starts over";

/// Says that a writer goes on after prune aborted its session.
pub const ABORTED: &str = "a live writer is aborted";

/// Says that a prune is about to find its generation void.
pub const VOID: &str = "a prune works on a void generation";

/// Limits the number of packs ever written, over all models.
const MAX_PACKS: usize = 6;

/// Limits the number of generations, over all models.
const MAX_GENERATIONS: usize = 3;

/// Holds the objects of the destination and what each party remembers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// Lists the contents of each pack ever written.
    contents: [Blobs; MAX_PACKS],
    stored: Packs,
    indexed: Packs,
    /// Lists the generations, of which the first has number 1.
    generations: [Generation; MAX_GENERATIONS],
    /// Names the snapshot with a tombstone: 0 is that of the start, `n + 1` that of writer `n`.
    forgotten: Option<usize>,
    writers: Vec<Writer>,
    prunes: Vec<Prune>,
}

/// Holds the two objects of a generation, each of which may be absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Generation {
    condemned: Option<Packs>,
    /// Names the oldest generation that was unfinished when this one was planned.
    floor: u8,
    kept: Option<Packs>,
}

/// Names a generation that is in force, with its packs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Work {
    generation: u8,
    condemned: Packs,
}

/// Tells how a session ended, if it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Verdict {
    Open,
    Commit,
    Abort,
}

/// Is a step of one of the parties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Takes the next step of a writer.
    Writer(usize, WriterStep),
    /// Takes a step of a prune.
    Prune(usize, PruneStep),
    /// Gives the session of a writer the verdict `abort`, as any prune may.
    AbortWriter(usize),
    /// Gives the session of a prune that repacks the verdict `abort`.
    AbortRepack(usize),
    /// Makes a tombstone for a snapshot.
    Forget(usize),
    /// Deletes `gc/<m>`.
    EraseGeneration(u8),
    /// Deletes `gc/<m>.end`.
    EraseEnd(u8),
}

/// Iterates over the members of a set.
fn members(set: u8) -> impl Iterator<Item = usize> {
    (0..8).filter(move |member| set & 1 << member != 0)
}

impl State {
    /// Returns the number of the newest generation, or 0.
    fn newest(&self) -> u8 {
        (1u8..)
            .zip(&self.generations)
            .filter(|(_, objects)| objects.condemned.is_some())
            .map(|(number, _)| number)
            .last()
            .unwrap_or(0)
    }

    /// Returns the objects of a generation.
    fn generation(&mut self, number: u8) -> &mut Generation {
        &mut self.generations[usize::from(number) - 1]
    }

    /// Returns the number below which every generation is void.
    fn floor(&self) -> u8 {
        self.generations.iter().rfind(|objects| objects.condemned.is_some()).map_or(0, |o| o.floor)
    }

    /// Iterates over the generations in force, each with the packs that its end keeps.
    fn in_force(&self) -> impl Iterator<Item = (Work, Option<Packs>)> {
        let floor = self.floor();
        (1u8..).zip(&self.generations).filter_map(move |(generation, objects)| {
            let condemned = objects.condemned.filter(|_| generation >= floor)?;
            Some((Work { generation, condemned }, objects.kept))
        })
    }

    /// Iterates over the generations that still have work.
    fn unfinished(&self) -> impl Iterator<Item = Work> {
        self.in_force()
            .filter(|(work, kept)| {
                kept.is_none_or(|kept| work.condemned & !kept & self.stored != 0)
            })
            .map(|(work, _)| work)
    }

    /// Returns the packs that some generation in force condemns.
    fn condemned(&self) -> Packs {
        self.in_force().fold(0, |all, (work, kept)| all | work.condemned & !kept.unwrap_or(0))
    }

    /// Returns the packs that are stored and indexed.
    fn usable(&self) -> Packs {
        self.stored & self.indexed
    }

    /// Returns the blobs that some packs hold.
    fn held(&self, packs: Packs) -> Blobs {
        members(packs).fold(0, |held, pack| held | self.contents[pack])
    }

    /// Stores a new pack that is not yet indexed.
    fn upload(&mut self, pack: usize, blobs: Blobs) {
        self.contents[pack] = blobs;
        self.stored |= 1 << pack;
    }

    /// Returns the same state without what no later step depends on.
    fn canonical(mut self) -> Self {
        self.indexed &= self.stored;
        for prune in &mut self.prunes {
            if let PruneStage::Deleting(packs) = &mut prune.stage {
                *packs &= self.stored;
                if *packs == 0 {
                    prune.stage = PruneStage::Idle;
                }
            }
        }
        for writer in &mut self.writers {
            if writer.verdict != Verdict::Open && writer.stage != WriterStage::Opened {
                writer.base = 0;
            }
        }
        self
    }
}

impl Representative for State {
    fn representative(&self) -> Self {
        let mut state = self.clone();
        state.prunes.sort_unstable();
        state
    }
}

impl PruneProtocol {
    /// Iterates over the snapshots that count, each with its blobs.
    fn counting(&self, state: &State) -> impl Iterator<Item = (usize, Blobs)> {
        let forgotten = state.forgotten;
        let verdicts = once(Verdict::Commit).chain(state.writers.iter().map(|w| w.verdict));
        let blobs = once(self.snapshot).chain(self.needs.iter().copied());
        verdicts.zip(blobs).enumerate().filter_map(move |(snapshot, (verdict, blobs))| {
            let counts = verdict == Verdict::Commit && forgotten != Some(snapshot);
            counts.then_some((snapshot, blobs))
        })
    }

    /// Returns the blobs of the snapshots that count.
    fn live(&self, state: &State) -> Blobs {
        self.counting(state).fold(0, |live, (_, blobs)| live | blobs)
    }

    /// Adds the steps that erase the objects of a generation.
    fn erasures(&self, state: &State, number: u8, actions: &mut Vec<Action>) {
        let objects = state.generations[usize::from(number) - 1];
        let erasable = match self.mutant {
            Mutant::NoFloor => {
                number < state.newest() && state.unfinished().all(|work| work.generation != number)
            }
            _ => number < state.floor(),
        };
        if erasable && objects.condemned.is_some() {
            actions.push(Action::EraseGeneration(number));
        }
        if erasable && objects.kept.is_some() && self.mutant != Mutant::NoFloor {
            actions.push(Action::EraseEnd(number));
        }
    }
}

impl Model for PruneProtocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut contents = [0; MAX_PACKS];
        contents[..self.packs.len()].copy_from_slice(&self.packs);
        let stored = (1 << self.packs.len()) - 1;
        let first = State {
            contents,
            stored,
            indexed: stored,
            generations: [Generation::default(); MAX_GENERATIONS],
            forgotten: None,
            writers: vec![Writer::default(); self.needs.len()],
            prunes: vec![Prune::default(); self.prunes],
        };
        let mut before = self.before.iter();
        let start = before.try_fold(first, |state, action| self.next_state(&state, *action));
        start.into_iter().collect()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (index, writer) in state.writers.iter().enumerate() {
            actions.extend(writer.next_step().map(|step| Action::Writer(index, step)));
            if writer.has_open_session() {
                actions.push(Action::AbortWriter(index));
            }
        }
        for (index, prune) in state.prunes.iter().enumerate() {
            self.prune_steps(state, prune, |step| actions.push(Action::Prune(index, step)));
            if prune.session.is_some() {
                actions.push(Action::AbortRepack(index));
            }
        }
        if self.forget && state.forgotten.is_none() {
            actions.extend(self.counting(state).map(|(snapshot, _)| Action::Forget(snapshot)));
        }
        for number in 1..=self.generations {
            self.erasures(state, number, actions);
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut state = state.clone();
        match action {
            Action::Writer(index, _) => self.write(&mut state, index),
            Action::Prune(index, step) => self.prune(&mut state, index, step),
            Action::AbortWriter(index) => state.writers[index].verdict = Verdict::Abort,
            Action::AbortRepack(index) => state.prunes[index].session = None,
            Action::Forget(snapshot) => state.forgotten = Some(snapshot),
            Action::EraseGeneration(number) => {
                let objects = state.generation(number);
                let kept = objects.kept.filter(|_| self.mutant != Mutant::NoFloor);
                *objects = Generation { kept, ..Generation::default() };
            }
            Action::EraseEnd(number) => state.generation(number).kept = None,
        }
        Some(state.canonical())
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(WHOLE, |model, state: &State| {
                model.live(state) & !state.held(state.usable()) == 0
            }),
            Property::always(TOLD, |_, state: &State| state.writers.iter().all(Writer::was_told)),
            Property::sometimes(DELETED, |model, state: &State| {
                (0..model.packs.len()).any(|pack| state.stored & 1 << pack == 0)
            }),
            Property::sometimes(RESCUED, |_, state: &State| {
                state.generations.iter().any(|objects| objects.kept.unwrap_or(0) != 0)
            }),
            Property::sometimes(REPACKED, |model, state: &State| {
                state.indexed >> (model.packs.len() + model.needs.len()) != 0
            }),
            Property::sometimes(OVERLAP, |_, state: &State| {
                state.writers.iter().any(Writer::has_open_session)
                    && state.prunes.iter().any(|prune| prune.stage != PruneStage::Idle)
            }),
            Property::sometimes(AGAIN, |_, state: &State| {
                let again = WriterStage::Start { again: true };
                state.writers.iter().any(|writer| writer.stage == again)
            }),
            Property::sometimes(ABORTED, |_, state: &State| {
                state.writers.iter().any(Writer::was_aborted_alive)
            }),
            Property::sometimes(VOID, |_, state: &State| {
                state.prunes.iter().any(|prune| prune.has_void_work(state))
            }),
        ]
    }
}
