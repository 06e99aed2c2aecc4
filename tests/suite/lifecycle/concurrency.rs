//! Writers, prunes, a stopped writer that is taken for dead, and a drive, at the same time.

use std::time::Duration;

use yore_tests::work_together;

#[test]
fn writers_prunes_and_a_drive_work_at_the_same_time_and_what_is_committed_restores() {
    work_together(Duration::from_secs(60));
}
