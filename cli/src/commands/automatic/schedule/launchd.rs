//! Agents of launchd, which starts programs on macOS.

use std::path::PathBuf;

use super::calendar::{Calendar, Day};
use super::{Job, Unit, call, installed, write};
use crate::context::Context;
use crate::failure::{Done, Failure, Outcome};
use crate::json::Timer;

/// The beginning of the names of agents.
const PREFIX: &str = "org.yore.";

fn folder() -> PathBuf {
    let home = std::env::var_os("HOME").unwrap_or_else(|| "/".into());
    PathBuf::from(home).join("Library/LaunchAgents")
}

fn path(name: &str) -> PathBuf {
    folder().join(format!("{PREFIX}{name}.plist"))
}

/// Installs a job.
pub(super) fn install(context: &Context, job: &Job, dry_run: bool) -> Outcome {
    let path = path(&job.name);
    write(context, &[Unit { path: path.clone(), text: plist(job) }], dry_run)?;
    installed(context, job, "launchd", dry_run);
    if dry_run {
        return Ok(Done::Whole);
    }
    let path = path.display().to_string();
    match call("launchctl", &["load", "-w", &path]) {
        Ok(_) => Ok(Done::Whole),
        Err(why) => {
            let what = format!(
                "the file is written, and not in force yet: {why}. To start it: launchctl load -w {path}"
            );
            context.screen.problem("launchd", &what);
            Ok(Done::Partly)
        }
    }
}

/// Returns the property list of a job. launchd makes up for what it missed while the machine slept.
fn plist(job: &Job) -> String {
    let words = job.command.iter().map(|word| format!("    <string>{}</string>\n", escaped(word)));
    let when = match job.calendar {
        None => "  <key>KeepAlive</key>\n  <true/>\n".to_owned(),
        Some(calendar) => {
            let later = calendar.later(job.splay / 120);
            format!("  <key>StartCalendarInterval</key>\n  <dict>\n{}  </dict>\n", interval(later))
        }
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         <plist version=\"1.0\">\n<dict>\n  <key>Label</key>\n  <string>{PREFIX}{}</string>\n\
         \x20 <key>ProgramArguments</key>\n  <array>\n{}  </array>\n{when}  <key>ProcessType</key>\n\
         \x20 <string>Background</string>\n  <key>LowPriorityIO</key>\n  <true/>\n</dict>\n</plist>\n",
        escaped(&job.name),
        words.collect::<String>()
    )
}

fn interval(calendar: Calendar) -> String {
    let mut parts = vec![("Minute", calendar.minute)];
    parts.extend(calendar.hour.map(|hour| ("Hour", hour)));
    parts.extend(calendar.day.map(|day| match day {
        Day::Week(day) => ("Weekday", day),
        Day::Month(day) => ("Day", day),
    }));
    let part = |(key, value)| format!("    <key>{key}</key>\n    <integer>{value}</integer>\n");
    parts.into_iter().map(part).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Lists the timers that were installed.
pub fn list() -> Vec<Timer> {
    let Ok(entries) = std::fs::read_dir(folder()) else { return Vec::new() };
    let name = |entry: std::fs::DirEntry| {
        let file = entry.file_name().to_string_lossy().into_owned();
        let name = file.strip_prefix(PREFIX)?.strip_suffix(".plist")?.to_owned();
        Some(Timer { name, by: "launchd", when: "by its file".into(), dry_run: false })
    };
    entries.flatten().filter_map(name).collect()
}

/// Removes a timer; returns false where there is none of the name.
pub fn remove(name: &str) -> Outcome<bool> {
    let path = path(name);
    if !path.is_file() {
        return Ok(false);
    }
    // Elsewhere than on macOS there is nothing to stop.
    let _ = call("launchctl", &["unload", "-w", &path.display().to_string()]);
    std::fs::remove_file(&path).map_err(|error| Failure::local(&path, error))?;
    Ok(true)
}
