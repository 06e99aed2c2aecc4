//! `READ ME.txt` at the top of the drive: explains the folders to a person who lost a file.

use std::sync::Arc;

use crate::inode::number::PlaceNo;
use crate::virtual_dir::dir::{Context, text_node};

/// The name of the file.
pub(crate) const NAME: &[u8] = b"READ ME.txt";

/// The same for every drive, whatever its label and the locale.
const TEXT: &str = include_str!("readme.txt");

/// Returns the place of the file, which is never forgotten.
///
/// Its times are those of the mount, which never change: other times would be another file with another
/// number. The volume calls this before anything else has a place, so the number is the same in each mount.
pub(crate) fn place(context: &Context) -> PlaceNo {
    let tables = &context.core.tables;
    let node = text_node(NAME, TEXT.to_owned(), context.opened);
    let place = tables.place_file(PlaceNo::ROOT, NAME, Arc::new(node));
    tables.pin(place);
    place
}
