//! Models of some sizes, and their exploration.

use stateright::{Checker, Expectation, Model};

use super::{Blobs, Mutant, PruneProtocol, REPACKED, VOID};

/// The blob that the snapshot of the start needs.
pub const A: Blobs = 1;

/// The blob that no snapshot needs at the start.
pub const B: Blobs = 2;

/// Another such blob.
pub const C: Blobs = 4;

/// Returns a model with one generation, whose writers each need these blobs.
pub fn model(needs: &[Blobs], prunes: usize) -> PruneProtocol {
    PruneProtocol {
        mutant: Mutant::None,
        packs: vec![A | B, A],
        snapshot: A,
        needs: needs.to_vec(),
        prunes,
        generations: 1,
        repacks: 0,
        forget: false,
        before: Vec::new(),
    }
}

/// Explores a model completely, and asserts that it is safe and what never comes about in it.
pub fn explore(model: PruneProtocol, never: &[&str]) {
    let checker = model.checker().symmetry().spawn_dfs().join();
    assert!(checker.is_done());
    for property in checker.model().properties() {
        if property.expectation == Expectation::Always || never.contains(&property.name) {
            checker.assert_no_discovery(property.name);
        } else {
            checker.assert_any_discovery(property.name);
        }
    }
}

/// Explores sizes of millions of states, which take minutes.
///
/// # Panics
/// When one is not safe.
pub fn explore_large_sizes() {
    let large =
        |needs, prunes| PruneProtocol { generations: 2, forget: true, ..model(needs, prunes) };
    explore(large(&[B, B], 2), &[REPACKED]);
    explore(PruneProtocol { repacks: 1, ..large(&[B], 2) }, &[]);
    explore(PruneProtocol { repacks: 1, generations: 1, ..large(&[B, B], 2) }, &[VOID]);
    explore(PruneProtocol { generations: 3, ..large(&[B, A | B], 1) }, &[REPACKED, VOID]);
    explore(PruneProtocol { generations: 3, ..large(&[B], 2) }, &[REPACKED]);
    explore(PruneProtocol { forget: false, ..large(&[B], 3) }, &[REPACKED]);
    let mutant = Mutant::NoCoverageRule;
    explore(PruneProtocol { mutant, forget: false, ..large(&[B], 2) }, &[REPACKED]);
}
