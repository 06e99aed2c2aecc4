use std::collections::BTreeSet;

use stateright::{Checker, HasDiscoveries};

use super::PruneStep as P;
use super::WriterStep as W;
use super::sizes::{A, B, C, explore, model};
use super::*;

/// The pack with both blobs.
const FIRST: Packs = 1;

/// The duplicate of the live one.
const SECOND: Packs = 2;

/// Asserts that the checker finds a snapshot that lost a blob, and that this path leads to one.
fn assert_lost(model: PruneProtocol, path: &[Vec<Action>]) {
    let lost = HasDiscoveries::AllOf(BTreeSet::from([WHOLE]));
    let checker = model.checker().finish_when(lost).spawn_bfs().join();
    checker.assert_discovery(WHOLE, path.concat());
}

/// Returns steps of a writer.
fn writer(index: usize, steps: &[W]) -> Vec<Action> {
    steps.iter().map(|step| Action::Writer(index, *step)).collect()
}

/// Returns steps of a prune.
fn prune(index: usize, steps: &[P]) -> Vec<Action> {
    steps.iter().map(|step| Action::Prune(index, *step)).collect()
}

/// Returns the steps by which a prune chooses packs to condemn.
fn choose(index: usize, packs: Packs) -> Vec<Action> {
    prune(index, &[P::ListGenerations, P::ListPacks, P::Choose { packs, repack: None }])
}

/// The steps of a writer up to what it knows of the index.
const READ: [W; 4] = [W::ListGenerations, W::OpenSession, W::ListAgain, W::ReadIndex];

/// The steps of (f) up to what prune chooses to keep.
const RESCUE: [P; 4] = [P::ListIndexAgain, P::ListGenerationsAgain, P::ListPacksAgain, P::Rescue];

#[test]
fn two_writers_and_a_prune_that_repacks_are_safe() {
    let model = PruneProtocol { repacks: 1, forget: true, ..model(&[B, A | B], 1) };
    explore(model, &[VOID]);
}

#[test]
fn a_writer_and_two_prunes_with_repack_are_safe() {
    let model = PruneProtocol { repacks: 1, ..model(&[B], 2) };
    explore(model, &[VOID]);
}

#[test]
fn two_writers_and_two_prunes_are_safe() {
    let model = PruneProtocol { forget: true, ..model(&[B, B], 2) };
    explore(model, &[REPACKED, VOID]);
}

#[test]
fn stale_lists_are_safe() {
    let model = PruneProtocol { generations: 2, forget: true, ..model(&[B], 2) };
    explore(model, &[REPACKED]);
}

#[test]
fn three_generations_are_safe() {
    let model = PruneProtocol { generations: 3, ..model(&[B], 2) };
    explore(model, &[REPACKED]);
}

#[test]
fn duplicates_across_packs_are_safe() {
    let packs = vec![A | B, A | B, A];
    let model = PruneProtocol { packs, generations: 2, ..model(&[B, A | B], 1) };
    explore(model, &[REPACKED, VOID]);
}

#[test]
fn three_blobs_are_safe() {
    let packs = vec![A | B, A | C, A];
    let model = PruneProtocol { packs, forget: true, ..model(&[B | C], 2) };
    explore(model, &[REPACKED, VOID]);
}

/// The generation is created and its wait over between the only list of the writer and its session.
#[test]
fn a_writer_needs_its_second_list() {
    let model = PruneProtocol { mutant: Mutant::NoSecondList, ..model(&[B], 1) };
    let path = [
        writer(0, &[W::ListGenerations]),
        choose(0, FIRST),
        prune(0, &[P::Condemn, P::Wait]),
        writer(0, &[W::OpenSession, W::ReadIndex]),
        prune(0, &RESCUE),
        writer(0, &[W::Commit]),
        prune(0, &[P::End, P::Check, P::Delete { pack: 0 }]),
    ];
    assert_lost(model, &path);
}

