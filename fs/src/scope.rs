//! Scopes: all snapshots, those of one machine, those with one tag. Each has the whole tree.

use yore_engine::Snapshot;

/// A scope, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ScopeNo(pub(crate) u32);

impl ScopeNo {
    pub(crate) const WHOLE: ScopeNo = ScopeNo(0);
}

/// Which snapshots a scope has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All that are presented.
    Whole,
    /// Those of a machine.
    Host(String),
    /// Those with a tag.
    Tag(String),
}

impl Scope {
    pub(crate) fn has(&self, snapshot: &Snapshot) -> bool {
        match self {
            Scope::Whole => true,
            Scope::Host(host) => snapshot.host == *host,
            Scope::Tag(tag) => snapshot.tags.contains(tag),
        }
    }
}

/// Shows a machine's name or a tag as a file name: `/` as U+2215, and what is no name with one before
/// it. Nothing that is not shown so can be mistaken for it, but for names that hold U+2215.
pub(crate) fn file_name(text: &str) -> Option<Vec<u8>> {
    let shown = text.replace('/', "\u{2215}");
    let shown = match shown.as_str() {
        "" => return None,
        "." | ".." => format!("\u{2215}{shown}"),
        _ => shown,
    };
    (shown.len() <= 255 && !shown.contains('\0')).then(|| shown.into_bytes())
}
