//! Forgetting by a policy, through the program.

use std::fs;

use yore_tests::Yore;

/// A repository with a backup of each day from the first of January on, at noon.
fn with_daily_backups(days: i64) -> Yore {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    for day in 0..days {
        fs::write(source.join("file"), format!("day {day}")).expect("a file");
        let first: jiff::civil::Date = "2026-01-01".parse().expect("a date");
        let date = first.checked_add(jiff::Span::new().days(day)).expect("a date");
        let time = format!("{date}T12:00");
        yore.run(["backup", "--time", &time, source.to_str().expect("text")]).assert_code(0);
    }
    yore
}

fn days_of(yore: &Yore) -> Vec<String> {
    let listed = yore.run(["snapshots", "--json"]).assert_code(0).objects();
    let snapshots = listed.iter().filter(|line| line["type"] == "snapshot");
    snapshots.map(|line| line["time"].as_str().expect("a time")[..10].to_owned()).collect()
}

#[test]
fn a_policy_forgets_what_no_rule_keeps_and_tells_why_the_others_are_kept() {
    let yore = with_daily_backups(20);
    let rules = ["forget", "--keep-daily", "3", "--keep-weekly", "3"];
    let with = |more: &[&str]| yore.run(rules.iter().chain(more));
    let shown = with(&["--dry-run", "--json"]).assert_code(0).objects();
    let of = |kind: &str| shown.iter().filter(|line| line["type"] == kind).count();
    assert_eq!((of("retained"), of("forget")), (4, 16));
    let newest = shown.iter().rfind(|line| line["type"] == "retained").expect("the newest");
    assert_eq!(newest["reasons"], serde_json::json!(["daily 1", "weekly 1"]));
    assert_eq!(days_of(&yore).len(), 20, "a dry run forgets nothing");
    // Most of a group goes only when that is meant.
    let refused = with(&[]).assert_code(1);
    assert!(refused.err.contains("16 would be forgotten and 4 kept"), "{}", refused.err);
    assert!(refused.err.contains("--force"), "{}", refused.err);
    assert_eq!(days_of(&yore).len(), 20);
    with(&["--force"]).assert_code(0);
    // Sundays, and the last three days.
    let left = ["2026-01-11", "2026-01-18", "2026-01-19", "2026-01-20"];
    assert_eq!(days_of(&yore), left);
    let again = with(&[]).assert_code(0);
    assert!(again.out.contains("keeps every snapshot") || again.err.contains("keeps every"));
    assert_eq!(days_of(&yore), left);
    yore.run(["check", "--read-data"]).assert_code(0);
}

#[test]
fn a_policy_without_a_rule_or_beside_a_name_is_refused() {
    let yore = with_daily_backups(1);
    for words in [
        &["forget"][..],
        &["forget", "--keep-within", "soon"],
        &["forget", "latest", "--keep-last", "1"],
        &["forget", "--keep-last", "1", "--group-by", "user"],
    ] {
        yore.run(words).assert_code(2);
    }
    // The newest is kept by any policy.
    yore.run(["forget", "--keep-tag", "none"]).assert_code(0);
    assert_eq!(days_of(&yore).len(), 1);
    yore.run(["forget", "--keep-tag", "none", "--allow-empty", "--force"]).assert_code(0);
    assert_eq!(days_of(&yore).len(), 0);
}
