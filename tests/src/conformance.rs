//! One suite for every backend: each check gets an empty destination and fails with what is wrong with it.
//!
//! A backend is right when [`yore_engine::backend::Backend`]'s guarantees hold, whatever keeps the objects. The calls that
//! depend on the form of the trait are in `calls`.

mod calls;
mod lists;
mod races;
mod ranges;
#[cfg(test)]
mod tests;
mod writes;

pub use lists::{
    a_list_holds_what_was_published_before_it_began, ten_thousand_objects_are_listed_in_order,
    ten_thousand_objects_in_folder, the_objects_of_every_area_are_listed_there_and_nowhere_else,
    the_ten_thousand_objects_are_listed_in_order,
};
pub use races::{
    one_of_thirty_two_racing_creators_wins, readers_at_once_get_the_bytes_of_their_objects,
};
pub use ranges::{
    any_range_of_an_object_can_be_read, objects_of_any_size_keep_their_bytes,
    two_hundred_and_fifty_six_mebibytes_keep_their_bytes,
    what_is_not_there_is_missing_and_what_is_too_short_is_damaged,
};
pub use writes::{
    a_deleted_object_is_gone_and_its_name_is_free,
    a_new_repository_is_refused_where_one_is_already, a_replaced_object_has_the_new_bytes,
    an_object_appears_whole_or_not_at_all, writes_that_were_interrupted_leave_nothing,
};

/// Runs every check as a test of its own, each at a new destination: `$with` hands one to a check.
#[macro_export]
macro_rules! conforms {
    ($backend:ident, $with:expr, [$($check:ident),* $(,)?]) => {
        mod $backend {
            use super::*;

            $(
                #[test]
                fn $check() {
                    $with(&$crate::conformance::$check);
                }
            )*
        }
    };
    ($backend:ident, $with:expr) => {
        $crate::conforms!($backend, $with, [
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
            a_replaced_object_has_the_new_bytes,
            a_new_repository_is_refused_where_one_is_already,
        ]);
    };
}
