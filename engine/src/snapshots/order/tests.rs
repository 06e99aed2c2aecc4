use proptest::prelude::*;

use super::*;
use crate::format::id::{BlobId, ObjectId};
use crate::format::record::{Totals, UnknownParts};
use crate::format::tree::Flags;

const NOW: Timestamp = Timestamp { seconds: 1_000_000, nanos: 0 };

pub(crate) fn snapshot(client: u8, sequence: u64, seconds: i64) -> (SnapshotId, Snapshot) {
    let mut id = [client; 32];
    id[..8].copy_from_slice(&sequence.to_be_bytes());
    let time = Timestamp { seconds, nanos: 0 };
    let snapshot = Snapshot {
        time,
        time_given: false,
        suspicious: false,
        collected: false,
        partial: false,
        end: time,
        utc_offset: 0,
        host: client.to_string(),
        user: "me".into(),
        sources: vec![b"source".to_vec()],
        root: BlobId([0; 32]),
        root_flags: Flags::default(),
        tags: Vec::new(),
        client: ClientId([client; 16]),
        sequence,
        previous: None,
        seen: Vec::new(),
        totals: Totals::default(),
        program: "test".into(),
        excludes: Vec::new(),
        uncovered: Vec::new(),
        foreign: Vec::new(),
        session: ObjectId([0; 32]),
        origin: None,
        unknown: UnknownParts::default(),
    };
    (SnapshotId(id), snapshot)
}

fn given(client: u8, sequence: u64, seconds: i64) -> (SnapshotId, Snapshot) {
    let mut given = snapshot(client, sequence, seconds);
    given.1.time_given = true;
    given
}

/// The order as client and sequence, with the second from which each counts and whether its time is
/// believed.
fn arranged(list: Vec<(SnapshotId, Snapshot)>) -> Vec<(u8, u64, i64, Clock)> {
    let brief = |entry: SnapshotEntry| {
        let SnapshotEntry { snapshot, since, clock, .. } = entry;
        (snapshot.client.0[0], snapshot.sequence, since.seconds, clock)
    };
    arrange(list, &[], NOW).into_iter().map(brief).collect()
}

#[test]
fn a_time_that_is_still_to_come_does_not_win() {
    let future = NOW.seconds + 500_000;
    let list = vec![snapshot(1, 1, 100), snapshot(1, 2, future), snapshot(1, 3, 300)];
    assert_eq!(
        arranged(list),
        [(1, 1, 100, Clock::Believed), (1, 2, 300, Clock::Wrong), (1, 3, 300, Clock::Believed)]
    );
    // The newest of its client, and unrelated to another's.
    let list = vec![snapshot(1, 1, future), snapshot(2, 1, 100)];
    let now = NOW.seconds;
    assert_eq!(arranged(list), [(1, 1, now, Clock::Wrong), (2, 1, 100, Clock::Believed)]);
}

