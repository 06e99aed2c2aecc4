//! Every kind of fault at the calls of an operation over distance: it succeeds after retries, or fails clearly with
//! nothing committed that is incomplete.

use yore_tests::{FaultedOperation, Mirrored, Sampling, print_measured, try_every_fault};

/// The calls that are tried with two mirrors; `long` tries all.
const SOME: Sampling = Sampling::OneOf(3);

/// Tries the faults, and prints what became of them.
fn try_faults(operation: FaultedOperation, sampling: Sampling) {
    let totals = try_every_fault(operation, sampling);
    print_measured(&totals);
    let kinds = totals.faults.iter().filter(|(_, outcomes)| outcomes.happened > 0).count();
    assert!(kinds >= 20, "only {kinds} kinds of fault happened");
}

#[test]
fn a_backup_that_meets_any_fault_succeeds_or_fails_and_commits_nothing_incomplete() {
    try_faults(FaultedOperation::Backup(Mirrored::No), Sampling::All);
}

#[test]
fn a_restore_that_meets_any_fault_is_right_or_lists_what_is_not() {
    try_faults(FaultedOperation::Restore(Mirrored::No), Sampling::All);
}

#[test]
fn reads_of_a_drive_that_meet_any_fault_are_right_or_fail() {
    try_faults(FaultedOperation::MountReads(Mirrored::No), Sampling::All);
}

#[test]
fn a_backup_to_two_mirrors_succeeds_whatever_fault_one_has() {
    try_faults(FaultedOperation::Backup(Mirrored::Yes), SOME);
}

#[test]
fn a_restore_from_two_mirrors_is_right_whatever_fault_one_has() {
    try_faults(FaultedOperation::Restore(Mirrored::Yes), SOME);
}

#[test]
fn reads_of_a_drive_on_two_mirrors_are_right_or_fail_whatever_fault_one_has() {
    try_faults(FaultedOperation::MountReads(Mirrored::Yes), SOME);
}

#[test]
fn a_sync_from_a_mirror_with_any_fault_commits_nothing_incomplete_and_the_next_one_completes_it() {
    try_faults(FaultedOperation::SyncFrom, SOME);
}

#[test]
fn a_sync_to_a_mirror_with_any_fault_commits_nothing_incomplete_and_the_next_one_completes_it() {
    try_faults(FaultedOperation::SyncTo, SOME);
}
