//! The order of snapshots: a snapshot comes after those that its writer saw, whatever a clock
//! claimed.
//!
//! A clock may be wrong by a day or a year, forward or back, and a snapshot keeps the claimed time
//! for ever. So claimed times decide only where nothing better is known:
//!
//! 1. Within one client, snapshots follow their sequence numbers. Their times should rise with them;
//!    the fewest snapshots whose removal makes the others rise are taken for wrongly timed (a longest
//!    non-decreasing subsequence, Fredman 1975), and so is every time that is still to come.
//! 2. A wrongly timed snapshot counts as made when the next rightly timed one of its client was, or,
//!    where none follows, now.
//! 3. A snapshot comes after those that its writer saw (FORMAT.md §10, key 18), and after all that those come
//!    after; a tombstone keeps what the writer of a forgotten one saw.
//! 4. What is left open is decided by time, then by id.
//!
//! Example: at 13:00 there are the snapshots of two clients; B's first saw A's third.
//!
//! ```text
//! client, sequence    A1      A2      A3      A4      B1
//! claimed             10:00   2040    11:00   12:00   09:00
//! rising times        yes     no      yes     yes     yes
//! counts from         10:00   11:00   11:00   12:00   09:00
//! order               A1, A2, A3, then B1 because it saw A3, then A4
//! ```
//!
//! A's state at 10:30 is A1, and its newest one is A4, although A2 claims a later time than both.
//! B1 follows A3, although B's clock was behind.
//!
//! A time that a person gave (`--time`) says what is backed up, not when: such a snapshot stands
//! where its time puts it among its client's others.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

use yore_platform::Timestamp;

use crate::format::id::SnapshotId;
use crate::format::record::{ClientId, Snapshot, Tombstone};

/// The most seconds by which the clocks of two machines that are kept in time differ.
const CLOCK_SKEW: i64 = 120;
/// Earlier than any time that a clock claims.
const NEVER: Timestamp = Timestamp { seconds: i64::MIN, nanos: 0 };

/// A committed snapshot, at its place in the order of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotEntry {
    /// Its name.
    pub id: SnapshotId,
    /// The record.
    pub snapshot: Snapshot,
    /// The time from which it belongs to the state: the claimed one if that is believed.
    pub since: Timestamp,
    /// The credit that the claimed time deserves.
    pub clock: Clock,
    /// No policy may forget it.
    pub pinned: bool,
    /// Labels of programs, from its annotation.
    pub labels: BTreeMap<String, String>,
}

/// The credit that the time of a snapshot deserves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// Nothing contradicts it.
    Believed,
    /// A person gave it.
    Given,
    /// It is still to come, or contradicts the order in which the client made its snapshots.
    Wrong,
}

impl SnapshotEntry {
    /// Reports whether the claimed time is still to come, by more than clocks differ.
    pub fn is_ahead(&self, now: Timestamp) -> bool {
        self.snapshot.time > later(now, CLOCK_SKEW)
    }
}

/// A snapshot that has no place yet, or one that was forgotten: that one gets no place, but what its writer saw
/// still comes before those that saw it.
struct Candidate {
    id: SnapshotId,
    client: ClientId,
    number: u64,
    claimed: Timestamp,
    seen: Vec<SnapshotId>,
    /// `None` for a forgotten one.
    snapshot: Option<Snapshot>,
    since: Timestamp,
    clock: Clock,
    /// The time that orders it among snapshots to which it has no other relation.
    key: Timestamp,
    /// The number of its predecessors that have no place yet.
    waits_for: usize,
    /// Its successors, as indices of candidates.
    before: Vec<usize>,
}

/// Puts snapshots into their order.
///
/// `forgotten` tells of the deleted ones by which others are ordered. The cost is that of sorting, plus one step for
/// each snapshot that another one names.
pub(crate) fn arrange(
    list: Vec<(SnapshotId, Snapshot)>,
    forgotten: &[Tombstone],
    now: Timestamp,
) -> Vec<SnapshotEntry> {
    let mut candidates: Vec<Candidate> = list.into_iter().map(Candidate::new).collect();
    candidates.extend(forgotten.iter().filter_map(Candidate::forgotten));
    let mut clients: HashMap<ClientId, Vec<usize>> = HashMap::new();
    for (at, candidate) in candidates.iter().enumerate() {
        clients.entry(candidate.client).or_default().push(at);
    }
    let mut sequences = HashMap::new();
    for (client, members) in clients {
        let clocked = judge_clocks(&mut candidates, &members, now);
        let sequence = insert_forgotten(&mut candidates, &members, clocked);
        chain(&mut candidates, members);
        sequences.insert(client, sequence);
    }
    link_seen(&mut candidates, &sequences);
    sorted(candidates)
}

