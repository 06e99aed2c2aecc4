//! Errors for a person who clicked, and has no terminal.

use std::process::{Command, Stdio};

use crate::failure::Failure;

/// The programs that can show a message on a desktop, with what comes before the message.
const MESSENGERS: [(&str, &[&str]); 3] = [
    ("zenity", &["--error", "--no-markup", "--text"]),
    ("kdialog", &["--error"]),
    ("notify-send", &["Yore"]),
];

/// Shows a failure in a dialog or a notification.
pub(super) fn show(failure: &Failure) {
    let text = format!("{}\n{}", failure.what, failure.hint.as_deref().unwrap_or_default());
    for (program, arguments) in MESSENGERS {
        let mut command = Command::new(program);
        command.args(arguments).arg(&text).stdin(Stdio::null()).stdout(Stdio::null());
        // The next program may be there, or may be able to show something.
        if command.stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
            return;
        }
    }
}
