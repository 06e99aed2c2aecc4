//! Scopes: the drive's top, each machine under `hosts`, each tag under `tags`. Each shows the whole tree of one
//! machine.

use sha2::{Digest, Sha256};
use yore_engine::format::encode_hex;
use yore_engine::snapshots::{Machine, SnapshotEntry};

use crate::path::{MAX_NAME, shortened};

/// A scope, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ScopeNo(pub(crate) u32);

impl ScopeNo {
    pub(crate) const WHOLE: ScopeNo = ScopeNo(0);
}

/// The snapshots that a scope shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The top: of all that are presented, those of the wanted machine, or of the only one.
    Whole,
    /// The snapshots of a machine.
    Host(String),
    /// The snapshots with a tag, of one machine as at the top.
    Tag(String),
}

/// The snapshots of a scope, and the machine that they are of.
pub(crate) struct ScopeSnapshots {
    pub(crate) snapshots: Vec<SnapshotEntry>,
    pub(crate) machine: Machine,
}

impl Scope {
    /// Takes the snapshots of the scope; `wanted` is the machine to show where there are several.
    pub(crate) fn take(&self, all: &[SnapshotEntry], wanted: Option<&str>) -> ScopeSnapshots {
        let fits = |entry: &&SnapshotEntry| match self {
            Scope::Whole => true,
            Scope::Host(host) => entry.snapshot.host == *host,
            Scope::Tag(tag) => entry.snapshot.tags.contains(tag),
        };
        let mut snapshots: Vec<SnapshotEntry> = all.iter().filter(fits).cloned().collect();
        let machine = Machine::choose(&snapshots, wanted);
        snapshots.retain(|entry| machine.has(entry));
        ScopeSnapshots { snapshots, machine }
    }
}

/// The letter shown for `/`.
const SLASH: char = '\u{2215}';
/// The letter before one that would be taken for something else.
const ESCAPE: char = '\u{29f5}';
/// Digits that tell apart names that are too long to be shown.
const DIGITS: usize = 32;

/// Shows a machine's name or a tag as a file name; no two show as one.
pub(crate) fn file_name(text: &str) -> Vec<u8> {
    let mut shown = String::with_capacity(text.len());
    if matches!(text, "" | "." | "..") {
        shown.push(ESCAPE);
    }
    for letter in text.chars() {
        match letter {
            '/' => shown.push(SLASH),
            '\0' => shown.extend([ESCAPE, '0']),
            SLASH | ESCAPE => shown.extend([ESCAPE, letter]),
            _ => shown.push(letter),
        }
    }
    if shown.len() <= MAX_NAME {
        return shown.into_bytes();
    }
    // Nothing else has this letter before a tilde.
    let digits = &encode_hex(&Sha256::digest(text))[..DIGITS];
    let end = format!("{ESCAPE}~{digits}");
    [shortened(shown.as_bytes(), MAX_NAME - end.len()), end.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_names_of_machines_show_as_one() {
        let long = "l".repeat(300);
        let words = [
            "x/y",
            "x\u{2215}y",
            "x\u{29f5}y",
            "x\u{29f5}\u{2215}y",
            "x\u{29f5}/y",
            "x//y",
            "x/\u{2215}y",
            "x\u{2215}/y",
            "",
            ".",
            "..",
            "/.",
            "/..",
            "\u{2215}.",
            "\u{29f5}",
            "\u{29f5}.",
            "\u{29f5}0",
            "\0",
            "0",
            "x",
            &long,
            &long[1..],
        ];
        let mut shown = std::collections::BTreeMap::new();
        for word in words {
            let name = file_name(word);
            assert!(!name.is_empty() && name.len() <= MAX_NAME);
            assert!(!name.iter().any(|byte| matches!(byte, b'/' | 0)) && !b"..".starts_with(&name));
            assert_eq!(shown.insert(name, word), None, "{word:?}");
        }
        assert_eq!(file_name("x/y"), "x\u{2215}y".as_bytes());
        assert_eq!(file_name("a machine"), b"a machine");
    }
}
