//! Volumes of Docker and Podman, and the containers that use them: they stand still while their volumes are read.
//!
//! What a killed backup left paused or stopped goes on when the next backup of the source begins: it is noted in a
//! file as long as it lasts.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use yore_platform::{DurableFile, boot_id_of, is_alive, process_identity};

use super::dumps::is_installed;
use super::tool;
use crate::config::{CONTAINER_PROGRAMS, DockerVolumes, SourceKind, SourceSettings, Stillness};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::runs::Files;
use crate::text::escape;

/// Returns the program that runs the containers: the one that is named, or the first that is installed.
pub fn program(docker: &DockerVolumes) -> &str {
    let usual = || CONTAINER_PROGRAMS.into_iter().find(|program| is_installed(program));
    docker.program.as_deref().or_else(usual).unwrap_or(CONTAINER_PROGRAMS[0])
}

/// Finds the folder in which a volume has its files.
pub fn folder_of(docker: &DockerVolumes, volume: &str) -> Outcome<PathBuf> {
    let program = program(docker);
    let words = ["volume", "inspect", "--format", "{{.Mountpoint}}", "--", volume];
    let failed = |why: String| {
        Failure::new(
            Exit::Failed,
            format!("the volume {} was not found: {}", escape::text(volume), escape::text(&why)),
            format!("nothing of it was backed up; the volumes that there are: {program} volume ls"),
        )
    };
    let printed = tool::output(program, &words).map_err(failed)?;
    match printed.trim_end_matches('\n') {
        "" => Err(failed(format!("{program} does not say where its files are"))),
        folder => Ok(PathBuf::from(folder)),
    }
}

/// Returns why a volume of a source can't be read, as far as that is known before a backup.
pub fn missing_volume(source: &SourceSettings) -> Option<String> {
    let SourceKind::Docker(docker) = &source.kind else { return None };
    // That the program is missing is said by itself.
    let is_there = is_installed(program(docker));
    let mut volumes = docker.volumes.iter().filter(|_| is_there);
    volumes.find_map(|volume| folder_of(docker, volume).err().map(|failure| failure.what))
}

/// The containers that stand still, as the file has them.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    /// The process that stopped them.
    process: String,
    program: String,
    /// The verb that lets them go on.
    verb: String,
    containers: Vec<String>,
}

/// Containers that stand still until this ends.
pub struct Still<'c> {
    context: &'c Context,
    /// The containers that go on when it ends, and the file that names them.
    held: Option<(Note, PathBuf)>,
}

impl<'c> Still<'c> {
    /// Has no container stand still.
    pub fn none(context: &'c Context) -> Self {
        Self { context, held: None }
    }

    /// Has the running containers that use the volumes stand still, as the configuration says; first, those go on that
    /// an earlier backup left.
    ///
    /// # Errors
    /// The program is not there, or a container does not obey. Those that did go on.
    pub fn begin(context: &'c Context, source: &str, docker: &DockerVolumes) -> Outcome<Self> {
        let mut still = Self::none(context);
        let (stop, go_on) = match docker.containers {
            Stillness::Run => return Ok(still),
            Stillness::Pause => ("pause", "unpause"),
            Stillness::Stop => ("stop", "start"),
        };
        let file = file_of(context, source)?;
        resume_left(context, &file)?;
        if context.screen.is_interrupted() {
            return Ok(still);
        }
        let program = program(docker);
        let containers = running(program, &docker.volumes)?;
        if containers.is_empty() {
            return Ok(still);
        }
        let note = Note {
            process: process_identity(),
            program: program.to_owned(),
            verb: go_on.to_owned(),
            containers,
        };
        save(&note, &file).map_err(|error| Failure::local(&file, error))?;
        let words = words(stop, &note.containers);
        let stopped = tool::output(program, &words.iter().map(String::as_str).collect::<Vec<_>>());
        still.held = Some((note, file));
        if let Err(why) = stopped {
            still.end()?;
            return Err(Failure::new(
                Exit::Failed,
                format!("the containers that use its volumes can't {stop}: {}", escape::text(&why)),
                "nothing of it was backed up; with containers = \"run\" they run on",
            ));
        }
        Ok(still)
    }

