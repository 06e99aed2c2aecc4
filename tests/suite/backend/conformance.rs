//! The suite that every backend must pass, run for a folder, for the destination in memory, and for the layers that
//! wrap a backend.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use yore_engine::backend::{
    Backend, Deadline, Folder, Limited, Limits, Meter, Metered, Patience, Retry, RetryOptions,
    Timetable, VerifiedWrites,
};
use yore_tests::{Memory, Scratch, conformance, conforms};

fn in_a_folder(check: &dyn Fn(&dyn Backend)) {
    let scratch = Scratch::new();
    check(&Folder::new(scratch.folder("repository")));
}

fn in_memory(check: &dyn Fn(&dyn Backend)) {
    check(&Memory::default());
}

fn within_a_deadline(check: &dyn Fn(&dyn Backend)) {
    check(&Deadline::new(Arc::new(Memory::default()), Duration::from_secs(60)));
}

fn metered(check: &dyn Fn(&dyn Backend)) {
    check(&Metered::new(Arc::new(Memory::default()), Arc::new(Meter::new(None))));
}

fn reading_back(check: &dyn Fn(&dyn Backend)) {
    let scratch = Scratch::new();
    check(&VerifiedWrites::new(Arc::new(Folder::new(scratch.folder("repository")))));
}

fn retried(check: &dyn Fn(&dyn Backend)) {
    let scratch = Scratch::new();
    let options = RetryOptions {
        patience: Patience::READER,
        scratch: Some(scratch.path().to_owned()),
        interrupted: Box::new(|| false),
        on_outage: Box::new(|_| {}),
    };
    check(&Retry::new(Arc::new(Memory::default()), options));
}

fn limited(check: &dyn Fn(&dyn Backend)) {
    let table = Timetable::always(Some(1 << 40));
    let limits = Limits::new(table.clone(), table, TimeZone::UTC, Box::new(|| false));
    check(&Limited::new(Arc::new(Memory::default()), Arc::new(limits)));
}

conforms!(folder, in_a_folder);
conforms!(memory, in_memory);
conforms!(deadline, within_a_deadline);
conforms!(meter, metered);
conforms!(verified_writes, reading_back);
conforms!(retry, retried);
conforms!(limit, limited);

/// Runs for the folder alone, since it takes a quarter of a gigabyte.
#[test]
fn two_hundred_and_fifty_six_mebibytes_keep_their_bytes() {
    in_a_folder(&conformance::two_hundred_and_fifty_six_mebibytes_keep_their_bytes);
}
