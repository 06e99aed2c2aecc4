//! Sources that are on a server: `paths = ["sftp://pi@nas/home/pi"]`.

use std::ffi::OsStr;

use toml_edit::{Item, Table, TableLike, Value};

use super::schema::SOURCE_KINDS;
use super::settings::{SourceKind, SourceSettings};
use super::{schema, value};
use crate::access::destination::{self, Destination, ServerFolder};

/// A mistake: the span of what is wrong, and what.
pub(super) type Wrong = (Option<std::ops::Range<usize>>, String);

/// Tells whether a source is on a server.
pub fn is_of_server(text: &str) -> bool {
    text.starts_with("sftp://")
}

/// Reads the places of a source of which at least one is on a server.
///
/// # Errors
/// In words that follow the key or option: one is no such place, or they are not all on one server.
pub fn server_folders<'t>(
    texts: impl IntoIterator<Item = &'t str>,
) -> Result<Vec<ServerFolder>, String> {
    let folder = |text: &str| match destination::parse(OsStr::new(text)) {
        Ok(Destination::Sftp(folder)) => Ok(folder),
        Ok(_) => Err("must all be on the server, or none: make a source of the others".to_owned()),
        Err(failure) => Err(format!("can't be used: {}", failure.what)),
    };
    let folders = texts.into_iter().map(folder).collect::<Result<Vec<_>, _>>()?;
    let first = folders.first().map(ServerFolder::server);
    match folders.iter().all(|folder| Some(folder.server()) == first) {
        true => Ok(folders),
        false => {
            Err("are of several servers; a snapshot is of one machine: make a source of each"
                .into())
        }
    }
}

impl SourceSettings {
    /// Returns a place on the server on which it is, if it is on one.
    pub fn server(&self) -> Option<&ServerFolder> {
        match &self.kind {
            SourceKind::Remote(folders) => folders.first(),
            _ => None,
        }
    }

    /// Returns the paths as people write them.
    pub fn shown_paths(&self) -> Vec<String> {
        match &self.kind {
            SourceKind::Remote(folders) => folders.iter().map(ServerFolder::location).collect(),
            _ => self.paths.iter().map(|path| path.display().to_string()).collect(),
        }
    }
}

/// Reads the places of a source of files; none where it is of this machine.
pub(super) fn of_table(table: &dyn TableLike) -> Vec<ServerFolder> {
    let texts = table.get("paths").and_then(Item::as_value).and_then(value::texts);
    let texts = texts.unwrap_or_default();
    match texts.iter().any(|text| is_of_server(text)) {
        true => server_folders(texts).unwrap_or_default(),
        false => Vec::new(),
    }
}

/// Checks a source with a place on a server: all of it is there, and nothing is asked for that SFTP does not tell.
pub(super) fn check(table: &Table) -> Vec<Wrong> {
    let paths = table.get("paths").and_then(Item::as_value);
    let texts = paths.and_then(value::texts).unwrap_or_default();
    if !texts.iter().any(|text| is_of_server(text)) {
        return Vec::new();
    }
    let span = || paths.and_then(Value::span);
    let kind = table.get("kind").and_then(Item::as_str).unwrap_or(SOURCE_KINDS[0]);
    if kind != SOURCE_KINDS[0] {
        return vec![(span(), format!("source.paths can't be on a server for kind {kind}"))];
    }
    let keys = schema::NOT_OF_SERVERS.into_iter().filter_map(|key| table.key(key));
    let mut wrong: Vec<Wrong> = keys
        .map(|key| {
            let key_name = key.get();
            let what = format!("source.{key_name} is not for a server: SFTP does not tell enough");
            (key.span(), what)
        })
        .collect();
    if let Err(what) = server_folders(texts) {
        wrong.push((span(), format!("source.paths {what}")));
    }
    wrong
}