#[test]
fn a_clock_that_was_wrong_for_a_while_moves_nothing_else() {
    // Ahead, but not of today.
    let list = [100, 200, 900, 300, 400].iter().zip(1..).map(|(s, n)| snapshot(1, n, s * 1000));
    let order = arranged(list.collect());
    assert_eq!(order.iter().map(|one| one.1).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    let since: Vec<i64> = order.iter().map(|one| one.2 / 1000).collect();
    assert_eq!(since, [100, 200, 300, 300, 400]);
    // Behind, as after an empty battery.
    let list = [400, 500, 600, 0, 0, 700].iter().zip(1..).map(|(s, n)| snapshot(1, n, s * 1000));
    let order = arranged(list.collect());
    assert_eq!(order.iter().map(|one| one.1).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    let since: Vec<i64> = order.iter().map(|one| one.2 / 1000).collect();
    assert_eq!(since, [400, 500, 600, 700, 700, 700]);
    assert_eq!(order.iter().filter(|one| one.3 == Clock::Wrong).count(), 2);
}

#[test]
fn a_clock_that_is_set_right_by_seconds_is_not_called_wrong() {
    let list = vec![snapshot(1, 1, 100), snapshot(1, 2, 103), snapshot(1, 3, 102)];
    let order = arranged(list);
    assert_eq!(order.iter().map(|one| one.1).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(order.iter().all(|one| one.3 == Clock::Believed));
}

#[test]
fn what_was_seen_comes_before_what_saw_it() {
    let first = snapshot(1, 1, 5_000);
    let mut second = snapshot(2, 1, 1_000);
    second.1.seen = vec![first.0];
    let order = arranged(vec![second.clone(), first.clone()]);
    assert_eq!(order.iter().map(|one| one.0).collect::<Vec<_>>(), [1, 2]);
    // Also if the seen one is deleted: those before it were seen with it.
    let later = snapshot(1, 2, 6_000);
    second.1.seen = vec![later.0];
    let stone = Tombstone {
        snapshot: later.0,
        time: NOW,
        host: String::new(),
        user: String::new(),
        policy: String::new(),
        client_sequence: Some((later.1.client, 2)),
        seen: Vec::new(),
        previous: Some(first.0),
        origin: None,
    };
    let order = arrange(vec![second, first], &[stone], NOW);
    assert_eq!(order.iter().map(|one| one.snapshot.client.0[0]).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn what_a_person_dated_stands_at_that_date() {
    let list = vec![snapshot(1, 1, 500), snapshot(1, 2, 600), given(1, 3, 550), given(1, 4, 10)];
    assert_eq!(
        arranged(list),
        [
            (1, 4, 10, Clock::Given),
            (1, 1, 500, Clock::Believed),
            (1, 3, 550, Clock::Given),
            (1, 2, 600, Clock::Believed)
        ]
    );
}

#[test]
fn a_ring_of_snapshots_that_saw_one_another_is_broken() {
    let (mut first, mut second) = (snapshot(1, 1, 100), snapshot(2, 1, 200));
    first.1.seen = vec![second.0];
    second.1.seen = vec![first.0];
    let order = arranged(vec![second, first]);
    assert_eq!(order.iter().map(|one| one.0).collect::<Vec<_>>(), [1, 2]);
}

proptest! {
    #[test]
    fn every_snapshot_has_one_place_and_clients_keep_their_sequence(
        made in prop::collection::vec((1u8..4, -50i64..1_200, any::<bool>(), prop::collection::vec(0usize..40, 0..3)), 0..40)
    ) {
        let mut list: Vec<(SnapshotId, Snapshot)> = Vec::new();
        for (number, (client, time, by_person, seen)) in made.iter().enumerate() {
            let mut one = snapshot(*client, number as u64 + 1, *time * 1_000);
            one.1.time_given = *by_person;
            // Only earlier ones can be seen.
            one.1.seen = seen.iter().filter_map(|at| list.get(*at).map(|(id, _)| *id)).collect();
            list.push(one);
        }
        let order = arrange(list.clone(), &[], NOW);
        let mut ids: Vec<_> = order.iter().map(|entry| entry.id).collect();
        let place = |id: &SnapshotId| order.iter().position(|entry| entry.id == *id);
        for (at, entry) in order.iter().enumerate() {
            if entry.clock == Clock::Given {
                continue;
            }
            for before in &order[at..] {
                let same = before.snapshot.client == entry.snapshot.client;
                if same && before.clock != Clock::Given {
                    prop_assert!(before.snapshot.sequence >= entry.snapshot.sequence);
                    prop_assert!(before.since >= entry.since);
                }
            }
            for seen in &entry.snapshot.seen {
                let other = place(seen).expect("it is there");
                let unbound = order[other].clock == Clock::Given
                    || order[other].snapshot.client == entry.snapshot.client;
                prop_assert!(unbound || other < at);
            }
        }
        ids.sort_unstable();
        let mut all: Vec<_> = list.into_iter().map(|(id, _)| id).collect();
        all.sort_unstable();
        prop_assert_eq!(ids, all);
    }
}
