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
use crate::drive::{self, Drive};
use crate::failure::engine_error::quoted;
use crate::failure::{Done, Exit, Failure, Outcome};
use crate::json;
use crate::text::table::{Column, Table};
use crate::text::{escape, format};

mod demo;

use demo::view::DemoView;
use demo::{Demo, OldFile};

/// The indent of what is set off from the text around it.
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
    let demo = demo::prepare(context, options.folder.as_deref())?;
    let shown = show(context, &demo, interrupt);
    let removed = demo.remove();
    shown?;
    removed?;
    context.screen.info("Everything that this made is removed again. To keep your own files safe:");
    context.screen.info("");
    context.screen.info("    yore --repo /mnt/disk/backup init");
    context.screen.info("    yore --repo /mnt/disk/backup backup ~/Documents");
    Ok(Done::Whole)
}

fn show(context: &Context, demo: &Demo, interrupt: Interrupt) -> Outcome<()> {
    let screen = &context.screen;
    screen.info("Yore keeps the past of your files, encrypted, and shows it as a drive.");
    screen.info(match demo.is_sample() {
        true => "Here is how, on a small sample in a temporary folder.".to_owned(),
        false => {
            format!("Here is how, with {}, which is only read.", demo.source().display())
        }
    });
    screen.info("");
    let then = demo.then();
    for line in demo.back_up_then(context, interrupt)? {
        screen.info(format!("* {then}: {line}"));
    }
    for line in demo.back_up_now(context, interrupt)? {
        screen.info(format!("* today:      {line}"));
    }
    screen.info("");
    let drive = mount(context, demo)?;
    let view = match &drive {
        Some(_) => DemoView::Drive(demo.drive()),
        None => DemoView::Repository(Box::new(demo.open(context)?)),
    };
    screen.info(match &view {
        DemoView::Drive(_) => "The past, as a drive. Any program can read it:",
        DemoView::Repository(_) => "The past, without the drive:",
    });
    screen.info("");
    for line in view.tree(demo)? {
        screen.info(format!("    {line}"));
    }
    screen.info("");
    let restored = copy_out_files(context, demo, &view)?;
    screen.object(&json::Try { mounted: drive.is_some(), restored: &restored });
    if let Some(drive) = drive {
        wait_for_end(context, demo, interrupt);
        drop(drive);
    }
    Ok(())
}

/// Mounts the drive; where that fails, says what to install and goes on without it.
fn mount(context: &Context, demo: &Demo) -> Outcome<Option<Drive>> {
    let repository = Arc::new(demo.repository()?);
    let mounted = yore_platform::driver_available().map_err(Failure::from).and_then(|()| {
        let mut options = VolumeOptions::new(context.now.time_zone().clone());
        // `try` explains the folders itself, and draws them.
        options.no_readme = true;
        let how = MountOptions::default();
        drive::mount(repository, &demo.drive(), options, &how, &context.screen)
    });
    let failure = match mounted {
        Ok(drive) => return Ok(Some(drive)),
        Err(failure) => failure,
    };
    let screen = &context.screen;
    screen.info("The drive can't be shown on this computer:");
    screen.info("");
    screen.info(format!("    {}", failure.what));
    failure.hint.iter().for_each(|hint| screen.info(format!("    {hint}")));
    screen.info("");
    screen.info("Everything else works without it, as you see here.");
    screen.info("");
    Ok(None)
}

/// Copies files out of the first backup and compares them with what they were.
fn copy_out_files(context: &Context, demo: &Demo, view: &DemoView) -> Outcome<Vec<String>> {
    let screen = &context.screen;
    let mut restored = Vec::new();
    for old_files in demo.old_files()? {
        let copy = demo.copy_of(&old_files.path);
        let from = view.copy_out(demo, &old_files.path, &copy)?;
        let bytes = std::fs::read(&copy).map_err(|error| Failure::local(&copy, error))?;
        if bytes != old_files.content {
            return Err(Failure::new(
                Exit::Failed,
                format!("{} is not what it was", old_files.path.display()),
                match demo.is_sample() {
                    true => "this must not happen; please report it",
                    false => "if it was changed just now, try again with a folder at rest",
                },
            ));
        }
        screen.info(format!("Copied out of the past: {}", old_files.path.display()));
        screen.info(format!("    from {from}"));
        screen.info(format!("    to   {}", copy.display()));
        compare(context, demo, &old_files)?;
        screen.info("");
        restored.push(old_files.path.display().to_string());
    }
    Ok(restored)
}

/// Shows a file of the first backup next to the present one.
fn compare(context: &Context, demo: &Demo, old_files: &OldFile) -> Outcome<()> {
    let screen = &context.screen;
    let present_path = demo.source_file(&old_files.path);
    let present = match std::fs::read(&present_path) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(Failure::local(&present_path, error)),
    };
    let size = format::bytes(old_files.content.len() as u64);
    match present {
        Some(present) if present == old_files.content => {
            screen.info(format!("    It is, byte for byte, the file that is there now ({size})."));
        }
        present => {
            let now = present.as_deref().unwrap_or(b"(deleted)");
            screen.info("");
            let table = side_by_side(demo.then(), &old_files.content, "now", now);
            let width = screen.width().map(|width| width - INDENT.len());
            table.lines(width).iter().for_each(|line| screen.info(format!("{INDENT}{line}")));
            screen.info("");
            screen.info(format!("    It is, byte for byte, what it was then ({size})."));
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

/// Waits for Ctrl-C, so that a person can look around; returns at once without a terminal.
fn wait_for_end(context: &Context, demo: &Demo, interrupt: Interrupt) {
    if context.screen.is_json()
        || !context.screen.is_terminal_output()
        || !std::io::stdin().is_terminal()
    {
        return;
    }
    let (screen, drive) = (&context.screen, demo.drive());
    let shown = |path: &Path| quoted(&path.display().to_string());
    screen.info("Now look around yourself. The drive is at");
    screen.info("");
    screen.info(format!("    {}", drive.display()));
    screen.info("");
    screen.info("Open it in your file manager, or type in another terminal:");
    screen.info("");
    screen.info(format!("    ls -l {}", shown(&drive.join("snapshots"))));
    screen.info(format!("    ls -lR {}", shown(&DemoView::Drive(drive.clone()).state(demo))));
    screen.info("");
    screen.info("Ctrl-C here ends it and removes everything.");
    while !interrupt.wait(Duration::from_secs(1)) && is_mounted(&drive) {}
    // Ends the line on which the terminal shows ^C.
    screen.info("");
}
