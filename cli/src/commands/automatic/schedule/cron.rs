//! Lines of this person's table of cron.
//!
//! Each has its name at the end. As cron makes up for nothing that it missed, a second line looks after each start
//! whether a run is due.

use std::io::Write;
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use super::calendar::{Calendar, Day};
use super::{Job, call, installed};
use crate::context::Context;
use crate::failure::engine_error::{quoted, reason};
use crate::failure::{Done, Exit, Failure, Outcome};
use crate::json::Timer;

/// What stands before the name in a line.
const MARK: &str = " # yore: ";

/// Installs a job.
pub(super) fn install(context: &Context, job: &Job, dry_run: bool) -> Outcome {
    if job.is_system {
        return Err(Failure::usage(
            "cron has a table for each person, and none for the system that may be changed",
            "as root without --system, it is root's table",
        ));
    }
    let lines = lines(job);
    match dry_run {
        true => lines.iter().for_each(|line| context.screen.literal(line)),
        false => {
            let mut table = without(&table(), &job.name);
            table.extend(lines);
            store(&table)?;
        }
    }
    installed(context, job, "cron", dry_run);
    Ok(Done::Whole)
}

fn lines(job: &Job) -> Vec<String> {
    let command = |extra: &[&str]| {
        let words = job.command.iter().map(String::as_str).chain(extra.iter().copied());
        let line = words.map(quoted).collect::<Vec<_>>().join(" ");
        // A percent sign would end the line.
        line.replace('%', "\\%")
    };
    let end = format!("{MARK}{}", job.name);
    let Some(calendar) = job.calendar else {
        return vec![format!("@reboot {}{end}", command(&[]))];
    };
    let moved = calendar.later(delay(job));
    let mut lines = vec![format!("{} {}{end}", fields(moved), command(&[]))];
    if job.command.iter().any(|word| word == "backup") {
        let hours = format!("{}h", calendar.period().as_secs() / 3600);
        lines.push(format!("@reboot {}{end}", command(&["--if-older-than", &hours])));
    }
    lines
}

/// Returns the minutes by which this machine is later: always the same, and not those of others.
fn delay(job: &Job) -> u32 {
    let most = job.splay / 60;
    let digest = Sha256::digest(format!("{}/{}", yore_platform::hostname(), job.name));
    u32::from_be_bytes([0, digest[0], digest[1], digest[2]]) % (most + 1)
}

fn fields(calendar: Calendar) -> String {
    let Calendar { minute, hour, day } = calendar;
    let hour = hour.map_or_else(|| "*".to_owned(), |hour| hour.to_string());
    let (month, week) = match day {
        None => ("*".to_owned(), "*".to_owned()),
        Some(Day::Week(day)) => ("*".to_owned(), day.to_string()),
        Some(Day::Month(day)) => (day.to_string(), "*".to_owned()),
    };
    format!("{minute} {hour} {month} * {week}")
}

/// Returns the lines of the table; none where there is no table, or no cron.
fn table() -> Vec<String> {
    let text = call("crontab", &["-l"]).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn without(table: &[String], name: &str) -> Vec<String> {
    let is_other = |line: &&String| line.rsplit_once(MARK).is_none_or(|(_, of)| of != name);
    table.iter().filter(is_other).cloned().collect()
}

fn store(table: &[String]) -> Outcome<()> {
    let failed = |why: String| {
        Failure::new(
            Exit::Failed,
            format!("the table of cron can't be changed: {why}"),
            "install cron, or print what would be installed: yore schedule install --dry-run",
        )
    };
    let mut child = Command::new("crontab")
        .arg("-")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(reason(&error)))?;
    if let Some(mut input) = child.stdin.take() {
        let text: String = table.iter().map(|line| format!("{line}\n")).collect();
        input.write_all(text.as_bytes()).map_err(|error| failed(reason(&error)))?;
    }
    let ended = child.wait_with_output().map_err(|error| failed(reason(&error)))?;
    match ended.status.success() {
        true => Ok(()),
        false => Err(failed(String::from_utf8_lossy(&ended.stderr).trim().to_owned())),
    }
}

/// Lists the timers that were installed.
pub fn list() -> Vec<Timer> {
    let mut found: Vec<Timer> = Vec::new();
    for line in table() {
        let Some((before, name)) = line.rsplit_once(MARK) else { continue };
        let is_again = before.starts_with('@') && found.iter().any(|timer| timer.name == name);
        let when = match before.starts_with('@') {
            true => "at each start".to_owned(),
            false => before.split(' ').take(5).collect::<Vec<_>>().join(" "),
        };
        if !is_again {
            found.push(Timer { name: name.to_owned(), by: "cron", when, dry_run: false });
        }
    }
    found
}

/// Removes a timer; returns false where there is none of the name.
pub fn remove(name: &str) -> Outcome<bool> {
    let before = table();
    let after = without(&before, name);
    let is_there = after.len() < before.len();
    if is_there {
        store(&after)?;
    }
    Ok(is_there)
}
