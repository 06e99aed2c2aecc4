//! Backups to several kinds of destinations while programs are killed.

use yore_tests::kill_at_random;

/// `long` kills 200 times.
#[test]
fn backups_to_several_destinations_survive_kills_of_any_program_at_any_moment() {
    let kills = kill_at_random(18);
    assert_eq!(kills.backups + kills.connections + kills.servers, 18);
    assert!(kills.backups > 3 && kills.connections > 3 && kills.servers > 3, "{kills:?}");
    assert!(kills.saved > 0, "{kills:?}");
}
