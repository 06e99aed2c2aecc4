//! The options that every command knows.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{ArgAction, Args};

/// Options that every command knows.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The repository: /path, sftp://user@host/path, s3://BUCKET/PREFIX, rclone:REMOTE:PATH, volume:LABEL/path
    #[arg(long, global = true, value_name = "URL", env = "YORE_REPO", hide_env_values = true)]
    pub repo: Option<OsString>,
    /// The configuration (default: config.toml in the system's folder for it; YORE_CONFIG)
    #[arg(long, global = true, value_name = "FILE", value_parser = path())]
    pub config: Option<PathBuf>,
    /// Another configuration, NAME.toml beside the usual one
    #[arg(long, global = true, value_name = "NAME", value_parser = parse_profile)]
    pub profile: Option<String>,
    /// A key file that opens the repository (init: that is made)
    #[arg(long, global = true, value_name = "FILE", env = "YORE_KEY_FILE", hide_env_values = true, value_parser = path())]
    pub key_file: Option<PathBuf>,
    /// A file that holds the passphrase or recovery key
    #[arg(long, global = true, value_name = "FILE", env = "YORE_PASSWORD_FILE", hide_env_values = true, value_parser = path())]
    pub password_file: Option<PathBuf>,
    /// A command that prints the passphrase or recovery key
    #[arg(
        long,
        global = true,
        value_name = "CMD",
        env = "YORE_PASSWORD_COMMAND",
        hide_env_values = true
    )]
    pub password_command: Option<OsString>,
    /// Store the key of a server that is not known yet, and trust it from now on
    #[arg(long, global = true)]
    pub accept_host_key: bool,
    /// Print results as JSON, one object a line (errors too, on standard error)
    #[arg(long, global = true)]
    pub json: bool,
    /// Print nothing on success but what was asked for
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Tell more of what is done, and what happens to each file
    #[arg(long, short, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Show no progress
    #[arg(long, global = true)]
    pub no_progress: bool,
}

/// Takes the name of a profile, which is that of a file.
fn parse_profile(text: &str) -> Result<String, String> {
    let is_sign = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    match !text.is_empty() && !text.starts_with('.') && text.chars().all(is_sign) {
        true => Ok(text.to_owned()),
        false => Err("a name has letters, digits, - and _".into()),
    }
}

/// Takes any path, an empty one too: an empty variable counts as none.
fn path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}
