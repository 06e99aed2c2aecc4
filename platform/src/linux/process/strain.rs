//! What strains the machine now: its battery, other work.

use std::fs;
use std::path::Path;

/// The folder in which the system describes its supplies of power.
const SUPPLIES: &str = "/sys/class/power_supply";

/// Returns true if the machine runs on its battery; `None` where it has no battery, or that is not known.
pub fn on_battery() -> Option<bool> {
    let read = |path: &Path, name: &str| {
        fs::read_to_string(path.join(name)).ok().map(|text| text.trim().to_owned())
    };
    let (mut has_battery, mut has_mains) = (false, false);
    for entry in fs::read_dir(SUPPLIES).ok()?.flatten() {
        let path = entry.path();
        match read(&path, "type").as_deref() {
            // Those of a mouse have another scope.
            Some("Battery") => has_battery |= read(&path, "scope").as_deref() != Some("Device"),
            Some("Mains" | "USB") => has_mains |= read(&path, "online").as_deref() == Some("1"),
            _ => {}
        }
    }
    has_battery.then_some(!has_mains)
}

/// Returns the number of processes that wanted to run in the last five minutes, on average.
pub fn load_average() -> Option<f64> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    text.split_ascii_whitespace().nth(1)?.parse().ok()
}
