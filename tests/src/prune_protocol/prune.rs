//! The part of prune: the steps (a) to (g).

use super::{Blobs, Generation, Mutant, Packs, PruneProtocol, State, Work, members};

/// Holds what a prune remembers, and the base of its session while that has no verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Prune {
    pub(super) stage: PruneStage,
    pub(super) session: Option<u8>,
}

/// Describes the generation that a prune is going to create.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Plan {
    newest: u8,
    floor: u8,
    /// Holds the condemned packs that were listed, then the candidates, then the choice.
    packs: Packs,
}

/// Describes a repack on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Repack {
    plan: Plan,
    /// Names the pack to copy from, and after the upload the copy.
    pack: usize,
    blobs: Blobs,
    step: RepackStep,
}

/// Tells how far a prune is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum PruneStage {
    /// Remembers nothing.
    #[default]
    Idle,
    /// Knows the generations.
    Listed(Plan),
    /// Knows the packs and the index as well.
    ListedPacks { plan: Plan, holders: Packs },
    /// Copies live blobs of a pack that it is going to condemn.
    Repacking(Repack),
    /// Knows what to condemn.
    Planned(Plan),
    /// Has a generation without end.
    Condemned(Work),
    /// Knows that the older sessions have verdicts.
    Waited(Work),
    /// Knows the first of the index and the condemned packs once more.
    ListedFirst { work: Work, listed: Packs },
    /// Knows both.
    ListedAgain { work: Work, indexed: Packs, holders: Packs },
    /// Knows the packs once more.
    ListedPacksAgain { work: Work, indexed: Packs, holders: Packs },
    /// Knows what to keep.
    Rescued { work: Work, kept: Packs },
    /// Has a generation with an end.
    Ended(Work),
    /// Deletes packs.
    Deleting(Packs),
}

/// Names a step of a repack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RepackStep {
    /// Creates a session with the newest listed generation as base.
    OpenSession,
    /// Lists the generations again, and gives up if there is a newer one.
    ListAgain,
    /// Uploads the copy.
    Upload,
    /// Indexes the copy.
    Index,
    /// Gives the session a verdict.
    CloseSession,
}

/// Names a step of a prune.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PruneStep {
    /// Loses all that it remembers.
    Crash,
    /// Lists the generations.
    ListGenerations,
    /// Lists the packs and the index.
    ListPacks,
    /// Lists the snapshots that count, and chooses packs to condemn and one of them to repack.
    Choose {
        /// Holds the packs to condemn.
        packs: Packs,
        /// Names the pack to repack.
        repack: Option<usize>,
    },
    /// Takes a step of a repack.
    Repack(RepackStep),
    /// Creates `gc/<n+1>`, or gives up if it exists.
    Condemn,
    /// Takes over a generation that is found unfinished.
    Resume {
        /// Numbers the generation.
        generation: u8,
    },
    /// Waits for the verdicts of the older sessions.
    Wait,
    /// Lists the index once more.
    ListIndexAgain,
    /// Lists the generations once more.
    ListGenerationsAgain,
    /// Lists the packs once more.
    ListPacksAgain,
    /// Lists the snapshots that count once more, and chooses what to keep.
    Rescue,
    /// Creates the end of the generation, if there is none.
    End,
    /// Lists the generations a last time, and reads the end that is in force.
    Check,
    /// Deletes a pack.
    Delete {
        /// Names the pack.
        pack: usize,
    },
}

impl Prune {
    /// Tells whether it is about to find that its generation is void.
    pub(super) fn has_void_work(&self, state: &State) -> bool {
        match self.stage {
            PruneStage::Ended(ended) => {
                state.in_force().all(|(work, _)| work.generation != ended.generation)
            }
            _ => false,
        }
    }
}

impl PruneProtocol {
    /// Offers each step that a prune can take next.
    pub(super) fn prune_steps(
        &self,
        state: &State,
        prune: &Prune,
        mut offer: impl FnMut(PruneStep),
    ) {
        use PruneStage::*;
        if prune.stage != Idle {
            offer(PruneStep::Crash);
        }
        match prune.stage {
            Idle => {
                if state.newest() < self.generations {
                    offer(PruneStep::ListGenerations);
                }
                state.unfinished().for_each(|Work { generation, .. }| {
                    offer(PruneStep::Resume { generation });
                });
            }
            Listed(_) => offer(PruneStep::ListPacks),
            ListedPacks { plan, holders } => {
                let may_repack = prune.session.is_none() && self.free_pack(state).is_some();
                self.choices(state, plan.packs, holders, may_repack, offer);
            }
            Repacking(Repack { step, .. }) => offer(PruneStep::Repack(step)),
            Planned(_) => offer(PruneStep::Condemn),
            Condemned(work) if self.must_wait(state, work.generation) => {}
            Condemned(_) => offer(PruneStep::Wait),
            Waited(_) => offer(self.lists_again()[0]),
            ListedFirst { .. } => offer(self.lists_again()[1]),
            ListedAgain { .. } => offer(PruneStep::ListPacksAgain),
            ListedPacksAgain { .. } => offer(PruneStep::Rescue),
            Rescued { .. } => offer(PruneStep::End),
            Ended(_) => offer(PruneStep::Check),
            Deleting(packs) => members(packs).for_each(|pack| offer(PruneStep::Delete { pack })),
        }
    }

