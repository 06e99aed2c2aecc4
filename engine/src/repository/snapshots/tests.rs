use proptest::prelude::*;

use super::*;
use crate::format::record::Snapshot;
use crate::snapshots::order::tests::snapshot;

/// The most snapshots that a writer does not see although they were written.
const MOST_UNSEEN: usize = 3;
const NOW: Timestamp = Timestamp { seconds: 1_000_000, nanos: 0 };

/// A snapshot that a client wrote, and all snapshots that its writer knew to be earlier.
struct Written {
    id: SnapshotId,
    snapshot: Snapshot,
    before: HashSet<SnapshotId>,
}

/// Returns the list that a writer sees: all snapshots but the last `unseen` ones of other clients.
fn listed(history: &[Written], client: u8, unseen: usize) -> (Snapshots, HashSet<SnapshotId>) {
    let others = history.len().saturating_sub(unseen);
    let own = |written: &Written| written.snapshot.client == ClientId([client; 16]);
    let visible = history.iter().enumerate().filter(|(at, one)| *at < others || own(one));
    let (mut list, mut before) = (Vec::new(), HashSet::new());
    for (_, one) in visible {
        before.insert(one.id);
        before.extend(&one.before);
        list.push((one.id, one.snapshot.clone()));
    }
    (Snapshots { list: order::arrange(list, &[], NOW), ..Snapshots::default() }, before)
}

fn tombstone(id: SnapshotId, snapshot: &Snapshot) -> Tombstone {
    Tombstone {
        snapshot: id,
        time: NOW,
        host: String::new(),
        user: String::new(),
        policy: String::new(),
        client_sequence: Some((snapshot.client, snapshot.sequence)),
        seen: snapshot.seen.clone(),
        previous: snapshot.previous,
        origin: None,
    }
}

proptest! {
    #[test]
    fn heads_imply_the_order_of_all_snapshots_that_the_writer_saw(
        writes in prop::collection::vec((1u8..6, 0..=MOST_UNSEEN, 0i64..1_500, any::<bool>()), 1..40),
    ) {
        let mut history: Vec<Written> = Vec::new();
        for (client, unseen, clock, _) in &writes {
            let (known, before) = listed(&history, *client, *unseen);
            let (own, heads) = known.newest_and_heads(ClientId([*client; 16]));
            // Of heads, the one that was written last saw none of the others.
            prop_assert!(heads.len() <= 1 + MOST_UNSEEN, "{} heads", heads.len());
            let number = own.map_or(1, |(number, _)| number + 1);
            let (id, mut snapshot) = snapshot(*client, number, clock * 1_000);
            (snapshot.seen, snapshot.previous) = (heads, own.map(|(_, id)| id));
            history.push(Written { id, snapshot, before });
        }
        let (mut list, mut forgotten) = (Vec::new(), Vec::new());
        for (one, (.., forget)) in history.iter().zip(&writes) {
            match forget {
                true => forgotten.push(tombstone(one.id, &one.snapshot)),
                false => list.push((one.id, one.snapshot.clone())),
            }
        }
        let order = order::arrange(list, &forgotten, NOW);
        let places: HashMap<SnapshotId, usize> =
            order.iter().enumerate().map(|(at, entry)| (entry.id, at)).collect();
        prop_assert_eq!(places.len() + forgotten.len(), history.len());
        for one in &history {
            let Some(place) = places.get(&one.id) else { continue };
            for before in one.before.iter().filter_map(|id| places.get(id)) {
                prop_assert!(before < place, "a snapshot stands before one that its writer saw");
            }
        }
    }
}

#[test]
fn sequential_clients_name_one_head_each() {
    let mut list = Vec::new();
    for client in 0..40_u64 {
        let (mut id, mut written) = snapshot(1, client + 1, 100 + client as i64);
        let mut name = [0; 16];
        name[..8].copy_from_slice(&client.to_be_bytes());
        (written.client, written.sequence) = (ClientId(name), 1);
        id.0[31] = 9;
        let known =
            Snapshots { list: order::arrange(list.clone(), &[], NOW), ..Snapshots::default() };
        let (own, heads) = known.newest_and_heads(written.client);
        assert_eq!((own, heads.len()), (None, usize::from(client > 0)));
        written.seen = heads;
        list.push((id, written));
    }
}