/// A writer reuses a blob before its pack is condemned, and commits after prune chose to keep
/// nothing.
#[test]
fn prune_needs_to_wait() {
    let model = PruneProtocol { mutant: Mutant::NoWaiting, ..model(&[B], 1) };
    let path = [
        writer(0, &READ),
        choose(0, FIRST),
        prune(0, &[P::Condemn, P::Wait]),
        prune(0, &RESCUE),
        writer(0, &[W::Commit]),
        prune(0, &[P::End, P::Check, P::Delete { pack: 0 }]),
    ];
    assert_lost(model, &path);
}

/// A writer reuses a blob that was dead when prune chose its pack, and commits before the pack is
/// condemned.
#[test]
fn prune_needs_to_rescue() {
    let model = PruneProtocol { mutant: Mutant::NoRescue, ..model(&[B], 1) };
    let path = [
        writer(0, &READ),
        choose(0, FIRST),
        writer(0, &[W::Commit]),
        prune(0, &[P::Condemn, P::Wait]),
        prune(0, &RESCUE),
        prune(0, &[P::End, P::Check, P::Delete { pack: 0 }]),
    ];
    assert_lost(model, &path);
}

/// The two packs with the live blob are condemned at once, each with the other as holder.
#[test]
fn a_condemned_pack_is_no_holder() {
    let model = PruneProtocol { mutant: Mutant::NoHolderRule, ..model(&[], 1) };
    let path = [
        choose(0, FIRST | SECOND),
        prune(0, &[P::Condemn, P::Wait]),
        prune(0, &RESCUE),
        prune(0, &[P::End, P::Check, P::Delete { pack: 0 }, P::Delete { pack: 1 }]),
    ];
    assert_lost(model, &path);
}

/// The coverage rule of (c) is not needed for safety, since the rescue of (f) makes up for it.
#[test]
fn rescue_makes_up_for_coverage() {
    let mutant = Mutant::NoCoverageRule;
    explore(PruneProtocol { mutant, generations: 2, ..model(&[B], 1) }, &[REPACKED, VOID]);
    explore(PruneProtocol { mutant, ..model(&[B], 2) }, &[REPACKED, VOID]);
}

/// Where no writer commits, the coverage rule alone is enough, and no pack needs a rescue.
#[test]
fn coverage_spares_rescues() {
    let idle = [REPACKED, OVERLAP, AGAIN, ABORTED, VOID, RESCUED];
    let two = PruneProtocol { generations: 2, ..model(&[], 2) };
    explore(two.clone(), &idle);
    explore(PruneProtocol { mutant: Mutant::NoRescue, ..two.clone() }, &idle);
    explore(PruneProtocol { mutant: Mutant::NoCoverageRule, ..two }, &idle[..4]);
}

/// Prune 1 takes the number 1 for its plan, and is slow until generation 1 was finished and erased.
///
/// The writer has base 1, so that the generation 1 that prune 1 creates anew does not wait for it,
/// and condemns the pack that the writer uploaded.
#[test]
fn a_number_is_not_used_twice() {
    let two = PruneProtocol { generations: 2, ..model(&[B], 2) };
    let uploaded: Packs = 1 << 2;
    let path = [
        choose(0, FIRST),
        prune(1, &[P::ListGenerations]),
        prune(0, &[P::Condemn]),
        writer(0, &READ),
        writer(0, &[W::Upload, W::Save]),
        prune(0, &[P::Wait]),
        prune(0, &RESCUE),
        prune(0, &[P::End, P::Delete { pack: 0 }]),
        choose(0, uploaded),
        prune(0, &[P::Condemn]),
        prune(1, &[P::ListPacks, P::Choose { packs: uploaded, repack: None }]),
        vec![Action::EraseGeneration(1)],
        prune(1, &[P::Condemn, P::Wait]),
        prune(1, &RESCUE),
        writer(0, &[W::Commit]),
        prune(1, &[P::End, P::Delete { pack: 2 }]),
    ];
    assert_lost(PruneProtocol { mutant: Mutant::NoFloor, ..two }, &path);
}

