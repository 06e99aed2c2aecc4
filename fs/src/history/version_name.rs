//! The names of a file's versions under `versions`: the file's own name with the time before its extension.

use crate::path::{MAX_NAME, shortened};

/// The name under which a path's own states are, in `versions`.
pub(crate) const STATES: &[u8] = b"@";
/// An extension longer than this is part of the name.
const LONGEST_EXTENSION: usize = 64;
/// The extension of an archive before it is compressed: `a.tar.gz` has one extension.
const ARCHIVE: &[u8] = b".tar";

/// Returns the name of a version of the file `name`, which the snapshot `label` has.
///
/// The versions of one file have different names, since their labels differ; of a name that would be too
/// long the end before the label is left out.
pub(crate) fn version_name(name: &[u8], label: &[u8]) -> Vec<u8> {
    let (stem, extension) = split_extension(name);
    let room = MAX_NAME.saturating_sub(1 + label.len() + extension.len());
    [shortened(stem, room), b".", label, extension].concat()
}

/// Returns a version's name in the older form, by the label alone, under which it is found and not listed.
pub(crate) fn bare_version_name(name: &[u8], label: &[u8]) -> Vec<u8> {
    let bare = [label, extension(name)].concat();
    if bare.len() > MAX_NAME { label.to_vec() } else { bare }
}

/// Returns the extension of a name, with its dot.
pub(crate) fn extension(name: &[u8]) -> &[u8] {
    match name.iter().rposition(|byte| *byte == b'.') {
        Some(dot) if dot > 0 => &name[dot..],
        Some(_) | None => &[],
    }
}

/// Splits a name before its extension; the dot that hides a file begins none.
fn split_extension(name: &[u8]) -> (&[u8], &[u8]) {
    let end = name.len() - extension(name).len();
    let end = match name[..end].strip_suffix(ARCHIVE) {
        Some(stem) if !stem.is_empty() && end < name.len() => stem.len(),
        Some(_) | None => end,
    };
    if name.len() - end > LONGEST_EXTENSION { (name, b"") } else { name.split_at(end) }
}

/// Returns the name of a directory's entry as `versions` shows it.
pub(crate) fn escape(name: &[u8]) -> Vec<u8> {
    let is_states = name.iter().all(|byte| *byte == b'@');
    if is_states { [name, STATES].concat() } else { name.to_vec() }
}

/// Returns the name of the entry that `versions` shows so.
pub(crate) fn unescape(shown: &[u8]) -> &[u8] {
    let is_states = shown.iter().all(|byte| *byte == b'@');
    if is_states { &shown[1..] } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABEL: &[u8] = b"2026-01-15T103000";

    fn named(name: &str) -> String {
        String::from_utf8(version_name(name.as_bytes(), LABEL)).expect("text")
    }

    #[test]
    fn a_version_has_the_name_of_the_file_and_its_extension() {
        for (name, expected) in [
            ("report.odt", "report.2026-01-15T103000.odt"),
            ("a.tar.gz", "a.2026-01-15T103000.tar.gz"),
            (".tar.gz", ".tar.2026-01-15T103000.gz"),
            ("a.tar", "a.2026-01-15T103000.tar"),
            ("Makefile", "Makefile.2026-01-15T103000"),
            (".bashrc", ".bashrc.2026-01-15T103000"),
            (".config.toml", ".config.2026-01-15T103000.toml"),
            ("ends.", "ends.2026-01-15T103000."),
            ("..two", "..2026-01-15T103000.two"),
        ] {
            assert_eq!(named(name), expected);
        }
    }

    #[test]
    fn a_long_name_is_shortened_and_its_versions_differ() {
        let long = format!("{}.odt", "ä".repeat(125));
        assert!(
            named(&long).len() <= MAX_NAME && named(&long).ends_with("ä.2026-01-15T103000.odt")
        );
        let label = |digits: &str| format!("2026-01-15T103000-{}", digits.repeat(64));
        for name in [long.clone(), "x".repeat(255), format!("x.{}", "y".repeat(253))] {
            let names: std::collections::BTreeSet<Vec<u8>> =
                [&label("1"), &label("2"), "2026-01-15T103000"]
                    .iter()
                    .map(|label| version_name(name.as_bytes(), label.as_bytes()))
                    .collect();
            assert!(names.len() == 3 && names.iter().all(|name| name.len() <= MAX_NAME));
        }
        let not_text = [&[0xff; 251][..], b".odt"].concat();
        assert!(version_name(&not_text, LABEL).len() <= MAX_NAME);
    }
}
