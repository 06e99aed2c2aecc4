//! Weeks of hourly backups, rules and prunes, with faults; `long` simulates three years.

use yore_tests::endurance::endure;
use yore_tests::print_measured;

#[test]
fn weeks_of_hourly_backups_with_faults_lose_nothing() {
    let result = endure(16, 5);
    assert!(result.backups > 350 && result.faults > 3 && result.restored > 60, "{result:?}");
    print_measured(format!("{} backups, {} faults", result.backups, result.faults));
}
