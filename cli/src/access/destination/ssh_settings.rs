//! The settings of SSH that this user and this system have: `~/.ssh`, `/etc/ssh`, the agent.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use directories::BaseDirs;
use yore_engine::backend::ssh_config::{self, HostSettings, Proxy};
use yore_engine::backend::{AgentKeys, Identity, Program, SftpOptions, SshHost, UnknownHosts};

use super::sftp::split_port;
use crate::failure::{Failure, Outcome};

/// The configuration of the system, and what the files that it includes are relative to.
const SYSTEM: &str = "/etc/ssh";

/// The private keys that are tried where none is named, those of OpenSSH.
const USUAL_KEYS: [&str; 3] = ["id_ed25519", "id_ecdsa", "id_rsa"];

/// The hosts whose keys are stored at the first contact in this run.
static ACCEPTS_UNKNOWN: AtomicBool = AtomicBool::new(false);

/// Stores the keys of unknown hosts from now on, as the person asked for.
pub fn accept_unknown_hosts() {
    ACCEPTS_UNKNOWN.store(true, Ordering::Relaxed);
}

/// Collects the settings of a destination: user, host and port as they were written, and the path.
pub(super) fn options(
    location: String,
    (user, host, port): (Option<String>, &str, Option<u16>),
    path: &str,
) -> Outcome<SftpOptions> {
    let (server, proxy) = look_up(host, user, port);
    let mut options = SftpOptions {
        location,
        host: server,
        jumps: Vec::new(),
        proxy: None,
        path: path.to_owned(),
        connections: SftpOptions::CONNECTIONS,
        connect_timeout: SftpOptions::CONNECT_TIMEOUT,
        unknown_hosts: match ACCEPTS_UNKNOWN.load(Ordering::Relaxed) {
            true => UnknownHosts::Accept,
            false => UnknownHosts::Refuse,
        },
    };
    match proxy {
        None | Some(Proxy::Direct) => {}
        Some(Proxy::Command(command)) => {
            let command = with_tokens(&command, host, &options.host);
            let arguments = vec!["-c".into(), format!("exec {command}").into()];
            options.proxy = Some(Program { program: "sh".into(), arguments });
        }
        Some(Proxy::Jump(hosts)) => {
            for text in hosts.split(',') {
                options.jumps.push(jump(text.trim(), host)?);
            }
        }
    }
    Ok(options)
}

/// Reads a host of `ProxyJump`: `[user@]host[:port]`.
fn jump(text: &str, host: &str) -> Outcome<SshHost> {
    let text = text.strip_prefix("ssh://").unwrap_or(text);
    let (user, address) = match text.rsplit_once('@') {
        Some((user, address)) => (Some(user.to_owned()), address),
        None => (None, text),
    };
    match split_port(address) {
        Some((name, port)) if !name.is_empty() => Ok(look_up(name, user, port).0),
        _ => Err(Failure::usage(
            format!("the ProxyJump of {host} in the configuration of SSH names no host"),
            "correct it in ~/.ssh/config; `ssh -G HOST` shows what counts",
        )),
    }
}

