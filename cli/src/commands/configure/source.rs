//! `yore source`: what is backed up.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser};
use clap::{Args, Subcommand};

use super::{free_name, load, refused};
use crate::args::file_system_snapshot::SNAPSHOTS;
use crate::args::{exclude, size};
use crate::config::edit::{Field, add_entry, names, remove_entry};
use crate::config::{
    CONTAINERS, DatabaseProgram, SOURCE_KINDS, Settings, SourceKind, SourceSettings, is_name,
};
use crate::context::Context;
use crate::failure::{Done, Failure, Outcome};
use crate::job::{missing_program, missing_volume};
use crate::json;
use crate::text::escape;
use crate::text::table::{Column, Table};

mod server;

/// The options of `source`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add files and folders to what `yore backup` saves
    Add(Box<AddOptions>),
    /// List the sources
    List,
    /// Take a source out; its snapshots stay
    Remove {
        /// The name of the source
        name: String,
    },
}

#[derive(Debug, Args)]
struct AddOptions {
    /// Files and folders, of which one snapshot is made each time: of this machine, or of a server
    /// (sftp://user@host/path); databases of SQLite with --kind sqlite
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// What is read: files, the output of a command, the databases of a server, or volumes of containers
    #[arg(long, value_name = "KIND", default_value = SOURCE_KINDS[0], value_parser = PossibleValuesParser::new(SOURCE_KINDS))]
    kind: String,
    /// The command whose output is saved (--kind command)
    #[arg(long, value_name = "CMD")]
    command: Option<String>,
    /// The path of that output in the snapshot
    #[arg(long, value_name = "FILE")]
    file: Option<String>,
    /// A database (may be repeated; default: all of the server)
    #[arg(long, value_name = "NAME")]
    database: Vec<String>,
    /// An option of the program that dumps, as in --option=--host=db (may be repeated)
    #[arg(long, value_name = "OPTION", allow_hyphen_values = true)]
    option: Vec<String>,
    /// The words before the program that dumps, as in "docker exec -i db"
    #[arg(long, value_name = "CMD")]
    through: Option<String>,
    /// A volume of Docker or Podman (--kind docker; may be repeated)
    #[arg(long, value_name = "NAME")]
    volume: Vec<String>,
    /// What the containers that use the volumes do while these are read: run, pause or stop
    #[arg(long, value_name = "WHAT", value_parser = PossibleValuesParser::new(CONTAINERS))]
    containers: Option<String>,
    /// Read from a snapshot of the file system: auto (where it can make one), btrfs, zfs or lvm
    #[arg(long, value_name = "KIND", value_parser = PossibleValuesParser::new(SNAPSHOTS))]
    snapshot: Option<String>,
    /// The name of the source (default: that of the first PATH)
    #[arg(long, value_parser = parse_name)]
    name: Option<String>,
    /// Leave out what fits, as in .gitignore (may be repeated)
    #[arg(long, value_name = "GLOB", value_parser = exclude::parse)]
    exclude: Vec<String>,
    /// Leave out what fits the lines of a file (may be repeated)
    #[arg(long, value_name = "FILE")]
    exclude_file: Vec<PathBuf>,
    /// Leave out the content of folders that say that they are caches (CACHEDIR.TAG)
    #[arg(long)]
    exclude_caches: bool,
    /// Leave out the content of folders that hold a file of this name (may be repeated)
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    exclude_if_present: Vec<String>,
    /// Leave out files that are larger, as in 4G
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    exclude_larger_than: Option<String>,
    /// Stay on the file system of each path
    #[arg(long)]
    one_file_system: bool,
    /// Attach a word to each snapshot (may be repeated)
    #[arg(long, value_name = "TAG", value_parser = NonEmptyStringValueParser::new())]
    tag: Vec<String>,
}

/// Takes the name of an entry of the configuration.
pub fn parse_name(text: &str) -> Result<String, String> {
    match is_name(text) {
        true => Ok(text.to_owned()),
        false => Err("a name has letters, digits, - and _".into()),
    }
}

fn parse_size(text: &str) -> Result<String, String> {
    size::parse(text).map(|_| text.to_owned())
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    match &options.command {
        Command::Add(options) => add(context, options),
        Command::List => list(context),
        Command::Remove { name } => remove(context, name),
    }
}

fn add(context: &Context, options: &AddOptions) -> Outcome {
    let mut file = load(context)?;
    let taken = names(&file.text, "source");
    let name = match &options.name {
        Some(name) if taken.contains(name) => {
            return Err(Failure::usage(
                format!("there is a source {name:?} already"),
                format!(
                    "choose another name, or change it: yore config edit, or yore source remove {name}"
                ),
            ));
        }
        Some(name) => name.clone(),
        None if options.paths.is_empty() => free_name(&options.kind, &taken),
        None => {
            let first = match server::is_meant(&options.paths) {
                true => options.paths[0].clone(),
                false => options.paths[0].canonicalize().unwrap_or_default(),
            };
            let base = first.file_name().map(|name| name.to_string_lossy().into_owned());
            free_name(&base.unwrap_or_else(|| "system".into()), &taken)
        }
    };
    let paths = found(context, options)?;
    let fields = fields(options, &name, paths)?;
    let text = add_entry(&file.text, "source", &fields).map_err(refused)?;
    file.must_be_right(&text)?;
    file.save(text)?;
    let settings = Settings::read(&file.text);
    if let Some(source) = settings.sources.iter().find(|source| source.name == name) {
        context.screen.object(&object(source));
        if let Some(program) = missing_program(source) {
            let what = format!(
                "{program}, which it needs, is not installed here: install it before the next backup"
            );
            context.screen.problem(&format!("source {name}"), &what);
        }
        if let Some(what) = missing_volume(source) {
            context.screen.problem(&format!("source {name}"), &what);
        }
    }
    context.screen.info(format!(
        "Added source {name} to {}. `yore backup` saves it from now on.",
        file.path.display()
    ));
    Ok(Done::Whole)
}

