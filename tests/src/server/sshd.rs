//! OpenSSH's server, with keys, users and known hosts of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use yore_engine::backend::{AgentKeys, Identity, Sftp, SftpOptions, SshHost, UnknownHosts};

use super::process::{ServerProcess, free_port};
use crate::machine::{Scratch, in_shell};

/// The attempts to find a port that nobody else takes meanwhile.
const ATTEMPTS: usize = 5;

/// Settings of a server.
#[derive(Debug, Clone, Default)]
pub struct SshdSettings {
    /// Arguments of `sftp-server`, such as `-P fsync` for a request that is denied.
    pub sftp_arguments: String,
    /// Further lines of its configuration.
    pub lines: String,
}

/// A server that runs.
pub struct Sshd {
    folder: PathBuf,
    port: u16,
    settings: SshdSettings,
    process: Option<ServerProcess>,
}

impl Sshd {
    /// Starts a server of a test's own.
    pub fn start(scratch: &Scratch) -> Self {
        Self::with(scratch, "sshd", SshdSettings::default())
    }

    /// Starts a server with settings; its files are in a folder of that name.
    pub fn with(scratch: &Scratch, name: &str, settings: SshdSettings) -> Self {
        let folder = scratch.folder(name);
        for key in ["host", "user"] {
            make_key(&folder.join(key), "ed25519", "");
        }
        fs::copy(folder.join("user.pub"), folder.join("authorized_keys")).expect("a file");
        let mut server = Self { folder, port: 0, settings, process: None };
        for _ in 0..ATTEMPTS {
            server.port = free_port();
            server.process = server.run();
            if server.process.is_some() {
                server.make_known(&server.folder.join("host.pub"));
                return server;
            }
        }
        let log = fs::read_to_string(server.folder.join("log")).unwrap_or_default();
        panic!("sshd does not start (Debian package openssh-server): {log}");
    }

    fn run(&self) -> Option<ServerProcess> {
        // The SFTP server runs in the server's own process. As a program, the user's shell would start it, and whatever
        // that runs at its start would be killed with the connection: a lock that `pyenv` left made each later
        // connection wait for a minute.
        // The server of Debian wants this folder, which the system makes when it starts the service.
        let _ = fs::create_dir_all("/run/sshd");
        let at = |name: &str| self.folder.join(name).display().to_string();
        let config = format!(
            "Port {}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             PermitRootLogin prohibit-password\nMaxStartups 200\nMaxSessions 200\n\
             Subsystem sftp internal-sftp {}\n{}\n",
            self.port,
            at("host"),
            at("authorized_keys"),
            self.settings.sftp_arguments,
            self.settings.lines,
        );
        fs::write(self.folder.join("config"), config).expect("a file");
        let log = fs::File::options().create(true).append(true).open(self.folder.join("log"));
        let mut command = Command::new("/usr/sbin/sshd");
        command.args(["-D", "-e", "-f"]).arg(self.folder.join("config"));
        command.stderr(Stdio::from(log.expect("a file")));
        ServerProcess::start(&mut command, self.port)
    }

    /// Writes the key of a file into the server's file of known hosts, as the only one.
    pub fn make_known(&self, key: &Path) {
        let key = fs::read_to_string(key).expect("a public key");
        let line = format!("[127.0.0.1]:{} {key}", self.port);
        fs::write(self.known_hosts(), line).expect("a file");
    }

    /// Kills the server and every connection.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Kills every connection; the server goes on.
    pub fn kill_connections(&self) {
        for id in self.connections() {
            in_shell("kill -s KILL \"$1\" 2>/dev/null || true", &[Path::new(&id.to_string())]);
        }
    }

    /// Returns the processes that serve connections.
    pub fn connections(&self) -> Vec<u32> {
        self.process.as_ref().map(ServerProcess::serving).unwrap_or_default()
    }

    /// Starts the server again on the same port.
    pub fn restart(&mut self) {
        self.process = None;
        self.process = self.run();
        assert!(self.process.is_some(), "sshd starts again on its port");
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder with its files.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file with the private key of the user.
    pub fn user_key(&self) -> PathBuf {
        self.folder.join("user")
    }

    /// The file of known hosts.
    pub fn known_hosts(&self) -> PathBuf {
        self.folder.join("known_hosts")
    }

    /// The server, with the keys that the harness made.
    pub fn host(&self) -> SshHost {
        SshHost {
            address: "127.0.0.1".to_owned(),
            port: self.port,
            key_alias: None,
            user: yore_platform::user_name(),
            identities: vec![Identity::File(self.user_key())],
            agent_keys: AgentKeys::Given,
            agent: None,
            known_hosts: vec![self.known_hosts()],
        }
    }

    /// Returns the settings of a destination at a folder of this machine, reached through the server.
    pub fn options(&self, folder: &Path) -> SftpOptions {
        let path = folder.to_str().expect("a path that is text").to_owned();
        SftpOptions {
            location: format!("sftp://127.0.0.1:{}{path}", self.port),
            host: self.host(),
            jumps: Vec::new(),
            proxy: None,
            path,
            connections: SftpOptions::CONNECTIONS,
            connect_timeout: Duration::from_secs(60),
            unknown_hosts: UnknownHosts::Refuse,
        }
    }

    /// Returns a destination at a folder of this machine, reached through the server.
    pub fn backend(&self, folder: &Path) -> Sftp {
        Sftp::new(self.options(folder))
    }
}

/// Makes a pair of keys, of which the public one gets the ending `.pub`.
pub fn make_key(path: &Path, kind: &str, passphrase: &str) {
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", kind, "-N", passphrase, "-C", "test", "-f"]).arg(path);
    let made = command.stdin(Stdio::null()).output().expect("ssh-keygen runs");
    assert!(made.status.success(), "ssh-keygen: {made:?}");
}
