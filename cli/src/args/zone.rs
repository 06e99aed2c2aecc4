//! The time zone in which times are meant and shown.

use jiff::tz::TimeZone;

use crate::screen::Screen;
use crate::text::escape;

/// The zone of this process; UTC, with a warning, where `TZ` names none that is known.
pub fn ours(screen: &Screen) -> TimeZone {
    TimeZone::try_system().unwrap_or_else(|_| {
        let named = std::env::var_os("TZ").filter(|name| !name.is_empty());
        if let Some(name) = named {
            let name = escape::text(&name.to_string_lossy());
            screen.problem(
                "",
                &format!(
                    "the time zone {name} (TZ) is not known here: times are meant and shown in UTC; \
                     write TZ=Europe/Berlin, or install the package tzdata"
                ),
            );
        }
        TimeZone::UTC
    })
}
