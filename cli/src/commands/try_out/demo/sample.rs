//! The small folder on which `yore try` shows what Yore does.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The file that is edited between the backups.
pub const EDITED: &str = "Letter to Ada.txt";
/// The file that is deleted between the backups.
pub const DELETED: &str = "Recipes/Grandmother's apple pie.txt";

const LETTER: &str = "\
Dear Ada,

the garden is in full bloom, and the house by the lake is ours.
Come in June, and bring the children.

Yours, Charles
";

const CHANGED_LETTER: &str = "\
Dear Ada,

(oops, the good version is gone)
";

const PIE: &str = "\
Six apples, a little cinnamon, and butter as big as an egg.
Bake it until the kitchen smells of Sunday.
";

const SOUP: &str = "Leeks, potatoes, cream. Salt at the end.\n";

const NOTES: &str = "Call the plumber.\nBack up the photos!\n";

/// The size of the picture in bytes.
const PHOTO: usize = 300 << 10;

/// Makes the sample in `folder`, which must not be there.
pub fn make(folder: &Path) -> io::Result<()> {
    for below in ["Recipes", "Photos/2025"] {
        fs::create_dir_all(folder.join(below))?;
    }
    fs::write(folder.join(EDITED), LETTER)?;
    fs::write(folder.join(DELETED), PIE)?;
    fs::write(folder.join("Recipes/Leek soup.txt"), SOUP)?;
    fs::write(folder.join("Notes.txt"), NOTES)?;
    let mut photo = vec![0; PHOTO];
    getrandom::fill(&mut photo).map_err(io::Error::other)?;
    // As a picture begins, so that programs take it for one.
    photo[..4].copy_from_slice(&[0xff, 0xd8, 0xff, 0xe0]);
    fs::write(folder.join("Photos/2025/Lake.jpg"), photo)
}

/// Edits one file and deletes another.
pub fn change(folder: &Path) -> io::Result<()> {
    fs::write(folder.join(EDITED), CHANGED_LETTER)?;
    fs::remove_file(folder.join(DELETED))
}

/// Returns the files that changed as they were before: path in the sample and content.
pub fn old_files() -> [(PathBuf, &'static str); 2] {
    [(EDITED.into(), LETTER), (DELETED.into(), PIE)]
}
