//! `yore` by itself: what it is, and where to begin.

use crate::context::Context;

const TEXT: &str = "\
Yore keeps the past of your files, encrypted, and shows it as a drive.

  yore try                                      see it work, on throw-away data
  yore --repo /mnt/disk/backup init             make a place for backups
  yore --repo /mnt/disk/backup backup ~/        back up a folder
  yore --repo /mnt/disk/backup mount /mnt/past  look into the past; copy out what you need
  yore --repo /mnt/disk/backup snapshots        list what there is

All commands: yore --help   One of them: yore COMMAND --help";

/// Prints the help.
pub fn run(context: &Context) {
    TEXT.lines().for_each(|line| context.screen.line(line));
}