impl Candidate {
    fn new((id, snapshot): (SnapshotId, Snapshot)) -> Self {
        Self {
            id,
            client: snapshot.client,
            number: snapshot.sequence,
            claimed: snapshot.time,
            seen: snapshot.seen.clone(),
            since: snapshot.time,
            clock: Clock::Believed,
            key: snapshot.time,
            snapshot: Some(snapshot),
            waits_for: 0,
            before: Vec::new(),
        }
    }

    /// Makes a candidate of a forgotten snapshot; `None` where its tombstone does not tell its sequence number.
    fn forgotten(tombstone: &Tombstone) -> Option<Self> {
        let (client, number) = tombstone.client_sequence?;
        Some(Self {
            id: tombstone.snapshot,
            client,
            number,
            claimed: NEVER,
            seen: tombstone.seen.clone(),
            snapshot: None,
            since: NEVER,
            clock: Clock::Believed,
            key: NEVER,
            waits_for: 0,
            before: Vec::new(),
        })
    }

    fn sequence(&self) -> (u64, Timestamp, SnapshotId) {
        (self.number, self.claimed, self.id)
    }

    fn into_entry(self) -> Option<SnapshotEntry> {
        let Self { id, snapshot, since, clock, .. } = self;
        let (pinned, labels) = (false, BTreeMap::new());
        Some(SnapshotEntry { id, snapshot: snapshot?, since, clock, pinned, labels })
    }
}

/// Gives the forgotten snapshots of a client the time of the one before them, and a place in its sequence.
fn insert_forgotten(
    candidates: &mut [Candidate],
    members: &[usize],
    clocked: Vec<usize>,
) -> Vec<usize> {
    let mut sequence = clocked;
    sequence.extend(members.iter().copied().filter(|&at| candidates[at].snapshot.is_none()));
    sequence.sort_by_key(|&at| candidates[at].sequence());
    let mut last = NEVER;
    for &at in &sequence {
        match candidates[at].snapshot {
            Some(_) => last = last.max(candidates[at].key),
            None => candidates[at].key = last,
        }
    }
    sequence
}

/// Decides which times of a client are believed, and from when each of its snapshots counts.
///
/// Returns the snapshots that no person dated, in order of sequence.
fn judge_clocks(candidates: &mut [Candidate], members: &[usize], now: Timestamp) -> Vec<usize> {
    let latest = later(now, CLOCK_SKEW);
    let mut clocked = Vec::new();
    for &at in members {
        let candidate = &mut candidates[at];
        let Some(snapshot) = &candidate.snapshot else { continue };
        match snapshot.time_given && snapshot.time <= latest {
            true => candidate.clock = Clock::Given,
            false => clocked.push(at),
        }
    }
    clocked.sort_by_key(|&at| candidates[at].sequence());
    let times: Vec<Timestamp> = clocked.iter().map(|&at| candidates[at].key).collect();
    let believed = longest_rise(&times, latest);
    let mut next = now;
    let mut last = believed.iter().rposition(|believed| *believed).map_or(NEVER, |at| times[at]);
    next = next.max(last);
    for (&at, believed) in clocked.iter().zip(believed).rev() {
        let candidate = &mut candidates[at];
        if believed {
            (next, last) = (candidate.key, candidate.key);
            continue;
        }
        let claimed = candidate.claimed;
        (candidate.since, candidate.key) = (next, last);
        // A clock that was set right by a few seconds is not worth a warning.
        if claimed > latest || apart(claimed, next) > CLOCK_SKEW {
            candidate.clock = Clock::Wrong;
        }
    }
    clocked
}

fn later(time: Timestamp, seconds: i64) -> Timestamp {
    Timestamp { seconds: time.seconds.saturating_add(seconds), ..time }
}

