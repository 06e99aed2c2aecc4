//! Remotes of rclone: a local folder, an encrypted one, and one behind a WebDAV server.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use yore_engine::backend::{RcloneOptions, Sftp};

use super::process::{ServerProcess, free_port};
use crate::machine::Scratch;

/// The password of the encrypted remote and of the server.
pub const PASSWORD: &str = "correct-horse-battery";

/// A configuration file with the remotes `local`, `crypt` and `dav`, and the server of the last.
pub struct RcloneRemotes {
    folder: PathBuf,
    server: Option<ServerProcess>,
}

impl RcloneRemotes {
    /// Writes the configuration file; the server of `dav` is started by [`Self::serve`].
    pub fn new(scratch: &Scratch) -> Self {
        let folder = scratch.folder("rclone");
        let remotes = Self { folder, server: None };
        std::fs::create_dir_all(remotes.store()).expect("a folder");
        remotes.write(0, PASSWORD);
        remotes
    }

    fn write(&self, port: u16, password: &str) {
        let store = self.store().display().to_string();
        let config = format!(
            "[local]\ntype = local\n\n[store]\ntype = alias\nremote = {store}\n\n[crypt]\ntype = crypt\nremote = store:crypt\n\
             password = {}\n\n[dav]\ntype = webdav\nurl = http://127.0.0.1:{port}\nvendor = other\n\
             user = yore\npass = {}\n",
            obscured(PASSWORD),
            obscured(password),
        );
        std::fs::write(self.config(), config).expect("a file");
    }

    /// Starts the server of the remote `dav`, which keeps its files in the folder `dav`.
    pub fn serve(&mut self) {
        let served = self.store().join("dav");
        std::fs::create_dir_all(&served).expect("a folder");
        for _ in 0..5 {
            let port = free_port();
            let mut command = Command::new("rclone");
            command.args(["serve", "webdav", "--user", "yore", "--pass", PASSWORD]);
            command.args(["--dir-cache-time", "1s", "--addr", &format!("127.0.0.1:{port}")]);
            command.arg("--config").arg(self.config()).arg(&served).stderr(Stdio::null());
            self.server = ServerProcess::start(&mut command, port);
            if self.server.is_some() {
                self.write(port, PASSWORD);
                return;
            }
        }
        panic!("rclone serves no WebDAV (Debian package rclone)");
    }

    /// Writes a wrong password for `dav` into the configuration.
    pub fn forget_password(&self) {
        let config = std::fs::read_to_string(self.config()).expect("a file");
        let (before, _) = config.rsplit_once("pass = ").expect("a password");
        let text = format!("{before}pass = {}\n", obscured("wrong"));
        std::fs::write(self.config(), text).expect("a file");
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.folder.join("rclone.conf")
    }

    /// The folder that the remotes keep their files in.
    pub fn store(&self) -> PathBuf {
        self.folder.join("store")
    }

    /// Copies the files of a folder to `REMOTE:PATH`.
    pub fn copy(&self, folder: &Path, remote: &str) {
        let mut command = Command::new("rclone");
        let status =
            command.arg("--config").arg(self.config()).arg("copy").arg(folder).arg(remote).status();
        assert!(
            status.expect("rclone runs (Debian package rclone)").success(),
            "{remote} is filled"
        );
    }

    /// Returns a destination at `REMOTE:PATH`.
    pub fn backend(&self, remote: &str) -> Sftp {
        let options = RcloneOptions {
            program: "rclone".into(),
            config: Some(self.config()),
            remote: remote.into(),
        };
        Sftp::rclone(&options)
    }
}

/// Returns a password as the configuration has it.
fn obscured(password: &str) -> String {
    let output = Command::new("rclone").args(["obscure", password]).output();
    let output = output.expect("rclone runs (Debian package rclone)");
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

/// Returns true while a process of this program runs that serves a configuration file.
pub fn serves(config: &Path) -> bool {
    let entries = std::fs::read_dir("/proc").expect("a list of processes");
    let mut lines =
        entries.filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok());
    let config = config.to_str().expect("text").as_bytes();
    lines.any(|line| line.windows(config.len()).any(|part| part == config))
}
