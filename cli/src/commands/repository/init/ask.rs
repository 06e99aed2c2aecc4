//! `yore init` for a person who has no configuration yet: four questions, and the backups make themselves.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use toml_edit::{Array, Value};
use yore_platform::path_metadata;

use crate::access::destination;
use crate::commands::configure::free_name;
use crate::config::ConfigFile;
use crate::context::Context;
use crate::failure::engine_error::quoted;
use crate::failure::{Failure, Outcome};
use crate::screen::question;
use crate::text::{escape, format};

/// The folders that are offered, of those that are there.
const USUAL: [&str; 6] = ["Documents", "Pictures", "Music", "Videos", "Desktop", "Projects"];
/// The folders in which systems mount disks.
const MOUNTS: [&str; 3] = ["/media", "/run/media", "/mnt"];
/// The time after which the size of a folder is not counted on.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a person wants beside the repository.
pub struct Wishes {
    /// The time of day of a backup; `None` for none.
    pub daily: Option<String>,
}

/// Asks what is backed up, where to, with which secret and when, and writes the configuration.
pub fn ask(context: &Context) -> Outcome<Wishes> {
    let screen = &context.screen;
    screen.ask(
        "Four questions, and your backups make themselves. Enter takes what stands in brackets.",
    );
    screen.ask("");
    let sources = ask_sources(context)?;
    let place = ask_place(context)?;
    let key_file = ask_secret(context)?;
    let question = "When is it to be backed up, each day? [02:30; - for never by itself]";
    let time = question::line(screen, question, "02:30")?;
    let daily = (time != "-").then_some(time);
    write(context, &sources, &place, key_file.as_deref())?;
    Ok(Wishes { daily })
}

/// Removes the configuration that was written, as nothing was made by it.
pub fn take_back(context: &Context) {
    if let Ok(file) = ConfigFile::load(&context.global) {
        // Where that fails, the person edits it.
        let _ = std::fs::remove_file(file.path);
    }
}

fn ask_sources(context: &Context) -> Outcome<Vec<String>> {
    let screen = &context.screen;
    let home = home();
    let there: Vec<PathBuf> =
        USUAL.iter().map(|name| home.join(name)).filter(|path| path.is_dir()).collect();
    let offered = if there.is_empty() { vec![home] } else { there };
    screen.ask("1. What is to be backed up?");
    for path in &offered {
        screen.ask(&format!(
            "     {}  {}",
            escape::text(&path.display().to_string()),
            size_of(path)
        ));
    }
    let all: Vec<String> = offered.iter().map(|path| path.display().to_string()).collect();
    let question = "   Folders, with spaces between them [all of these]";
    let typed = question::line(screen, question, "")?;
    let chosen: Vec<String> = match typed.is_empty() {
        true => all,
        false => typed.split_whitespace().map(absolute).collect(),
    };
    match chosen.iter().find(|path| !Path::new(path).exists()) {
        None => Ok(chosen),
        Some(missing) => Err(Failure::usage(
            format!("{} is not there", escape::text(missing)),
            "nothing was made; run the command again",
        )),
    }
}

fn ask_place(context: &Context) -> Outcome<String> {
    let screen = &context.screen;
    let disks = disks();
    screen.ask("2. Where are the backups to be kept? A disk, a share, sftp://me@server/path or s3://bucket/prefix");
    for disk in &disks {
        let free = yore_platform::free_space(disk).map(|space| format::bytes(space.free));
        let free = free.map(|free| format!("{free} free")).unwrap_or_default();
        screen.ask(&format!("     {}  {free}", escape::text(&disk.display().to_string())));
    }
    let first = disks.first().map(|disk| disk.join("yore").display().to_string());
    let shown = first.as_ref().map(|first| format!(" [{first}]")).unwrap_or_default();
    let typed =
        question::line(screen, &format!("   Place{shown}"), first.as_deref().unwrap_or(""))?;
    if typed.is_empty() {
        return Err(Failure::usage(
            "no place was named",
            "attach a disk, or name a folder of another machine; then run the command again",
        ));
    }
    let place = if typed.contains(':') { typed } else { absolute(&typed) };
    destination::parse(place.as_ref())?;
    Ok(place)
}

fn ask_secret(context: &Context) -> Outcome<Option<PathBuf>> {
    let screen = &context.screen;
    screen.ask("3. What opens the backups? A key file on this machine lets them be made without you; a recovery key to \
                print is shown in any case.");
    let typed = question::line(
        screen,
        "   key file, or passphrase (asked for at each backup) [key file]",
        "key file",
    )?;
    match typed.to_ascii_lowercase().as_str() {
        "passphrase" | "p" => Ok(None),
        _ => {
            let config = ConfigFile::load(&context.global)?;
            Ok(Some(config.path.with_file_name("yore.key")))
        }
    }
}

