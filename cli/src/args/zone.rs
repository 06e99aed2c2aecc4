//! The time zone in which times are meant and shown.

use jiff::tz::TimeZone;

use crate::text::escape;

/// Returns the time zone of this process; UTC, with a warning, where `TZ` names none that is known.
pub fn of_process() -> (TimeZone, Option<String>) {
    if let Ok(zone) = TimeZone::try_system() {
        return (zone, None);
    }
    let named = std::env::var_os("TZ").filter(|name| !name.is_empty());
    let warning = named.map(|name| {
        let name = escape::text(&name.to_string_lossy());
        format!(
            "the time zone {name} (TZ) is not known here: times are meant and shown in UTC; \
             write TZ=Europe/Berlin, or install the package tzdata"
        )
    });
    (TimeZone::UTC, warning)
}
