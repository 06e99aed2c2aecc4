//! The suite that every backend must pass, run for a folder, for the destination in memory, and for the layers that
//! wrap a backend.

use std::sync::Arc;
use std::time::Duration;

use yore_engine::backend::{Backend, Deadline, Folder, Meter, Metered};
use yore_tests::{Memory, Scratch, conformance};

/// Runs every check as a test of its own, each at a new destination: `$with` hands one to a check.
macro_rules! conforms {
    ($backend:ident, $with:expr, [$($check:ident),* $(,)?]) => {
        mod $backend {
            use super::*;

            $(
                #[test]
                fn $check() {
                    $with(&conformance::$check);
                }
            )*
        }
    };
    ($backend:ident, $with:expr) => {
        conforms!($backend, $with, [
            one_of_thirty_two_racing_creators_wins,
            readers_at_once_get_the_bytes_of_their_objects,
            objects_of_any_size_keep_their_bytes,
            any_range_of_an_object_can_be_read,
            what_is_not_there_is_missing_and_what_is_too_short_is_damaged,
            the_objects_of_every_area_are_listed_there_and_nowhere_else,
            a_list_holds_what_was_published_before_it_began,
            ten_thousand_objects_are_listed_in_order,
            an_object_appears_whole_or_not_at_all,
            writes_that_were_interrupted_leave_nothing,
            a_deleted_object_is_gone_and_its_name_is_free,
            a_new_repository_is_refused_where_one_is_already,
        ]);
    };
}

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

conforms!(folder, in_a_folder);
conforms!(memory, in_memory);
conforms!(deadline, within_a_deadline);
conforms!(meter, metered);

/// Runs for the folder alone, since it takes a quarter of a gigabyte.
#[test]
fn two_hundred_and_fifty_six_mebibytes_keep_their_bytes() {
    in_a_folder(&conformance::two_hundred_and_fifty_six_mebibytes_keep_their_bytes);
}
