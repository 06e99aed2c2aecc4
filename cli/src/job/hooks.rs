//! Commands that a person runs around backups.

use std::ffi::OsString;
use std::io::Write;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::args::duration;
use crate::config::Hooks;
use crate::context::Context;
use crate::failure::engine_error::reason;
use crate::failure::{Exit, Failure, Outcome};
use crate::screen::standard_error;

/// The time that a hook has, where the configuration says nothing.
const USUAL_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// The pause between two looks at a hook that runs.
const PAUSE: Duration = Duration::from_millis(20);

/// The facts of a run that hooks get: as an object on their standard input, and in their environment.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Facts {
    /// The hook: `before`, `after`, `on-success`, `on-failure`, `snapshot-before` or `snapshot-after`.
    pub hook: &'static str,
    /// The name of the source; empty for hooks around the whole run.
    pub source: String,
    /// `success`, `partial` or `failure`; empty before it.
    pub result: &'static str,
    /// The id of the snapshot; empty where there is none.
    pub snapshot: String,
    /// What went wrong.
    pub error: String,
    /// The duration so far, in seconds.
    pub seconds: f64,
}

impl Facts {
    fn environment(&self) -> [(&'static str, String); 6] {
        [
            ("YORE_HOOK", self.hook.to_owned()),
            ("YORE_SOURCE", self.source.clone()),
            ("YORE_RESULT", self.result.to_owned()),
            ("YORE_SNAPSHOT", self.snapshot.clone()),
            ("YORE_ERROR", self.error.clone()),
            ("YORE_SECONDS", format!("{:.0}", self.seconds)),
        ]
    }
}

/// Runs the hook before a backup.
///
/// # Errors
/// The hook failed, or took too long: then nothing is to be backed up.
pub fn before(context: &Context, hooks: &Hooks, facts: &Facts) -> Outcome<()> {
    let Some(command) = &hooks.before else { return Ok(()) };
    let facts = Facts { hook: "before", ..facts.clone() };
    run(context, hooks, command, &facts, WhenInterrupted::End).map_err(|why| {
        Failure::new(
            Exit::Failed,
            format!("the hook before the backup failed: {why}"),
            "nothing was backed up; run the command of hooks.before by itself to see what it says",
        )
    })
}

/// Runs the hooks after a backup; returns false if one of them failed, which is reported.
pub fn after(context: &Context, hooks: &Hooks, facts: &Facts) -> bool {
    let is_success = facts.result == "success";
    let of_result = if is_success { &hooks.on_success } else { &hooks.on_failure };
    let name = if is_success { "on-success" } else { "on-failure" };
    let mut is_whole = true;
    for (hook, command) in [(name, of_result), ("after", &hooks.after)] {
        let Some(command) = command else { continue };
        if let Err(why) =
            run(context, hooks, command, &Facts { hook, ..facts.clone() }, WhenInterrupted::End)
        {
            context.screen.problem(&format!("hook {hook}"), &format!("it failed: {why}"));
            is_whole = false;
        }
    }
    is_whole
}

/// Runs a hook around the moment at which snapshots of file systems are made: `snapshot-before` or `snapshot-after`.
///
/// The second lets go on what the first stopped, so an interrupt does not end it.
///
/// # Errors
/// The hook failed, or took too long.
pub fn at_snapshot(
    context: &Context,
    hooks: &Hooks,
    source: &str,
    hook: &'static str,
) -> Outcome<()> {
    let (command, when_interrupted) = match hook {
        "snapshot-before" => (&hooks.snapshot_before, WhenInterrupted::End),
        _ => (&hooks.snapshot_after, WhenInterrupted::GoOn),
    };
    let Some(command) = command else { return Ok(()) };
    let facts = Facts { hook, source: source.to_owned(), ..Facts::default() };
    run(context, hooks, command, &facts, when_interrupted).map_err(|why| {
        Failure::new(
            Exit::Failed,
            format!("the hook {hook} failed: {why}"),
            format!("nothing was backed up; run the command of hooks.{hook} by itself to see what it says"),
        )
    })
}

/// The treatment of a hook when this process is interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WhenInterrupted {
    /// It is ended.
    End,
    /// It is waited for all the same.
    GoOn,
}

/// Runs a command by the shell, and waits for its end.
fn run(
    context: &Context,
    hooks: &Hooks,
    command: &str,
    facts: &Facts,
    when_interrupted: WhenInterrupted,
) -> Result<(), String> {
    let timeout = match &hooks.timeout {
        None => USUAL_TIMEOUT,
        Some(text) => duration::seconds("timeout", text, &context.now)
            .ok()
            .and_then(|seconds| u64::try_from(seconds).ok())
            .map_or(USUAL_TIMEOUT, Duration::from_secs),
    };
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(OsString::from(command)).envs(facts.environment());
    // What it prints is no result of this command.
    shell.stdin(Stdio::piped()).stdout(standard_error());
    yore_platform::own_process_group(&mut shell);
    let mut child = shell.spawn().map_err(|error| reason(&error))?;
    if let Some(mut input) = child.stdin.take() {
        let mut object = serde_json::to_vec(facts).unwrap_or_default();
        object.push(b'\n');
        // A hook need not read it.
        let _ = input.write_all(&object);
    }
    match wait(context, &mut child, timeout, when_interrupted)? {
        status if status.success() => Ok(()),
        status => Err(status.to_string()),
    }
}

fn wait(
    context: &Context,
    child: &mut Child,
    timeout: Duration,
    when_interrupted: WhenInterrupted,
) -> Result<ExitStatus, String> {
    let ends = when_interrupted == WhenInterrupted::End;
    let began = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Err(error) => return Err(reason(&error)),
            Ok(None) => {}
        }
        let is_late = began.elapsed() > timeout;
        if is_late || ends && context.screen.is_interrupted() {
            yore_platform::kill_process_group(child);
            let _ = child.wait();
            return Err(match is_late {
                true => format!("it took longer than {} s, and was ended", timeout.as_secs()),
                false => "interrupted".into(),
            });
        }
        std::thread::sleep(PAUSE);
    }
}
