//! What file managers ask a drive about itself: a name and an icon, in files at its top that are
//! looked up and not listed.

use std::sync::Arc;

use yore_engine::{Content, Node, SeenNode};
use yore_platform::{Kind, Timestamp};

use crate::virtual_dir::dir::Made;

/// Read by GVfs, for the file managers of GNOME, Xfce, Cinnamon and MATE.
const VOLUME_INFO: &[u8] = b".xdg-volume-info";
/// Read by KDE's file managers and dialogs.
const DIRECTORY: &[u8] = b".directory";
/// A clock on a document, by the name that icon themes know it by (Icon Naming Specification).
const ICON: &str = "document-open-recent";

/// A file of that name about a drive with this label; `None` for other names.
pub(crate) fn file(label: &str, name: &[u8], modified: Timestamp) -> Option<Made> {
    let group = match name {
        VOLUME_INFO => "Volume Info",
        DIRECTORY => "Desktop Entry",
        _ => return None,
    };
    let content = format!("[{group}]\nName={}\nIcon={ICON}\n", escaped(label)).into_bytes();
    let mut node = Node::new(name, Kind::File, modified);
    node.mode = Some(0o444);
    node.size = content.len() as u64;
    node.content = Content::Inline(content);
    Some(Made::Held(Arc::new(SeenNode::of(node))))
}

/// A value of a key file (Desktop Entry Specification): one line.
fn escaped(text: &str) -> String {
    let mut value = String::new();
    for character in text.chars() {
        match character {
            '\\' => value.push_str("\\\\"),
            _ if character.is_control() => value.push(' '),
            _ => value.push(character),
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_stays_on_its_line() {
        assert_eq!(escaped("a\\b\nIcon=x"), "a\\\\b Icon=x");
    }
}
