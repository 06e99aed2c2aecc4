//! The table of the engine's errors: exit code and what to do.

use std::io::{self, ErrorKind};

use yore_engine::Error;

use crate::failure::Exit;

/// Tells how a command ends with this error, and what the person can do.
pub fn explain(error: &Error) -> (Exit, Option<String>) {
    let (exit, hint) = match error {
        Error::NoRepository { location } => {
            let hint = format!(
                "if it is on a disk or share, check that it is mounted; to make a new one, type: \
                 yore --repo {} init",
                quoted(location)
            );
            return (Exit::NoRepository, Some(hint));
        }
        Error::Occupied { .. } => {
            (Exit::Failed, "nothing was changed; choose a folder that is empty or not there yet")
        }
        // The message says it all in its one line.
        Error::WrongSecret { .. } => return (Exit::WrongSecret, None),
        Error::MalformedSecret { .. } => {
            (Exit::WrongSecret, "give the key file or the recovery key that `yore init` made")
        }
        Error::Unsupported { .. } => (Exit::Failed, "use a newer version of yore"),
        Error::OtherRepository { .. } => {
            (Exit::Failed, "check that the right disk or share is mounted there")
        }
        Error::Damaged { .. } | Error::Missing { .. } => (
            Exit::Failed,
            "everything that does not need it can still be read; `yore check` tells what is affected",
        ),
        Error::Backend { source, .. }
            if matches!(source.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) =>
        {
            (
                Exit::Failed,
                "the repository's disk is full: nothing of this run counts, and the snapshots from \
                 before are whole; free some space there and run the command again, which goes on \
                 from what is there",
            )
        }
        Error::Backend { source, .. } | Error::Local { source, .. } => {
            (Exit::Failed, by_cause(source))
        }
        Error::NotFound { .. } => {
            (Exit::Failed, "`yore snapshots` lists the snapshots, `yore ls` what is in one")
        }
        Error::Refused { .. } => return (Exit::Failed, None),
        Error::Overtaken => (Exit::Busy, "run the command again"),
        Error::Interrupted => {
            (Exit::Interrupted, "nothing is lost; the same command again goes on from here")
        }
    };
    (exit, Some(hint.into()))
}

/// Says what happened.
pub fn words(error: &Error) -> String {
    match error {
        Error::Backend { object, source } => format!("{object}: {}", reason(source)),
        Error::Local { path, source } => format!("{}: {}", path.display(), reason(source)),
        other => other.to_string(),
    }
}

/// Says why the system refused, without its number for it.
pub fn reason(source: &io::Error) -> String {
    let text = source.to_string();
    match text.rsplit_once(" (os error ") {
        Some((words, _)) => words.to_lowercase(),
        None => text,
    }
}

/// What to do when the system refused something.
pub fn by_cause(source: &io::Error) -> &'static str {
    match source.kind() {
        ErrorKind::NotFound => "check the spelling, and that the disk or share is mounted",
        ErrorKind::PermissionDenied => {
            "this user may not do that there: run it as the owner, or change the permissions"
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "free some space and run the command again; what is there already stays as it is"
        }
        ErrorKind::ReadOnlyFilesystem => "it is read-only there; choose another place",
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            "something that is not a folder is in the way; choose another place"
        }
        _ => "check that the disk or share answers, and run the command again",
    }
}

/// Quotes a word for the shell when it needs it.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-:+,@%=".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}
