//! The summary of a backup.

use yore_engine::backup::{BackupReport, LeftOut, NotEntered};

use crate::job::RunRecord;
use crate::moment::suspicion;
use crate::screen::Screen;
use crate::text::{escape, format};

/// The number of paths of each kind that the summary names; `-v` and `--json` name all.
const NAMED_PATHS: usize = 3;

/// Prints what a backup did.
pub fn print(screen: &Screen, record: &RunRecord) {
    let (report, totals) = (&record.report, &record.report.totals);
    let object = record.object();
    screen.object(&object);
    let of = record.source.as_ref().map(|name| format!(" of {name}")).unwrap_or_default();
    match report.snapshot {
        Some(id) => {
            screen
                .info(format!("Saved snapshot {id:.8}{of} in {}.", format::duration(record.took)));
            screen.info(format!("  head {id:.16}"));
        }
        None => screen.info(format!("A trial{of}: nothing was saved.")),
    }
    screen.info(format!(
        "  {}: {} new, {} changed, {} unchanged; {}",
        format::counted(totals.files, "file"),
        format::count(totals.new_files),
        format::count(totals.changed_files),
        format::count(object.unchanged_files),
        format::bytes(totals.bytes),
    ));
    if report.removed_files > 0 {
        screen.info(format!(
            "  {} of the snapshot before removed",
            match report.removed_files {
                1 => "1 file is".into(),
                more => format!("{} files are", format::count(more)),
            }
        ));
    }
    screen.info(match report.snapshot {
        Some(_) => format!(
            "  {} were new to the repository, and take {} there",
            format::bytes(totals.new_bytes),
            format::bytes(totals.stored_bytes),
        ),
        None => format!("  {} would be new to the repository", format::bytes(totals.new_bytes)),
    });
    if let Some(line) = describe(&report.left_out) {
        screen.info(format!("  left out: {line}"));
    }
    for (path, why) in &report.left_out.folders {
        screen.detail(format!("left out: {} ({})", escape::path(path), reason(why, 1)));
    }
    warnings(screen, report);
}

/// Warns of what is not saved as it is, and of what most probably is not as the person wants it.
fn warnings(screen: &Screen, report: &BackupReport) {
    let totals = &report.totals;
    if totals.unreadable > 0 {
        let what = match totals.unreadable {
            1 => "1 file or folder".into(),
            more => format!("{} files and folders", format::count(more)),
        };
        screen.line(format!(
            "  {what} could not be read, listed above; what earlier snapshots have of them is kept. \
             All else is saved."
        ));
    }
    if report.changed_while_read > 0 {
        let what = match report.changed_while_read {
            1 => "1 file".into(),
            more => format!("{} files", format::count(more)),
        };
        screen.line(format!(
            "  {what} changed each time it was read, listed above: what is saved of it may be of \
             several moments."
        ));
    }
    for emptied in &report.emptied {
        let state = if emptied.is_other_folder { "nearly empty" } else { "empty" };
        screen.line(format!(
            "  {} is {state}, and had {}: is its disk mounted? Its last state is kept. If it is \
             right as it is: --allow-empty-source",
            escape::path(&emptied.path),
            format::counted(emptied.before, "file"),
        ));
    }
    if let Some(change) = &report.suspicion {
        screen.line(format!(
            "  SUSPICIOUS: {}. If that was not you, look at it before anything is forgotten: `yore diff latest~1 \
             latest --stat`; if it is right: `yore acknowledge`. Until then no rule forgets older snapshots of this.",
            suspicion::describe(change),
        ));
    }
    for source in &report.left_out.whole_sources {
        let source = escape::path(source);
        screen.line(format!("  nothing of {source} is saved: all that is in it is left out"));
    }
    for pattern in &report.left_out.unused_patterns {
        screen.info(format!("  note: the pattern {pattern} fits nothing here"));
    }
}

/// Describes in one line what was left out and why; `None` when nothing was.
fn describe(left_out: &LeftOut) -> Option<String> {
    let mut parts = Vec::new();
    if left_out.by_patterns > 0 {
        parts.push(format!("{} by patterns", format::count(left_out.by_patterns)));
    }
    for (mark, count) in &left_out.by_marks {
        let mark = String::from_utf8_lossy(mark);
        parts.push(format!("{} by {mark}", format::counted(*count, "folder")));
    }
    if left_out.too_large > 0 {
        parts.push(format!("{} for their size", format::counted(left_out.too_large, "file")));
    }
    let mut rest: Vec<&(Vec<u8>, NotEntered)> = left_out.folders.iter().collect();
    while let Some((_, why)) = rest.first().copied() {
        let is_same =
            |other: &NotEntered| std::mem::discriminant(other) == std::mem::discriminant(why);
        let (same, others): (Vec<&_>, Vec<&_>) =
            rest.iter().copied().partition(|other| is_same(&other.1));
        let paths: Vec<String> =
            same.iter().take(NAMED_PATHS).map(|(path, _)| escape::path(path)).collect();
        let more = if same.len() > NAMED_PATHS { ", …" } else { "" };
        parts.push(format!("{} ({}{more})", reason(why, same.len()), paths.join(", ")));
        rest = others;
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn reason(why: &NotEntered, count: usize) -> String {
    let counted = |one: &str, many: &str| match count {
        1 => one.to_owned(),
        _ => format!("{} {many}", format::count(count as u64)),
    };
    match why {
        NotEntered::OtherFileSystem => counted("another file system", "other file systems"),
        NotEntered::Drive => counted("a drive of Yore's", "drives of Yore's"),
        NotEntered::System(_) => {
            counted("a file system of the kernel's", "file systems of the kernel's")
        }
        NotEntered::Private(_) => {
            counted("somebody's own mount, which keeps others out", "mounts that keep others out")
        }
        NotEntered::Own => counted("the repository or the cache", "folders of Yore's own"),
    }
}