fn apart(a: Timestamp, b: Timestamp) -> i64 {
    a.seconds.saturating_sub(b.seconds).saturating_abs()
}

/// Marks the members of a longest non-decreasing subsequence of the times up to `latest`; of
/// several, one that ends earliest.
fn longest_rise(times: &[Timestamp], latest: Timestamp) -> Vec<bool> {
    // `tails[n]` is the last member of the subsequence of n + 1 times that ends earliest.
    let mut tails: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; times.len()];
    for (at, time) in times.iter().enumerate().filter(|(_, time)| **time <= latest) {
        let length = tails.partition_point(|&tail| times[tail] <= *time);
        before[at] = length.checked_sub(1).map(|shorter| tails[shorter]);
        match tails.get_mut(length) {
            Some(tail) => *tail = at,
            None => tails.push(at),
        }
    }
    let mut believed = vec![false; times.len()];
    let mut at = tails.last().copied();
    while let Some(member) = at {
        believed[member] = true;
        at = before[member];
    }
    believed
}

/// Links the snapshots of a client in their order.
fn chain(candidates: &mut [Candidate], mut members: Vec<usize>) {
    members.sort_by_key(|&at| (candidates[at].key, candidates[at].sequence()));
    for pair in members.windows(2) {
        link(candidates, pair[0], pair[1]);
    }
}

fn link(candidates: &mut [Candidate], first: usize, second: usize) {
    candidates[first].before.push(second);
    candidates[second].waits_for += 1;
}

/// Links every snapshot behind those of other clients that its writer saw, unless a person dated it.
fn link_seen(candidates: &mut [Candidate], sequences: &HashMap<ClientId, Vec<usize>>) {
    let numbers = candidates.iter().map(|one| (one.id, (one.client, one.number)));
    let numbers: HashMap<SnapshotId, (ClientId, u64)> = numbers.collect();
    for at in 0..candidates.len() {
        if candidates[at].clock == Clock::Given {
            continue;
        }
        let own = candidates[at].client;
        let seen = candidates[at].seen.iter().filter_map(|id| numbers.get(id));
        let seen: Vec<_> = seen.filter(|(client, _)| *client != own).collect();
        for (client, number) in seen {
            let Some(sequence) = sequences.get(client) else { continue };
            let upto = sequence.partition_point(|&one| candidates[one].number <= *number);
            if let Some(newest) = upto.checked_sub(1).map(|newest| sequence[newest]) {
                link(candidates, newest, at);
            }
        }
    }
}

/// Sorts topologically, the earliest of all ready candidates first (Kahn 1962). Cycles, which only
/// a forged repository has, are broken at the earliest time.
fn sorted(mut candidates: Vec<Candidate>) -> Vec<SnapshotEntry> {
    let rank = |candidates: &[Candidate], at: usize| {
        let Candidate { key, claimed, id, .. } = &candidates[at];
        (*key, *claimed, *id, at)
    };
    let mut ready: BinaryHeap<_> = (0..candidates.len())
        .filter(|&at| candidates[at].waits_for == 0)
        .map(|at| Reverse(rank(&candidates, at)))
        .collect();
    let mut by_rank: Vec<usize> = (0..candidates.len()).collect();
    by_rank.sort_by_key(|&at| rank(&candidates, at));
    let mut rest = by_rank.into_iter();
    let mut order: Vec<usize> = Vec::with_capacity(candidates.len());
    let mut placed = vec![false; candidates.len()];
    loop {
        let next = match ready.pop() {
            Some(Reverse((.., at))) => at,
            None => match rest.find(|&at| !placed[at]) {
                Some(at) => at,
                None => break,
            },
        };
        if std::mem::replace(&mut placed[next], true) {
            continue;
        }
        order.push(next);
        for after in std::mem::take(&mut candidates[next].before) {
            candidates[after].waits_for = candidates[after].waits_for.saturating_sub(1);
            if candidates[after].waits_for == 0 {
                ready.push(Reverse(rank(&candidates, after)));
            }
        }
    }
    let mut entries: Vec<Option<SnapshotEntry>> =
        candidates.into_iter().map(Candidate::into_entry).collect();
    order.into_iter().filter_map(|at| entries[at].take()).collect()
}

#[cfg(test)]
pub(crate) mod tests;