/// Writes the configuration, with comments that explain it.
fn write(
    context: &Context,
    sources: &[String],
    place: &str,
    key_file: Option<&Path>,
) -> Outcome<()> {
    let mut file = ConfigFile::load(&context.global)?;
    let short = destination::parse(place.as_ref())?.short_name();
    let name = free_name(&short.unwrap_or_else(|| "backup".into()), &[]);
    let key_file = key_file.map(|path| path.display().to_string());
    let secret = match &key_file {
        Some(path) => format!("key-file = {}", Value::from(path)),
        None => "# key-file = \"/etc/yore.key\"      # instead of the passphrase, for backups without you".into(),
    };
    let paths: Array = sources.iter().collect();
    let text = format!(
        "# Yore's configuration. A line that begins with # is a comment; `yore help config` tells how to change it.\n\n\
         {secret}\n\n\
         # retention.daily = 14              # `yore forget` keeps the newest of each of 14 days; all is kept without rules\n\
         # retention.auto = true             # and does so after each backup\n\
         # limit.upload = \"5 MB/s\"\n\n\
         [[destination]]\nname = {}\nurl = {}\n# Add a second one with: yore destination add URL\n\n\
         [[source]]\nname = \"files\"\npaths = {}\n# exclude = [\"*.o\", \"~/Downloads\"]\n\n\
         # Whom to tell when a backup fails; try it with: yore alert test\n\
         # [[alert]]\n# name = \"me\"\n# mail-to = [\"me@example.org\"]\n",
        Value::from(name),
        Value::from(place),
        Value::Array(paths),
    );
    file.save(text)?;
    context.screen.info(format!("Wrote {}.", file.path.display()));
    Ok(())
}

/// Runs this program once more, as the person would: the timer, and the first backup.
pub fn go_on(context: &Context, wishes: &Wishes) -> Outcome<()> {
    let program = std::env::current_exe().unwrap_or_else(|_| "yore".into());
    let run = |words: &[&str]| {
        let mut command = std::process::Command::new(&program);
        if let Some(config) = &context.global.config {
            command.arg("--config").arg(config);
        }
        if let Some(profile) = &context.global.profile {
            command.args(["--profile", profile]);
        }
        let ended = command.args(words).status();
        ended.is_ok_and(|status| status.success())
    };
    context.screen.info("");
    if !run(&["backup"]) {
        let what = "the first backup is not whole; the reason is above";
        context.screen.problem("", what);
    }
    if let Some(time) = &wishes.daily
        && !run(&["schedule", "install", "--daily", time])
    {
        let again = format!("yore schedule install --daily {}", quoted(time));
        context.screen.problem("", &format!("the timer is not in force yet: {again}"));
    }
    Ok(())
}

fn home() -> PathBuf {
    PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/".into()))
}

/// Returns a typed path as an absolute one.
fn absolute(typed: &str) -> String {
    let path = match typed.strip_prefix("~/") {
        Some(rest) => home().join(rest),
        None if typed == "~" => home(),
        None => std::path::absolute(typed).unwrap_or_else(|_| typed.into()),
    };
    path.display().to_string()
}

/// Returns the disks and shares that are mounted where people expect them.
fn disks() -> Vec<PathBuf> {
    let below = |folder: &Path| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect::<Vec<_>>()
    };
    let device = |path: &Path| path_metadata(path).ok().map(|metadata| metadata.device);
    let mut found = Vec::new();
    for top in MOUNTS.map(PathBuf::from) {
        for folder in below(&top) {
            // Some systems have a folder for each person.
            let candidates = [vec![folder.clone()], below(&folder)].concat();
            let is_mounted = |path: &PathBuf| path.parent().and_then(device) != device(path);
            found.extend(candidates.into_iter().filter(is_mounted));
        }
    }
    found.sort();
    found
}

/// Counts the bytes below a folder, as far as that is quick.
fn size_of(folder: &Path) -> String {
    let (began, mut bytes, mut open) = (Instant::now(), 0_u64, vec![folder.to_owned()]);
    while let Some(folder) = open.pop() {
        if began.elapsed() > PATIENCE {
            return format!("more than {}", format::bytes(bytes));
        }
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(entry.path()),
                Ok(kind) if kind.is_file() => {
                    bytes += entry.metadata().map_or(0, |metadata| metadata.len());
                }
                _ => {}
            }
        }
    }
    format::bytes(bytes)
}
