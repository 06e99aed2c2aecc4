//! The table of the engine's errors: exit code and hint.

use std::io::{self, ErrorKind};

use yore_engine::{Deviation, Error, HostKeyProblem};

use crate::failure::Exit;

const OUTDATED: &str = "open it with a secret that was added since (`yore key rotate` named them), and add this \
                        one again: yore key add";
const MALFORMED: &str = "give the key file or the recovery key that `yore init` made";

/// Returns the kind of failure that an error is, and the hint.
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
        // The message needs no hint.
        Error::WrongSecret { .. } => return (Exit::WrongSecret, None),
        Error::OutdatedSecret { .. } => (Exit::WrongSecret, OUTDATED),
        Error::MalformedSecret { .. } => (Exit::WrongSecret, MALFORMED),
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
        Error::HostKey { problem, .. } => (Exit::Failed, about_host_key(*problem)),
        Error::LogIn { .. } => (
            Exit::Failed,
            "check the user's name, and that the server has the public key \
             (~/.ssh/authorized_keys there); `ssh-add FILE` gives a key with a passphrase to the agent",
        ),
        Error::Backend { object, source } if object.starts_with("s3://") => {
            (Exit::Failed, at_a_bucket(source))
        }
        Error::Backend { source, .. } | Error::Local { source, .. } => {
            (Exit::Failed, by_cause(source))
        }
        Error::NotFound { .. } => {
            (Exit::Failed, "`yore snapshots` lists the snapshots, `yore ls` what is in one")
        }
        Error::Unreadable { .. } | Error::Refused(_) | Error::Deviation(_) => {
            return (Exit::Failed, None);
        }
        Error::Overtaken => (Exit::Busy, "run the command again"),
        Error::Interrupted => {
            (Exit::Interrupted, "nothing is lost; the same command again goes on from here")
        }
    };
    (exit, Some(hint.into()))
}

/// Returns what to do about the key of a server.
fn about_host_key(problem: HostKeyProblem) -> &'static str {
    match problem {
        HostKeyProblem::Unknown => {
            "compare the fingerprint with the one that the server's owner tells you; if it is the \
             same, run the command once with --accept-host-key, which stores the key"
        }
        HostKeyProblem::Changed => {
            "somebody may be listening in; only if you know why the server has a new key, remove \
             the old one with `ssh-keygen -R HOST` and run the command again"
        }
        HostKeyProblem::Revoked => "the key was declared stolen: do not use this server",
    }
}

/// Returns the message of an error.
pub fn message(error: &Error) -> String {
    match error {
        Error::Backend { object, source } => format!("{object}: {}", reason(source)),
        Error::Local { path, source } => format!("{}: {}", path.display(), reason(source)),
        Error::Deviation(Deviation::UnusedPattern) => "nothing fits this --include pattern".into(),
        Error::Deviation(Deviation::FolderInPlace { .. }) => {
            format!("{error} (--delete removes it)")
        }
        other => other.to_string(),
    }
}

/// Returns what to print of an error beside its subject: the subject, unless the message names it,
/// and the message.
pub fn with_subject<'s>(subject: &'s str, error: &Error) -> (&'s str, String) {
    let text = message(error);
    let is_named = text.contains(subject.trim_start_matches('/'));
    (if is_named { "" } else { subject }, text)
}

/// Returns the words of the system for an error, without its number.
pub fn reason(source: &io::Error) -> String {
    let text = source.to_string();
    match text.rsplit_once(" (os error ") {
        Some((words, _)) => words.to_lowercase(),
        None => text,
    }
}

/// Returns what to do when the system refused something.
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

/// Returns what to do when the server of a bucket refused something or did not answer.
fn at_a_bucket(source: &io::Error) -> &'static str {
    match source.kind() {
        ErrorKind::NotFound => {
            "check the spelling, or make the bucket with the tools of its provider"
        }
        ErrorKind::PermissionDenied => {
            "check the access key and what its policy allows: AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY, a profile, or YORE_S3_CREDENTIALS_COMMAND"
        }
        ErrorKind::InvalidInput => "set the clock or the region right, and run the command again",
        _ => "check the network and the endpoint, and run the command again",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_its_subject_and_its_cause_once() {
        let missing = Error::Missing { object: "tree 0a1b".into() };
        assert_eq!(with_subject("/home/a", &missing), ("/home/a", "tree 0a1b is missing".into()));
        assert_eq!(with_subject("tree 0a1b", &missing), ("", "tree 0a1b is missing".into()));
        let local =
            Error::Local { path: "/home/a".into(), source: io::Error::from_raw_os_error(13) };
        assert_eq!(with_subject("/home/a", &local), ("", "/home/a: permission denied".into()));
    }
}
