//! Timers and services of systemd.

use std::path::{Path, PathBuf};

use jiff::ZonedDateTime;
use jiff::civil::DateTime;

use super::calendar::{Calendar, DAYS, Day};
use super::{Job, Unit, call, config_home, installed, write};
use crate::context::Context;
use crate::failure::{Done, Outcome};
use crate::json::Timer;

/// The folder of the units that an administrator makes.
const SYSTEM: &str = "/etc/systemd/system";
/// The beginning of the names of units.
const PREFIX: &str = "yore-";

/// The folders in which systemd links what is enabled.
const WANTED: [&str; 3] =
    ["timers.target.wants", "multi-user.target.wants", "default.target.wants"];

/// What a service of the whole system may not do: it reads everything, and changes nothing of the system.
const HARDENED: &str = "\
ProtectSystem=full
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectClock=yes
ProtectHostname=yes
";

/// What holds for services of a person, too, which may not make namespaces.
const ALWAYS: &str = "\
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
Nice=10
IOSchedulingClass=best-effort
IOSchedulingPriority=7
";

/// Tells whether systemd runs here, for the system or for this person.
pub fn runs(is_system: bool) -> bool {
    let has_bus = || call("systemctl", &["--user", "show-environment"]).is_ok();
    Path::new("/run/systemd/system").is_dir() && (is_system || has_bus())
}

fn folder(is_system: bool) -> PathBuf {
    if is_system { PathBuf::from(SYSTEM) } else { config_home().join("systemd/user") }
}

/// Installs a job.
pub(super) fn install(context: &Context, job: &Job, dry_run: bool) -> Outcome {
    let units = units(job, &context.now);
    write(context, &units, dry_run)?;
    if !dry_run {
        let unit = match job.calendar {
            Some(_) => format!("{PREFIX}{}.timer", job.name),
            None => format!("{PREFIX}{}.service", job.name),
        };
        let scope: &[&str] = if job.is_system { &[] } else { &["--user"] };
        let start = call("systemctl", &[scope, &["daemon-reload"]].concat())
            .and_then(|_| call("systemctl", &[scope, &["enable", "--now", &unit]].concat()));
        if let Err(why) = start {
            let user = if job.is_system { "" } else { "--user " };
            context.screen.problem(
                "systemd",
                &format!("the files are written, and not in force yet: {why}. To start it: systemctl {user}enable --now {unit}"),
            );
            installed(context, job, "systemd", dry_run);
            return Ok(Done::Partly);
        }
        if !job.is_system {
            context.screen.info(
                "It runs while you are logged in; to have it run always: loginctl enable-linger",
            );
        }
    }
    installed(context, job, "systemd", dry_run);
    Ok(Done::Whole)
}

fn units(job: &Job, now: &ZonedDateTime) -> Vec<Unit> {
    let folder = folder(job.is_system);
    named(job, now).into_iter().map(|(name, text)| Unit { path: folder.join(name), text }).collect()
}

/// Returns the units of a job: their names and texts.
pub(super) fn named(job: &Job, now: &ZonedDateTime) -> Vec<(String, String)> {
    let name = |end: &str| format!("{PREFIX}{}.{end}", job.name);
    let mut units = vec![(name("service"), service(job))];
    if let Some(calendar) = job.calendar {
        units.push((name("timer"), timer(job, calendar, now)));
    }
    units
}

fn service(job: &Job) -> String {
    let command: Vec<String> = job.command.iter().map(|word| quoted(word)).collect();
    let target = if job.is_system { "multi-user.target" } else { "default.target" };
    let (kind, install) = match job.calendar {
        Some(_) => ("Type=oneshot\n".to_owned(), String::new()),
        None => (
            "Type=simple\nRestart=on-failure\nRestartSec=1min\n".to_owned(),
            format!("\n[Install]\nWantedBy={target}\n"),
        ),
    };
    let hardened = if job.is_system { HARDENED } else { "" };
    let groups = match job.is_system && !job.calls_podman {
        true => "ProtectControlGroups=yes\n",
        false => "",
    };
    format!(
        "[Unit]\nDescription=Yore: {}\nDocumentation=man:yore(1)\nWants=network-online.target\n\
         After=network-online.target\n\n[Service]\n{kind}ExecStart={}\n{hardened}{groups}{ALWAYS}{install}",
        job.name,
        command.join(" ")
    )
}

