//! Commands that are killed at random moments, on two folders.

use yore_tests::{Person, kill_commands, noise, print_measured};

/// `long` kills 500 times, also with a bucket.
#[test]
fn backups_and_maintenance_that_are_killed_at_random_lose_nothing() {
    let person = Person::with_destinations(&["one", "two"]);
    let source = person.folder("docs", "x");
    for number in 0..20 {
        std::fs::write(source.join(number.to_string()), noise(30_000, number)).expect("a file");
    }
    person.types(["source", "add", "docs"]).assert_code(0);
    let counts = kill_commands(&person, |words| person.command(words), 30);
    assert!(counts.killed.len() > 3 && counts.restored > 3, "{counts:?}");
    print_measured(format!("{counts:?}"));
}
