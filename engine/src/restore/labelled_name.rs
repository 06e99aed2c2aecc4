//! Names with a label, for an old version beside a newer one.

use yore_platform::TargetDir;

use super::context::Context;
use super::directory::OpenDir;
use super::write_node::is_same_content;
use crate::error::Result;
use crate::format::tree::Node;
use crate::path::join;

/// The longest name that file systems have.
const LONGEST: usize = 255;

/// The state of the name that a node got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LabelledName {
    /// Nothing has it.
    Unused,
    /// An earlier restore has put the node there.
    AlreadyRestored,
}

/// Gives a node the first labelled name that nothing else has.
pub(super) fn rename(
    context: &Context<'_>,
    open: &OpenDir<'_>,
    target: &TargetDir,
    node: &mut Node,
) -> Result<LabelledName> {
    let label = context.selection.sources.label_of(&join(&open.path, &node.name));
    let own = std::mem::take(&mut node.name);
    for number in 1_u64.. {
        let name = labelled(&own, &label, number);
        let found = target.child_metadata(&name);
        node.name = name;
        match found.map_err(|source| open.local(&own, source))? {
            None => return Ok(LabelledName::Unused),
            Some(found) if is_same_content(target, &found, node) => {
                return Ok(LabelledName::AlreadyRestored);
            }
            Some(_) => {}
        }
    }
    Ok(LabelledName::Unused)
}

/// Inserts a label before the ending of a name: `report (2026-01-15 10.30).odt`.
pub(super) fn labelled(name: &[u8], label: &str, number: u64) -> Vec<u8> {
    let label = match number {
        1 => format!(" ({label})"),
        _ => format!(" ({label}, {number})"),
    };
    let dot = name.iter().rposition(|&byte| byte == b'.').filter(|&dot| dot > 0);
    let (stem, ending) = name.split_at(dot.unwrap_or(name.len()));
    let mut room = stem.len().min(LONGEST.saturating_sub(label.len() + ending.len()));
    // Not in the middle of a character.
    while room < stem.len() && room > 0 && stem[room] & 0xC0 == 0x80 {
        room -= 1;
    }
    [&stem[..room], label.as_bytes(), ending].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_comes_before_the_ending() {
        let name = |name: &str, number| {
            String::from_utf8(labelled(name.as_bytes(), "2026-01-15 10.30", number))
        };
        assert_eq!(name("report.odt", 1).as_deref(), Ok("report (2026-01-15 10.30).odt"));
        assert_eq!(name("report.odt", 2).as_deref(), Ok("report (2026-01-15 10.30, 2).odt"));
        assert_eq!(name(".bashrc", 1).as_deref(), Ok(".bashrc (2026-01-15 10.30)"));
        assert_eq!(name("Makefile", 1).as_deref(), Ok("Makefile (2026-01-15 10.30)"));
        let long = name(&format!("{}.txt", "ä".repeat(124)), 1).expect("whole characters");
        assert!(long.len() <= LONGEST && long.ends_with(" (2026-01-15 10.30).txt"), "{long}");
    }
}