fn timer(job: &Job, calendar: Calendar, now: &ZonedDateTime) -> String {
    format!(
        "[Unit]\nDescription=Yore: {}, {}\n\n[Timer]\nOnCalendar={}\n{}RandomizedDelaySec={}\nPersistent=true\n\n\
         [Install]\nWantedBy=timers.target\n",
        job.name,
        calendar.words(),
        on_calendar(calendar),
        instead(calendar, now),
        job.splay
    )
}

/// Returns the calendar events of the days on which the clock is put forward over the time: systemd leaves those out.
fn instead(calendar: Calendar, now: &ZonedDateTime) -> String {
    let times = calendar.left_out(now);
    if times.is_empty() {
        return String::new();
    }
    let line = |time: &DateTime| format!("OnCalendar={}\n", time.strftime("%Y-%m-%d %H:%M:%S"));
    let lines: String = times.iter().map(line).collect();
    format!("# On these days the clock is put forward over that time.\n{lines}")
}

/// Returns the calendar event of systemd.
fn on_calendar(calendar: Calendar) -> String {
    let Calendar { minute, hour, day } = calendar;
    let hour = hour.map_or_else(|| "*".to_owned(), |hour| format!("{hour:02}"));
    let (week, month) = match day {
        None => (String::new(), "*".to_owned()),
        Some(Day::Week(day)) => (format!("{} ", DAYS[usize::from(day)]), "*".to_owned()),
        Some(Day::Month(day)) => (String::new(), format!("{day:02}")),
    };
    format!("{week}*-*-{month} {hour}:{minute:02}:00")
}

/// Quotes a word of a command line of systemd.
fn quoted(word: &str) -> String {
    let escaped =
        word.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    let is_plain =
        !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || "/._-:+,@=".contains(c));
    if is_plain { word.to_owned() } else { format!("\"{escaped}\"") }
}

/// Lists the timers that were installed, and those of a package that are enabled.
pub fn list() -> Vec<Timer> {
    let mut found = Vec::new();
    for is_system in [false, true] {
        let folder = folder(is_system);
        let mut files = files_in(&folder);
        for wanted in WANTED {
            let others = files_in(&folder.join(wanted));
            files.extend(others.into_iter().filter(|file| !is_in(&folder, file)));
        }
        // A unit that has a timer is enabled by it.
        let name = |path: &Path| {
            let file = path.file_name()?.to_string_lossy().into_owned();
            let (name, end) = file.strip_prefix(PREFIX)?.rsplit_once('.')?;
            let is_unit =
                end == "timer" || end == "service" && !path.with_extension("timer").exists();
            is_unit.then(|| name.to_owned())
        };
        for path in files {
            let Some(name) = name(&path) else { continue };
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let when = text.lines().find_map(|line| line.strip_prefix("OnCalendar="));
            let when = when.unwrap_or("all the time").to_owned();
            found.push(Timer { name, by: "systemd", when, dry_run: false });
        }
    }
    found
}

/// Returns the files of a folder in the order of names; a link to nothing is none.
fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

/// Reports whether a folder itself has a file of the same name.
fn is_in(folder: &Path, file: &Path) -> bool {
    file.file_name().is_some_and(|name| folder.join(name).exists())
}

/// Removes a timer, and disables one of a package; returns false where there is none of the name.
pub fn remove(name: &str) -> Outcome<bool> {
    let mut is_removed = false;
    for is_system in [false, true] {
        let scope: &[&str] = if is_system { &[] } else { &["--user"] };
        let folder = folder(is_system);
        for end in ["timer", "service"] {
            let unit = format!("{PREFIX}{name}.{end}");
            let links = WANTED.map(|wanted| folder.join(wanted).join(&unit));
            let files = std::iter::once(folder.join(&unit)).chain(links);
            let files: Vec<PathBuf> =
                files.filter(|path| path.is_file() || path.is_symlink()).collect();
            if files.is_empty() {
                continue;
            }
            // Without a running systemd there is nothing to stop. It removes the links itself.
            let _ = call("systemctl", &[scope, &["disable", "--now", &unit]].concat());
            for path in files.iter().filter(|path| path.is_symlink() || path.exists()) {
                std::fs::remove_file(path)
                    .map_err(|error| crate::failure::Failure::local(path, error))?;
            }
            is_removed = true;
        }
        if is_removed {
            let _ = call("systemctl", &[scope, &["daemon-reload"]].concat());
        }
    }
    Ok(is_removed)
}
