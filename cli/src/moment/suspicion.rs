//! Suspicious changes, and snapshots that were removed, in words.

use yore_engine::repository::RolledBack;
use yore_engine::snapshots::Change;

use crate::context::Context;
use crate::text::format;

/// Describes a change.
pub fn describe(change: &Change) -> String {
    let Change { before, changed, removed, incompressible } = change;
    let mut parts = Vec::new();
    if *changed > 0 {
        parts.push(format!("{} changed", format::count(*changed)));
    }
    if *removed > 0 {
        parts.push(format!("{} are removed", format::count(*removed)));
    }
    let files = format!("of {}, {}", format::counted(*before, "file"), parts.join(" and "));
    match incompressible {
        true => format!("{files}; the new data can hardly be compressed, as if it were encrypted"),
        false => files,
    }
}

/// Prints the snapshots that destinations had and have no more.
pub fn print_rolled_back(context: &Context, rolled_back: &[RolledBack]) {
    for RolledBack { destination, snapshot } in rolled_back {
        let what = format!(
            "snapshot {snapshot:.8} was there and is not any more, although nobody forgot it: this destination was put \
             back to an earlier state, or somebody removed the snapshot. `yore sync` copies it from a destination that \
             has it; if it is right as it is: yore acknowledge"
        );
        context.screen.problem(&context.title(*destination), &what);
    }
}
