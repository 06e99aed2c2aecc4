use std::collections::BTreeMap;

use proptest::prelude::*;
use yore_platform::Timestamp;

use super::*;
use crate::snapshots::order::Clock;
use crate::snapshots::order::tests::snapshot;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// A Monday, at midnight: 2026-03-02.
const MONDAY: i64 = 1_772_409_600;

fn entry(sequence: u64, seconds: i64) -> SnapshotEntry {
    let (id, snapshot) = snapshot(1, sequence, seconds);
    let since = Timestamp { seconds, nanos: 0 };
    let (pinned, labels) = (false, BTreeMap::new());
    SnapshotEntry { id, snapshot, since, clock: Clock::Believed, pinned, labels }
}

fn entries(times: impl IntoIterator<Item = i64>) -> Vec<SnapshotEntry> {
    (1..).zip(times).map(|(sequence, seconds)| entry(sequence, seconds)).collect()
}

fn only(list: &[SnapshotEntry]) -> Group<'_> {
    let mut groups = group(list, GroupBy::default());
    assert_eq!(groups.len(), 1);
    groups.remove(0)
}

/// The sequence numbers of those that are kept, each with its reasons.
fn kept(list: &[SnapshotEntry], policy: &Policy) -> Vec<(u64, Vec<Reason>)> {
    let retained = retain(&only(list), (policy, &Held::new()), &TimeZone::UTC, false);
    let all = retained.kept.len() + retained.dropped.len();
    assert_eq!(all, list.len(), "each is kept or dropped");
    let kept = retained.kept.into_iter();
    kept.map(|(entry, reasons)| (entry.snapshot.sequence, reasons)).collect()
}

#[test]
fn the_newest_of_each_period_is_kept_with_all_reasons() {
    let days = [0, 2, 6, 7, 7, 8].map(|day| MONDAY + day * DAY);
    let times = days.iter().zip([9, 9, 9, 9, 18, 9]).map(|(day, hour)| day + hour * HOUR);
    let list = entries(times);
    let policy = Policy { daily: 3, weekly: 2, ..Policy::default() };
    let expected = [
        (3, vec![Reason::Daily(3), Reason::Weekly(2)]),
        (5, vec![Reason::Daily(2)]),
        (6, vec![Reason::Daily(1), Reason::Weekly(1)]),
    ];
    assert_eq!(kept(&list, &policy), expected);
}

#[test]
fn grandfather_father_and_son_keep_what_they_should_after_a_year_of_daily_backups() {
    let list = entries((0..365).map(|day| MONDAY + day * DAY));
    let policy = Policy { daily: 7, weekly: 4, monthly: 3, ..Policy::default() };
    let kept = kept(&list, &policy);
    let count = |is_one: fn(&Reason) -> bool| {
        kept.iter().filter(|(_, reasons)| reasons.iter().any(is_one)).count()
    };
    assert_eq!(count(|reason| matches!(reason, Reason::Daily(_))), 7);
    assert_eq!(count(|reason| matches!(reason, Reason::Weekly(_))), 4);
    assert_eq!(count(|reason| matches!(reason, Reason::Monthly(_))), 3);
    assert_eq!(kept.last().expect("the newest").0, 365);
    assert!(kept.len() < 14, "one snapshot may have several reasons: {}", kept.len());
}

#[test]
fn a_machine_that_was_off_loses_nothing() {
    let policy = Policy { daily: 2, within: Some(DAY), ..Policy::default() };
    let list = entries([MONDAY, MONDAY + DAY, MONDAY + 2 * DAY]);
    let all = kept(&list, &policy);
    assert_eq!(all.iter().map(|(sequence, _)| *sequence).collect::<Vec<_>>(), [2, 3]);
    assert!(all[0].1.contains(&Reason::Within), "a day older than the newest: {all:?}");
}

#[test]
fn the_newest_is_kept_by_any_policy_unless_a_group_may_become_empty() {
    let list = entries([MONDAY, MONDAY + DAY]);
    let policy = Policy { tags: vec!["other".into()], ..Policy::default() };
    assert_eq!(kept(&list, &policy), [(2, vec![Reason::Newest])]);
    let retained = retain(&only(&list), (&policy, &Held::new()), &TimeZone::UTC, true);
    assert_eq!(retained.dropped_ids(), [list[0].id, list[1].id]);
    assert!(retained.drops_most());
}

#[test]
fn a_tag_keeps_and_a_zone_decides_where_a_day_begins() {
    let mut list = entries([MONDAY + 22 * HOUR, MONDAY + 23 * HOUR, MONDAY + 30 * HOUR]);
    list[0].snapshot.tags = vec!["release".into(), "other".into()];
    let policy = Policy { daily: 1, tags: vec!["release".into()], ..Policy::default() };
    assert_eq!(
        kept(&list, &policy),
        [(1, vec![Reason::Tag("release".into())]), (3, vec![Reason::Daily(1)])]
    );
    let two = Policy { daily: 2, ..Policy::default() };
    let days = |offset| {
        let zone = TimeZone::fixed(jiff::tz::offset(offset));
        retain(&only(&list), (&two, &Held::new()), &zone, false).kept.len()
    };
    assert_eq!(days(0), 2);
    // There, 22:00 of Monday is Tuesday already, and all three are of that day.
    assert_eq!(days(3), 1);
}

