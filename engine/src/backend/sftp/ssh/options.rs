//! The settings of an SFTP destination.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::backend::sftp::program::Program;

/// The settings of an SFTP destination.
#[derive(Debug)]
pub struct SftpOptions {
    /// The destination as messages show it.
    pub location: String,
    /// The server.
    pub host: SshHost,
    /// The hosts through which it is reached, the first one first.
    pub jumps: Vec<SshHost>,
    /// A program whose standard streams lead to the first host.
    pub proxy: Option<Program>,
    /// The folder on the server; a relative one lies in the user's home.
    pub path: String,
    /// The most connections at once.
    pub connections: usize,
    /// The time within which a session must be open.
    pub connect_timeout: Duration,
    /// The handling of hosts that are not known.
    pub unknown_hosts: UnknownHosts,
}

impl SftpOptions {
    /// The connections at once where nothing else is set.
    pub const CONNECTIONS: usize = 3;

    /// The time to connect where nothing else is set.
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
}

/// A host that runs an SSH server, and how to log in there.
#[derive(Debug)]
pub struct SshHost {
    /// Its name or address.
    pub address: String,
    /// Its port.
    pub port: u16,
    /// The name under which its key is known; `None` for the address and port.
    pub key_alias: Option<String>,
    /// The user.
    pub user: String,
    /// The keys of the user, in the order in which they are tried.
    pub identities: Vec<Identity>,
    /// The use of other keys of the agent.
    pub agent_keys: AgentKeys,
    /// The socket of the agent; `None` without one.
    pub agent: Option<PathBuf>,
    /// The files of known host keys; the first is extended by `UnknownHosts::Accept`.
    pub known_hosts: Vec<PathBuf>,
}

/// The handling of a host that no file of known hosts has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownHosts {
    /// It is refused.
    Refuse,
    /// Its key is stored, and counts from then on. A key that changed is refused nevertheless.
    Accept,
}

/// The use of keys that the agent has beside the given ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentKeys {
    /// They are tried after the given ones.
    All,
    /// They are not tried (`IdentitiesOnly`).
    Given,
}

/// A private key of a user.
pub enum Identity {
    /// A file; one that does not exist is passed over.
    File(PathBuf),
    /// The content of such a file.
    Text {
        /// Its name in messages.
        name: String,
        /// The content.
        text: Zeroizing<String>,
    },
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(&self.name()).finish()
    }
}

impl Identity {
    /// Returns its name for messages.
    pub(super) fn name(&self) -> String {
        match self {
            Identity::File(path) => path.display().to_string(),
            Identity::Text { name, .. } => name.clone(),
        }
    }
}

impl SshHost {
    /// Returns the name of the host in files of known keys: `host`, or `[host]:port`.
    pub(super) fn key_name(&self) -> String {
        match (&self.key_alias, self.port) {
            (Some(alias), _) => alias.clone(),
            (None, 22) => self.address.to_lowercase(),
            (None, port) => format!("[{}]:{port}", self.address.to_lowercase()),
        }
    }
}
