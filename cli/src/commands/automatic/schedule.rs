//! `yore schedule`: backups at fixed times, by a timer of the system's own.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::commands::configure::source::parse_name;
use crate::config::{ConfigFile, SourceKind, SourceSettings};
use crate::context::Context;
use crate::failure::engine_error::reason;
use crate::failure::{Done, Exit, Failure, Outcome};
use crate::json;
use crate::text::escape;
use crate::text::table::{Column, Table};
use jiff::Timestamp;
use jiff::tz::TimeZone;

mod calendar;
mod cron;
mod launchd;
mod systemd;

use calendar::{Calendar, parse_calendar, parse_splay};

/// The options of `schedule`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a timer that runs `yore backup`, or something else, by itself
    Install(Box<InstallOptions>),
    /// List the timers
    List,
    /// Remove a timer
    Remove {
        /// The name of the timer
        #[arg(value_name = "NAME", default_value = "backup")]
        name: String,
    },
}

#[derive(Debug, Args)]
struct InstallOptions {
    /// Each day at a time, as in 02:30
    #[arg(long, value_name = "HH:MM", value_parser = parse_calendar("daily"))]
    daily: Option<Calendar>,
    /// Each hour, at a minute
    #[arg(long, value_name = "MM", num_args = 0..=1, default_missing_value = "0", value_parser = parse_calendar("hourly"))]
    hourly: Option<Calendar>,
    /// Once a week, as in "sun 03:00"
    #[arg(long, value_name = "DAY HH:MM", value_parser = parse_calendar("weekly"))]
    weekly: Option<Calendar>,
    /// Once a month, as in "1 03:00"
    #[arg(long, value_name = "DAY HH:MM", value_parser = parse_calendar("monthly"))]
    monthly: Option<Calendar>,
    /// Run up to so much later, as chance has it, so that not all machines come at once
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = parse_splay)]
    splay: u32,
    /// The name of the timer (default: backup, or what it does)
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    name: Option<String>,
    /// Back up these sources of the configuration only (may be repeated)
    #[arg(long, value_name = "NAME", conflicts_with_all = ["drill", "check", "alerts", "watch"])]
    source: Vec<String>,
    /// Run `yore drill` instead
    #[arg(long, conflicts_with_all = ["check", "alerts", "watch"])]
    drill: bool,
    /// Run `yore check --read-data=1/7` instead
    #[arg(long, conflicts_with_all = ["alerts", "watch"])]
    check: bool,
    /// Run `yore alert check` instead: it tells what is too old
    #[arg(long, conflicts_with = "watch")]
    alerts: bool,
    /// Run `yore watch` all the time
    #[arg(long, conflicts_with_all = ["daily", "hourly", "weekly", "monthly"])]
    watch: bool,
    /// Make it for the whole system, as root, rather than for this person
    #[arg(long)]
    system: bool,
    /// The system's own timer that is used (default: the one that runs here)
    #[arg(long, value_enum, value_name = "WHICH")]
    with: Option<Manager>,
    /// Print what would be installed, do nothing
    #[arg(long)]
    dry_run: bool,
}

/// The programs that start others at fixed times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Manager {
    /// Timers of systemd
    Systemd,
    /// Lines of cron
    Cron,
    /// Agents of launchd (macOS)
    Launchd,
}

/// What a timer runs: its usual name, and the words after the options that each has.
#[derive(Clone, Copy)]
struct Task {
    name: &'static str,
    words: &'static [&'static str],
}

const BACKUP: Task = Task { name: "backup", words: &["backup", "--wait", "--if-idle"] };
const CHECK: Task = Task { name: "check", words: &["check", "--read-data=1/7"] };
const DRILL: Task = Task { name: "drill", words: &["drill"] };
const ALERTS: Task = Task { name: "alerts", words: &["alert", "check"] };
const WATCH: Task = Task { name: "watch", words: &["watch"] };

/// The seconds by which a timer may be later where nobody says otherwise.
const SPLAY: u32 = 15 * 60;

/// The configuration that the units of a package use.
const OF_THE_MACHINE: &str = "/etc/yore/config.toml";

