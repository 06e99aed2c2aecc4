//! The list of objects that readers found damaged or missing at one destination, until they are healed.
//!
//! It is kept beside the cached index, since a reader may not write to a destination. Losing it costs a read that
//! finds the damage again.

use std::fs;

use super::Repository;
use crate::backend::Suspect;
use crate::format::object::{Area, ObjectName};

/// The file in the cache folder of the repository.
const FILE: &str = "suspects-1";
/// The most objects that are kept.
const MAX: usize = 100_000;

impl Repository {
    /// Returns the objects that were found since the last call, by this process or an earlier one.
    pub(crate) fn take_suspects(&self) -> Vec<Suspect> {
        let mut suspects = self.mirrors.take_suspects();
        if let Some(file) = self.cache.as_ref().map(|folder| folder.join(FILE))
            && let Ok(text) = fs::read_to_string(&file)
        {
            suspects.extend(text.lines().filter_map(|line| self.parse_suspect(line)));
            // A file that stays is read once more.
            let _ = fs::remove_file(&file);
        }
        suspects.sort_unstable();
        suspects.dedup();
        suspects
    }

    /// Keeps objects for the next call of [`take_suspects`](Self::take_suspects).
    pub(crate) fn keep_suspects(&self, suspects: &[Suspect]) {
        let Some(file) = self.cache.as_ref().map(|folder| folder.join(FILE)) else { return };
        if suspects.is_empty() {
            return;
        }
        let line = |suspect: &Suspect| {
            let id = self.destinations.get(suspect.destination)?.id();
            let id: String = id.0.iter().map(|byte| format!("{byte:02x}")).collect();
            Some(format!("{id} {}\n", suspect.name))
        };
        let text: String = suspects.iter().take(MAX).filter_map(line).collect();
        // Without the file the damage is found again.
        let _ = fs::write(&file, text);
    }

    /// Returns true if readers of this process found objects that are to be healed.
    pub fn has_suspects(&self) -> bool {
        self.mirrors.has_suspects()
    }

    fn parse_suspect(&self, line: &str) -> Option<Suspect> {
        let (id, name) = line.split_once(' ')?;
        let hex = |id: &[u8]| -> String { id.iter().map(|byte| format!("{byte:02x}")).collect() };
        let destination = self.destinations.iter().position(|one| hex(&one.id().0) == id)?;
        let name = Area::ALL.iter().find_map(|area| ObjectName::parse(*area, name))?;
        Some(Suspect { destination, name })
    }
}