    /// Returns the order of the two lists that come first in a rescue.
    fn lists_again(&self) -> [PruneStep; 2] {
        let (index, generations) = (PruneStep::ListIndexAgain, PruneStep::ListGenerationsAgain);
        match self.mutant {
            Mutant::NoIndexFirst => [generations, index],
            _ => [index, generations],
        }
    }

    /// Offers each set of packs that may be condemned, with the repack that it needs.
    fn choices(
        &self,
        state: &State,
        candidates: Packs,
        holders: Packs,
        may_repack: bool,
        mut offer: impl FnMut(PruneStep),
    ) {
        let live = self.live(state);
        for packs in (1..=candidates).filter(|packs| packs & !candidates == 0) {
            let uncovered = self.uncovered(state, packs, holders, live);
            if uncovered == 0 {
                offer(PruneStep::Choose { packs, repack: None });
                continue;
            }
            for pack in members(packs & holders).filter(|_| may_repack) {
                let blobs = state.contents[pack];
                if uncovered & !blobs == 0 && blobs & !live != 0 {
                    offer(PruneStep::Choose { packs, repack: Some(pack) });
                }
            }
        }
    }

    /// Returns the live blobs of some packs that would be left without a holder.
    fn uncovered(&self, state: &State, packs: Packs, holders: Packs, live: Blobs) -> Blobs {
        members(packs & holders).fold(0, |uncovered, pack| {
            let others = match self.mutant {
                Mutant::NoCoverageRule | Mutant::NoHolderRule => holders & !(1 << pack),
                _ => holders & !packs,
            };
            uncovered | state.contents[pack] & live & !state.held(others)
        })
    }

    /// Tells whether a session older than a generation has no verdict.
    fn must_wait(&self, state: &State, generation: u8) -> bool {
        let writers = state.writers.iter().filter(|w| w.has_open_session()).map(|w| w.base);
        let mut bases = writers.chain(state.prunes.iter().filter_map(|prune| prune.session));
        self.mutant != Mutant::NoWaiting && bases.any(|base| base < generation)
    }

    /// Returns a pack never written, for a repack.
    fn free_pack(&self, state: &State) -> Option<usize> {
        let first = self.packs.len() + self.needs.len();
        (first..first + self.repacks).find(|pack| state.contents[*pack] == 0)
    }

    /// Takes a step of a prune.
    pub(super) fn prune(&self, state: &mut State, index: usize, step: PruneStep) {
        use PruneStage::*;
        let Prune { stage, mut session } = state.prunes[index];
        let stage = match (stage, step) {
            (_, PruneStep::Crash) => Idle,
            (Idle, PruneStep::Resume { generation }) => resume(state, generation),
            (Idle, _) => self.list_generations(state),
            (Listed(_) | ListedPacks { .. }, _) => self.choose(state, stage, step),
            (Repacking(repack), _) => self.repack(state, &mut session, repack),
            (Planned(plan), _) => condemn(state, plan),
            (Condemned(work), _) => Waited(work),
            (Waited(_) | ListedFirst { .. }, _) => self.list_again(state, stage, step),
            (ListedAgain { work, indexed, holders }, _) => ListedPacksAgain {
                work,
                indexed: indexed & state.stored,
                holders: holders & state.stored,
            },
            (ListedPacksAgain { work, indexed, holders }, _) => {
                Rescued { work, kept: self.rescued(state, indexed, holders) }
            }
            (Rescued { work, kept }, _) => self.end(state, work, kept),
            (Ended(work), _) => check(state, work),
            (Deleting(_), PruneStep::Delete { pack }) => {
                state.stored &= !(1 << pack);
                stage
            }
            (Deleting(_), _) => stage,
        };
        state.prunes[index] = Prune { stage, session };
    }

    /// Starts a plan.
    fn list_generations(&self, state: &State) -> PruneStage {
        let newest = state.newest();
        let floor = match self.mutant {
            Mutant::NoFloor => 0,
            _ => state.unfinished().next().map_or(newest + 1, |oldest| oldest.generation),
        };
        PruneStage::Listed(Plan { newest, floor, packs: state.condemned() })
    }

