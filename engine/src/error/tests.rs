//! Messages of errors.

use std::error::Error as _;

use super::*;

#[test]
fn a_message_names_its_subject_and_not_its_cause() {
    let cause = || io::Error::other("no access");
    let backend = Error::Backend { object: "packs/00".into(), source: cause() };
    for (error, subject) in [(Error::local("/home", cause()), "/home"), (backend, "packs/00")] {
        assert_eq!(error.to_string(), format!("{subject} could not be used"));
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("no access"));
        assert_eq!(error.with_cause(), format!("{subject}: no access"));
    }
    let refused = Error::from(Refusal::NothingToBackUp);
    assert!(refused.source().is_none());
    assert_eq!(refused.with_cause(), "there is nothing to back up");
}

#[test]
fn no_message_names_an_option_of_a_program() {
    let (path, text) = (PathBuf::from("/home"), || "x".to_owned());
    let deviations = [
        Deviation::ChangedWhileRead,
        Deviation::UnusedPattern,
        Deviation::RenamedForCase { name: text() },
        Deviation::ChangedSincePlan,
        Deviation::FolderInPlace { path: path.clone() },
        Deviation::UnsavedFolderInPlace { path: path.clone() },
        Deviation::UnsavedContent { path: text() },
        Deviation::NothingRemoved(KeepReason::Incomplete),
        Deviation::NothingRemoved(KeepReason::Stale),
        Deviation::NothingRemoved(KeepReason::Mounted),
        Deviation::NotSearched { path: text(), message: text() },
    ];
    let refusals = [
        Refusal::RelativePath { path },
        Refusal::NothingToBackUp,
        Refusal::WriteOnly,
        Refusal::RecordTooLarge { limit: 1 },
        Refusal::Inbox { location: text() },
        Refusal::InvalidMachineName { name: text() },
        Refusal::MachineExists { name: text() },
        Refusal::NeedsExclusiveAccess { location: "here".into() },
        Refusal::TextTooLong,
        Refusal::TimeInFuture,
        Refusal::InvalidFileName { path: text() },
        Refusal::InvalidPattern { pattern: text(), reason: text() },
        Refusal::PatternsTooLong,
        Refusal::AmbiguousId { prefix: text() },
        Refusal::LastSlot,
        Refusal::OnlyKeyFilesLeft,
        Refusal::UnknownKindOfKey { id: "0a1b2c3d".into() },
        Refusal::TooManyPassphrases { limit: 1 },
        Refusal::LabelTooLong { limit: 1 },
        Refusal::InvalidObjectName { name: text() },
        Refusal::RetentionShortened { object: text() },
        Refusal::BlobTooLarge { bytes: 1 },
        Refusal::TooDeep,
        Refusal::TooDeepToRestore,
    ];
    let messages = deviations.iter().map(ToString::to_string);
    for message in messages.chain(refusals.iter().map(ToString::to_string)) {
        assert!(!message.contains("--") && !message.ends_with('.'), "{message}");
    }
}

#[test]
fn only_a_destination_that_may_answer_later_has_temporary_errors() {
    let of =
        |kind: std::io::ErrorKind| Error::Backend { object: "pack".into(), source: kind.into() };
    for kind in [std::io::ErrorKind::TimedOut, std::io::ErrorKind::ConnectionReset] {
        assert!(of(kind).is_temporary(), "{kind:?}");
    }
    for kind in [std::io::ErrorKind::PermissionDenied, std::io::ErrorKind::StorageFull] {
        assert!(!of(kind).is_temporary(), "{kind:?}");
    }
    assert!(!Error::Missing { object: "pack".into() }.is_temporary());
    let local = Error::local("/a", std::io::ErrorKind::TimedOut.into());
    assert!(!local.is_temporary(), "only destinations are asked again");
}