impl Task {
    /// Returns the command that a timer runs.
    ///
    /// Whoever starts it has another environment, so it names the configuration.
    fn command(self, program: &str, config: &str, profile: Option<&str>) -> Vec<String> {
        let mut words = vec![program, "--config", config, "--no-progress"];
        words.extend(profile.map(|profile| ["--profile", profile]).into_iter().flatten());
        words.extend(self.words);
        words.into_iter().map(str::to_owned).collect()
    }
}

/// What is installed, whoever starts it.
struct Job {
    /// The name.
    name: String,
    /// When; `None` for what runs all the time.
    calendar: Option<Calendar>,
    /// The seconds by which it may be later.
    splay: u32,
    /// The program and its words.
    command: Vec<String>,
    /// For the whole system.
    is_system: bool,
    /// It calls Podman, which moves processes between control groups itself.
    calls_podman: bool,
}

/// A file that is installed.
struct Unit {
    path: PathBuf,
    text: String,
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    match &options.command {
        Command::Install(options) => install(context, options),
        Command::List => list(context),
        Command::Remove { name } => remove(context, name),
    }
}

fn install(context: &Context, options: &InstallOptions) -> Outcome {
    let settings = context.settings()?;
    if settings.destinations.is_empty() || (settings.sources.is_empty() && !options.check) {
        return Err(Failure::usage(
            "a timer runs what the configuration says, and that names no destination or no source",
            "add them first: yore destination add URL, yore source add ~/Documents",
        ));
    }
    let known = |name: &String| settings.sources.iter().any(|source| source.name == *name);
    if let Some(unknown) = options.source.iter().find(|name| !known(name)) {
        return Err(Failure::usage(
            format!("there is no source {}", escape::text(unknown)),
            "`yore source list` lists them",
        ));
    }
    let job = job(context, options)?;
    let manager = options.with.unwrap_or_else(|| usual(&job));
    match manager {
        Manager::Systemd => systemd::install(context, &job, options.dry_run),
        Manager::Cron => cron::install(context, &job, options.dry_run),
        Manager::Launchd => launchd::install(context, &job, options.dry_run),
    }
}

/// Makes the job that is to be installed.
fn job(context: &Context, options: &InstallOptions) -> Outcome<Job> {
    let given = [options.daily, options.hourly, options.weekly, options.monthly];
    let mut given = given.into_iter().flatten();
    let calendar = given.next();
    if given.next().is_some() {
        return Err(Failure::usage(
            "a timer has one of --daily, --hourly, --weekly and --monthly",
            "install a second one with another --name",
        ));
    }
    let calendar = match (options.watch, calendar) {
        (true, _) => None,
        (false, Some(calendar)) => Some(calendar),
        (false, None) if options.drill => Some(Calendar::MONTHLY),
        (false, None) if options.alerts => Some(Calendar::HOURLY),
        (false, None) => Some(Calendar::DAILY),
    };
    let program = std::env::current_exe().map_err(|error| {
        Failure::new(
            Exit::Failed,
            format!("where this program is: {}", reason(&error)),
            "run it by its full path",
        )
    })?;
    let config = ConfigFile::load(&context.global)?;
    let task = match options {
        InstallOptions { watch: true, .. } => WATCH,
        InstallOptions { drill: true, .. } => DRILL,
        InstallOptions { alerts: true, .. } => ALERTS,
        InstallOptions { check: true, .. } => CHECK,
        _ => BACKUP,
    };
    let (program, config) = (program.display().to_string(), config.path.display().to_string());
    let mut command = task.command(&program, &config, context.global.profile.as_deref());
    for source in &options.source {
        command.extend(["--source".to_owned(), source.clone()]);
    }
    let own = context.global.profile.as_deref().map(|profile| format!("{profile}-{}", task.name));
    let name = options.name.clone().or(own).unwrap_or_else(|| task.name.to_owned());
    let (splay, is_system) = (options.splay, options.system);
    let calls_podman = context.settings()?.sources.iter().any(calls_podman);
    Ok(Job { name, calendar, splay, command, is_system, calls_podman })
}

/// Tells whether a backup of a source may call Podman.
fn calls_podman(source: &SourceSettings) -> bool {
    let names_it = |line: &str| line.contains("podman");
    match &source.kind {
        SourceKind::Docker(_) => true,
        SourceKind::Server(server) => server.through.as_deref().is_some_and(names_it),
        SourceKind::Command { command, .. } => names_it(command),
        SourceKind::Files | SourceKind::Sqlite | SourceKind::Remote(_) => false,
    }
}

