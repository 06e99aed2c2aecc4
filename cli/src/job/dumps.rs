//! Dumps of databases: what the server's own program prints of each.

use std::process::{Command, Stdio};

use super::containers;
use crate::config::{DatabaseProgram, DatabaseServer, SourceKind, SourceSettings};
use crate::failure::engine_error::{quoted, reason};
use crate::failure::{Exit, Failure, Outcome};
use crate::text::escape;

/// A file of a snapshot, and the line for the shell that prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dump {
    /// The path in the snapshot: name of the source, then that of the database.
    pub path: String,
    /// The line.
    pub command: String,
}

/// The databases of MariaDB that hold no data of anybody.
const VIRTUAL: [&str; 3] = ["information_schema", "performance_schema", "sys"];

/// The databases that a PostgreSQL server lists.
const LIST_POSTGRESQL: &str =
    "select datname from pg_database where datallowconn and not datistemplate order by 1";

/// Returns the dumps of a server: one for each database, and for PostgreSQL the roles that all of them share.
///
/// # Errors
/// When the server does not list its databases.
pub fn of_server(source: &str, server: &DatabaseServer) -> Outcome<Vec<Dump>> {
    let databases = match server.databases.is_empty() {
        false => server.databases.clone(),
        true => listed(source, server)?,
    };
    let program = server.dumper();
    let dump = |name: &String| Dump {
        path: format!("{source}/{}.sql", name.replace('/', "_")),
        command: dump_of(server, program, name),
    };
    let mut dumps: Vec<Dump> = databases.iter().map(dump).collect();
    if server.program == DatabaseProgram::Postgresql && server.databases.is_empty() {
        let command = server.line("pg_dumpall", "--no-password --globals-only", "");
        dumps.insert(0, Dump { path: format!("{source}/globals.sql"), command });
    }
    Ok(dumps)
}

fn dump_of(server: &DatabaseServer, program: &str, database: &str) -> String {
    let name = quoted(database);
    match server.program {
        DatabaseProgram::Postgresql => {
            server.line(program, "--no-password", &format!("--dbname={name}"))
        }
        // Without the date at its end, a dump of what did not change is the same.
        DatabaseProgram::Mariadb => server.line(
            program,
            "--single-transaction --quick --routines --events --triggers --skip-dump-date",
            &format!("-- {name}"),
        ),
    }
}

/// Asks a server for its databases.
fn listed(source: &str, server: &DatabaseServer) -> Outcome<Vec<String>> {
    let line = match server.program {
        DatabaseProgram::Postgresql => server.line(
            "psql",
            "--no-psqlrc --no-password --tuples-only --no-align",
            &format!("--dbname=postgres --command={}", quoted(LIST_POSTGRESQL)),
        ),
        DatabaseProgram::Mariadb => server.line(
            server.tool("mariadb", "mysql"),
            "--batch --skip-column-names",
            "--execute='show databases'",
        ),
    };
    let failed = |why: String| {
        Failure::new(
            Exit::Failed,
            format!("the databases of {} are not known: {why}", escape::text(source)),
            "nothing of it was backed up; to name them: yore config set source.NAME.databases",
        )
    };
    let ended = Command::new("sh").arg("-c").arg(line).stdin(Stdio::null()).output();
    let ended = ended.map_err(|error| failed(reason(&error)))?;
    if !ended.status.success() {
        let said = String::from_utf8_lossy(&ended.stderr);
        return Err(failed(escape::text(said.trim())));
    }
    let lines = String::from_utf8_lossy(&ended.stdout);
    let is_real = |name: &&str| !name.is_empty() && !VIRTUAL.contains(name);
    Ok(lines.lines().map(str::trim).filter(is_real).map(str::to_owned).collect())
}

impl DatabaseServer {
    /// Returns the line that runs a program: its own words stand between the options of the person and `last`.
    fn line(&self, program: &str, own: &str, last: &str) -> String {
        let password = match (&self.password_file, self.program) {
            (None, _) => String::new(),
            (Some(file), DatabaseProgram::Postgresql) => of_file("PGPASSWORD", file),
            (Some(file), DatabaseProgram::Mariadb) => of_file("MYSQL_PWD", file),
        };
        let through = self.through.as_ref().map(|words| format!("{words} ")).unwrap_or_default();
        let options = self.options.iter().map(|option| format!(" {}", quoted(option)));
        let options: String = options.collect();
        format!("{password}{through}{program}{options} {own} {last}").trim_end().to_owned()
    }

