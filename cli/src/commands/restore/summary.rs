//! The summary of a restore.

use std::path::Path;
use std::time::Duration;

use yore_engine::Run;
use yore_engine::restore::RestoreReport;

use crate::json;
use crate::screen::Screen;
use crate::text::format;

/// Prints what a restore did, or would do in a dry run.
pub(super) fn print(
    screen: &Screen,
    run: Run,
    landed: &Path,
    report: &RestoreReport,
    took: Duration,
) {
    let is_dry = run == Run::Dry;
    screen.object(&json::Restore::new(run, landed, report, took));
    let at = landed.display();
    let (files, bytes) = (format::counted(report.files, "file"), format::bytes(report.bytes));
    screen.info(match is_dry {
        true => format!("A trial: {files} ({bytes}) would be written to {at}."),
        false => format!("Restored {files} ({bytes}) to {at} in {}.", format::duration(took)),
    });
    let deleted = match is_dry {
        true => "would be removed, because the snapshot does not have them",
        false => "removed, because the snapshot does not have them",
    };
    for (number, what) in [
        (report.unchanged, "there already as they should be"),
        (report.skipped, "there and left as they are (--overwrite)"),
        (report.beside, "put beside what is there, under names with the time of the snapshot"),
        (report.deleted, deleted),
        (report.leftovers, "temporary files of a restore that was interrupted, removed now"),
    ] {
        if number > 0 {
            screen.info(format!("  {} {what}", format::count(number)));
        }
    }
    for (number, what) in [
        (report.failed, "could not be restored: see the list above"),
        (
            report.salvaged,
            "of them in part, under names with \"salvaged\", each with a list of its gaps",
        ),
        (report.refused, "times the system refused an owner, a time or an attribute: see above"),
    ] {
        if number > 0 {
            screen.line(format!("  {} {what}", format::count(number)));
        }
    }
}