    /// Takes one of the steps up to the choice of what to condemn, and returns the stage after it.
    fn choose(&self, state: &State, stage: PruneStage, step: PruneStep) -> PruneStage {
        use PruneStage::*;
        match (stage, step) {
            (Listed(plan), _) => {
                let holders = match self.mutant {
                    Mutant::NoCoverageRule | Mutant::NoHolderRule => state.usable(),
                    _ => state.usable() & !plan.packs,
                };
                ListedPacks { plan: Plan { packs: state.stored & !plan.packs, ..plan }, holders }
            }
            (ListedPacks { plan, .. }, PruneStep::Choose { packs, repack }) => {
                let plan = Plan { packs, ..plan };
                repack.map_or(Planned(plan), |pack| {
                    let blobs = state.contents[pack] & self.live(state);
                    Repacking(Repack { plan, pack, blobs, step: RepackStep::OpenSession })
                })
            }
            _ => stage,
        }
    }

    /// Takes the next step of a repack and returns the stage after it.
    fn repack(&self, state: &mut State, session: &mut Option<u8>, now: Repack) -> PruneStage {
        let stored = state.stored & 1 << now.pack != 0;
        let mut next = now;
        match (now.step, self.free_pack(state)) {
            (RepackStep::OpenSession, _) => {
                *session = Some(now.plan.newest);
                next.step = RepackStep::ListAgain;
            }
            (RepackStep::ListAgain, _) if state.newest() > now.plan.newest => {
                *session = None;
                return PruneStage::Idle;
            }
            (RepackStep::ListAgain, _) => next.step = RepackStep::Upload,
            (RepackStep::Upload, Some(copy)) if stored => {
                state.upload(copy, now.blobs);
                next = Repack { pack: copy, step: RepackStep::Index, ..now };
            }
            (RepackStep::Upload, _) => return PruneStage::Idle,
            (RepackStep::Index, _) => {
                state.indexed |= 1 << now.pack;
                next.step = RepackStep::CloseSession;
            }
            (RepackStep::CloseSession, _) => {
                *session = None;
                return PruneStage::Planned(now.plan);
            }
        }
        PruneStage::Repacking(next)
    }

    /// Lists the index or the generations for a rescue, and returns the stage after it.
    fn list_again(&self, state: &State, stage: PruneStage, step: PruneStep) -> PruneStage {
        use PruneStage::*;
        match (stage, step) {
            (Waited(work), PruneStep::ListIndexAgain) => {
                ListedFirst { work, listed: state.indexed }
            }
            (Waited(work), _) => ListedFirst { work, listed: state.condemned() },
            (ListedFirst { work, listed }, _) => {
                let (indexed, condemned) = match step {
                    PruneStep::ListIndexAgain => (state.indexed, listed),
                    _ => (listed, state.condemned()),
                };
                let holders = match self.mutant {
                    Mutant::NoHolderRule => indexed,
                    _ => indexed & !condemned & !work.condemned,
                };
                ListedAgain { work, indexed: indexed & work.condemned, holders }
            }
            _ => stage,
        }
    }

    /// Returns the condemned packs with a live blob that has no holder.
    fn rescued(&self, state: &State, indexed: Packs, holders: Packs) -> Packs {
        let live = if self.mutant == Mutant::NoRescue { 0 } else { self.live(state) };
        let needed = |pack: &usize| {
            let others = state.held(holders & !(1 << pack));
            state.contents[*pack] & live & !others != 0
        };
        members(indexed).filter(needed).fold(0, |kept, pack| kept | 1 << pack)
    }

    /// Creates an end and returns the stage after it.
    fn end(&self, state: &mut State, work: Work, kept: Packs) -> PruneStage {
        let kept = *state.generation(work.generation).kept.get_or_insert(kept);
        match self.mutant {
            Mutant::NoFloor | Mutant::NoCheck => PruneStage::Deleting(work.condemned & !kept),
            _ => PruneStage::Ended(work),
        }
    }
}

/// Takes over an unfinished generation.
fn resume(state: &mut State, generation: u8) -> PruneStage {
    let Generation { condemned, kept, .. } = *state.generation(generation);
    let condemned = condemned.expect("a generation that was listed");
    match kept {
        None => PruneStage::Condemned(Work { generation, condemned }),
        Some(kept) => PruneStage::Deleting(condemned & !kept),
    }
}

/// Creates a generation, or gives up if its number is taken.
fn condemn(state: &mut State, Plan { newest, floor, packs }: Plan) -> PruneStage {
    let generation = newest + 1;
    let objects = state.generation(generation);
    if objects.condemned.is_some() {
        return PruneStage::Idle;
    }
    *objects = Generation { condemned: Some(packs), floor, kept: objects.kept };
    PruneStage::Condemned(Work { generation, condemned: packs })
}

/// Reads the end that is in force, or gives up if the generation is not.
fn check(state: &State, ended: Work) -> PruneStage {
    match state.in_force().find(|(work, _)| work.generation == ended.generation) {
        Some((work, Some(kept))) => PruneStage::Deleting(work.condemned & !kept),
        _ => PruneStage::Idle,
    }
}
