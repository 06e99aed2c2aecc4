//! Storage that rclone reaches: `rclone:REMOTE:PATH`.

use yore_engine::backend::{RcloneOptions, Sftp};

use super::{Destination, joined};
use crate::failure::{Failure, Outcome};

/// A path in a remote of rclone's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    name: String,
    path: String,
}

/// Reads what follows `rclone:`.
///
/// A remote that is described in place (`:backend,option=value:`) is refused: it may hold passwords, which every
/// list of processes would show.
pub(super) fn parse(rest: &[u8], _whole: &[u8]) -> Outcome<Destination> {
    let form = "write rclone:REMOTE:PATH, with a remote that `rclone listremotes` shows";
    let text = std::str::from_utf8(rest)
        .map_err(|_| Failure::usage("the path behind rclone: is no text (UTF-8)", form))?;
    let Some((name, path)) = text.split_once(':') else {
        return Err(Failure::usage("no remote is named behind rclone:", form));
    };
    let is_sign = |c: char| c.is_alphanumeric() || "_-.+@ ".contains(c);
    if name.is_empty() || name.starts_with('-') || !name.chars().all(is_sign) {
        return Err(Failure::usage(
            "behind rclone: stands no name of a remote; it is not repeated as it may hold a password",
            form,
        ));
    }
    Ok(Destination::Rclone(Remote { name: name.to_owned(), path: path.to_owned() }))
}

impl Remote {
    /// Returns the location for people.
    pub fn location(&self) -> String {
        format!("rclone:{}:{}", self.name, self.path)
    }

    /// Returns a path inside of this one.
    pub(super) fn inside(&self, parts: &[&str]) -> Self {
        Self { path: joined(&self.path, parts), ..self.clone() }
    }

    /// Returns the name of the remote.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the last part of the location.
    pub fn short_name(&self) -> String {
        let last = self.path.rsplit('/').find(|part| !part.is_empty());
        last.unwrap_or(&self.name).to_owned()
    }

    /// Makes the engine's access to it.
    pub fn backend(&self) -> Sftp {
        let remote = format!("{}:{}", self.name, self.path).into();
        Sftp::rclone(&RcloneOptions { program: "rclone".into(), config: None, remote })
    }
}