    /// Returns the program that makes dumps.
    fn dumper(&self) -> &'static str {
        match self.program {
            DatabaseProgram::Postgresql => "pg_dump",
            DatabaseProgram::Mariadb => self.tool("mariadb-dump", "mysqldump"),
        }
    }

    /// Returns the program by its newer name, unless there is only that of before, as in the images of MySQL.
    fn tool(&self, newer: &'static str, before: &'static str) -> &'static str {
        let is_there = |program: &str| match &self.through {
            None => is_installed(program),
            Some(words) => succeeds(&format!("{words} {program} --version")),
        };
        if !is_there(newer) && is_there(before) { before } else { newer }
    }
}

/// Sets a variable to the content of a file, which no list of processes shows.
fn of_file(variable: &str, file: &std::path::Path) -> String {
    format!("{variable}=\"$(cat {})\"; export {variable}; ", quoted(&file.display().to_string()))
}

/// Returns the program that a source needs and that is not here.
pub fn missing_program(source: &SourceSettings) -> Option<String> {
    let needed = match &source.kind {
        SourceKind::Files | SourceKind::Sqlite | SourceKind::Remote(_) => return None,
        SourceKind::Docker(volumes) => containers::program(volumes),
        SourceKind::Command { command, .. } => command.split_whitespace().next()?,
        SourceKind::Server(server) => match &server.through {
            Some(through) => through.split_whitespace().next()?,
            None => server.dumper(),
        },
    };
    // A line may begin with what the shell itself knows; only a plain name says what is needed.
    let is_plain = needed.chars().all(|c| c.is_ascii_alphanumeric() || "-_./+".contains(c));
    (is_plain && !is_installed(needed) && !is_of_shell(needed)).then(|| needed.to_owned())
}

/// Tells whether the shell runs a word itself.
fn is_of_shell(word: &str) -> bool {
    succeeds(&format!("command -v {word}"))
}

/// Tells whether a line for the shell succeeds; what it prints does not matter.
fn succeeds(line: &str) -> bool {
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    shell.status().is_ok_and(|status| status.success())
}

pub(super) fn is_installed(program: &str) -> bool {
    if program.contains('/') {
        return std::path::Path::new(program).exists();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(program: DatabaseProgram) -> DatabaseServer {
        let options = vec!["--host=db server".into()];
        DatabaseServer {
            program,
            databases: vec!["shop".into(), "it's".into()],
            options,
            through: None,
            password_file: Some("/etc/db password".into()),
        }
    }

    #[test]
    fn a_dump_is_the_line_of_the_servers_own_program() {
        let dumps = of_server("db", &server(DatabaseProgram::Postgresql)).expect("dumps");
        assert_eq!(dumps[0].path, "db/shop.sql");
        assert_eq!(
            dumps[0].command,
            "PGPASSWORD=\"$(cat '/etc/db password')\"; export PGPASSWORD; \
             pg_dump '--host=db server' --no-password --dbname=shop"
        );
        assert!(dumps[1].command.ends_with(r"--dbname='it'\''s'"), "{}", dumps[1].command);
        let through = DatabaseServer {
            through: Some("docker exec -i db".into()),
            password_file: None,
            options: Vec::new(),
            ..server(DatabaseProgram::Mariadb)
        };
        let dumps = of_server("db", &through).expect("dumps");
        assert!(
            dumps[0].command.starts_with("docker exec -i db mariadb-dump --single-transaction")
        );
    }

    #[test]
    fn a_program_that_is_not_here_is_named() {
        let source = |command: &str| SourceSettings {
            kind: SourceKind::Command { command: command.into(), file: "x".into() },
            ..SourceSettings::default()
        };
        assert_eq!(missing_program(&source("no-such-dumper --all")), Some("no-such-dumper".into()));
        for there in ["cat /etc/passwd", "/bin/cat x", "for x in 1; do echo; done", "(echo x)"] {
            assert_eq!(missing_program(&source(there)), None, "{there}");
        }
    }
}
