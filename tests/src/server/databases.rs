//! Servers of databases, each with its files and its socket in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::process::{ServerProcess, free_port};
use crate::machine::needs_root;

/// A server of MariaDB or PostgreSQL.
pub struct DatabaseServer {
    process: ServerProcess,
    folder: TempDir,
    port: u16,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Mariadb,
    Postgresql,
}

impl DatabaseServer {
    /// Starts MariaDB; the user root has no password.
    pub fn mariadb() -> Self {
        let folder = folder_of("mysql");
        let data = folder.path().join("data");
        succeed(
            as_user("mysql")
                .arg("mariadb-install-db")
                .arg("--no-defaults")
                .arg("--auth-root-authentication-method=normal")
                .arg("--skip-test-db")
                .arg(option("--datadir", &data)),
        );
        let port = free_port();
        let mut server = as_user("mysql");
        server
            .args(["mariadbd", "--no-defaults", "--bind-address=127.0.0.1"])
            .arg(option("--datadir", &data))
            .arg(option("--socket", &folder.path().join("socket")))
            .arg(option("--pid-file", &folder.path().join("pid")))
            .arg(format!("--port={port}"))
            .stderr(Stdio::null());
        let process = ServerProcess::start(&mut server, port).expect("MariaDB starts");
        Self { process, folder, port, kind: Kind::Mariadb }
    }

    /// Starts PostgreSQL; the user postgres needs no password.
    pub fn postgresql() -> Self {
        let folder = folder_of("postgres");
        let data = folder.path().join("data");
        let binaries = postgresql_binaries();
        let words = ["--auth=trust", "--username=postgres", "--no-sync", "-D"];
        succeed(as_user("postgres").arg(binaries.join("initdb")).args(words).arg(&data));
        let port = free_port();
        let mut server = as_user("postgres");
        server
            .arg(binaries.join("postgres"))
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(folder.path())
            .args(["-h", "127.0.0.1", "-p", &port.to_string()])
            .stderr(Stdio::null());
        let process = ServerProcess::start(&mut server, port).expect("PostgreSQL starts");
        let server = Self { process, folder, port, kind: Kind::Postgresql };
        // It listens before it answers.
        while !server.client("postgres", "select 1").output().is_ok_and(|out| out.status.success())
        {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        server
    }

    /// Returns the options with which the server's programs find it.
    pub fn options(&self) -> Vec<String> {
        match self.kind {
            Kind::Mariadb => vec![
                format!("--socket={}", self.folder.path().join("socket").display()),
                "--user=root".into(),
            ],
            Kind::Postgresql => vec![
                format!("--host={}", self.folder.path().display()),
                format!("--port={}", self.port),
                "--username=postgres".into(),
            ],
        }
    }

    /// Returns the line for a shell that feeds a database with what comes from standard input.
    pub fn feeds(&self, database: &str) -> String {
        let options = self.options().join(" ");
        match self.kind {
            Kind::Mariadb => format!("mariadb --no-defaults {options} {database}"),
            Kind::Postgresql => {
                format!("psql -X -q -v ON_ERROR_STOP=1 {options} --dbname={database}")
            }
        }
    }

    /// Runs statements in a database; returns what they print.
    pub fn run(&self, database: &str, statements: &str) -> String {
        succeed(&mut self.client(database, statements))
    }

    /// Stops the server at once, as a crash does.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    fn client(&self, database: &str, statements: &str) -> Command {
        let mut command = match self.kind {
            Kind::Mariadb => {
                let mut command = Command::new("mariadb");
                command.args(["--no-defaults", "--batch", "--skip-column-names"]);
                command.args(self.options()).arg(format!("--execute={statements}"));
                if !database.is_empty() {
                    command.arg(database);
                }
                command
            }
            Kind::Postgresql => {
                let mut command = Command::new("psql");
                command.args(["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1"]).args(self.options());
                command.arg(format!("--dbname={database}")).args(["-c", statements]);
                command
            }
        };
        command.stdin(Stdio::null());
        command
    }
}

/// Makes a folder that a user of the system owns.
fn folder_of(user: &str) -> TempDir {
    needs_root("start a server of databases as its user");
    let folder = tempfile::Builder::new().prefix("yore-db-").tempdir().expect("a folder");
    succeed(Command::new("chown").arg(user).arg(folder.path()));
    folder
}

/// Returns a command that runs what is added as a user of the system; servers refuse to run as root.
fn as_user(user: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", user, "--regid", user, "--clear-groups", "--"]).current_dir("/");
    command
}

fn option(name: &str, path: &Path) -> String {
    format!("{name}={}", path.display())
}

/// Returns the folder of PostgreSQL's programs, which Debian keeps off the path.
fn postgresql_binaries() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").expect("postgresql is installed");
    let mut folders: Vec<PathBuf> =
        versions.flatten().map(|version| version.path().join("bin")).collect();
    folders.sort();
    folders.pop().expect("a version of PostgreSQL")
}

fn succeed(command: &mut Command) -> String {
    let output = command.output().expect("the program is installed");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    String::from_utf8(output.stdout).expect("UTF-8")
}
