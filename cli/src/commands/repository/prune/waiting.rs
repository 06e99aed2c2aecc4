//! What a prune leaves to later ones: a line for each reason, however many prunes are behind it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use yore_engine::prune::{Amount, Pending, PendingCause};
use yore_platform::Timestamp;

use super::amount;
use crate::text::{escape, format};

/// The reason why packs are not deleted yet, without its details.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    Grace,
    Locked,
    OtherPrune,
    Writers,
}

/// Everything that waits for the same reason.
#[derive(Debug, Default)]
struct Waiting {
    amount: Amount,
    /// The times until which some of it waits.
    until: BTreeSet<Timestamp>,
    /// The writers for which some of it waits, by their begin.
    writers: BTreeSet<(Timestamp, String)>,
}

/// Tells how much is not deleted yet, why, and when it can be.
pub(super) fn lines(pending: &[Pending], zone: &TimeZone) -> Vec<String> {
    let mut all: BTreeMap<Reason, Waiting> = BTreeMap::new();
    for one in pending {
        all.entry(Reason::of(&one.cause)).or_default().add(one);
    }
    let line = |(reason, waiting): (&Reason, &Waiting)| {
        format!("{} {}", amount(&waiting.amount), waiting.explain(*reason, zone))
    };
    all.iter().map(line).collect()
}

impl Reason {
    fn of(cause: &PendingCause) -> Self {
        match cause {
            PendingCause::Grace(_) => Reason::Grace,
            PendingCause::Locked(_) => Reason::Locked,
            PendingCause::Writers(writers) if writers.is_empty() => Reason::OtherPrune,
            PendingCause::Writers(_) => Reason::Writers,
        }
    }
}

impl Waiting {
    fn add(&mut self, pending: &Pending) {
        self.amount.packs += pending.amount.packs;
        self.amount.bytes += pending.amount.bytes;
        match &pending.cause {
            PendingCause::Grace(until) | PendingCause::Locked(until) => {
                self.until.insert(*until);
            }
            PendingCause::Writers(writers) => {
                let writers = writers.iter().map(|(host, begin)| (*begin, host.clone()));
                self.writers.extend(writers);
            }
        }
    }

    fn explain(&self, reason: Reason, zone: &TimeZone) -> String {
        let time = |time: &Timestamp| format::time(*time, zone);
        let first = self.until.first().map(time).unwrap_or_default();
        let last = self.until.last().map(time).unwrap_or_default();
        let is_one = first == last;
        match reason {
            Reason::Grace if is_one => format!(
                "may still be read by mounts and restores: the first prune after {last} deletes them (--grace 0 at once)"
            ),
            Reason::Grace => format!(
                "may still be read by mounts and restores: the first prune after {first} deletes some of them, the first \
                 after {last} the last (--grace 0 all at once)"
            ),
            Reason::Locked if is_one => format!("are locked by the destination until {last}"),
            Reason::Locked => {
                format!("are locked by the destination, some until {first}, the last until {last}")
            }
            Reason::OtherPrune => "are dealt with by another prune that runs now".to_owned(),
            Reason::Writers => {
                let named = |(begin, host): &(Timestamp, String)| {
                    format!("{} since {}", escape::text(host), time(begin))
                };
                let named: Vec<String> = self.writers.iter().map(named).collect();
                format!(
                    "wait for a backup that has not ended ({}): a prune after its end deletes them; one that was \
                     interrupted counts as ended after the next backup there, or after a week",
                    named.join(", ")
                )
            }
        }
    }
}