/// The time of packaged timers: hardly a clock is put forward at that hour.
const NIGHTLY: Calendar = Calendar { hour: Some(3), ..Calendar::DAILY };

/// Returns the units of systemd that a package installs, none of which is enabled: their names and texts.
pub fn packaged_units(program: &str) -> Vec<(String, String)> {
    let each = [
        (BACKUP, Some(NIGHTLY)),
        (CHECK, Some(NIGHTLY)),
        (DRILL, Some(Calendar::MONTHLY)),
        (ALERTS, Some(Calendar::HOURLY)),
        (WATCH, None),
    ];
    let jobs = each.map(|(task, calendar)| Job {
        name: task.name.to_owned(),
        calendar,
        splay: SPLAY,
        command: task.command(program, OF_THE_MACHINE, None),
        is_system: true,
        // What the configuration will name is not known.
        calls_podman: true,
    });
    // A package is for all zones, and knows none of their changes.
    let now = Timestamp::UNIX_EPOCH.to_zoned_datetime(TimeZone::UTC);
    jobs.iter().flat_map(|job| systemd::named(job, &now)).collect()
}

/// Returns what starts programs here.
fn usual(job: &Job) -> Manager {
    match std::env::consts::OS {
        "macos" => Manager::Launchd,
        _ if systemd::runs(job.is_system) => Manager::Systemd,
        _ => Manager::Cron,
    }
}

fn list(context: &Context) -> Outcome {
    let found = [systemd::list(), cron::list(), launchd::list()].concat();
    let mut table =
        Table::new([("name", Column::Text), ("by", Column::Fixed), ("when", Column::Text)]);
    for timer in &found {
        context.screen.object(timer);
        table.row(vec![escape::text(&timer.name), timer.by.into(), escape::text(&timer.when)]);
    }
    match found.is_empty() {
        true => context
            .screen
            .info("No timer is installed. To make one: yore schedule install --daily 02:30"),
        false => context.screen.table(&table),
    }
    Ok(Done::Whole)
}

fn remove(context: &Context, name: &str) -> Outcome {
    let removed = [systemd::remove(name)?, cron::remove(name)?, launchd::remove(name)?];
    if !removed.contains(&true) {
        return Err(Failure::usage(
            format!("there is no timer {}", escape::text(name)),
            "`yore schedule list` lists them",
        ));
    }
    context.screen.object(&json::Removed { kind: "timer", name });
    context.screen.info(format!("Removed the timer {}.", escape::text(name)));
    Ok(Done::Whole)
}

/// Writes files, or prints them.
fn write(context: &Context, units: &[Unit], dry_run: bool) -> Outcome<()> {
    for Unit { path, text } in units {
        if dry_run {
            context.screen.literal(format!("# {}", path.display()));
            text.lines().for_each(|line| context.screen.literal(line));
            continue;
        }
        let folder = path.parent().unwrap_or(path);
        std::fs::create_dir_all(folder).map_err(|error| Failure::local(folder, error))?;
        std::fs::write(path, text).map_err(|error| Failure::local(path, error))?;
    }
    Ok(())
}

/// Tells what was installed.
fn installed(context: &Context, job: &Job, by: &'static str, dry_run: bool) {
    let when = job.calendar.map_or_else(|| "all the time".to_owned(), Calendar::words);
    context.screen.object(&json::Timer { name: job.name.clone(), by, when: when.clone(), dry_run });
    if !dry_run {
        let name = escape::text(&job.name);
        context.screen.info(format!("Installed the timer {name} ({by}): {when}."));
    }
}

/// Runs a program of the system; an error is what it said.
fn call(program: &str, words: &[&str]) -> Result<String, String> {
    let ended = std::process::Command::new(program)
        .args(words)
        .stdin(std::process::Stdio::null())
        .output()
        .map_err(|error| format!("{program}: {}", reason(&error)))?;
    match ended.status.success() {
        true => Ok(String::from_utf8_lossy(&ended.stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&ended.stderr).trim().to_owned()),
    }
}

/// Returns the folder of this person's configuration files.
fn config_home() -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let home = || PathBuf::from(variable("HOME").unwrap_or_else(|| "/".into()));
    variable("XDG_CONFIG_HOME").map_or_else(|| home().join(".config"), PathBuf::from)
}
