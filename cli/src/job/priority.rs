//! The order of a backup: what matters most and changed last is saved before the rest.

use std::path::PathBuf;

use yore_engine::backup::Selection;
use yore_platform::{Timestamp, snapshot_path};

use crate::args::exclude::{self, FromHere};
use crate::context::Context;

/// What matters most, where the configuration says nothing: documents, notes and passwords.
const USUAL: [&str; 20] = [
    "*.doc",
    "*.docx",
    "*.odt",
    "*.rtf",
    "*.xls",
    "*.xlsx",
    "*.ods",
    "*.csv",
    "*.ppt",
    "*.pptx",
    "*.odp",
    "*.pdf",
    "*.txt",
    "*.md",
    "*.tex",
    "*.org",
    "*.kdbx",
    "*.gpg",
    "*.gnucash",
    "*.eml",
];
/// What was modified within so many seconds comes before what was not: a week.
const RECENT: i64 = 7 * 86_400;

/// Returns what a backup of some sources saves first: what the configuration names, then what was modified lately.
pub(super) fn selections(
    context: &Context,
    sources: &[PathBuf],
    priority: &[String],
) -> Vec<Selection> {
    let usual = || USUAL.map(str::to_owned).to_vec();
    let patterns = if priority.is_empty() { usual() } else { priority.to_vec() };
    let sources = sources.iter().map(|source| snapshot_path(source)).collect();
    let rules = exclude::rules(&patterns, &exclude::bases(sources, FromHere::No));
    let since = context.now.timestamp().as_second().saturating_sub(RECENT);
    vec![
        Selection { rules, modified_since: None },
        Selection {
            rules: Vec::new(),
            modified_since: Some(Timestamp { seconds: since, nanos: 0 }),
        },
    ]
}
