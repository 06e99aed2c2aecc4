//! Noticing that two systems write as one client: copies of a machine, or several that share the folder in which
//! the client's id is kept.
//!
//! Sessions tell under which boot of a system they were opened, and a system never returns to an earlier boot.
//! So of one client's snapshots, in the order of their numbers, those of one boot stand together; where they
//! do not, or where one number was given twice under different boots, there are two sequences under one id.

use std::collections::{BTreeMap, HashSet};

use yore_platform::boot_id_of;

use crate::format::id::ObjectId;
use crate::format::keys::random;
use crate::format::record::{ClientId, Session, Verdict};
use crate::repository::Snapshots;
use crate::repository::session::Writer;

/// Draws a client id of its own for a writer whose id somebody else uses, too.
///
/// Its next snapshot has seen all those of the id before and so comes after them.
pub(super) fn split(
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
    let shared = boot_id_of(&writer.process).is_some_and(|here| are_two(written.collect(), here));
    shared.then(|| ClientId(random()))
}

/// Tells whether two systems gave these numbers, the next of which is to be given under the boot `here`.
fn are_two(mut written: Vec<(u64, &str)>, here: &str) -> bool {
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
    use super::are_two;

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
            assert_eq!(are_two(written.clone(), here), two, "{written:?}, {here}");
        }
    }
}
