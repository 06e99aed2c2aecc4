//! Files and folders that systems put at the top of a disk or share by themselves.

/// Names that systems give, in lower case.
///
/// Linux, Windows, macOS, then the NAS systems of Synology and QNAP.
const NAMES: [&str; 25] = [
    "lost+found",
    ".trash",
    ".directory",
    "aquota.group",
    "aquota.user",
    "$recycle.bin",
    "desktop.ini",
    "found.000",
    "recycler",
    "system volume information",
    "thumbs.db",
    ".apdisk",
    ".appledouble",
    ".documentrevisions-v100",
    ".ds_store",
    ".fseventsd",
    ".spotlight-v100",
    ".temporaryitems",
    ".trashes",
    ".volumeicon.icns",
    "@eadir",
    "#recycle",
    "#snapshot",
    "@recycle",
    "@recently-snapshot",
];

/// Beginnings of such names: the trash of a user of Linux, and what macOS keeps beside a file.
const BEGINNINGS: [&str; 2] = [".trash-", "._"];

/// Tells whether a name at the top of a disk is the system's own, so that the disk still counts as empty.
pub(in crate::backend) fn is_one(name: &str) -> bool {
    let lower = name.to_lowercase();
    NAMES.contains(&lower.as_str()) || BEGINNINGS.iter().any(|start| lower.starts_with(start))
}
