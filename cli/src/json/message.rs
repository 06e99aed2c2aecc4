//! Objects on standard error.

use serde::Serialize;

/// The reason why a command failed.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "error")]
pub struct Failed<'a> {
    /// The message.
    pub message: &'a str,
    /// The hint: what the person can do.
    pub hint: Option<&'a str>,
    /// The exit code.
    pub code: u8,
}

/// Something that is as it may be, and that a person may want to know.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "remark")]
pub struct Remark<'a> {
    /// The message.
    pub message: &'a str,
}

/// Something that went wrong without ending the command.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "problem")]
pub struct Problem<'a> {
    /// A path or object; may be empty.
    pub subject: &'a str,
    /// The message.
    pub message: &'a str,
}
