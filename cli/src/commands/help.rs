//! `yore` by itself: what it is, and where to begin.

use crate::context::Context;
use crate::text::table::{Column, Table};

const FIRST_STEPS: [[&str; 2]; 5] = [
    ["  yore try", "see it work, on throw-away data"],
    ["  yore --repo /mnt/disk/backup init", "make a place for backups"],
    ["  yore --repo /mnt/disk/backup backup ~/", "back up a folder"],
    [
        "  yore --repo /mnt/disk/backup mount /mnt/past",
        "look into the past; copy out what you need",
    ],
    ["  yore --repo /mnt/disk/backup snapshots", "list what there is"],
];

/// Prints the help.
pub fn run(context: &Context) {
    let screen = &context.screen;
    screen.line("Yore keeps the past of your files, encrypted, and shows it as a drive.");
    screen.line("");
    let mut table = Table::untitled([Column::Fixed, Column::Text]);
    FIRST_STEPS.iter().for_each(|row| table.row(row.map(str::to_owned).to_vec()));
    screen.table(&table);
    screen.line("");
    screen.line("All commands: yore --help   One of them: yore help COMMAND");
}