/// Looks a host up in the configurations of the user and the system.
fn look_up(name: &str, user: Option<String>, port: Option<u16>) -> (SshHost, Option<Proxy>) {
    let home = home();
    let mut found = HostSettings::default();
    let folders = [home.as_ref().map(|home| (home.join(".ssh"), "config"))];
    let folders = folders.into_iter().flatten().chain([(PathBuf::from(SYSTEM), "ssh_config")]);
    for (folder, file) in folders {
        let text = read_text(&folder.join(file));
        found.add(name, &text, &mut |pattern| included(&folder, pattern));
    }
    let address = found.host_name.as_ref().map(|host| host.replace("%h", name));
    let mut host = SshHost {
        address: address.unwrap_or_else(|| name.to_owned()),
        port: port.or(found.port).unwrap_or(22),
        key_alias: found.host_key_alias.clone(),
        user: user.or(found.user.clone()).unwrap_or_else(yore_platform::user_name),
        identities: Vec::new(),
        agent_keys: match found.identities_only {
            Some(true) => AgentKeys::Given,
            _ => AgentKeys::All,
        },
        agent: agent(found.identity_agent.as_deref()),
        known_hosts: Vec::new(),
    };
    let files: Vec<String> = match found.identity_files.is_empty() {
        false => found.identity_files.iter().map(|file| with_tokens(file, name, &host)).collect(),
        true => USUAL_KEYS.map(|key| format!("~/.ssh/{key}")).to_vec(),
    };
    host.identities = files.iter().map(|file| Identity::File(expanded(file))).collect();
    let usual = || vec!["~/.ssh/known_hosts".to_owned(), "~/.ssh/known_hosts2".to_owned()];
    let known = found.known_hosts_files.unwrap_or_else(usual);
    host.known_hosts = known.iter().map(|file| expanded(&with_tokens(file, name, &host))).collect();
    host.known_hosts.push(Path::new(SYSTEM).join("ssh_known_hosts"));
    (host, found.proxy)
}

fn home() -> Option<PathBuf> {
    BaseDirs::new().map(|folders| folders.home_dir().to_owned())
}

fn read_text(path: &Path) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Replaces `~` at the beginning by the home folder.
fn expanded(text: &str) -> PathBuf {
    match (text.strip_prefix("~/"), home()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(text),
    }
}

/// Replaces the tokens of `ssh_config(5)`.
fn with_tokens(text: &str, name: &str, host: &SshHost) -> String {
    let mut parts = text.split('%');
    let mut out = parts.next().unwrap_or_default().to_owned();
    while let Some(part) = parts.next() {
        let mut rest = part.chars();
        match rest.next() {
            Some('h') => out.push_str(&host.address),
            Some('n') => out.push_str(name),
            Some('p') => out.push_str(&host.port.to_string()),
            Some('r') => out.push_str(&host.user),
            Some('u') => out.push_str(&yore_platform::user_name()),
            Some('d') => out.push_str(&home().unwrap_or_default().display().to_string()),
            // Two signs stand for one; what follows the second is plain.
            None => {
                out.push('%');
                out.push_str(parts.next().unwrap_or_default());
                continue;
            }
            Some(_) => {
                out.push('%');
                out.push_str(part);
                continue;
            }
        }
        out.push_str(rest.as_str());
    }
    out
}

/// Returns the socket of the agent.
fn agent(setting: Option<&str>) -> Option<PathBuf> {
    let of_variable =
        |name: &str| std::env::var_os(name).filter(|socket| !socket.is_empty()).map(PathBuf::from);
    match setting {
        None | Some("SSH_AUTH_SOCK") => of_variable("SSH_AUTH_SOCK"),
        Some("none") => None,
        Some(text) => match text.strip_prefix('$') {
            Some(name) => of_variable(name.trim_matches(['{', '}'])),
            None => Some(expanded(text)),
        },
    }
}

/// Reads the files that an `Include` names, in the order of their names.
fn included(folder: &Path, pattern: &str) -> Vec<String> {
    let path = folder.join(expanded(pattern));
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    if !name.contains(['*', '?']) {
        return vec![read_text(&path)];
    }
    let entries = path.parent().and_then(|folder| fs::read_dir(folder).ok());
    let mut paths: Vec<PathBuf> = entries
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let found = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            ssh_config::matches(&name, found) && !found.starts_with('.')
        })
        .collect();
    paths.sort();
    paths.iter().map(|path| read_text(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_replaced() {
        let (mut host, _) = look_up("name", Some("me".into()), Some(2222));
        host.address = "10.0.0.7".into();
        for (text, expected) in [
            ("nc %h %p", "nc 10.0.0.7 2222"),
            ("%r@%n", "me@name"),
            ("100%%h", "100%h"),
            ("%x%", "%x%"),
            ("plain", "plain"),
        ] {
            assert_eq!(with_tokens(text, "name", &host), expected, "{text}");
        }
    }
}
