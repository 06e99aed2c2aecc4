//! A folder on a server over SSH: `sftp://user@host:22/path`, or `sftp://host/~/path` for one in the user's home.
//!
//! The host may be one of `~/.ssh/config`, whose settings count as for `ssh`.

use yore_engine::backend::{Sftp, SftpOptions};

use super::{Destination, joined, percent_decoded, ssh_settings};
use crate::failure::{Failure, Outcome};

/// The form to write.
const FORM: &str =
    "write sftp://user@host:22/path; sftp://host/~/path is a folder in the user's home";

/// The port of SSH where none is named.
const USUAL_PORT: u16 = 22;

/// A folder on a server, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFolder {
    user: Option<String>,
    host: String,
    port: Option<u16>,
    /// The path; a relative one lies in the user's home.
    path: String,
}

/// Reads what follows `sftp://`. No message repeats it: it may hold a password.
pub(super) fn parse(rest: &[u8], _whole: &[u8]) -> Outcome<Destination> {
    let wrong = |what: &str| Failure::usage(format!("the address behind sftp:// {what}"), FORM);
    let slash =
        rest.iter().position(|byte| *byte == b'/').ok_or_else(|| wrong("names no folder"))?;
    let text = |bytes: &[u8]| {
        String::from_utf8(percent_decoded(bytes)).map_err(|_| wrong("is no text (UTF-8)"))
    };
    let authority = std::str::from_utf8(&rest[..slash]).map_err(|_| wrong("is no text (UTF-8)"))?;
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    if user.is_some_and(|user| user.contains(':')) {
        return Err(Failure::usage(
            "the address behind sftp:// holds a password, which lists of processes and logs would show",
            "write sftp://user@host/path: the keys in ~/.ssh and those of the agent are used",
        ));
    }
    let user = user.map(|user| text(user.as_bytes())).transpose()?.filter(|user| !user.is_empty());
    let (host, port) = split_port(host).ok_or_else(|| wrong("has a port that is no number"))?;
    if host.is_empty() {
        return Err(wrong("names no host"));
    }
    let path = text(&rest[slash..])?;
    let in_home = ["/~/", "/./"].iter().find_map(|home| path.strip_prefix(home));
    let path = match in_home {
        Some(path) => path.to_owned(),
        None if path == "/~" => String::new(),
        None => path,
    };
    if path.contains('\0') {
        return Err(wrong("names no folder"));
    }
    Ok(Destination::Sftp(ServerFolder { user, host: host.to_owned(), port, path }))
}

/// Splits `host`, `host:port`, `[address]` or `[address]:port`; `None` when the port is no number.
pub(super) fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => (address, rest.strip_prefix(':')),
        None => match text.split_once(':') {
            // An address of IPv6 has more colons.
            Some((_, rest)) if rest.contains(':') => (text, None),
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    match port {
        None | Some("") => Some((host, None)),
        Some(port) => Some((host, Some(port.parse().ok()?))),
    }
}

impl ServerFolder {
    /// Returns the location for people.
    pub fn location(&self) -> String {
        let server = self.server();
        let path = self.path.replace('%', "%25");
        match path.starts_with('/') {
            true => format!("{server}{path}"),
            false => format!("{server}/~/{path}"),
        }
    }

    /// Returns the location of its server for people.
    pub fn server(&self) -> String {
        let user = self.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        format!("sftp://{user}{host}{port}")
    }

    /// Returns the name of the machine: that of the host, with the port if it is an unusual one. Whoever logs in, it is
    /// the same machine; behind each port of a tunnel is another one.
    pub fn machine(&self) -> String {
        match self.port.filter(|port| *port != USUAL_PORT) {
            Some(port) if self.host.contains(':') => format!("[{}]:{port}", self.host),
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }

    /// Returns another folder of the same server.
    pub fn with_path(&self, path: String) -> Self {
        Self { path, ..self.clone() }
    }

    /// Returns a folder inside of this one.
    pub(super) fn inside(&self, parts: &[&str]) -> Self {
        let path = match self.path.as_str() {
            "/" => format!("/{}", parts.join("/")),
            path => joined(path, parts),
        };
        Self { path, ..self.clone() }
    }

    /// Returns the name of the host.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the path on the server.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Makes the engine's access to it.
    pub fn backend(&self) -> Outcome<Sftp> {
        Ok(Sftp::new(self.options(self.location())?))
    }

    /// Returns the settings of connections to its server.
    pub fn server_options(&self) -> Outcome<SftpOptions> {
        self.options(self.server())
    }

    fn options(&self, location: String) -> Outcome<SftpOptions> {
        ssh_settings::options(location, (self.user.clone(), &self.host, self.port), &self.path)
    }
}
