//! Unknown time zones.

use yore_tests::Yore;

#[test]
fn an_unknown_time_zone_is_reported_and_not_taken_for_utc() {
    let yore = Yore::with_repository();
    for zone in ["Nowhere/Nothing", "Europe/Berln", "nonsense"] {
        let ended = Yore::finish(yore.command(["snapshots"]).env("TZ", zone)).assert_code(0);
        let is_said = ended.err.contains(zone) && ended.err.contains("UTC");
        assert!(is_said, "{zone}: {}", ended.err);
        assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
    }
    for zone in
        ["Europe/Berlin", ":Europe/Berlin", "UTC", "", "CET-1CEST,M3.5.0,M10.5.0/3", "EST5EDT"]
    {
        let ended = Yore::finish(yore.command(["snapshots"]).env("TZ", zone)).assert_code(0);
        assert_eq!(ended.err, "", "{zone}");
    }
    let ended = Yore::finish(yore.command(["snapshots"]).env_remove("TZ")).assert_code(0);
    assert_eq!(ended.err, "");
}
