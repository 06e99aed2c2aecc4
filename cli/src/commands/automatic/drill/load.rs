//! A dump that is loaded into a scratch server, by a command of the person's own.

use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use yore_engine::read::Reader;
use yore_engine::snapshots::SnapshotEntry;

use super::sample::Sampled;
use crate::config::SourceSettings;
use crate::context::Context;
use crate::failure::engine_error::{message, reason};
use crate::moment::content::copy_out;
use crate::screen::standard_error;
use crate::text::escape;

/// Tries dumps by the command of their source; returns the time that they took if all of them are right.
pub fn all(
    context: &Context,
    reader: &Reader,
    dumps: &[Sampled],
    by: (&SourceSettings, &str),
    entry: &SnapshotEntry,
    problems: &mut Vec<String>,
) -> Option<Duration> {
    let mut whole = Some(Duration::ZERO);
    for dump in dumps {
        match one(context, reader, dump, by, entry) {
            Ok(took) => whole = whole.map(|whole| whole + took),
            Err(why) => {
                problems.push(format!("{}: {why}", escape::path(&dump.path)));
                whole = None;
            }
        }
    }
    whole
}

/// Hands a dump to the command on its standard input, and waits for its verdict; returns the time that it took.
///
/// # Errors
/// The command failed or did not read everything, or the dump can't be read to its end: then the command is killed,
/// and never sees an end.
fn one(
    context: &Context,
    reader: &Reader,
    dump: &Sampled,
    (source, command): (&SourceSettings, &str),
    entry: &SnapshotEntry,
) -> Result<Duration, String> {
    let began = Instant::now();
    let mut child = Command::new("sh")
        .args(["-c", command])
        .envs(facts(source, dump, entry))
        .stdin(Stdio::piped())
        .stdout(standard_error())
        .spawn()
        .map_err(|error| reason(&error))?;
    let mut input = child.stdin.take().expect("its standard input is a pipe");
    let mut broken: Option<io::Error> = None;
    let copied = copy_out(reader, &dump.node, &mut |bytes| {
        broken = input.write_all(bytes).err();
        broken.is_none() && !context.screen.is_interrupted()
    });
    if copied.is_err() || context.screen.is_interrupted() {
        let _ = child.kill();
        let _ = child.wait();
        return Err(match copied {
            Err(error) => escape::text(&message(&error)),
            Ok(()) => "interrupted".into(),
        });
    }
    drop(input);
    let status = child.wait().map_err(|error| reason(&error))?;
    match broken {
        _ if !status.success() => Err(format!("its command failed: {status}")),
        Some(_) => Err("its command ended before it had read the whole dump".into()),
        None => Ok(began.elapsed()),
    }
}

/// Returns what the command is told in its environment.
fn facts(
    source: &SourceSettings,
    dump: &Sampled,
    entry: &SnapshotEntry,
) -> [(&'static str, String); 5] {
    let file = escape::path(&dump.path);
    let name = file.rsplit('/').next().unwrap_or_default();
    let database = name.strip_suffix(".sql").unwrap_or(name).to_owned();
    [
        ("YORE_SOURCE", source.name.clone()),
        ("YORE_DATABASE", database),
        ("YORE_FILE", file),
        ("YORE_BYTES", dump.node.size.to_string()),
        ("YORE_SNAPSHOT", entry.id.to_string()),
    ]
}
