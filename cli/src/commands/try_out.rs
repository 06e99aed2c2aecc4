//! `yore try`: the whole product in one command, on throw-away state.
//!
//! Everything lies in one temporary folder, which is removed at the end.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use yore_fs::VolumeOptions;
use yore_platform::{Interrupt, MountOptions, is_mounted};

use crate::context::Context;
use crate::demo::window::Window;
use crate::demo::{self, Lost, Stage};
use crate::drive::{self, Drive};
use crate::failure::engine_error::quoted;
use crate::failure::{Done, Exit, Failure, Outcome};
use crate::json;
use crate::text::table::{Column, Table};
use crate::text::{escape, format};

/// What is set off from the text around it begins so.
const INDENT: &str = "    ";

/// The options of `try`.
#[derive(Debug, Args)]
pub struct Options {
    /// A folder of yours to try it with; it is only read (default: a small sample)
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    let interrupt = context.interrupt()?;
    let stage = demo::set(context, options.folder.as_deref())?;
    let shown = show(context, &stage, interrupt);
    let removed = stage.remove();
    shown?;
    removed?;
    context.screen.say("Everything that this made is removed again. To keep your own files safe:");
    context.screen.say("");
    context.screen.say("    yore --repo /mnt/disk/backup init");
    context.screen.say("    yore --repo /mnt/disk/backup backup ~/Documents");
    Ok(Done::Whole)
}

fn show(context: &Context, stage: &Stage, interrupt: Interrupt) -> Outcome<()> {
    let screen = &context.screen;
    screen.say("Yore keeps the past of your files, encrypted, and shows it as a drive.");
    screen.say(match stage.is_sample() {
        true => "Here is how, on a small sample in a temporary folder.".to_owned(),
        false => {
            format!("Here is how, with {}, which is only read.", stage.source().display())
        }
    });
    screen.say("");
    let then = stage.then();
    for line in stage.backs_up_then(context, interrupt)? {
        screen.say(format!("* {then}: {line}"));
    }
    for line in stage.backs_up_now(context, interrupt)? {
        screen.say(format!("* today:      {line}"));
    }
    screen.say("");
    let drive = mount(context, stage)?;
    let window = match &drive {
        Some(_) => Window::Drive(stage.drive()),
        None => Window::Repository(Box::new(stage.open(context)?)),
    };
    screen.say(match &window {
        Window::Drive(_) => "The past, as a drive. Any program can read it:",
        Window::Repository(_) => "The past, without the drive:",
    });
    screen.say("");
    for line in window.tree(stage)? {
        screen.say(format!("    {line}"));
    }
    screen.say("");
    let restored = take_out(context, stage, &window)?;
    screen.object(&json::Try { mounted: drive.is_some(), restored: &restored });
    if let Some(drive) = drive {
        linger(context, stage, interrupt);
        drop(drive);
    }
    Ok(())
}

/// Mounts the drive; where that can't be, tells what to install and goes on without it.
fn mount(context: &Context, stage: &Stage) -> Outcome<Option<Drive>> {
    let repository = Arc::new(stage.repository()?);
    let mounted = yore_platform::driver_available().map_err(Failure::from).and_then(|()| {
        let mut presented = VolumeOptions::new(context.now.time_zone().clone());
        // `try` explains the folders itself, and draws them.
        presented.no_readme = true;
        let how = MountOptions::default();
        drive::mount(repository, &stage.drive(), presented, &how, &context.screen)
    });
    let failure = match mounted {
        Ok(drive) => return Ok(Some(drive)),
        Err(failure) => failure,
    };
    let screen = &context.screen;
    screen.say("The drive can't be shown on this computer:");
    screen.say("");
    screen.say(format!("    {}", failure.what));
    failure.hint.iter().for_each(|hint| screen.say(format!("    {hint}")));
    screen.say("");
    screen.say("Everything else works without it, as you see here.");
    screen.say("");
    Ok(None)
}

/// Takes files out of the past and compares them with what they were.
fn take_out(context: &Context, stage: &Stage, window: &Window) -> Outcome<Vec<String>> {
    let screen = &context.screen;
    let mut restored = Vec::new();
    for lost in stage.lost()? {
        let copy = stage.copy_of(&lost.path);
        let from = window.copy_out(stage, &lost.path, &copy)?;
        let bytes = std::fs::read(&copy).map_err(|error| Failure::local(&copy, error))?;
        if bytes != lost.content {
            return Err(Failure::new(
                Exit::Failed,
                format!("{} is not what it was", lost.path.display()),
                match stage.is_sample() {
                    true => "this must not happen; please report it",
                    false => "if it was changed just now, try again with a folder at rest",
                },
            ));
        }
        screen.say(format!("Copied out of the past: {}", lost.path.display()));
        screen.say(format!("    from {from}"));
        screen.say(format!("    to   {}", copy.display()));
        compare(context, stage, &lost)?;
        screen.say("");
        restored.push(lost.path.display().to_string());
    }
    Ok(restored)
}

/// Shows a file of the past next to the present one.
fn compare(context: &Context, stage: &Stage, lost: &Lost) -> Outcome<()> {
    let screen = &context.screen;
    let present_path = stage.source_file(&lost.path);
    let present = match std::fs::read(&present_path) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(Failure::local(&present_path, error)),
    };
    let size = format::bytes(lost.content.len() as u64);
    match present {
        Some(present) if present == lost.content => {
            screen.say(format!("    It is, byte for byte, the file that is there now ({size})."));
        }
        present => {
            let now = present.as_deref().unwrap_or(b"(deleted)");
            screen.say("");
            let table = side_by_side(stage.then(), &lost.content, "now", now);
            let width = screen.width().map(|width| width - INDENT.len());
            table.lines(width).iter().for_each(|line| screen.say(format!("{INDENT}{line}")));
            screen.say("");
            screen.say(format!("    It is, byte for byte, what it was then ({size})."));
        }
    }
    Ok(())
}

/// Lays the first lines of two texts next to each other.
fn side_by_side(then: &str, past: &[u8], now: &str, present: &[u8]) -> Table {
    const HEIGHT: usize = 8;
    let lines = |bytes: &[u8]| -> Vec<String> {
        String::from_utf8_lossy(bytes).lines().take(HEIGHT).map(escape::text).collect()
    };
    let (past, present) = (lines(past), lines(present));
    let mut table = Table::new([(then, Column::Text), (now, Column::Text)]);
    for at in 0..past.len().max(present.len()) {
        let line = |of: &[String]| of.get(at).cloned().unwrap_or_default();
        table.row(vec![line(&past), line(&present)]);
    }
    table
}

/// Lets a person look around until Ctrl-C; where there is none, it is over at once.
fn linger(context: &Context, stage: &Stage, interrupt: Interrupt) {
    if context.screen.is_json() || !context.screen.is_watched() || !std::io::stdin().is_terminal() {
        return;
    }
    let (screen, drive) = (&context.screen, stage.drive());
    let shown = |path: &Path| quoted(&path.display().to_string());
    screen.say("Now look around yourself. The drive is at");
    screen.say("");
    screen.say(format!("    {}", drive.display()));
    screen.say("");
    screen.say("Open it in your file manager, or type in another terminal:");
    screen.say("");
    screen.say(format!("    ls -l {}", shown(&drive.join("snapshots"))));
    screen.say(format!("    ls -lR {}", shown(&Window::Drive(drive.clone()).state(stage))));
    screen.say("");
    screen.say("Ctrl-C here ends it and removes everything.");
    while !interrupt.wait(Duration::from_secs(1)) && is_mounted(&drive) {}
    // Behind the terminal's ^C.
    screen.say("");
}