/// The generation 1 that prune 1 creates anew meets the end of the one that was erased.
#[test]
fn prune_needs_to_check_its_generation() {
    let two = PruneProtocol { generations: 2, ..model(&[B], 2) };
    let path = [
        choose(0, FIRST),
        prune(1, &[P::ListGenerations]),
        prune(0, &[P::Condemn]),
        writer(0, &READ),
        writer(0, &[W::Upload]),
        prune(0, &[P::Wait]),
        prune(0, &RESCUE),
        prune(0, &[P::End]),
        prune(1, &[P::ListPacks]),
        prune(0, &[P::Delete { pack: 0 }]),
        choose(0, 1 << 2),
        prune(0, &[P::Condemn]),
        prune(1, &[P::Choose { packs: SECOND, repack: None }]),
        vec![Action::EraseGeneration(1)],
        prune(1, &[P::Condemn, P::Wait]),
        prune(1, &RESCUE),
        prune(1, &[P::End, P::Delete { pack: 1 }]),
    ];
    assert_lost(PruneProtocol { mutant: Mutant::NoCheck, ..two }, &path);
}

/// Prune 0 keeps a pack for the snapshot of writer 0, and writer 1 reuses it.
///
/// Prune 1 finds the snapshot forgotten, and creates the end anew, with nothing kept, after the
/// generation was finished and erased.
#[test]
fn an_end_is_not_created_twice() {
    let before = [
        writer(0, &READ),
        choose(0, FIRST),
        writer(0, &[W::Commit]),
        prune(0, &[P::Condemn]),
        prune(1, &[P::Resume { generation: 1 }]),
    ];
    let path = [
        prune(1, &[P::Wait]),
        prune(0, &[P::Wait]),
        prune(0, &RESCUE),
        prune(0, &[P::End]),
        vec![Action::Forget(1)],
        prune(1, &RESCUE),
        writer(1, &READ),
        choose(0, SECOND),
        prune(0, &[P::Condemn]),
        vec![Action::EraseGeneration(1)],
        writer(1, &[W::Commit]),
        prune(1, &[P::End, P::Delete { pack: 0 }]),
    ];
    let before = before.concat();
    let two = PruneProtocol { generations: 2, forget: true, before, ..model(&[B, B], 2) };
    assert_lost(PruneProtocol { mutant: Mutant::NoFloor, ..two.clone() }, &path);
    explore(two, &[REPACKED]);
}

/// Writer 1 is aborted alive and indexes its pack between the lists of two prunes.
///
/// Prune 1 takes the pack for garbage without index and condemns it after prune 0 listed the
/// generations. Prune 0 takes it for the holder of a blob that writer 0 reused, and keeps nothing.
#[test]
fn a_rescue_lists_the_index_before_the_generations() {
    let before =
        [writer(0, &READ), choose(0, FIRST), writer(0, &[W::Commit]), prune(0, &[P::Condemn])];
    let path = [
        writer(1, &READ),
        writer(1, &[W::Upload]),
        vec![Action::AbortWriter(1)],
        prune(0, &[P::Wait, P::ListGenerationsAgain]),
        choose(1, 1 << 3),
        prune(1, &[P::Condemn, P::Wait, P::ListGenerationsAgain, P::ListIndexAgain]),
        writer(1, &[W::Save]),
        prune(0, &[P::ListIndexAgain, P::ListPacksAgain, P::Rescue]),
        prune(0, &[P::End, P::Check, P::Delete { pack: 0 }]),
        prune(1, &[P::ListPacksAgain, P::Rescue, P::End, P::Check, P::Delete { pack: 3 }]),
    ];
    let two = PruneProtocol { generations: 2, before: before.concat(), ..model(&[B, B], 2) };
    assert_lost(PruneProtocol { mutant: Mutant::NoIndexFirst, ..two.clone() }, &path);
    explore(two, &[REPACKED]);
}
