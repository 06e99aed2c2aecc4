//! Files at the top that tell file managers a name and an icon for the drive; they are looked up and not
//! listed.

use yore_platform::{Entry, VolumeError};

use crate::error::Answer;
use crate::snapshot_list::list::SnapshotList;
use crate::virtual_dir::dir::Dir;

/// Read by GVfs, for the file managers of GNOME, Xfce, Cinnamon and MATE.
const VOLUME_INFO: &[u8] = b".xdg-volume-info";
/// Read by KDE's file managers and dialogs.
const DIRECTORY: &[u8] = b".directory";
/// A clock on a document, by the name that icon themes know it by (Icon Naming Specification).
const ICON: &str = "document-open-recent";

/// Finds a file about the drive at its top.
pub(crate) fn find(top: &Dir<'_>, list: &SnapshotList, name: &[u8]) -> Answer<Entry> {
    let label = top.context.options.label.as_ref().ok_or(VolumeError::NotFound)?;
    let group = match name {
        VOLUME_INFO => "Volume Info",
        DIRECTORY => "Desktop Entry",
        _ => return Err(VolumeError::NotFound),
    };
    let text = format!("[{group}]\nName={}\nIcon={ICON}\n", escaped(label));
    top.text(name, text, list.modified)
}

/// Returns a value of a key file (Desktop Entry Specification): one line.
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
