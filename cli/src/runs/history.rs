//! The history of runs: a line of JSON each.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use serde_json::Value;

use crate::json::HistoryRun;

/// The size from which on a file is put aside, so that there are at most two.
const ENOUGH: u64 = 4 << 20;

/// Adds a run; where it can't be stored, as on a full disk, the run itself is not affected.
pub(super) fn append(path: &Path, entry: &HistoryRun) {
    if std::fs::metadata(path).is_ok_and(|metadata| metadata.len() > ENOUGH) {
        let _ = std::fs::rename(path, path.with_extension("old.jsonl"));
    }
    let Ok(line) = serde_json::to_string(entry) else { return };
    let file = OpenOptions::new().create(true).append(true).open(path);
    // In one write, so that two processes do not mix their lines.
    let _ = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
}

/// The runs that were recorded, the oldest first.
pub struct History {
    /// Each as an object.
    pub runs: Vec<Value>,
}

impl History {
    /// Reads them; a line that was cut off is left out.
    pub fn read(path: &Path) -> Self {
        let texts = [path.with_extension("old.jsonl"), path.to_owned()];
        let texts = texts.iter().map(|path| std::fs::read_to_string(path).unwrap_or_default());
        let texts: Vec<String> = texts.collect();
        let lines = texts.iter().flat_map(|text| text.lines());
        Self { runs: lines.filter_map(|line| serde_json::from_str(line).ok()).collect() }
    }
}
