//! Adding a source that is on a server.

use std::path::PathBuf;

use yore_engine::backend::Patience;

use crate::access::destination::ServerFolder;
use crate::config::{is_of_server, server_folders};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::job::remote;
use crate::text::escape;

/// Tells whether one of some paths is on a server.
pub(super) fn is_meant(paths: &[PathBuf]) -> bool {
    paths.iter().filter_map(|path| path.to_str()).any(is_of_server)
}

/// Returns the places as an entry has them: absolute and without links. All of them are there.
pub(super) fn found(context: &Context, paths: &[PathBuf]) -> Outcome<Vec<String>> {
    let texts = paths.iter().map(|path| path.to_str().unwrap_or_default());
    let folders = server_folders(texts).map_err(|what| {
        Failure::usage(format!("the paths {what}"), "yore source add sftp://user@host/path")
    })?;
    let (_, found) = remote::locate(context, &folders, Patience::COMMAND)?;
    folders.iter().zip(found).map(|(folder, path)| written(folder, path)).collect()
}

/// Returns a place as text, which a configuration is.
fn written(folder: &ServerFolder, path: Vec<u8>) -> Outcome<String> {
    let path = String::from_utf8(path).map_err(|error| {
        let shown = escape::path(error.as_bytes());
        let what = format!("{shown} is not UTF-8, as a configuration is");
        Failure::usage(what, "back up a folder above it")
    })?;
    Ok(folder.with_path(format!("/{path}")).location())
}