    /// Lets them go on.
    ///
    /// # Errors
    /// They do not; the message says how to have them do it.
    pub fn end(&mut self) -> Outcome<()> {
        let Some((note, file)) = self.held.take() else { return Ok(()) };
        go_on(&note, &file)
    }
}

impl Drop for Still<'_> {
    fn drop(&mut self) {
        if let Err(failure) = self.end() {
            self.context.screen.problem("containers", &failure.what);
        }
    }
}

/// Returns the ids of the running containers that use one of the volumes.
fn running(program: &str, volumes: &[String]) -> Outcome<Vec<String>> {
    let mut found = Vec::new();
    for volume in volumes {
        let filter = format!("volume={volume}");
        let words = ["ps", "--quiet", "--filter", "status=running", "--filter", &filter];
        let printed = tool::output(program, &words).map_err(|why| {
            Failure::new(
                Exit::Failed,
                format!(
                    "the containers that use {} are not known: {}",
                    escape::text(volume),
                    escape::text(&why)
                ),
                "nothing of it was backed up; with containers = \"run\" they run on",
            )
        })?;
        found.extend(printed.split_whitespace().map(str::to_owned));
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn words(verb: &str, containers: &[String]) -> Vec<String> {
    std::iter::once(verb.to_owned()).chain(containers.iter().cloned()).collect()
}

/// Lets containers go on, each by itself: one that is gone keeps no other from it. The file goes when all do.
fn go_on(note: &Note, file: &Path) -> Outcome<()> {
    let Note { program, verb, containers, .. } = note;
    let stuck: Vec<(&String, String)> = containers
        .iter()
        .filter_map(|one| Some((one, tool::output(program, &[verb, one]).err()?)))
        // One that was removed, or goes on already.
        .filter(|(one, _)| stands_still(program, one))
        .collect();
    let Some((_, why)) = stuck.first() else {
        let _ = std::fs::remove_file(file);
        return Ok(());
    };
    let names: Vec<&str> = stuck.iter().map(|(one, _)| one.as_str()).collect();
    Err(Failure::new(
        Exit::Failed,
        format!("containers that stood still for the backup do not go on: {}", escape::text(why)),
        format!("have them go on: {program} {verb} {}", names.join(" ")),
    ))
}

/// Tells whether a container is there and does not run.
fn stands_still(program: &str, container: &str) -> bool {
    let words = ["inspect", "--format", "{{.State.Status}}", container];
    tool::output(program, &words).is_ok_and(|status| status.trim() != "running")
}

/// Lets those go on that a backup left which was killed.
fn resume_left(context: &Context, file: &Path) -> Outcome<()> {
    let Ok(text) = std::fs::read(file) else { return Ok(()) };
    let Ok(note) = serde_json::from_slice::<Note>(&text) else { return Ok(()) };
    // The file is of this machine: what ran before its last start has ended.
    let own = process_identity();
    if boot_id_of(&note.process) == boot_id_of(&own) && is_alive(&note.process) {
        return Ok(());
    }
    go_on(&note, file)?;
    let names = note.containers.join(", ");
    context.screen.note(&format!(
        "an earlier backup was ended while containers stood still; they go on: {names}"
    ));
    Ok(())
}

/// Writes the file that names the containers, before they stand still.
fn save(note: &Note, file: &Path) -> io::Result<()> {
    let folder = file.parent().unwrap_or(file);
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let mut durable = DurableFile::create(folder, name)?;
    durable.append(&serde_json::to_vec(note)?)?;
    durable.replace()
}

fn file_of(context: &Context, source: &str) -> Outcome<PathBuf> {
    let files = Files::of(context).ok_or_else(|| {
        Failure::new(
            Exit::Failed,
            "there is no folder in which to note the containers that stand still",
            "name one: export YORE_STATE_DIR=/var/lib/yore",
        )
    })?;
    Ok(files.state.with_extension(format!("{source}-containers.json")))
}
