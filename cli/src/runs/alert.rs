//! Telling somebody that something is wrong, or right again: by mail, webhook, command or desktop.

mod mail;
mod webhook;

pub use webhook::ping;

use std::io::Write;
use std::process::{Command, Stdio};

use serde::Serialize;

use crate::access::secret::Reference;
use crate::config::{Alert, Mail};
use crate::failure::engine_error::reason;
use crate::screen::standard_error;

/// A message to a person.
#[derive(Debug, Clone, Serialize)]
pub struct Message {
    /// One line that says it all.
    pub title: String,
    /// What happened, and what to do.
    pub text: String,
    /// What it is about.
    pub state: MessageState,
    /// The machine.
    pub host: String,
    /// The time.
    pub time: String,
}

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageState {
    /// Something is wrong.
    Problem,
    /// It is right again.
    Recovered,
    /// Somebody tries the way.
    Test,
}

impl Message {
    /// Returns the whole message as text.
    fn whole(&self) -> String {
        format!("{}\n\n{}\n\n{}, {}\n", self.title, self.text, self.host, self.time)
    }
}

/// Sends a message by every way that an alert has; returns what failed.
pub fn send(alert: &Alert, mail: &Mail, message: &Message) -> Result<(), String> {
    let mut failed = Vec::new();
    let mut note = |way: &str, sent: Result<(), String>| {
        if let Err(why) = sent {
            failed.push(format!("{way}: {why}"));
        }
    };
    if !alert.mail_to.is_empty() {
        note("mail", mail::send(mail, &alert.mail_to, message));
    }
    if let Some((url, preset)) = &alert.webhook {
        note("webhook", webhook::send(url, preset, alert.token.as_ref(), message));
    }
    if let Some(command) = &alert.command {
        note("command", run(command, message));
    }
    if alert.desktop {
        note("desktop", notify(message));
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(failed.join("; ")),
    }
}

/// Runs a command for the shell, which gets the message on its standard input and in its environment.
fn run(command: &str, message: &Message) -> Result<(), String> {
    let object = serde_json::to_string(message).unwrap_or_default();
    let mut child = Command::new("sh")
        .args(["-c", command])
        .env("YORE_ALERT_TITLE", &message.title)
        .env("YORE_ALERT_JSON", object)
        .stdin(Stdio::piped())
        .stdout(standard_error())
        .spawn()
        .map_err(|error| reason(&error))?;
    if let Some(mut input) = child.stdin.take() {
        // A command need not read it.
        let _ = input.write_all(message.whole().as_bytes());
    }
    match child.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(status.to_string()),
        Err(error) => Err(reason(&error)),
    }
}

/// Shows a notification on the desktop of this person.
fn notify(message: &Message) -> Result<(), String> {
    let urgency = match message.state {
        MessageState::Problem => "critical",
        MessageState::Recovered | MessageState::Test => "normal",
    };
    let ended = Command::new("notify-send")
        .args(["--app-name=Yore", "--urgency", urgency, "--", &message.title, &message.text])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("notify-send: {}", reason(&error)))?;
    match ended.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&ended.stderr).trim().to_owned()),
    }
}

/// Reads a secret, for libraries that take a text.
fn secret_of(reference: &Reference) -> Result<String, String> {
    reference.read().map(|secret| secret.to_string()).map_err(|failure| failure.what)
}