/// Returns the paths as the entry has them; all of them are there.
fn found(context: &Context, options: &AddOptions) -> Outcome<Vec<String>> {
    if server::is_meant(&options.paths) {
        return server::found(context, &options.paths);
    }
    for path in &options.paths {
        std::fs::symlink_metadata(path).map_err(|error| Failure::local(path, error))?;
    }
    options.paths.iter().map(|path| absolute(path)).collect()
}

/// Makes the fields of the entry.
fn fields(
    options: &AddOptions,
    name: &str,
    paths: Vec<String>,
) -> Outcome<Vec<(&'static str, Field)>> {
    let lists = options.exclude_file.iter().map(|path| absolute(path));
    let mut fields = vec![("name", Field::Text(name.to_owned()))];
    if options.kind != SOURCE_KINDS[0] {
        fields.push(("kind", Field::Text(options.kind.clone())));
    }
    for (key, text) in [
        ("command", &options.command),
        ("file", &options.file),
        ("through", &options.through),
        ("containers", &options.containers),
        ("snapshot", &options.snapshot),
    ] {
        fields.extend(text.iter().map(|text| (key, Field::Text(text.clone()))));
    }
    for (key, texts) in [
        ("paths", paths),
        ("databases", options.database.clone()),
        ("options", options.option.clone()),
        ("volumes", options.volume.clone()),
        ("exclude", options.exclude.clone()),
        ("exclude-file", lists.collect::<Outcome<Vec<_>>>()?),
        ("exclude-if-present", options.exclude_if_present.clone()),
        ("tags", options.tag.clone()),
    ] {
        if !texts.is_empty() {
            fields.push((key, Field::Texts(texts)));
        }
    }
    if let Some(size) = &options.exclude_larger_than {
        fields.push(("exclude-larger-than", Field::Text(size.clone())));
    }
    for (key, is_on) in
        [("exclude-caches", options.exclude_caches), ("one-file-system", options.one_file_system)]
    {
        if is_on {
            fields.push((key, Field::Bool(true)));
        }
    }
    Ok(fields)
}

/// Returns an absolute path as text, which a configuration is.
fn absolute(path: &Path) -> Outcome<String> {
    let absolute = std::path::absolute(path).map_err(|error| Failure::local(path, error))?;
    let plain: PathBuf = absolute.components().collect();
    plain.into_os_string().into_string().map_err(|path: OsString| {
        Failure::usage(
            format!(
                "{} is not UTF-8, as a configuration is",
                escape::text(&path.to_string_lossy())
            ),
            "back up a folder above it",
        )
    })
}

fn list(context: &Context) -> Outcome {
    let file = load(context)?;
    let sources = Settings::read(&file.text).sources;
    if sources.is_empty() {
        context.screen.info("There are no sources. To add one: yore source add ~/Documents");
    }
    let mut table = Table::new([("source", Column::Text), ("saves", Column::Text)]);
    for source in &sources {
        context.screen.object(&object(source));
        table.row(vec![source.name.clone(), escape::text(&described(source))]);
    }
    if !sources.is_empty() {
        context.screen.table(&table);
    }
    Ok(Done::Whole)
}

/// Describes what a source saves.
fn described(source: &SourceSettings) -> String {
    let saved = match &source.kind {
        SourceKind::Files | SourceKind::Remote(_) => source.shown_paths(),
        SourceKind::Sqlite => return format!("SQLite: {}", source.shown_paths().join(", ")),
        SourceKind::Command { file, .. } => return format!("output of a command, as {file}"),
        SourceKind::Server(server) => {
            let program = match server.program {
                DatabaseProgram::Postgresql => "PostgreSQL",
                DatabaseProgram::Mariadb => "MariaDB or MySQL",
            };
            return match server.databases.is_empty() {
                true => format!("{program}: all databases"),
                false => format!("{program}: {}", server.databases.join(", ")),
            };
        }
        SourceKind::Docker(docker) => {
            docker.volumes.iter().map(|volume| format!("volume {volume}")).collect()
        }
    };
    saved.join(", ")
}

fn object(source: &SourceSettings) -> json::ConfiguredSource {
    json::ConfiguredSource {
        name: source.name.clone(),
        paths: source.shown_paths(),
        exclude: source.exclude.clone(),
    }
}

fn remove(context: &Context, name: &str) -> Outcome {
    let mut file = load(context)?;
    let text = remove_entry(&file.text, "source", name).map_err(refused)?;
    file.save(text)?;
    context.screen.object(&json::Removed { kind: "source", name });
    context.screen.info(format!("Source {name} is not backed up any more. Its snapshots stay."));
    Ok(Done::Whole)
}