#[test]
fn each_machine_and_each_set_of_sources_is_a_group() {
    let mut list = entries([MONDAY, MONDAY + 1, MONDAY + 2, MONDAY + 3]);
    list[1].snapshot.host = "other".into();
    list[2].snapshot.sources = vec![b"b".to_vec(), b"a".to_vec()];
    list[3].snapshot.sources = vec![b"a".to_vec(), b"b".to_vec()];
    let sizes = |by| group(&list, by).iter().map(|group| group.snapshots.len()).collect::<Vec<_>>();
    assert_eq!(sizes(GroupBy::default()), [2, 1, 1]);
    assert_eq!(sizes(GroupBy { host: true, sources: false }), [3, 1]);
    assert_eq!(sizes(GroupBy { host: false, sources: true }), [2, 2]);
    assert_eq!(sizes(GroupBy { host: false, sources: false }), [4]);
}

#[test]
fn a_clock_of_next_year_drops_nothing() {
    let mut list = entries([MONDAY, MONDAY + DAY, MONDAY + 2 * DAY]);
    // Its claimed time is not believed; it counts from when the next one was made.
    list[1].snapshot.time.seconds = MONDAY + 400 * DAY;
    list[1].since = list[2].since;
    list[1].clock = Clock::Wrong;
    let policy = Policy { daily: 1, within: Some(DAY), ..Policy::default() };
    let kept: Vec<u64> = kept(&list, &policy).into_iter().map(|(sequence, _)| sequence).collect();
    assert_eq!(kept, [2, 3]);
}

fn policies() -> impl Strategy<Value = Policy> {
    let within = proptest::option::of(0..40 * DAY);
    (0..5_u32, 0..5_u32, 0..5_u32, 0..5_u32, 0..5_u32, 0..3_u32, within).prop_map(
        |(last, hourly, daily, weekly, monthly, yearly, within)| Policy {
            last,
            hourly,
            daily,
            weekly,
            monthly,
            yearly,
            within,
            tags: Vec::new(),
            versions: 0,
        },
    )
}

proptest! {
    #[test]
    fn a_policy_keeps_all_that_it_kept_before(
        policy in policies(),
        mut times in proptest::collection::vec(0..900 * DAY, 1..80),
    ) {
        times.sort_unstable();
        let list = entries(times.into_iter().map(|time| MONDAY + time));
        let first: Vec<SnapshotEntry> = retain(&only(&list), (&policy, &Held::new()), &TimeZone::UTC, false)
            .kept.into_iter().map(|(entry, _)| entry.clone()).collect();
        prop_assert_eq!(first.last().map(|entry| entry.id), list.last().map(|entry| entry.id));
        let again = retain(&only(&first), (&policy, &Held::new()), &TimeZone::UTC, false);
        prop_assert!(again.dropped.is_empty());
    }

    #[test]
    fn a_wider_policy_keeps_no_less(
        policy in policies(),
        more in policies(),
        mut times in proptest::collection::vec(0..900 * DAY, 1..80),
    ) {
        times.sort_unstable();
        let list = entries(times.into_iter().map(|time| MONDAY + time));
        let wider = Policy {
            last: policy.last + more.last,
            hourly: policy.hourly + more.hourly,
            daily: policy.daily + more.daily,
            weekly: policy.weekly + more.weekly,
            monthly: policy.monthly + more.monthly,
            yearly: policy.yearly + more.yearly,
            within: policy.within.max(more.within),
            tags: Vec::new(),
            versions: 0,
        };
        let ids = |policy: &Policy| -> Vec<SnapshotId> {
            let retained = retain(&only(&list), (policy, &Held::new()), &TimeZone::UTC, false);
            retained.kept.iter().map(|(entry, _)| entry.id).collect()
        };
        let kept = ids(&wider);
        let has_rule = !policy.is_empty();
        prop_assert!(!has_rule || ids(&policy).iter().all(|id| kept.contains(id)));
    }
}

#[test]
fn a_part_takes_no_place_of_a_whole_snapshot_and_stays_as_long_as_the_next_one() {
    let mut list = entries((0..6).map(|day| MONDAY + day * DAY));
    let parts = |list: &mut [SnapshotEntry], which: &[usize]| {
        which.iter().for_each(|at| list[*at].snapshot.partial = true);
    };
    parts(&mut list, &[1, 3, 5]);
    let policy = Policy { last: 2, ..Policy::default() };
    let expected = [
        (2, vec![Reason::Part]),
        (3, vec![Reason::Last(2)]),
        (4, vec![Reason::Part]),
        (5, vec![Reason::Last(1)]),
        (6, vec![Reason::Last(1)]),
    ];
    assert_eq!(kept(&list, &policy), expected);
    // The part of a snapshot that is not kept goes with it.
    let policy = Policy { last: 1, ..Policy::default() };
    let expected =
        [(4, vec![Reason::Part]), (5, vec![Reason::Last(1)]), (6, vec![Reason::Last(1)])];
    assert_eq!(kept(&list, &policy), expected);
    // Without a whole one, the rules are for the parts; the newest is never dropped.
    parts(&mut list, &[0, 2, 4]);
    let policy = Policy { daily: 2, ..Policy::default() };
    assert_eq!(kept(&list, &policy), [(5, vec![Reason::Daily(2)]), (6, vec![Reason::Daily(1)])]);
    let policy = Policy { tags: vec!["none".into()], ..Policy::default() };
    assert_eq!(kept(&list, &policy), [(6, vec![Reason::Newest])]);
}
