//! Options that name a second repository, and what opens it.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

/// The options that name a second repository.
#[derive(Debug, Args)]
pub struct OtherRepository {
    /// The other repository: a path or an address, as of any repository
    #[arg(long, value_name = "URL")]
    pub from: OsString,
    /// A key file that opens the other repository
    #[arg(long, value_name = "FILE")]
    pub from_key_file: Option<PathBuf>,
    /// A file that holds the passphrase or recovery key of the other repository
    #[arg(long, value_name = "FILE")]
    pub from_password_file: Option<PathBuf>,
    /// A command that prints the passphrase or recovery key of the other repository
    #[arg(long, value_name = "CMD")]
    pub from_password_command: Option<OsString>,
}
