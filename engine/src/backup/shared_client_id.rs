//! Noticing that two systems write as one client: copies of a machine, or several that share the folder in which
//! the client's id is kept.
//!
//! A session names the boot of the system under which it was opened, and a system never returns to an earlier boot.
//! So one client's snapshots, in the order of their numbers, are grouped by boot; where they
//! do not, or where one number was given twice under different boots, there are two sequences under one id.

use std::collections::{BTreeMap, HashSet};

use yore_platform::boot_id_of;

use crate::format::id::ObjectId;
use crate::format::keys::random;
use crate::format::record::{ClientId, Session, Verdict};
use crate::repository::Snapshots;
use crate::repository::session::Writer;

/// Draws a new client id for a writer whose id another system uses, too.
///
/// Its next snapshot has seen all those of the old id, and so comes after them.
pub(super) fn new_id_if_shared(
    known: &Snapshots,
    sessions: &BTreeMap<ObjectId, (Session, Option<Verdict>)>,
    writer: &Writer,
) -> Option<ClientId> {
    let own = known.list.iter().map(|entry| &entry.snapshot);
    let own = own.filter(|snapshot| snapshot.client == writer.client);
    let written = own.filter_map(|snapshot| {
        let (session, _) = sessions.get(&snapshot.session)?;
        Some((snapshot.sequence, boot_id_of(&session.process)?))
    });
    let shared =
        boot_id_of(&writer.process).is_some_and(|here| has_two_systems(written.collect(), here));
    shared.then(|| ClientId(random()))
}

/// Returns whether two systems gave these numbers, the next of which is to be given under the boot `here`.
fn has_two_systems(mut written: Vec<(u64, &str)>, here: &str) -> bool {
    written.sort_unstable();
    let twice = |pair: &[(u64, &str)]| pair[0].0 == pair[1].0 && pair[0].1 != pair[1].1;
    if written.windows(2).any(twice) {
        return true;
    }
    let mut boots: Vec<&str> = written.into_iter().map(|(_, boot)| boot).collect();
    boots.push(here);
    boots.dedup();
    boots.iter().collect::<HashSet<_>>().len() < boots.len()
}

#[cfg(test)]
mod tests {
    use super::has_two_systems;

    #[test]
    fn one_system_never_returns_to_an_earlier_boot() {
        for (written, here, two) in [
            (vec![], "a", false),
            (vec![(1, "a"), (2, "a")], "a", false),
            (vec![(1, "a"), (2, "b"), (3, "b")], "c", false),
            // Two programs at once on one machine.
            (vec![(1, "a"), (1, "a"), (2, "b")], "b", false),
            (vec![(1, "a"), (2, "b")], "a", true),
            (vec![(2, "b"), (3, "a"), (1, "a")], "c", true),
            (vec![(1, "a"), (1, "b")], "b", true),
        ] {
            assert_eq!(has_two_systems(written.clone(), here), two, "{written:?}, {here}");
        }
    }
}
